use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::api::Threshold;
use crate::gate::look::MAX_PROBLEM;
use crate::gate::{Look, Sample, look, threshold};

fn gate(min: Option<&str>, max: Option<&str>, consecutive: u32) -> Gate {
    let threshold = Threshold {
        query: "q".into(),
        min: min.map(Into::into),
        max: max.map(Into::into),
        interval: crate::api::Duration::from_secs(15),
        consecutive,
    };
    Gate { name: "errors".into(), threshold: Some(threshold), ..Gate::default() }
}

fn verify(gate: Gate) -> Verify {
    Verify {
        period: crate::api::Duration::from_secs(60),
        gates: vec![gate],
        on_no_verdict: OnNoVerdict::Hold,
    }
}

/// What the gate has seen after these looks, NaN for none.
fn seen(gate: &Gate, looks: &[f64]) -> Vec<GateState> {
    let spec = gate.threshold.clone().unwrap();
    looks_of(gate, looks.iter().map(|value| threshold(&spec, &Sample::number(*value))))
}

fn looks_of(gate: &Gate, looks: impl IntoIterator<Item = Look>) -> Vec<GateState> {
    let mut state = None;
    for seen in looks {
        state = Some(look(gate, state.as_ref(), &seen, Time(Timestamp::UNIX_EPOCH)));
    }
    state.into_iter().collect()
}

fn after(looks: &[f64], seconds: u64) -> Verdict {
    let gate = gate(None, Some("0.01"), 3);
    let states = seen(&gate, looks);
    judge_verify(&verify(gate), &states, Duration::from_secs(seconds))
}

const NONE: f64 = f64::NAN;

#[test]
fn a_gate_passes_when_its_period_is_over_and_the_last_look_was_good() {
    assert_eq!(after(&[0.0, 0.001], 59), Verdict::Open("errors 0.001".into()));
    assert_eq!(after(&[0.0, 0.001], 60), Verdict::Pass);
    assert_eq!(after(&[0.01], 60), Verdict::Pass, "the bound itself is good");
    assert_eq!(after(&[0.0, 0.5], 60), Verdict::Open("errors 0.5 (above max 0.01)".into()));
    assert_eq!(after(&[0.5, 0.5, 0.0], 60), Verdict::Pass, "an outlier is forgiven");
}

#[test]
fn a_gate_fails_at_once_when_it_was_bad_often_enough_in_a_row() {
    let failed = Verdict::Fail("gate errors: 0.5 is above max 0.01 for 3 looks in a row".into());
    assert_eq!(after(&[0.5, 0.5, 0.5], 1), failed);
    assert_eq!(after(&[0.5, NONE, 0.5, NONE, 0.5], 1), failed, "silence does not clear it");
    assert!(matches!(after(&[0.5, 0.5, 0.0, 0.5], 1), Verdict::Open(_)));
}

#[test]
fn silence_is_neither_good_nor_bad() {
    assert!(matches!(after(&[], 60), Verdict::Open(_)));
    assert!(matches!(after(&[0.0, NONE], 60), Verdict::Open(_)), "the last look must be good");
    assert_eq!(after(&[], 120), Verdict::NoData("gate errors: no data: it was never asked".into()));
    let silent =
        Verdict::NoData("gate errors: no data: the query gives NaN, which is no number to judge".into());
    assert_eq!(after(&[0.0, NONE], 120), silent);
    assert!(matches!(after(&[0.5], 120), Verdict::Open(_)), "a bad value is data: the next looks decide");
}

#[test]
fn one_bad_look_is_told_without_a_count() {
    let gate = gate(Some("10"), None, 1);
    let states = seen(&gate, &[9.5]);
    let verdict = judge_verify(&verify(gate), &states, Duration::ZERO);
    assert_eq!(verdict, Verdict::Fail("gate errors: 9.5 is below min 10".into()));
}

#[test]
fn too_few_requests_prolong_the_hold_and_then_the_policy_counts() {
    let choose = |choice, seconds| {
        let max_hold = Some(crate::api::Duration::from_secs(180));
        let gate = Gate { max_hold, on_low_traffic: choice, ..gate(None, Some("1"), 3) };
        let states = looks_of(&gate, [Look::Good("0".into()), Look::LowTraffic("7 of 50 requests".into())]);
        let elapsed = Duration::from_secs(seconds);
        judge(&[gate], &states, &Hold { elapsed, length: Duration::from_secs(60), ratios: 0 })
    };
    let rollback = Some(OnNoVerdict::Rollback);
    let told = "gate errors: 7 of 50 requests";
    assert_eq!(choose(rollback, 59), Verdict::Open("errors 7 of 50 requests".into()));
    assert_eq!(choose(rollback, 60), Verdict::LowTraffic(format!("{told}; the hold goes on")));
    assert_eq!(choose(rollback, 180), Verdict::Fail(told.into()));
    assert_eq!(choose(Some(OnNoVerdict::Continue), 180), Verdict::Pass);
    assert_eq!(choose(None, 180), Verdict::LowTraffic(told.into()));
}

#[test]
fn who_has_not_made_up_his_mind_holds() {
    let gate = gate(None, Some("1"), 1);
    let states = looks_of(&gate, [Look::Good("Pass".into()), Look::Wait("two tests to go".into())]);
    let at = |seconds| {
        let hold = Hold { elapsed: Duration::from_secs(seconds), length: Duration::from_secs(60), ratios: 0 };
        verdict(&gate, states.first(), &hold)
    };
    assert_eq!(at(59), Verdict::Open("errors two tests to go".into()));
    assert_eq!(at(60), Verdict::NoData("gate errors: no data: two tests to go".into()));
}

#[test]
fn one_failure_fails_all_and_a_hold_without_gates_is_a_time_to_wait() {
    let other = Gate { name: "latency".into(), ..gate(None, Some("1"), 1) };
    let gates = [gate(None, Some("1"), 1), other];
    let mut states = seen(&gates[0], &[0.5]);
    let hold =
        |seconds| Hold { elapsed: Duration::from_secs(seconds), length: Duration::from_secs(60), ratios: 0 };
    assert_eq!(judge(&gates, &states, &hold(0)), Verdict::Open("errors 0.5, latency not asked yet".into()));
    assert!(matches!(judge(&gates, &states, &hold(60)), Verdict::NoData(why) if why.contains("latency")));
    states.extend(seen(&gates[1], &[2.0]));
    assert_eq!(judge(&gates, &states, &hold(0)), Verdict::Fail("gate latency: 2 is above max 1".into()));
    assert_eq!(judge(&[], &[], &hold(59)), Verdict::Open(String::new()));
    assert_eq!(judge(&[], &[], &hold(60)), Verdict::Pass);
}

proptest! {
    #[test]
    fn any_history_gives_a_verdict_and_bounded_words(
        looks in proptest::collection::vec(any::<f64>(), 0..20), seconds in 0u64..1000
    ) {
        let gate = gate(Some("-1"), Some("1"), 3);
        let states = seen(&gate, &looks);
        prop_assert!(states.iter().all(|s| s.value.len() <= 32 && s.problem.len() <= MAX_PROBLEM));
        let finite: Vec<_> = looks.iter().filter(|v| v.is_finite()).collect();
        let bad_end = finite.len() >= 3 && finite.iter().rev().take(3).all(|v| v.abs() > 1.0);
        let verdict = judge_verify(&verify(gate), &states, Duration::from_secs(seconds));
        prop_assert_eq!(matches!(verdict, Verdict::Fail(_)), bad_end);
    }
}
