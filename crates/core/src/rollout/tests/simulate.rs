use std::fmt::Write as _;

use serde_json::json;

use super::*;
use crate::rollout::tests::model::{canary, policy};

const ASSUMED: Assumed =
    Assumed { replicas: 10, startup: Duration::from_secs(10), fail_at: None, no_verdict: false };

fn told(simulated: &Simulated) -> String {
    let mut text = String::new();
    for moment in &simulated.timeline {
        let Moment { at, phase, step, name, exposure, candidate, stable, note } = moment;
        let _ = writeln!(text, "{at} {phase:?} {step}{name} {exposure}, {candidate} + {stable} {note}");
    }
    format!("{text}{:?}", simulated.end)
}

#[test]
fn a_canary_goes_through_its_steps_and_no_sooner_than_its_holds() {
    insta::assert_snapshot!(told(&simulate(&canary(), &ASSUMED)));
}

#[test]
fn a_failure_leads_back() {
    insta::assert_snapshot!(told(&simulate(&canary(), &Assumed { fail_at: Some(2), ..ASSUMED })));
}

#[test]
fn without_a_verdict_it_ends_as_the_policy_says() {
    let mut spec = canary();
    let none = Assumed { no_verdict: true, ..ASSUMED };
    let held = simulate(&spec, &none);
    assert_eq!((held.end, held.timeline.last().map(|moment| moment.at)), (End::Held, Some(3600)));
    spec.on_no_verdict = crate::api::OnNoVerdict::Rollback;
    assert_eq!(simulate(&spec, &none).end, End::Undone);
    spec.on_no_verdict = crate::api::OnNoVerdict::Continue;
    assert_eq!(simulate(&spec, &none).end, End::Promoted);
}

#[test]
fn blue_green_is_approved_and_switched_at_once() {
    let spec = policy(
        json!({"blueGreen": {"approval": true, "hold": "1m", "bake": "2m"}}),
        json!({"service": "web"}),
    );
    insta::assert_snapshot!(told(&simulate(&spec, &ASSUMED)));
}

#[test]
fn a_stateful_set_trades_pods() {
    let mut spec = policy(json!({"rolling": {"steps": [{"percent": 20}, {"percent": 50}]}}), json!(null));
    spec.target.kind = crate::api::TargetKind::StatefulSet;
    let simulated = simulate(&spec, &ASSUMED);
    assert!(simulated.timeline.iter().all(|moment| moment.candidate + moment.stable == 10));
    assert_eq!(simulated.end, End::Promoted);
}
