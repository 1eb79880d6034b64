//! What is done before an Application goes: rollouts under way are led back, so that no route is left without
//! pods behind it and nothing is left held.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use windlass_core::api::{DeletionPolicy, RolloutPhase, TargetStatus};
use windlass_core::release::Effective;

use super::Scope;
use crate::controller::application::select::Chosen;
use crate::controller::context::Memory;

/// How long a deletion waits for that.
const PATIENCE: Duration = Duration::from_secs(120);

/// The release to which rollouts are led back before the Application goes; `None` where there is nothing to wait
/// for. What is deleted with it only needs its traffic back; what stays must be as a release has it.
pub fn first(scope: &Scope<'_>, memory: &Memory) -> Option<Chosen> {
    let deleted = scope.app.metadata.deletion_timestamp.as_ref()?;
    let waited = Duration::try_from(Timestamp::now().duration_since(deleted.0)).unwrap_or_default();
    let states = memory.targets.as_deref().or(memory.status.as_ref().map(|status| status.targets.as_slice()));
    let prunes = scope.app.spec.deletion_policy == DeletionPolicy::Prune;
    let matters = |state: &&TargetStatus| {
        let Some(rollout) = &state.rollout else { return false };
        let led = rollout.traffic.is_some() && !matches!(state.phase, RolloutPhase::Abort);
        if prunes { led && !state.phase.is_finishing() } else { true }
    };
    let under_way: Vec<_> = states?.iter().filter(matters).collect();
    if under_way.is_empty() || waited > PATIENCE {
        return None;
    }
    // Where the stable pods are going already, the candidate's are the ones that stay.
    let finishing = under_way.iter().any(|state| state.phase.is_finishing());
    let (kept, effective) = match (&memory.releases.next, finishing) {
        (Some(next), true) => (next, Effective::Next),
        _ => (memory.releases.stable.as_ref()?, Effective::Stable),
    };
    let release = Some(kept.release.clone());
    Some(Chosen { release, effective, quarantined: None, retried: false, failures: Vec::new(), rolled: None })
}
