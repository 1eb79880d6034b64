use rstest::rstest;

use super::super::fate::*;
use crate::api::{HealthStatus, OnFailure, OnNoVerdict};
use HealthStatus::*;
use OnFailure::{Auto, Hold, Rollback};
use WayBack::*;

fn trial(health: HealthStatus) -> Trial<'static> {
    Trial {
        failed: None,
        complete: true,
        health,
        message: "web crashes",
        excuse: None,
        gates: Gates::Passed,
        on_no_verdict: OnNoVerdict::Hold,
        on_failure: Rollback,
        verify: true,
        way_back: WayBack::Open,
    }
}

/// The fate in a few words.
fn told(trial: &Trial<'_>) -> String {
    match fate(trial) {
        Fate::Open => "open".into(),
        Fate::Proved => "proved".into(),
        Fate::Undone { reason, message } => format!("undone, {reason}: {message}"),
        Fate::Held { reason, message, excused: false } => format!("held, {reason}: {message}"),
        Fate::Held { reason, message, excused: true } => format!("excused, {reason}: {message}"),
    }
}

#[rstest]
#[case(Healthy, true, "proved")]
#[case(Suspended, true, "proved")]
#[case(Healthy, false, "open")]
#[case(Progressing, true, "open")]
#[case(Missing, true, "open")]
#[case(Unknown, true, "open")]
#[case(Degraded, true, "undone, Degraded: web crashes")]
#[case(Degraded, false, "undone, Degraded: web crashes")]
fn by_health(#[case] health: HealthStatus, #[case] complete: bool, #[case] expected: &str) {
    assert_eq!(told(&Trial { complete, ..trial(health) }), expected);
}

#[rstest]
#[case(Rollback, false, true)]
#[case(Rollback, true, true)]
#[case(Auto, true, true)]
#[case(Auto, false, false)]
#[case(Hold, true, false)]
#[case(Hold, false, false)]
fn by_policy(#[case] on_failure: OnFailure, #[case] verify: bool, #[case] undone: bool) {
    let expected = if undone { "undone, Degraded: web crashes" } else { "held, Degraded: web crashes" };
    assert_eq!(told(&Trial { on_failure, verify, ..trial(Degraded) }), expected);
}

#[rstest]
#[case(NoStable, "held, Degraded: web crashes; not rolled back: no release proved itself before this one")]
#[case(
    Irreversible("Job migrate"),
    "held, Irreversible: web crashes; not rolled back: it changed Job migrate, which says that it is irreversible"
)]
#[case(
    Paused,
    "held, RollbackPaused: web crashes; not rolled back: so many Applications fail at the same time that \
     something else may be wrong; `windlass rollback` still works"
)]
fn by_way_back(#[case] way_back: WayBack<'static>, #[case] expected: &str) {
    assert_eq!(told(&Trial { way_back, ..trial(Degraded) }), expected);
    // With a policy to hold there is nothing to explain.
    assert_eq!(told(&Trial { way_back, on_failure: Hold, ..trial(Degraded) }), "held, Degraded: web crashes");
}

#[test]
fn what_the_environment_did_is_no_reason_to_go_back() {
    let excused = Trial { excuse: Some("the nodes are full"), ..trial(Degraded) };
    assert_eq!(told(&excused), "excused, Degraded: web crashes; not rolled back: the nodes are full");
    // A gate that failed is the release's.
    let failed = Trial { gates: Gates::Failed("errors 4 %"), health: Healthy, ..excused };
    assert_eq!(told(&failed), "undone, VerifyFailed: errors 4 %");
}

#[rstest]
#[case(Rollback, WayBack::Open, None, "undone, HookFailed: migrate failed")]
#[case(Auto, WayBack::Open, None, "undone, HookFailed: migrate failed")]
#[case(Hold, WayBack::Open, None, "held, HookFailed: migrate failed")]
#[case(Hold, WayBack::Open, Some("no node has room"), "held, HookFailed: migrate failed")]
#[case(
    Rollback,
    WayBack::Open,
    Some("no node has room"),
    "held, HookFailed: migrate failed; not rolled back: no node has room"
)]
#[case(
    Rollback,
    NoStable,
    None,
    "held, HookFailed: migrate failed; not rolled back: no release proved itself before this one"
)]
fn a_failed_hook_fails_the_release(
    #[case] on_failure: OnFailure,
    #[case] way_back: WayBack<'static>,
    #[case] excuse: Option<&'static str>,
    #[case] expected: &str,
) {
    let hook = Failed { reason: "HookFailed", message: "migrate failed", excuse };
    // Whatever the objects that were applied before it do, and whoever is to blame for that.
    for health in [Healthy, Progressing, Degraded] {
        let base = Trial { complete: false, on_failure, way_back, ..trial(health) };
        let trial = Trial { failed: Some(hook), excuse: Some("web was broken before"), ..base };
        assert_eq!(told(&trial), expected, "{health:?}");
    }
}

#[rstest]
#[case(Gates::Passed, OnNoVerdict::Hold, "proved")]
#[case(Gates::Judging, OnNoVerdict::Hold, "open")]
#[case(Gates::Failed("errors 4 %"), OnNoVerdict::Hold, "undone, VerifyFailed: errors 4 %")]
#[case(Gates::Silent("no data"), OnNoVerdict::Hold, "excused, NoVerdict: no data")]
#[case(Gates::Silent("no data"), OnNoVerdict::Rollback, "undone, NoVerdict: no data")]
#[case(Gates::Silent("no data"), OnNoVerdict::Continue, "proved")]
fn by_gates(#[case] gates: Gates<'static>, #[case] on_no_verdict: OnNoVerdict, #[case] expected: &str) {
    assert_eq!(told(&Trial { gates, on_no_verdict, ..trial(Healthy) }), expected);
    // Nobody asks the gates before everything is healthy.
    assert_eq!(told(&Trial { gates, on_no_verdict, ..trial(Progressing) }), "open");
}
