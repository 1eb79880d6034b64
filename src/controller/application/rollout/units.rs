//! The workloads that are rolled out, and what they come to together.

use std::collections::BTreeMap;

use windlass_core::api::{RolloutFailure, RolloutPhase, TargetStatus};
use windlass_core::object::ObjectId;
use windlass_core::release::Release;
use windlass_core::rollout::{
    self, Effective, Policy, Target, Versioned, effective, is_active, policies, unversioned, versioned,
};

use crate::failure::Failure;

/// A workload with everything that its next state depends on.
pub struct Unit {
    /// Its policy, or what it goes on with whose policy is gone.
    pub policy: Policy,
    /// What the release wants of it.
    pub wanted: Versioned,
    /// What the stable release has of it, where that is what its state calls stable.
    pub former: Option<Versioned>,
    /// How far it is.
    pub state: TargetStatus,
    /// That is known, and not only assumed because nothing is.
    pub known: bool,
}

impl Unit {
    /// The workload for those who compose a release.
    pub fn target(&self) -> Target<'_> {
        let former = self.former.as_ref();
        Target { policy: &self.policy, state: &self.state, wanted: &self.wanted, former }
    }

    /// Whether there is nothing to do.
    pub fn is_settled(&self) -> bool {
        self.known && self.state.rollout.is_none() && self.state.stable == self.wanted.template
    }

    /// `step 2 of 3 (quarter), 25 %: 2 of 3 pods of the candidate are ready`
    fn told(&self) -> String {
        let Some(rollout) = &self.state.rollout else { return "about to begin".into() };
        let message =
            if rollout.message.is_empty() { String::new() } else { format!(": {}", rollout.message) };
        let phase = self.state.phase;
        let place = match phase {
            RolloutPhase::Scale | RolloutPhase::Shift | RolloutPhase::Hold
                if rollout.step < rollout.steps =>
            {
                let name = match rollout.step_name.as_str() {
                    "" => String::new(),
                    name => format!(" ({name})"),
                };
                format!("step {} of {}{name}, {} %", rollout.step + 1, rollout.steps, rollout.weight)
            }
            _ => format!("{phase:?}, {} %", rollout.weight),
        };
        format!("{place}{message}")
    }
}

/// The workloads that have a policy, and those that had one when their rollout began.
pub fn units(release: &Release, stable: Option<&Release>, states: &[TargetStatus]) -> Vec<Unit> {
    let mut own: BTreeMap<_, _> =
        policies(release).into_iter().map(|(target, policy)| (target, (policy, true))).collect();
    for state in states.iter().filter(|state| state.rollout.is_some()) {
        let policy = Policy::gone(release.cluster(), state);
        own.entry(policy.target.clone()).or_insert((policy, false));
    }
    let unit = |(target, (policy, has)): (ObjectId, (Policy, bool))| {
        let wanted = if has { versioned(release, &target) } else { unversioned(release, &target) }?;
        let state = states.iter().find(|state| policy.is_about(state)).cloned();
        let known = state.is_some();
        let state = state.unwrap_or_else(|| policy.unknown(stable));
        let former = stable.filter(|_| state.rollout.is_some()).and_then(|stable| {
            let has = policies(stable).contains_key(&target);
            if has { versioned(stable, &target) } else { unversioned(stable, &target) }
        });
        let former = former.filter(|former| former.template == state.stable);
        Some(Unit { policy, wanted, former, state, known })
    };
    own.into_iter().filter_map(unit).collect()
}

/// What the cluster should have now.
pub fn compose(release: &Release, stable: Option<&Release>, units: &[Unit]) -> Result<Effective, Failure> {
    let targets: Vec<_> = units.iter().map(Unit::target).collect();
    effective(release, stable, &targets)
        .map_err(|error| Failure::permanent("RouteUnsupported", error.to_string()))
}

/// What the cluster should have when every rollout has ended well.
pub fn last(release: &Release, units: &[Unit]) -> Result<Release, Failure> {
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
    let units: Vec<_> = units.iter().map(done).collect();
    Ok(compose(release, None, &units)?.release)
}

/// Those that are under way, and how they stand in words.
pub fn active(units: &[Unit]) -> BTreeMap<ObjectId, String> {
    let active = units.iter().filter(|unit| is_active(&unit.target()));
    active.map(|unit| (unit.policy.target.clone(), unit.told())).collect()
}

/// The first whose rollout failed, and why.
pub fn failed(units: &[Unit]) -> Option<(ObjectId, RolloutFailure)> {
    units.iter().find_map(|unit| {
        let rollout = unit.state.rollout.as_ref()?;
        let wanted = rollout.candidate == unit.wanted.template && unit.state.phase == RolloutPhase::Retreat;
        let failed = rollout.failed.clone().filter(|_| wanted)?;
        Some((unit.policy.target.clone(), failed))
    })
}

/// A step of the machine that changes nothing.
pub fn unchanged(unit: &Unit) -> rollout::Next {
    rollout::Next { state: unit.state.clone(), wake: None, ask_template: false }
}
