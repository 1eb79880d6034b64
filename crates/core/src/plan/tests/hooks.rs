use rstest::rstest;
use serde_json::{Value, json};

use super::release;
use crate::api::{HealthStatus, HookRun, HookState};
use crate::fields::Managers;
use crate::health::Health;
use crate::health::cause::{Cause, FailureClass};
use crate::object::ObjectId;
use crate::plan::{
    HookStep, Keep, Observed, Order, Ownership, Progress, Stage, Steps, failed_hook, hook_actions,
    hook_failure, hook_step, hooks_on,
};
use crate::release::{Phase, Release};

fn hook(kind: &str, name: &str, annotations: Value) -> Value {
    let version = if kind == "Job" { "batch/v1" } else { "v1" };
    json!({
        "apiVersion": version, "kind": kind,
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations}
    })
}

fn seen(status: HealthStatus, message: &str, deleting: bool) -> Observed {
    Observed {
        uid: "u".into(),
        created: 0,
        resource_version: 1,
        ownership: Ownership::Unowned,
        fields: None,
        managers: Managers::default(),
        deleting,
        keep: Keep::default(),
        wave: 0,
        health: Health { status, message: message.into() },
    }
}

fn run(name: &str, phase: Phase, state: HookState) -> HookRun {
    HookRun {
        object: format!("Job shop/{name}"),
        phase: phase.as_str().into(),
        message: if state == HookState::Failed { "out of luck".into() } else { String::new() },
        state,
        digest: String::new(),
        environment: false,
        since: None,
    }
}

const NEW: Option<HookState> = None;
const RUNNING: Option<HookState> = Some(HookState::Running);

#[rstest]
#[case("Job", NEW, None, None, HookStep::Begin)]
#[case("Job", NEW, Some(seen(HealthStatus::Healthy, "", false)), None, HookStep::Remove)]
#[case(
    "Job", NEW, Some(seen(HealthStatus::Progressing, "", true)), None,
    HookStep::Wait("the one of an earlier release is being deleted".into())
)]
#[case("PersistentVolumeClaim", NEW, Some(seen(HealthStatus::Healthy, "", false)), None, HookStep::Begin)]
#[case("Job", RUNNING, None, None, HookStep::Create)]
#[case("Job", RUNNING, Some(seen(HealthStatus::Progressing, "0 of 1", false)), None, HookStep::Wait("0 of 1".into()))]
#[case("Job", RUNNING, Some(seen(HealthStatus::Healthy, "", false)), None, HookStep::Succeeded)]
#[case("Job", RUNNING, Some(seen(HealthStatus::Degraded, "exit 1", false)), None, HookStep::Failed("exit 1".into()))]
#[case("Job", RUNNING, None, Some(HealthStatus::Healthy), HookStep::Succeeded)]
#[case(
    "Job",
    RUNNING,
    Some(seen(HealthStatus::Progressing, "", true)),
    Some(HealthStatus::Healthy),
    HookStep::Succeeded
)]
#[case("Job", Some(HookState::Succeeded), None, None, HookStep::Succeeded)]
#[case("Job", Some(HookState::Failed), None, None, HookStep::Failed("out of luck".into()))]
fn a_hook_goes_on_from_wherever_it_is(
    #[case] kind: &str,
    #[case] state: Option<HookState>,
    #[case] observed: Option<Observed>,
    #[case] ended: Option<HealthStatus>,
    #[case] step: HookStep,
) {
    let release = release(vec![hook(kind, "migrate", json!({"windlass.dev/hook": "PreSync"}))]);
    let run = state.map(|state| run("migrate", Phase::PreSync, state));
    let ended = ended.map(|status| Health { status, message: String::new() });
    let hook = release.hooks().next().unwrap();
    assert_eq!(hook_step(&hook, run.as_ref(), observed.as_ref(), ended.as_ref()), step);
}

fn story() -> Release {
    release(vec![
        hook(
            "Job",
            "pre",
            json!({"windlass.dev/hook": "PreSync", "windlass.dev/hook-delete-policy": "HookSucceeded"}),
        ),
        hook("ConfigMap", "early", json!({"windlass.dev/hook": "PreSync", "windlass.dev/wave": "-1"})),
        hook("Job", "with", json!({"windlass.dev/hook": "Sync", "windlass.dev/wave": "2"})),
        hook("Job", "post", json!({"windlass.dev/hook": "PostSync"})),
        hook("Job", "sorry", json!({"windlass.dev/hook": "SyncFail"})),
        hook("Job", "back", json!({"windlass.dev/hook": "Rollback"})),
        hook("ConfigMap", "plain", json!({})),
    ])
}

fn names(release: &Release, new: bool, runs: &[HookRun], live: bool) -> Vec<(String, Stage, bool)> {
    let observed = |_: &ObjectId| live.then(|| seen(HealthStatus::Healthy, "", false));
    let actions = hook_actions(release, Progress { new, runs }, &observed);
    actions.into_iter().map(|action| (action.id.name, action.stage, action.clean)).collect()
}

#[test]
fn hooks_run_in_order_once_a_release() {
    let release = story();
    let all = [
        ("early", Stage::PreSync(-1), false),
        ("pre", Stage::PreSync(0), false),
        ("with", Stage::Wave(2), false),
        ("post", Stage::PostSync(0), false),
    ];
    let expected = |names: &[(&str, Stage, bool)]| {
        names.iter().map(|(name, stage, clean)| ((*name).to_owned(), *stage, *clean)).collect::<Vec<_>>()
    };
    assert_eq!(names(&release, true, &[], false), expected(&all));
    let runs = [run("pre", Phase::PreSync, HookState::Succeeded)];
    assert_eq!(names(&release, true, &runs, false), expected(&[all[0], all[2], all[3]]));
    assert_eq!(names(&release, false, &[], true), []);
}

#[test]
fn a_hook_that_ended_is_cleaned_up_as_it_asks_also_later() {
    let runs = [
        run("pre", Phase::PreSync, HookState::Succeeded),
        run("post", Phase::PostSync, HookState::Succeeded),
    ];
    assert_eq!(names(&story(), false, &runs, true), [("pre".to_owned(), Stage::PreSync(0), true)]);
    assert_eq!(names(&story(), false, &runs, false), []);
    let failed = [run("pre", Phase::PreSync, HookState::Failed)];
    assert_eq!(names(&story(), false, &failed, true), []);
}

#[test]
fn after_a_failed_hook_no_other_one_of_its_release_runs() {
    let runs = [run("pre", Phase::PreSync, HookState::Failed)];
    assert_eq!(names(&story(), true, &runs, false), []);
    assert_eq!(failed_hook(&runs).unwrap().message, "out of luck");
    let sorry = [run("sorry", Phase::SyncFail, HookState::Failed)];
    assert!(failed_hook(&sorry).is_none(), "a hook for failed releases fails no release");
}

const EXIT: &str = "job failed: BackoffLimitExceeded";
const LATE: &str = "job failed: DeadlineExceeded";
const FULL: (FailureClass, &str) = (FailureClass::Environment, "pod p: no node has room");
const CRASH: (FailureClass, &str) = (FailureClass::Release, "pod p: exit code 1");
const GONE: (FailureClass, &str) = (FailureClass::Release, LATE);

#[rstest]
#[case(EXIT, None, None, EXIT, false)]
#[case(EXIT, None, Some(CRASH), "job failed: BackoffLimitExceeded: pod p: exit code 1", false)]
// What its pods say now counts more than what they said once,
#[case(EXIT, Some(FULL), Some(CRASH), "job failed: BackoffLimitExceeded: pod p: exit code 1", false)]
#[case(EXIT, Some(CRASH), Some(FULL), "job failed: BackoffLimitExceeded: pod p: no node has room", true)]
#[case(EXIT, Some(FULL), None, "job failed: BackoffLimitExceeded: pod p: no node has room", true)]
// unless there are none any more.
#[case(LATE, Some(FULL), Some(GONE), "job failed: DeadlineExceeded: pod p: no node has room", true)]
#[case(LATE, Some(CRASH), Some(GONE), "job failed: DeadlineExceeded: pod p: exit code 1", false)]
#[case(LATE, None, Some(GONE), LATE, false)]
fn a_hook_says_whose_fault_it_is(
    #[case] why: &str,
    #[case] before: Option<(FailureClass, &str)>,
    #[case] now: Option<(FailureClass, &str)>,
    #[case] message: &str,
    #[case] environment: bool,
) {
    let release = release(vec![hook("Job", "migrate", json!({"windlass.dev/hook": "PreSync"}))]);
    let id = release.hooks().next().unwrap().id;
    let cause =
        |(class, message): (FailureClass, &str)| Cause { stuck: false, class, message: message.into() };
    let (before, now) = (before.map(cause), now.map(cause));
    assert_eq!(hook_failure(id, why, before.as_ref(), now.as_ref()), (message.to_owned(), environment));
}

#[test]
fn hooks_of_an_occasion_run_wave_by_wave_and_once() {
    let at = |name: &str, phases: &str, wave: &str| {
        hook("Job", name, json!({"windlass.dev/hook": phases, "windlass.dev/wave": wave}))
    };
    let release = release(vec![
        at("tell", "SyncFail, Rollback", "1"),
        at("down", "Rollback", "-1"),
        at("data", "Rollback", "-1"),
        at("pre", "PreSync", "-5"),
    ]);
    let next = |phase, runs: &[HookRun]| -> Vec<_> {
        hooks_on(&release, phase, runs).into_iter().map(|action| (action.id.name, action.stage)).collect()
    };
    let early = [("data".to_owned(), Stage::Rollback(-1)), ("down".to_owned(), Stage::Rollback(-1))];
    let mut runs = vec![run("tell", Phase::SyncFail, HookState::Succeeded)];
    assert_eq!(next(Phase::Rollback, &runs), early);
    assert_eq!(next(Phase::SyncFail, &runs), []);
    // One that failed has ended.
    runs.push(run("down", Phase::Rollback, HookState::Failed));
    runs.push(run("data", Phase::Rollback, HookState::Running));
    assert_eq!(next(Phase::Rollback, &runs), early[..1]);
    runs[2].state = HookState::Succeeded;
    assert_eq!(next(Phase::Rollback, &runs), [("tell".to_owned(), Stage::Rollback(1))]);
    runs.push(run("tell", Phase::Rollback, HookState::Succeeded));
    assert_eq!(next(Phase::Rollback, &runs), []);
}

#[test]
fn steps_wait_for_the_hooks_before_them() {
    let release = story();
    let order = Order::of(&release);
    let observed = |id: &ObjectId| {
        (id.name == "pre").then(|| seen(HealthStatus::Progressing, "0 of 1 completion done", false))
    };
    let held = |runs: &[HookRun], stage| {
        Steps { release: &release, order: &order, observed: &observed, applied: &|_| None, runs }.held(stage)
    };
    let mut runs = vec![run("pre", Phase::PreSync, HookState::Running)];
    assert_eq!(
        held(&runs, Stage::Wave(0)).unwrap(),
        "PreSync wave -1: ConfigMap shop/early: it has not run yet"
    );
    runs.push(HookRun {
        object: "ConfigMap shop/early".into(),
        ..run("", Phase::PreSync, HookState::Succeeded)
    });
    assert_eq!(held(&runs, Stage::PreSync(0)), None);
    assert_eq!(held(&runs, Stage::Wave(0)).unwrap(), "PreSync: Job shop/pre: 0 of 1 completion done");
    runs[0].state = HookState::Succeeded;
    assert_eq!(held(&runs, Stage::Wave(0)), None);
    let steps =
        Steps { release: &release, order: &order, observed: &observed, applied: &|_| None, runs: &runs };
    assert_eq!(steps.held_by_hooks().unwrap(), "wave 2: Job shop/with: it has not run yet");
}
