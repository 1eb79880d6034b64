//! What the workloads that are rolled out come to together.

use std::collections::BTreeMap;

use windlass_core::api::RolloutPhase;
use windlass_core::object::ObjectId;
use windlass_core::release::Release;
use windlass_core::rollout::{self, Effective, TrafficError, Unit};

use crate::failure::Failure;

/// What the cluster should have now.
pub fn compose(release: &Release, stable: Option<&Release>, units: &[Unit]) -> Result<Effective, Failure> {
    rollout::compose(release, stable, units).map_err(unsupported)
}

/// What the cluster should have when every rollout has ended well.
pub fn last(release: &Release, units: &[Unit]) -> Result<Release, Failure> {
    rollout::at_rest(release, units).map_err(unsupported)
}

fn unsupported(error: TrafficError) -> Failure {
    Failure::permanent("RouteUnsupported", error.to_string())
}

/// Those that are under way, and how they stand in words.
pub fn active(units: &[Unit]) -> BTreeMap<ObjectId, String> {
    let active = units.iter().filter(|unit| unit.is_active());
    active.map(|unit| (unit.policy.target.clone(), told(unit))).collect()
}

/// A step of the machine that changes nothing.
pub fn unchanged(unit: &Unit) -> rollout::Next {
    rollout::Next { state: unit.state.clone(), wake: None, ask_template: false }
}

/// `step 2 of 3 (quarter), 25 %: 2 of 3 pods of the candidate are ready`
fn told(unit: &Unit) -> String {
    let Some(rollout) = &unit.state.rollout else { return "about to begin".into() };
    let message = if rollout.message.is_empty() { String::new() } else { format!(": {}", rollout.message) };
    let phase = unit.state.phase;
    let place = match phase {
        RolloutPhase::Scale | RolloutPhase::Shift | RolloutPhase::Hold if rollout.step < rollout.steps => {
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
