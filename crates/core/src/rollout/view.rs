//! How a rollout stands, for people: made from its state, its policy where that is known, and the time.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use super::course::{Course, Exposure, Step};
use super::gate_view::{GateView, gates};
use super::machine::{UNDECIDED, since};
use super::seen::PodCounts;
use crate::api::{
    Act, RolloutFailure, RolloutPhase, RolloutPolicySpec, RolloutState, TargetKind, TargetStatus,
};

/// What is known of a workload beside its state.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// Its policy.
    pub policy: Option<&'a RolloutPolicySpec>,
    /// Its pods by revision.
    pub pods: Option<&'a BTreeMap<String, PodCounts>>,
}

/// The rollout of one workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetView {
    /// Kind of the workload.
    pub kind: TargetKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The member of `strategy` that is set; empty where the policy is not known.
    pub strategy: &'static str,
    /// What is being done.
    pub phase: RolloutPhase,
    /// What that means to a person.
    pub standing: Standing,
    /// The steps, full weight at the end.
    pub steps: Vec<StepView>,
    /// The revision that is rolled out.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// Percent of the traffic, or of the pods without a router, that the candidate has.
    pub weight: u32,
    /// How many pods of the candidate the step calls for.
    pub wanted: u32,
    /// The candidate's pods, where they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<PodCounts>,
    /// The stable ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable: Option<PodCounts>,
    /// What the gates have seen.
    pub gates: Vec<GateView>,
    /// What it waits for, or what its gates say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Seconds that are left of the hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_left: Option<u64>,
    /// Who holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Act>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<RolloutFailure>,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// What a rollout does, in the words of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Standing {
    /// Nothing is rolled out.
    Idle,
    /// It goes on by itself.
    RollingOut,
    /// It is proved, and the old pods go.
    Finishing,
    /// A person has to let it go on.
    AwaitingApproval,
    /// A person holds it.
    Paused,
    /// Its time is over without a verdict, and a person has to say.
    NoVerdict,
    /// The stable pods get everything back.
    GoingBack,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepView {
    /// What people call it; empty where it has no name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What of the traffic the candidate has in it: `25 %`, `mirror 10 %`; empty where that is not known.
    pub exposure: String,
    /// How long it is held, in seconds.
    pub hold: u64,
    /// Whether a person has to let it go on.
    pub approval: bool,
    /// Whether it is over, under way or ahead.
    pub place: Place,
}

/// Where a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Place {
    /// It is over.
    Done,
    /// It is under way.
    Present,
    /// It is ahead.
    Ahead,
}

impl TargetView {
    /// The rollout of a workload as it stands at `now`.
    pub fn new(state: &TargetStatus, known: &Known<'_>, now: Timestamp) -> Self {
        let course = known.policy.map(Course::of);
        let rollout = state.rollout.as_ref();
        let pods = |hash: fn(&RolloutState) -> &String| {
            let hash = hash(rollout?);
            Some(known.pods?.get(hash).copied().unwrap_or_default())
        };
        let hold_left = rollout.zip(course.as_ref()).and_then(|(rollout, course)| {
            let judged = matches!(state.phase, RolloutPhase::Hold | RolloutPhase::Bake);
            let hold = course.steps.get(rollout.step as usize)?.hold;
            judged.then(|| hold.saturating_sub(since(&rollout.phase_since, now)).as_secs())
        });
        let full = u32::from(matches!(state.phase, RolloutPhase::Promote | RolloutPhase::Restore)) * 100;
        Self {
            kind: state.kind,
            namespace: state.namespace.clone(),
            name: state.name.clone(),
            strategy: known.policy.map(strategy).unwrap_or_default(),
            phase: state.phase,
            standing: standing(state, course.as_ref()),
            steps: steps(state, course.as_ref()),
            revision: rollout.map(|rollout| rollout.revision.clone()).unwrap_or_default(),
            weight: rollout.map_or(0, |rollout| rollout.weight.max(full)),
            wanted: rollout.map_or(0, |rollout| rollout.pods),
            candidate: pods(|rollout| &rollout.candidate_hash),
            stable: pods(|rollout| &rollout.stable_hash),
            gates: rollout.map(|rollout| gates(known.policy, &rollout.gates)).unwrap_or_default(),
            message: rollout.map(|rollout| rollout.message.clone()).unwrap_or_default(),
            hold_left,
            paused: rollout.and_then(|rollout| rollout.paused.clone()),
            failed: rollout.and_then(|rollout| rollout.failed.clone()),
            since: rollout.map(|rollout| rollout.since.clone()),
        }
    }

    /// `Deployment shop/web`
    pub fn title(&self) -> String {
        format!("{:?} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// How a rollout stands in a few words, as `step 2/3 25 %`; empty where nothing is rolled out.
pub fn short(state: &TargetStatus) -> String {
    let Some(rollout) = &state.rollout else { return String::new() };
    let place = match state.phase {
        RolloutPhase::Idle | RolloutPhase::Prepare => "about to begin".to_owned(),
        RolloutPhase::Scale | RolloutPhase::Shift | RolloutPhase::Hold if rollout.step < rollout.steps => {
            format!("step {}/{} {} %", rollout.step + 1, rollout.steps, rollout.weight)
        }
        RolloutPhase::Scale | RolloutPhase::Shift | RolloutPhase::Hold | RolloutPhase::Bake => {
            format!("full {} %", rollout.weight)
        }
        RolloutPhase::Promote | RolloutPhase::Restore | RolloutPhase::Clean => "finishing".to_owned(),
        RolloutPhase::Retreat | RolloutPhase::Abort if rollout.failed.is_some() => "failed, goes back".into(),
        RolloutPhase::Retreat | RolloutPhase::Abort => "goes back".to_owned(),
    };
    match standing(state, None) {
        Standing::Paused => format!("{place}, paused"),
        Standing::AwaitingApproval => format!("{place}, waits for approval"),
        Standing::NoVerdict => format!("{place}, no verdict"),
        _ => place,
    }
}

/// How a rollout ended between two states of a workload: `promoted`, `failed`, or `withdrawn` where it was no longer
/// wanted; `None` where none ended.
pub fn ended(before: &TargetStatus, after: &TargetStatus) -> Option<&'static str> {
    let rollout = before.rollout.as_ref().filter(|_| after.rollout.is_none())?;
    Some(match (rollout.candidate == before.stable, &rollout.failed) {
        (false, _) => "promoted",
        (true, Some(_)) => "failed",
        (true, None) => "withdrawn",
    })
}

/// How the rollouts of an Application stand in a few words: the one that needs a person most, and how many more
/// there are.
pub fn summary(targets: &[TargetStatus]) -> String {
    let mut active: Vec<_> = targets.iter().filter(|state| state.rollout.is_some()).collect();
    active.sort_by_key(|state| std::cmp::Reverse(standing(state, None)));
    match active.as_slice() {
        [] => String::new(),
        [only] => short(only),
        [first, more @ ..] => format!("{} (+{})", short(first), more.len()),
    }
}

/// What a rollout does, in the words of a person.
pub fn standing(state: &TargetStatus, course: Option<&Course>) -> Standing {
    let Some(rollout) = &state.rollout else { return Standing::Idle };
    match state.phase {
        RolloutPhase::Retreat | RolloutPhase::Abort => return Standing::GoingBack,
        RolloutPhase::Restore | RolloutPhase::Clean => return Standing::Finishing,
        _ => {}
    }
    if rollout.paused.is_some() || course.is_some_and(|course| course.suspended) {
        return Standing::Paused;
    }
    if rollout.waiting_since.is_some() && rollout.approved.is_none() {
        return Standing::AwaitingApproval;
    }
    if rollout.message.contains(UNDECIDED) { Standing::NoVerdict } else { Standing::RollingOut }
}

fn strategy(spec: &RolloutPolicySpec) -> &'static str {
    let strategy = &spec.strategy;
    match (&strategy.canary, &strategy.blue_green, &strategy.ab, &strategy.rolling) {
        (Some(_), ..) => "canary",
        (_, Some(_), ..) => "blueGreen",
        (_, _, Some(_), _) => "ab",
        (_, _, _, Some(_)) => "rolling",
        _ => "",
    }
}

/// The steps; where no policy is known, as many as the state says.
fn steps(state: &TargetStatus, course: Option<&Course>) -> Vec<StepView> {
    let rollout = state.rollout.as_ref();
    let place = |index: usize| match rollout {
        Some(_) if matches!(state.phase, RolloutPhase::Retreat | RolloutPhase::Abort) => Place::Ahead,
        Some(_) if matches!(state.phase, RolloutPhase::Restore | RolloutPhase::Clean) => Place::Done,
        Some(_) if state.phase == RolloutPhase::Promote => Place::Done,
        Some(rollout) if index < rollout.step as usize => Place::Done,
        Some(rollout) if index == rollout.step as usize && state.phase > RolloutPhase::Prepare => {
            Place::Present
        }
        Some(_) => Place::Ahead,
        None => Place::Done,
    };
    if let Some(course) = course {
        let view = |(index, step): (usize, &Step)| StepView {
            name: step.name.clone(),
            exposure: exposure(&step.exposure),
            hold: step.hold.as_secs(),
            approval: step.approval,
            place: place(index),
        };
        return course.steps.iter().enumerate().map(view).collect();
    }
    let Some(rollout) = rollout else { return Vec::new() };
    let view = |index: u32| {
        let present = index == rollout.step;
        StepView {
            name: if present { rollout.step_name.clone() } else { String::new() },
            exposure: if present { format!("{} %", rollout.step_weight) } else { String::new() },
            hold: 0,
            approval: false,
            place: place(index as usize),
        }
    };
    (0..rollout.steps.min(20)).map(view).collect()
}

/// What of the traffic a candidate has, in words.
pub fn exposure(exposure: &Exposure) -> String {
    match exposure {
        Exposure::Nothing => "no traffic".into(),
        Exposure::Weight(percent) => format!("{percent} %"),
        Exposure::Pods(percent) => format!("{percent} % of the pods"),
        Exposure::Mirror(percent) => format!("mirror {percent} %"),
        Exposure::Match(_) => "what matches".into(),
    }
}

#[cfg(test)]
#[path = "tests/view.rs"]
mod tests;
