use super::course::Course;
use super::machine::What;
use crate::api::{RolloutPhase, TargetStatus};

/// Why what a person asks of the rollout of a workload makes no sense as it stands; `None` where it does.
pub fn refusal(state: &TargetStatus, course: &Course, what: What) -> Option<String> {
    let name = &state.name;
    let Some(rollout) = &state.rollout else {
        return (what != What::Retry).then(|| format!("no rollout of {name} is under way"));
    };
    let back = rollout.failed.is_some() || matches!(state.phase, RolloutPhase::Retreat | RolloutPhase::Abort);
    let step = course.steps.get(rollout.step as usize);
    match what {
        What::Retry => None,
        What::Resume if rollout.paused.is_some() => None,
        What::Resume if course.suspended => {
            Some(format!("the policy of {name} suspends it: set spec.suspend to false in Git"))
        }
        What::Resume => Some(format!("the rollout of {name} is not paused")),
        _ if back => Some(format!("the rollout of {name} goes back already")),
        _ if state.phase.is_finishing() => {
            Some(format!("the rollout of {name} is proved already and finishes; use `windlass rollback`"))
        }
        What::Pause if rollout.paused.is_some() => Some(format!("the rollout of {name} is paused already")),
        What::Approve if rollout.approved.is_some() => {
            Some(format!("this step of {name} is approved already"))
        }
        What::Approve if !step.is_some_and(|step| step.approval) => {
            Some(format!("this step of {name} asks for no approval; use promote to end it early"))
        }
        What::PromoteFull if rollout.promoted.is_some() => {
            Some(format!("the rollout of {name} goes on to its end already"))
        }
        What::Approve | What::Promote | What::PromoteFull | What::Pause | What::Abort => None,
    }
}

#[cfg(test)]
#[path = "tests/refusal.rs"]
mod tests;
