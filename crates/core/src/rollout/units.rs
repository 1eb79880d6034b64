use std::collections::BTreeMap;

use super::config::{Versioned, unversioned, versioned};
use super::effective::{Effective, Target, TrafficError, effective, is_active};
use super::policies::{Policy, policies};
use crate::api::{RolloutFailure, RolloutPhase, TargetStatus};
use crate::object::ObjectId;
use crate::release::Release;

/// A workload with everything that its next state depends on beside what is seen.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Its policy.
    pub policy: Policy,
    /// The workload as the release wants it.
    pub wanted: Versioned,
    /// What the stable release has of it, where that is what its state calls stable.
    pub former: Option<Versioned>,
    /// How far it is.
    pub state: TargetStatus,
    /// That is known, and not only assumed because nothing is.
    pub known: bool,
}

/// The workloads of a release that have a policy, and those whose rollout is under way though they have none any
/// more: it ends without further steps. One that the release does not have at all goes back to what `stable` has of
/// it, since requests are led to its pods by name; then it is pruned like anything else.
pub fn units(release: &Release, stable: Option<&Release>, states: &[TargetStatus]) -> Vec<Unit> {
    let mut policies: BTreeMap<_, _> =
        policies(release).into_iter().map(|(target, policy)| (target, (policy, true))).collect();
    for state in states.iter().filter(|state| state.rollout.is_some()) {
        let policy = Policy::gone(release.cluster(), state);
        policies.entry(policy.target.clone()).or_insert((policy, false));
    }
    let unit = |(target, (policy, own)): (ObjectId, (Policy, bool))| {
        let wanted = if own { versioned(release, &target) } else { unversioned(release, &target) };
        let wanted = wanted.or_else(|| served(stable?, &target))?;
        let state = states.iter().find(|state| policy.is_about(state)).cloned();
        let known = state.is_some();
        let state = state.unwrap_or_else(|| policy.unknown(stable));
        let former = stable.filter(|_| state.rollout.is_some()).and_then(|stable| served(stable, &target));
        let former = former.filter(|former| former.template == state.stable);
        Some(Unit { policy, wanted, former, state, known })
    };
    policies.into_iter().filter_map(unit).collect()
}

/// A workload as a release of which it is a part has it in the cluster: with configuration of its own where it has a
/// policy.
fn served(release: &Release, target: &ObjectId) -> Option<Versioned> {
    let own = policies(release).contains_key(target);
    if own { versioned(release, target) } else { unversioned(release, target) }
}

/// What the cluster should have: [`effective`] of all units.
///
/// # Errors
/// Why a router cannot do what a rollout asks of it.
pub fn compose(
    release: &Release,
    stable: Option<&Release>,
    units: &[Unit],
) -> Result<Effective, TrafficError> {
    let targets: Vec<_> = units.iter().map(Unit::target).collect();
    effective(release, stable, &targets)
}

/// What the cluster should have when every rollout has ended well.
///
/// # Errors
/// As [`compose`].
pub fn at_rest(release: &Release, units: &[Unit]) -> Result<Release, TrafficError> {
    let of_release = units.iter().filter(|unit| release.get(&unit.policy.target).is_some());
    let done = |unit: &Unit| Unit {
        policy: unit.policy.clone(),
        wanted: unit.wanted.clone(),
        former: None,
        state: TargetStatus {
            phase: RolloutPhase::Idle,
            stable: unit.wanted.template.clone(),
            rollout: None,
            ..unit.state.clone()
        },
        known: true,
    };
    Ok(compose(release, None, &of_release.map(done).collect::<Vec<_>>())?.release)
}

/// Why one of the workloads failed, if the release still wants what failed.
pub fn failure(units: &[Unit]) -> Option<(ObjectId, RolloutFailure)> {
    units.iter().find_map(|unit| {
        let rollout = unit.state.rollout.as_ref()?;
        let wanted = rollout.candidate == unit.wanted.template && unit.state.phase == RolloutPhase::Retreat;
        let failed = rollout.failed.clone().filter(|_| wanted)?;
        Some((unit.policy.target.clone(), failed))
    })
}

/// The parts of the cluster that must be applied before a unit goes on.
pub fn parts<'a>(parts: &'a BTreeMap<ObjectId, Vec<ObjectId>>, unit: &Unit) -> &'a [ObjectId] {
    parts.get(&unit.policy.target).map_or(&[], Vec::as_slice)
}

/// A state without what is only told.
pub fn essential(state: &TargetStatus) -> TargetStatus {
    let mut state = state.clone();
    if let Some(rollout) = &mut state.rollout {
        rollout.message.clear();
        rollout.gates.clear();
        (rollout.seen_since, rollout.waiting_since, rollout.waited) = (None, None, 0);
    }
    state
}

impl Unit {
    /// As [`effective`] takes it.
    pub fn target(&self) -> Target<'_> {
        let former = self.former.as_ref();
        Target { policy: &self.policy, state: &self.state, wanted: &self.wanted, former }
    }

    /// Whether something of it is under way.
    pub fn is_active(&self) -> bool {
        is_active(&self.target())
    }

    /// Whether there is nothing to look at.
    pub fn is_settled(&self) -> bool {
        self.known && self.state.rollout.is_none() && self.state.stable == self.wanted.template
    }

    /// Whether it stands in nobody's way any more: it is promoted, would be now as `next` says, or has nothing to do.
    pub fn may_promote(&self, next: &TargetStatus) -> bool {
        let promoted = |state: &TargetStatus| {
            matches!(state.phase, RolloutPhase::Promote | RolloutPhase::Restore | RolloutPhase::Clean)
        };
        match &self.state.rollout {
            None => self.state.stable == self.wanted.template,
            Some(rollout) => rollout.failed.is_none() && (promoted(&self.state) || promoted(next)),
        }
    }
}
