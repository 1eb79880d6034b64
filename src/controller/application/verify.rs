//! The gates of a new release, judged after its objects are healthy.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use windlass_core::api::GateState;
use windlass_core::gate::{Verdict, judge_verify};

use super::Scope;
use super::assess::Assessed;
use super::gates::{Parties, SOON, looks, since};
use crate::controller::context::Memory;

/// What the gates say now.
pub struct Verified {
    /// What each gate has seen, to be kept in the status.
    pub gates: Vec<GateState>,
    /// The verdict over all of them.
    pub verdict: Verdict,
    /// When the next look is due.
    pub again: Duration,
}

/// Asks every gate whose time has come, side by side, and judges; `None` where nothing is to be judged: no
/// gates, no release on trial, or its objects are not all applied and healthy.
pub async fn gates(scope: &Scope<'_>, memory: &Memory, assessed: &Assessed) -> Option<Verified> {
    let verify = scope.app.spec.verify.as_ref()?;
    let status = memory.status.clone().unwrap_or_default();
    let chosen = &assessed.outcome.begun.chosen;
    if !(assessed.complete && assessed.health.status.is_good() && chosen.on_trial(&status)) {
        return None;
    }
    let now = Timestamp::now();
    let pointer = chosen.pointer(&status);
    let healthy_since = pointer.and_then(|at| at.healthy_since.as_ref()).map_or(now, |time| time.0);
    let before = pointer.map_or(&[][..], |pointer| &pointer.gates);
    let began = pointer.map_or(now, |at| at.since.0);
    let hold = pointer.map(|at| at.revision.as_str()).unwrap_or_default();
    let parties = Parties::alone(scope, began, hold);
    let (gates, again) = looks(scope, &verify.gates, before, &parties, now).await;
    let elapsed = since(healthy_since, now);
    let verdict = judge_verify(verify, &gates, elapsed);
    let end = verify.period.get().saturating_sub(elapsed);
    let again = if end.is_zero() { again } else { again.min(end).max(SOON) };
    Some(Verified { gates, verdict, again })
}
