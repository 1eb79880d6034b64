use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::{Gate, GateState, Threshold, Verify};

/// Longest reason why a look gave no value, in bytes.
const MAX_PROBLEM: usize = 256;

/// What one look at a metric gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// A finite number.
    Value(f64),
    /// No number, and why: an empty answer, NaN, an error, no answer at all.
    NoData(String),
}

impl Sample {
    /// A number of a metric; NaN and the infinities are no data (a ratio of nothing by nothing, for one).
    pub fn number(value: f64) -> Self {
        if value.is_finite() {
            Self::Value(value)
        } else {
            Self::NoData(format!("the query gives {value}, which is no number to judge"))
        }
    }
}

/// What the gates say of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The period is not over, or the last look was bad and may be an outlier; what is known so far.
    Open(String),
    /// Every gate is good.
    Pass,
    /// A gate was bad as often in a row as it may not be: its name, values and bounds.
    Fail(String),
    /// The period and as much again is over without a word from some gate.
    NoData(String),
}

/// Adds a look to what a gate has seen.
pub fn look(gate: &Gate, before: Option<&GateState>, sample: &Sample, now: Time) -> GateState {
    let mut state = GateState {
        name: gate.name.clone(),
        good: before.map_or(0, |b| b.good),
        bad: before.map_or(0, |b| b.bad),
        value: String::new(),
        problem: String::new(),
        last_look: now,
    };
    match sample {
        Sample::Value(value) => {
            state.value = number(*value);
            if within(&gate.threshold, *value) {
                state.good = state.good.saturating_add(1);
                state.bad = 0;
            } else {
                state.bad = state.bad.saturating_add(1);
            }
        }
        Sample::NoData(problem) => state.problem = bounded(problem),
    }
    state
}

/// The verdict over all gates, `elapsed` after the objects became healthy.
pub fn judge(verify: &Verify, states: &[GateState], elapsed: Duration) -> Verdict {
    let seen = |gate: &Gate| states.iter().find(|state| state.name == gate.name);
    let failed = verify
        .gates
        .iter()
        .find(|gate| seen(gate).is_some_and(|state| state.bad >= gate.threshold.consecutive.max(1)));
    if let Some(gate) = failed {
        let state = seen(gate);
        return Verdict::Fail(format!(
            "gate {}: {} is {} for {} looks in a row",
            gate.name,
            state.map_or("", |state| state.value.as_str()),
            outside(&gate.threshold, state),
            gate.threshold.consecutive.max(1),
        ));
    }
    let good = |gate: &&Gate| {
        seen(gate).is_some_and(|state| state.good > 0 && state.bad == 0 && state.problem.is_empty())
    };
    let open: Vec<_> = verify.gates.iter().filter(|gate| !good(gate)).collect();
    let period = verify.period.get();
    if open.is_empty() && elapsed >= period {
        return Verdict::Pass;
    }
    let silent = open.iter().find(|gate| seen(gate).is_none_or(|state| state.bad == 0));
    if elapsed >= period.saturating_mul(2)
        && let Some(gate) = silent
    {
        let problem = seen(gate).map_or("it was never asked", |state| state.problem.as_str());
        return Verdict::NoData(format!("gate {}: no data: {problem}", gate.name));
    }
    Verdict::Open(summary(verify, states))
}

/// `error-ratio 0.002, latency no data: the query gives no series`
fn summary(verify: &Verify, states: &[GateState]) -> String {
    let gates = verify.gates.iter().map(|gate| match states.iter().find(|state| state.name == gate.name) {
        None => format!("{} not asked yet", gate.name),
        Some(state) if !state.problem.is_empty() => format!("{} no data: {}", gate.name, state.problem),
        Some(state) if state.bad > 0 => {
            format!("{} {} ({})", gate.name, state.value, outside(&gate.threshold, Some(state)))
        }
        Some(state) => format!("{} {}", gate.name, state.value),
    });
    gates.collect::<Vec<_>>().join(", ")
}

fn within(threshold: &Threshold, value: f64) -> bool {
    let bound = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<f64>().ok());
    bound(&threshold.min).is_none_or(|min| value >= min)
        && bound(&threshold.max).is_none_or(|max| value <= max)
}

/// `above max 0.01`
fn outside(threshold: &Threshold, state: Option<&GateState>) -> String {
    let value = state.and_then(|state| state.value.parse::<f64>().ok());
    let below = threshold
        .min
        .as_ref()
        .filter(|min| value.zip(min.parse::<f64>().ok()).is_some_and(|(value, min)| value < min));
    match (below, &threshold.max) {
        (Some(min), _) => format!("below min {min}"),
        (None, Some(max)) => format!("above max {max}"),
        (None, None) => "out of bounds".to_owned(),
    }
}

/// A number as people read it, at most 32 bytes.
fn number(value: f64) -> String {
    let plain = format!("{value}");
    if plain.len() <= 12 {
        return plain;
    }
    let magnitude = value.abs();
    if (1e-4..1e9).contains(&magnitude) {
        let text = format!("{value:.6}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.4e}")
    }
}

fn bounded(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut end = clean.len().min(MAX_PROBLEM);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    clean.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::api::OnNoVerdict;

    fn gate(min: Option<&str>, max: Option<&str>, consecutive: u32) -> Gate {
        Gate {
            name: "errors".into(),
            prometheus: None,
            threshold: Threshold {
                query: "q".into(),
                min: min.map(Into::into),
                max: max.map(Into::into),
                interval: crate::api::Duration::from_secs(15),
                consecutive,
            },
        }
    }

    fn verify(gate: Gate) -> Verify {
        Verify {
            period: crate::api::Duration::from_secs(60),
            gates: vec![gate],
            on_no_verdict: OnNoVerdict::Hold,
        }
    }

    /// What the gate has seen after these looks, `x` for none.
    fn seen(gate: &Gate, looks: &[f64]) -> Vec<GateState> {
        let mut state = None;
        for value in looks {
            let sample = Sample::number(*value);
            state = Some(look(gate, state.as_ref(), &sample, Time(Timestamp::UNIX_EPOCH)));
        }
        state.into_iter().collect()
    }

    fn after(looks: &[f64], seconds: u64) -> Verdict {
        let gate = gate(None, Some("0.01"), 3);
        let states = seen(&gate, looks);
        judge(&verify(gate), &states, Duration::from_secs(seconds))
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
    fn a_minimum_is_a_bound_too() {
        let gate = gate(Some("10"), None, 1);
        let states = seen(&gate, &[9.5]);
        let verdict = judge(&verify(gate), &states, Duration::ZERO);
        assert_eq!(verdict, Verdict::Fail("gate errors: 9.5 is below min 10 for 1 looks in a row".into()));
    }

    #[test]
    fn numbers_read_well() {
        for (value, text) in [
            (0.0, "0"),
            (1.0 / 3.0, "0.333333"),
            (1234567.0, "1234567"),
            (1e-9 / 3.0, "3.3333e-10"),
            (f64::MAX, "1.7977e308"),
        ] {
            assert_eq!(number(value), text);
        }
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
            let verdict = judge(&verify(gate), &states, Duration::from_secs(seconds));
            prop_assert_eq!(matches!(verdict, Verdict::Fail(_)), bad_end);
        }
    }
}
