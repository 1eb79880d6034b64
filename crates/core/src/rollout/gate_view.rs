use serde::Serialize;

use crate::api::{Better, Gate, GateState, RolloutPolicySpec};
use crate::gate::ratio;

/// What a gate has seen, for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GateView {
    /// Its name.
    pub name: String,
    /// The member of the gate that is set; empty where the policy is not known.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub judge: &'static str,
    /// What its last look was like.
    pub look: LookView,
    /// The last value.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// What is good, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub bound: String,
    /// What is bad about the value, or why there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub problem: String,
    /// The value beside its bounds, where both are numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gauge: Option<Gauge>,
}

/// What the last look of a gate was like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum LookView {
    /// It gave a good value.
    Good,
    /// It gave a bad one.
    Bad,
    /// There were too few requests.
    LowTraffic,
    /// It gave none.
    NoData,
    /// It was not asked in this step.
    NotAsked,
}

/// A number beside its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gauge {
    /// What is measured: `value`, or `evidence` against the candidate, as a power of e.
    pub of: &'static str,
    /// The number.
    pub value: f64,
    /// The smallest good one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The largest good one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// The gates of a policy in its order with what they saw; where no policy is known, those that saw something.
pub(super) fn gates(policy: Option<&RolloutPolicySpec>, states: &[GateState]) -> Vec<GateView> {
    let Some(policy) = policy else { return states.iter().map(|state| view(None, Some(state), 1)).collect() };
    let ratios = policy.gates.iter().filter(|gate| gate.ratio.is_some()).count();
    let state = |gate: &Gate| states.iter().find(|state| state.name == gate.name);
    policy.gates.iter().map(|gate| view(Some(gate), state(gate), ratios)).collect()
}

fn view(gate: Option<&Gate>, state: Option<&GateState>, ratios: usize) -> GateView {
    let name = gate.map(|gate| &gate.name).or(state.map(|state| &state.name)).cloned();
    let (judge, bound) = gate.map(described).unwrap_or_default();
    let look = match state {
        None => LookView::NotAsked,
        Some(state) if state.low_traffic => LookView::LowTraffic,
        Some(state) if !state.problem.is_empty() => LookView::NoData,
        Some(state) if state.bad > 0 => LookView::Bad,
        Some(state) if state.good > 0 => LookView::Good,
        Some(_) => LookView::NotAsked,
    };
    let problem = state.map(|state| if state.problem.is_empty() { &state.why } else { &state.problem });
    GateView {
        name: name.unwrap_or_default(),
        judge,
        look,
        value: state.map(|state| state.value.clone()).unwrap_or_default(),
        bound,
        problem: problem.cloned().unwrap_or_default(),
        gauge: gate.zip(state).and_then(|(gate, state)| gauge(gate, state, ratios)),
    }
}

/// The kind of a gate, and what is good.
fn described(gate: &Gate) -> (&'static str, String) {
    if let Some(own) = &gate.threshold {
        let bounds = [
            own.min.as_ref().map(|min| format!("at least {min}")),
            own.max.as_ref().map(|max| format!("at most {max}")),
        ];
        return ("threshold", bounds.into_iter().flatten().collect::<Vec<_>>().join(", "));
    }
    if let Some(own) = &gate.ratio {
        return (
            "ratio",
            format!("at most {} times stable's share, sure to {}", own.tolerate, own.confidence),
        );
    }
    if let Some(own) = &gate.compare {
        let worse = match own.better {
            Better::Lower => "higher",
            Better::Higher => "lower",
        };
        return ("compare", format!("at most {} times {worse} than stable's", own.tolerate));
    }
    if let Some(own) = &gate.cel {
        return ("cel", own.expression.clone());
    }
    match (&gate.webhook, &gate.job) {
        (Some(own), _) => ("webhook", format!("the verdict of {}", own.url)),
        (None, Some(_)) => ("job", "a Job that ends well".into()),
        (None, None) => ("", String::new()),
    }
}

fn gauge(gate: &Gate, state: &GateState, ratios: usize) -> Option<Gauge> {
    if let (Some(spec), Some(counted)) = (&gate.ratio, &state.ratio) {
        let (value, enough) = ratio::evidence(spec, counted, ratios);
        return Some(Gauge { of: "evidence", value, min: None, max: Some(enough) });
    }
    let own = gate.threshold.as_ref()?;
    let number = |text: &String| text.parse::<f64>().ok().filter(|number| number.is_finite());
    let (min, max) = (own.min.as_ref().and_then(number), own.max.as_ref().and_then(number));
    Some(Gauge { of: "value", value: number(&state.value)?, min, max })
}
