//! What the gates of a rollout say.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use windlass_core::api::{GateState, RolloutPhase, TargetStatus};
use windlass_core::gate::{Hold, Verdict, judge};
use windlass_core::rollout::Policy;

use super::Scope;
use crate::controller::application::verify::looks;

/// What the gates of a rollout say now.
pub struct Judged {
    /// What each has seen.
    pub gates: Vec<GateState>,
    /// What they say together.
    pub verdict: Verdict,
    /// When the next look is due.
    pub again: Option<Duration>,
}

/// Asks the gates of a policy whose time has come; `None` where nothing is judged in this phase.
pub async fn gates(scope: &Scope<'_>, policy: &Policy, state: &TargetStatus) -> Option<Judged> {
    let rollout = state.rollout.as_ref()?;
    if !matches!(state.phase, RolloutPhase::Hold | RolloutPhase::Bake) {
        return None;
    }
    let now = Timestamp::now();
    let gates = &policy.spec.gates;
    let (states, again) = looks(scope, gates, &rollout.gates, now).await;
    let length = policy.course.steps.get(rollout.step as usize).map(|step| step.hold).unwrap_or_default();
    let elapsed = Duration::try_from(now.duration_since(rollout.phase_since.0)).unwrap_or_default();
    let ratios = gates.iter().filter(|gate| gate.ratio.is_some()).count();
    let verdict = judge(gates, &states, &Hold { elapsed, length, ratios });
    Some(Judged { gates: states, verdict, again: (!gates.is_empty()).then_some(again) })
}
