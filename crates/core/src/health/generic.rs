//! Health of kinds that have no rule of their own, by the conventions for conditions
//! (kubernetes/community, contributors/devel/sig-architecture/api-conventions.md, "Typical status
//! properties").

use super::Health;
use super::body::{Body, Condition, Truth};

/// Abnormal when true.
const FAILURES: [&str; 2] = ["Failed", "Degraded"];
/// Decide alone where there are any. `Synced` is how controllers of outside things (clouds, sealed
/// secrets) say whether the object's latest spec could be carried out, beside a `Ready` of what was there
/// before.
const DECISIVE: [&str; 2] = ["Ready", "Synced"];
/// Decide together where there is no decisive one.
const POSITIVE: [&str; 5] = ["Available", "Established", "Healthy", "Accepted", "Programmed"];

/// A custom resource. One without a status, or with no condition that is known, is Healthy: most such
/// kinds never get a status.
pub(super) fn assess(body: Body) -> Health {
    let conditions: Vec<Condition> = body.conditions("/status").collect();
    let generation = body.int("/metadata/generation");
    for condition in &conditions {
        if FAILURES.contains(&condition.kind)
            && condition.truth == Truth::True
            && !condition.is_stale(generation)
        {
            return Health::degraded(format!("{}: {}", condition.kind, condition.cause()));
        }
    }
    // The convention of Jobs, which many controllers follow.
    if body.flag("/spec/suspend") == Some(true) {
        return Health::suspended("suspended by spec.suspend");
    }
    for names in [DECISIVE.as_slice(), POSITIVE.as_slice()] {
        let mut deciding = conditions.iter().filter(|condition| names.contains(&condition.kind)).peekable();
        if deciding.peek().is_some() {
            return deciding
                .find_map(|condition| unmet(condition, generation))
                .unwrap_or_else(Health::healthy);
        }
    }
    Health::healthy()
}

/// Why a condition that should be true is not; `None` when it is. False is not a failure: it can't be
/// told from the state of an object that has just begun, and those who know better set `Stalled`.
fn unmet(condition: &Condition, generation: Option<i64>) -> Option<Health> {
    if condition.is_stale(generation) {
        return Some(Health::progressing(format!("condition {} is of an older generation", condition.kind)));
    }
    match condition.truth {
        Truth::True => None,
        _ if condition.reason.is_empty() && condition.message.is_empty() => {
            Some(Health::progressing(condition.cause()))
        }
        _ => Some(Health::progressing(format!("not {}: {}", condition.kind, condition.cause()))),
    }
}
