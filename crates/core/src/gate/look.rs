use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use serde::{Deserialize, Serialize};

use crate::api::{Gate, GateState};

/// Longest reason why a look gave no value, in bytes.
pub const MAX_PROBLEM: usize = 256;
/// Longest value, and longest reason why it is bad, in bytes.
pub const MAX_VALUE: usize = 128;

/// The value of a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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

/// What one look of a gate came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Look {
    /// A good value.
    Good(String),
    /// A bad value.
    Bad {
        /// The value, as `0.5`.
        value: String,
        /// What is bad about it, as `above max 0.01`.
        why: String,
    },
    /// The one that is asked has not made up its mind, in its words.
    Wait(String),
    /// There were too few requests to tell, and how many.
    LowTraffic(String),
    /// Nothing is known, and why.
    NoData(String),
}

/// Adds a look to what a gate has seen.
pub fn look(gate: &Gate, before: Option<&GateState>, seen: &Look, now: Time) -> GateState {
    let before = before.cloned().unwrap_or_else(|| GateState::new(&gate.name, now.clone()));
    let mut state = GateState { name: gate.name.clone(), last_look: now.clone(), ..before.clone() };
    state.value = String::new();
    state.why = String::new();
    state.problem = String::new();
    state.low_traffic = false;
    match seen {
        Look::Good(value) => {
            state.value = bounded(value, MAX_VALUE);
            state.good = state.good.saturating_add(1);
            state.bad = 0;
        }
        Look::Bad { value, why } => {
            state.value = bounded(value, MAX_VALUE);
            state.why = bounded(why, MAX_VALUE);
            state.bad = state.bad.saturating_add(1);
        }
        Look::Wait(words) => {
            state.value = bounded(words, MAX_VALUE);
            state.good = 0;
            state.bad = 0;
        }
        Look::LowTraffic(words) => {
            state.low_traffic = true;
            state.problem = bounded(words, MAX_PROBLEM);
        }
        Look::NoData(problem) => state.problem = bounded(problem, MAX_PROBLEM),
    }
    state
}

/// A number as people read it, at most 32 bytes.
pub fn number(value: f64) -> String {
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

/// One line of at most `max` bytes.
pub fn bounded(text: &str, max: usize) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut end = clean.len().min(max);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    clean.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn lines_are_cut_at_a_character() {
        assert_eq!(bounded("ä\nö", 3), "ä ");
    }
}
