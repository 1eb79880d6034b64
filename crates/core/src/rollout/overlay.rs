use super::course::{Course, Exposure};
use super::route::Split;
use crate::api::{InCluster, RolloutPhase, TargetStatus};

/// What a rollout adds to what the release says of a workload and of its traffic: a pure function of its state.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlay {
    /// What becomes of the workload.
    pub pods: PodOverlay,
    /// Whether there are Services of the stable pods and of the candidate's.
    pub services: bool,
    /// Whom the user's own Service leads to; to all pods where it says nothing.
    pub pin: Option<Side>,
    /// How the route divides requests; as the release says where it says nothing.
    pub split: Option<Split>,
    /// Whom the preview Service leads to.
    pub preview: Option<Side>,
}

/// What becomes of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodOverlay {
    /// It is as the release says.
    Plain,
    /// It is left as it is.
    AsIs,
    /// It is as the stable release says.
    Former,
    /// It has the new template and is held at this many pods of it.
    Held {
        /// Pods of the candidate.
        pods: u32,
    },
}

/// One of the two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that was proved.
    Stable,
    /// The new one.
    Candidate,
}

/// The overlay of a workload in this state, of which the release wants `desired`.
pub fn overlay(state: &TargetStatus, course: &Course, desired: &str) -> Overlay {
    let Some(rollout) = &state.rollout else {
        let pods = if state.stable == desired { PodOverlay::Plain } else { PodOverlay::AsIs };
        return Overlay { pods, services: false, pin: None, split: None, preview: None };
    };
    let plain = |wanted: bool| if wanted { PodOverlay::Plain } else { PodOverlay::AsIs };
    let forward = rollout.candidate == desired;
    let pods = match state.phase {
        RolloutPhase::Idle | RolloutPhase::Prepare | RolloutPhase::Retreat => PodOverlay::AsIs,
        RolloutPhase::Scale
        | RolloutPhase::Shift
        | RolloutPhase::Hold
        | RolloutPhase::Bake
        | RolloutPhase::Promote => {
            if forward {
                PodOverlay::Held { pods: rollout.pods }
            } else {
                PodOverlay::AsIs
            }
        }
        RolloutPhase::Restore | RolloutPhase::Clean => plain(forward),
        RolloutPhase::Abort if state.stable != desired && rollout.rewinds => PodOverlay::Former,
        RolloutPhase::Abort => plain(state.stable == desired),
    };
    // Before that nothing leads to pods by name, so there is nothing to lead back either.
    let led = rollout.led || state.phase == RolloutPhase::Prepare;
    let Some(traffic) = rollout.traffic.as_ref().filter(|_| led) else {
        return Overlay { pods, services: false, pin: None, split: None, preview: None };
    };
    let router = traffic.router().is_some();
    let exposure = (rollout.exposed as usize).checked_sub(1).and_then(|step| course.steps.get(step));
    let exposure = exposure.map_or(&Exposure::Nothing, |step| &step.exposure);
    let whole = matches!(exposure, Exposure::Weight(100));
    let finishing = matches!(state.phase, RolloutPhase::Promote | RolloutPhase::Restore);
    let pin = match state.phase {
        RolloutPhase::Clean => None,
        _ if finishing || whole && !router => Some(Side::Candidate),
        _ if traffic.in_cluster == InCluster::Share && router => None,
        _ => Some(Side::Stable),
    };
    let split = match state.phase {
        RolloutPhase::Clean => None,
        _ if !router => None,
        // A Service that was just made leads nowhere yet.
        _ if !rollout.led => None,
        _ if finishing => Some(Split::Weight(100)),
        _ => Some(split(exposure)),
    };
    let known = !rollout.candidate_hash.is_empty();
    let preview = match state.phase {
        RolloutPhase::Clean => None,
        RolloutPhase::Retreat | RolloutPhase::Abort => Some(Side::Stable),
        _ => Some(if known { Side::Candidate } else { Side::Stable }),
    };
    Overlay { pods, services: true, pin, split, preview }
}

/// What a route does for an exposure.
pub fn split(exposure: &Exposure) -> Split {
    match exposure {
        Exposure::Nothing | Exposure::Pods(_) => Split::Stable,
        Exposure::Weight(percent) => Split::Weight(*percent),
        Exposure::Match(matches) => Split::Match(matches.clone()),
        Exposure::Mirror(percent) => Split::Mirror(*percent),
    }
}
