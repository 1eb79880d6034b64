use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GateState, TargetKind, Traffic};

/// Most entries in [`ApplicationStatus::targets`](super::ApplicationStatus::targets).
pub const MAX_TARGETS: usize = 20;

/// How far a workload with a [`RolloutPolicy`](super::RolloutPolicy) is. It is the one authority about a rollout and
/// is written before the effects that it justifies.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// Kind of the workload.
    pub kind: TargetKind,

    /// Its namespace.
    #[schemars(length(max = 63))]
    pub namespace: String,

    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,

    /// What is being done.
    pub phase: RolloutPhase,

    /// Digest of the pod template that serves, or is to serve where nothing is rolled out.
    #[schemars(length(max = 64))]
    pub stable: String,

    /// Digest of the one that served before it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub former: String,

    /// The rollout that is under way, or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutState>,
}

/// A rollout that is under way.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RolloutState {
    /// Digest of the candidate's pod template.
    #[schemars(length(max = 64))]
    pub candidate: String,

    /// The revision that it came with.
    #[schemars(length(max = 1024))]
    pub revision: String,

    /// `pod-template-hash` of the stable pods.
    #[schemars(length(max = 63))]
    pub stable_hash: String,

    /// `pod-template-hash` of the candidate's pods, once there are any.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 63))]
    pub candidate_hash: String,

    /// Replicas of the workload when the rollout began.
    pub replicas: u32,

    /// How many pods of the candidate there are to be.
    #[serde(default)]
    pub pods: u32,

    /// The step, counted from 0; as many as there are steps stand for full weight.
    #[serde(default)]
    pub step: u32,

    /// What people call the step.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 63))]
    pub step_name: String,

    /// How many steps there are, full weight not counted.
    #[serde(default)]
    pub steps: u32,

    /// Percent of traffic or pods that the step calls for.
    #[serde(default)]
    pub step_weight: u32,

    /// The Services of the stable pods and of the candidate's lead somewhere, so that the route may name them.
    #[serde(default)]
    pub led: bool,

    /// The traffic of how many steps is in place: none, or up to which one.
    #[serde(default)]
    pub exposed: u32,

    /// The stable pods are not what they were, so they are restored, and it starts anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rewinds: bool,

    /// Percent of the traffic, or of the pods without a router, that the candidate has.
    #[serde(default)]
    pub weight: u32,

    /// When the rollout began.
    pub since: Time,

    /// When the present phase began.
    pub phase_since: Time,

    /// When the route was first seen to be as this phase wants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_since: Option<Time>,

    /// Since when it waits for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Time>,

    /// Seconds for which it waited for a person, which don't count towards the deadline.
    #[serde(default)]
    pub waited: u32,

    /// A person holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Act>,

    /// A person lets this step go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Act>,

    /// A person does not want to wait for the end of this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Act>,

    /// A person lets it go on without any further step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted: Option<Act>,

    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<RolloutFailure>,

    /// What it waits for, or what its gates say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512))]
    pub message: String,

    /// What the gates have seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub gates: Vec<GateState>,

    /// How traffic reached the workload when the rollout began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
}

/// What a person did.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Act {
    /// Who, as far as that is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 256))]
    pub by: String,

    /// When.
    pub at: Time,
}

/// Why a rollout failed.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RolloutFailure {
    /// In one word.
    #[schemars(length(max = 64))]
    pub reason: String,

    /// In words.
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// What is being done to a workload, in the order in which it happens.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RolloutPhase {
    /// Nothing: it is as its release says, or on its way there by its own strategy.
    Idle,
    /// All traffic is led to the stable pods by name.
    Prepare,
    /// The candidate gets the pods of the step.
    Scale,
    /// The candidate gets the traffic of the step.
    Shift,
    /// The step is held and judged.
    Hold,
    /// The candidate has all traffic and is judged.
    Bake,
    /// Clients inside of the cluster are led to the candidate.
    Promote,
    /// The workload gets back the values of its release, and the old pods go.
    Restore,
    /// The routes get back the values of the release.
    Clean,
    /// All traffic is led back to the stable pods.
    Retreat,
    /// The candidate's pods go.
    Abort,
}

impl RolloutPhase {
    /// Whether it is too late to stop: the stable pods are going.
    pub fn is_finishing(self) -> bool {
        matches!(self, Self::Restore | Self::Clean)
    }
}
