use rstest::rstest;
use serde_json::json;
use windlass_core::api::{Action, Application, RolloutPolicySpec};
use windlass_core::rollout::simulate::{Assumed, simulate};
use windlass_core::rollout::{Known, PodCounts, TargetView};

use super::super::text::Palette;
use super::super::watching::Look;
use super::{ask, get, page, simulate as command};

fn policy() -> RolloutPolicySpec {
    serde_json::from_value(json!({
        "target": {"kind": "Deployment", "name": "web"},
        "strategy": {"canary": {"steps": [
            {"name": "smoke", "weight": 5, "hold": "1m"},
            {"weight": 50, "hold": "10m", "approval": true},
        ], "bake": "5m"}},
        "traffic": {"service": "web", "httpRoute": {"name": "web"}},
        "gates": [{"name": "errors", "threshold": {"query": "errors", "max": "0.01"}}],
    }))
    .unwrap()
}

fn application(
    phase: &str,
    rollout: serde_json::Value,
    [ready, stalled]: [&str; 2],
    reason: &str,
) -> Application {
    let condition = |kind, status| {
        json!({"type": kind, "status": status, "reason": reason, "message": "main@2: so it is",
               "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    let reconciling = if matches!(reason, "RollingOut" | "Aborted") { "True" } else { "False" };
    serde_json::from_value(json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "Application",
        "metadata": {"name": "shop", "namespace": "team-a", "generation": 1}, "spec": {"sources": []},
        "status": {
            "observedGeneration": 1,
            "sync": {"status": "Synced", "revision": "main@2"}, "health": {"status": "Healthy"},
            "conditions": [
                condition("Ready", ready), condition("Stalled", stalled), condition("Reconciling", reconciling),
            ],
            "targets": [{
                "kind": "Deployment", "namespace": "shop", "name": "web", "phase": phase, "stable": "a",
                "rollout": rollout,
            }],
        },
    }))
    .unwrap()
}

fn rollout(extra: serde_json::Value) -> serde_json::Value {
    let mut rollout = json!({
        "candidate": "b", "revision": "main@2", "stableHash": "h1", "candidateHash": "h2", "replicas": 4,
        "pods": 2, "step": 1, "steps": 2, "stepWeight": 50, "exposed": 2, "weight": 50,
        "since": "2026-01-01T00:00:00Z", "phaseSince": "2026-01-01T00:02:00Z",
        "gates": [{"name": "errors", "good": 3, "bad": 0, "value": "0.002", "lastLook": "2026-01-01T00:02:30Z"}],
    });
    rollout.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    rollout
}

fn views(application: &Application) -> Vec<TargetView> {
    let (policy, now) = (policy(), "2026-01-01T00:03:00Z".parse().unwrap());
    let pods = [
        ("h1".to_owned(), PodCounts { total: 4, ready: 4 }),
        ("h2".into(), PodCounts { total: 2, ready: 1 }),
    ];
    let pods = pods.into();
    let known = Known { policy: Some(&policy), pods: Some(&pods) };
    application.status.iter().flat_map(|s| &s.targets).map(|s| TargetView::new(s, &known, now)).collect()
}

#[test]
fn a_page_shows_steps_pods_gates_and_what_it_waits_for() {
    let application =
        application("Hold", rollout(json!({"message": "errors 0.002"})), ["False", "False"], "RollingOut");
    insta::assert_snapshot!(page::page(&application, &views(&application), Palette::plain()));
    insta::assert_snapshot!(page::lines(&views(&application), "00:03:00"));
}

#[test]
fn nothing_that_strangers_wrote_commands_the_terminal() {
    let evil = "\u{1b}[2J";
    let extra = json!({
        "message": evil, "failed": {"reason": "GateFailed", "message": evil}, "revision": evil,
        "gates": [{"name": "errors", "problem": evil, "lastLook": "2026-01-01T00:02:30Z"}],
    });
    let application = application("Retreat", rollout(extra), ["False", "True"], "Held");
    let page = page::page(&application, &views(&application), Palette::plain());
    assert!(!page.contains('\u{1b}'), "{page}");
    assert!(!page::lines(&views(&application), "now").contains('\u{1b}'));
}

#[rstest]
#[case::held("Hold", json!({}), ["False", "False"], "RollingOut", "not yet")]
#[case::undecided("Hold", json!({"message": "no verdict after 1h, held until a person says: no data"}), ["False", "False"], "RollingOut", "failed: web is held: no verdict after 1h, held until a person says: no data")]
#[case::goes_back("Retreat", json!({"failed": {"reason": "GateFailed", "message": "errors"}}), ["False", "False"], "RollingOut", "not yet")]
#[case::stays_failed("Retreat", json!({"failed": {"reason": "GateFailed", "message": "errors"}}), ["False", "True"], "GateFailed", "failed: web failed and is not undone: errors")]
#[case::is_being_undone("Retreat", json!({"failed": {"reason": "Aborted", "message": "aborted"}}), ["False", "True"], "Aborted", "not yet")]
#[case::on_its_way_back("Abort", json!({}), ["False", "True"], "RolledBack", "not yet")]
fn it_is_followed_until_it_ends(
    #[case] phase: &str,
    #[case] extra: serde_json::Value,
    #[case] conditions: [&str; 2],
    #[case] reason: &str,
    #[case] answer: &str,
) {
    assert_eq!(said(&application(phase, rollout(extra), conditions, reason)), answer);
}

#[rstest]
#[case::promoted(["True", "False"], "Synced", "done: promoted: main@2 is live and healthy")]
#[case::undone(["False", "True"], "RolledBack", "failed: rolled back: main@2: so it is")]
#[case::begins(["False", "False"], "RollingOut", "not yet")]
#[case::refused(["False", "True"], "RenderFailed", "failed: stalled, RenderFailed: main@2: so it is")]
fn when_nothing_is_under_way_the_application_says_how_it_ended(
    #[case] conditions: [&str; 2],
    #[case] reason: &str,
    #[case] answer: &str,
) {
    assert_eq!(said(&application("Idle", json!(null), conditions, reason)), answer);
}

fn said(application: &Application) -> String {
    match get::judge(application) {
        Look::Done(how) => format!("done: {how}"),
        Look::NotYet(_) => "not yet".into(),
        Look::Failed(why) => format!("failed: {why}"),
        Look::Never(why) => format!("never: {why}"),
    }
}

#[test]
fn a_request_is_answered_in_one_line() {
    let paused = rollout(json!({"paused": {"by": "jane", "at": "2026-01-01T00:02:00Z"}}));
    let application = application("Hold", paused, ["False", "False"], "RollingOut");
    assert_eq!(ask::outcome(&application, Action::Pause, None), "paused: web: step 2/2 50 %, paused");
    assert_eq!(
        ask::outcome(&application, Action::Pause, Some("db")),
        "paused: rolling out: main@2: so it is"
    );
}

#[test]
fn a_simulation_is_a_table() {
    let startup = std::time::Duration::from_secs(20);
    let simulated =
        simulate(&policy(), &Assumed { replicas: 4, startup, fail_at: Some(2), no_verdict: false });
    insta::assert_snapshot!(command::table(&simulated).unwrap());
}
