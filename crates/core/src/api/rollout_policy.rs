use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, Gate, OnNoVerdict, Traffic, TrafficMatch};

/// How one workload of a release is rolled out. It is written in Git beside the workload, in the same source,
/// and says nothing about anything else.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "windlass.dev",
    version = "v1alpha1",
    kind = "RolloutPolicy",
    plural = "rolloutpolicies",
    shortname = "wro",
    category = "windlass",
    namespaced,
    doc = "RolloutPolicy says in which steps a new release of one workload is rolled out.",
    derive = "PartialEq",
    printcolumn(name = "Kind", type_ = "string", json_path = ".spec.target.kind"),
    printcolumn(name = "Target", type_ = "string", json_path = ".spec.target.name"),
    printcolumn(name = "Deadline", type_ = "string", json_path = ".spec.deadline"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.size() <= 63")
        .message("the name of a RolloutPolicy has at most 63 characters")
)]
#[x_kube(
    validation = Rule::new(
        "!has(self.strategy.rolling) || !has(self.traffic) || !(has(self.traffic.httpRoute) || \
         has(self.traffic.grpcRoute) || has(self.traffic.ingress) || has(self.traffic.virtualService))"
    ).message("rolling moves pods, not traffic: leave the router out, or use canary"),
    validation = Rule::new(
        "!(has(self.strategy.canary) || has(self.strategy.ab)) || (has(self.traffic) && \
         (has(self.traffic.httpRoute) || has(self.traffic.grpcRoute) || has(self.traffic.ingress) || \
         has(self.traffic.virtualService)))"
    ).message("canary and ab need a router in traffic; without one use rolling or blueGreen"),
    validation = Rule::new("!has(self.strategy.blueGreen) || has(self.traffic)")
        .message("blueGreen needs traffic.service, the Service that is switched"),
    validation = Rule::new("self.target.kind == 'Deployment' || has(self.strategy.rolling)")
        .message("only a Deployment can have two versions side by side: use rolling for a StatefulSet")
)]
#[serde(rename_all = "camelCase")]
pub struct RolloutPolicySpec {
    /// The workload, in the namespace of the policy and in the same release.
    pub target: RolloutTarget,

    /// In which steps; exactly one member.
    pub strategy: Strategy,

    /// How traffic reaches the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,

    /// Gates that are judged while a step is held and while the release bakes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 20),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub gates: Vec<Gate>,

    /// How long the gates may go on without a verdict, from the start of the rollout. Time in which it waits
    /// for a person does not count.
    #[serde(default = "one_hour")]
    pub deadline: Duration,

    /// What happens then.
    #[serde(default)]
    pub on_no_verdict: OnNoVerdict,

    /// What a newer release does to a rollout that is under way.
    #[serde(default)]
    pub on_new_release: OnNewRelease,

    /// Lets a workload with one replica be rolled out in steps, though nothing is left if that one fails.
    #[serde(default)]
    pub allow_single: bool,

    /// Holds a rollout where it is.
    #[serde(default)]
    pub suspend: bool,
}

impl RolloutPolicySpec {
    /// A policy that has no step at all.
    pub fn without_steps(kind: TargetKind, name: &str, traffic: Option<Traffic>) -> Self {
        let blue_green = BlueGreen { preview: None, hold: no_time(), approval: false, bake: no_time() };
        let strategy = match traffic {
            Some(_) => Strategy { blue_green: Some(blue_green), ..Strategy::default() },
            None => Strategy { rolling: Some(Rolling { steps: Vec::new() }), ..Strategy::default() },
        };
        Self {
            target: RolloutTarget { kind, name: name.to_owned() },
            strategy,
            traffic,
            gates: Vec::new(),
            deadline: one_hour(),
            on_no_verdict: OnNoVerdict::default(),
            on_new_release: OnNewRelease::default(),
            allow_single: true,
            suspend: false,
        }
    }
}

fn one_hour() -> Duration {
    Duration::from_secs(3600)
}

/// The workload that a policy is about.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RolloutTarget {
    /// Its kind, of group `apps`.
    pub kind: TargetKind,

    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A kind of workload that can be rolled out in steps.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetKind {
    /// By a held ReplicaSet.
    Deployment,
    /// By its partition.
    StatefulSet,
}

/// In which steps a release is rolled out.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[x_kube(
    validation = Rule::new(
        "[has(self.canary), has(self.blueGreen), has(self.ab), has(self.rolling)].filter(x, x).size() == 1"
    ).message("set exactly one of canary, blueGreen, ab and rolling")
)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[serde(rename_all = "camelCase")]
pub struct Strategy {
    /// A growing share of the traffic goes to the candidate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,

    /// The candidate is made whole beside the stable pods, then all traffic moves at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blue_green: Option<BlueGreen>,

    /// Requests that match go to the candidate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ab: Option<Ab>,

    /// A growing share of the pods is replaced; traffic goes to pods of both versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolling: Option<Rolling>,
}

/// A growing share of the traffic goes to the candidate.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Canary {
    /// The steps, each with more weight than the one before. After the last one comes full weight.
    #[schemars(length(min = 1, max = 20))]
    pub steps: Vec<CanaryStep>,

    /// How long it is judged with all of the traffic, while the stable pods are still there.
    #[serde(default = "no_time")]
    pub bake: Duration,

    /// Where the candidate's pods come from.
    #[serde(default)]
    pub capacity: Capacity,
}

/// One step of a canary.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("has(self.weight) != has(self.mirror)")
        .message("a step has either weight or mirror")
)]
#[serde(rename_all = "camelCase")]
pub struct CanaryStep {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: Option<String>,

    /// Percent of the traffic that the candidate answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub weight: Option<u8>,

    /// Percent of the traffic that is copied to the candidate, whose answers nobody sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub mirror: Option<u8>,

    /// How long it is held and judged.
    #[serde(default = "no_time")]
    pub hold: Duration,

    /// Whether a person has to let it go on.
    #[serde(default)]
    pub approval: bool,
}

fn no_time() -> Duration {
    Duration::from_secs(0)
}

/// Where the pods of a candidate come from.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Capacity {
    /// They are added: the stable pods stay whole, and going back is one change of the route.
    #[default]
    Surge,
    /// They take the place of stable pods, which come back before the traffic does.
    Shift,
}

/// The candidate is made whole beside the stable pods, then all traffic moves at once.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct BlueGreen {
    /// A Service of the release that leads to the candidate while it is not switched to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,

    /// How long the candidate is judged before the switch.
    #[serde(default = "no_time")]
    pub hold: Duration,

    /// Whether a person has to let the switch happen.
    #[serde(default)]
    pub approval: bool,

    /// How long it is judged after the switch, while the old pods are still there.
    #[serde(default = "no_time")]
    pub bake: Duration,
}

/// A Service that leads to the candidate.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// Its name.
    #[schemars(length(min = 1, max = 63))]
    pub service: String,
}

/// Requests that match go to the candidate.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Ab {
    /// A request that fits one of them goes to the candidate.
    #[serde(rename = "match")]
    #[schemars(length(min = 1, max = 8))]
    pub matches: Vec<TrafficMatch>,

    /// Percent of the replicas that the candidate gets for them.
    #[serde(default = "a_quarter")]
    #[schemars(range(min = 1, max = 100))]
    pub pods: u8,

    /// How long it is held and judged.
    pub hold: Duration,

    /// Whether a person has to let it go on.
    #[serde(default)]
    pub approval: bool,

    /// How long it is judged with all of the traffic, while the stable pods are still there.
    #[serde(default = "no_time")]
    pub bake: Duration,
}

fn a_quarter() -> u8 {
    25
}

/// A growing share of the pods is replaced.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Rolling {
    /// The steps, each with more pods than the one before. After the last one come all.
    #[schemars(length(min = 1, max = 20))]
    pub steps: Vec<RollingStep>,
}

/// One step of a rolling rollout.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RollingStep {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: Option<String>,

    /// Percent of the replicas that are new.
    #[schemars(range(min = 1, max = 100))]
    pub percent: u8,

    /// How long it is held and judged.
    #[serde(default = "no_time")]
    pub hold: Duration,

    /// Whether a person has to let it go on.
    #[serde(default)]
    pub approval: bool,
}

/// What a newer release does to a rollout that is under way.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnNewRelease {
    /// The rollout starts anew with the newer release, where that changes the workload.
    #[default]
    Restart,
    /// The newer release waits until the rollout has ended.
    Queue,
}
