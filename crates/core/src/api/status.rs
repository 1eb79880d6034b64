use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HistoryEntry, Quarantined, ReleaseRef, TargetStatus};

/// Longest message in a status, in bytes; longer ones are cut at a character.
pub const MAX_MESSAGE: usize = 1024;
/// Most entries in [`Resources::unhealthy`].
pub const MAX_UNHEALTHY: usize = 50;

/// What Windlass found and did.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct ApplicationStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// `Ready`, `Reconciling` and `Stalled`, after kstatus.
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,

    /// Whether the cluster has what the sources say.
    pub sync: SyncState,

    /// Whether what the cluster has works.
    pub health: HealthState,

    /// The last release that was applied completely and became healthy; what a rollback goes back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable: Option<ReleaseRef>,

    /// The release that is being applied or has not proved itself yet; its snapshot is stored before this is
    /// written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<ReleaseRef>,

    /// Releases that failed and are not applied again until a person asks for it, newest first.
    #[schemars(length(max = 10))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<Quarantined>,

    /// The workloads that have a RolloutPolicy, and how far each is.
    #[schemars(length(max = 20))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetStatus>,

    /// What each source resolved to at the last look.
    #[schemars(length(max = 10))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceState>,

    /// The last releases, newest first.
    #[schemars(length(max = 10))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryEntry>,

    /// The objects of the release in numbers, and those that need attention.
    pub resources: Resources,

    /// Identifier of the last request by annotation that was carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub handled_request: Option<String>,

    /// Why that request was refused; empty where it was carried out.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub request_problem: String,
}

/// Whether the cluster has what the sources say.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncState {
    /// `Synced`, `OutOfSync` or `Unknown`.
    pub status: SyncStatus,

    /// What was applied last, for example `main@3f2a9c1`.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub revision: String,
}

/// Whether the cluster has what the sources say.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SyncStatus {
    /// Everything that the sources say is applied.
    Synced,
    /// Something that the sources say is not applied.
    OutOfSync,
    /// The sources could not be read yet.
    #[default]
    Unknown,
}

/// Whether what the cluster has works.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthState {
    /// The worst status of all objects.
    pub status: HealthStatus,

    /// The objects that are not healthy, with the cause.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// Health of one object or of all objects of an Application; ordered from best to worst.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum HealthStatus {
    /// It does what it should.
    Healthy,
    /// It was told to stand still.
    Suspended,
    /// It is on its way.
    Progressing,
    /// It cannot be told.
    #[default]
    Unknown,
    /// It should exist and does not.
    Missing,
    /// It failed, or cannot get on.
    Degraded,
}

impl HealthStatus {
    /// Whether nothing is left to wait for or to mend: it works, or was told to stand still.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Healthy | Self::Suspended)
    }
}

/// What a source resolved to.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SourceState {
    /// Name of the source.
    #[schemars(length(max = 63))]
    pub name: String,

    /// The revision that was rendered, for example `main@3f2a9c1`.
    #[schemars(length(max = 512))]
    pub revision: String,

    /// The renderer that was used.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 32))]
    pub renderer: String,
}

/// The objects of a release in numbers.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Resources {
    /// How many objects the release has.
    pub total: u32,

    /// Those that are not healthy, worst first, at most 50.
    #[schemars(length(max = 50))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unhealthy: Vec<UnhealthyObject>,
}

/// An object that needs attention.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct UnhealthyObject {
    /// API group; empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub group: String,

    /// Kind.
    #[schemars(length(max = 63))]
    pub kind: String,

    /// Namespace; empty for a cluster-scoped object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 63))]
    pub namespace: String,

    /// Name.
    #[schemars(length(max = 253))]
    pub name: String,

    /// Its health.
    pub status: HealthStatus,

    /// The cause.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// Cuts `message` to [`MAX_MESSAGE`] bytes at a character boundary, marking the cut with `…`.
pub fn bounded_message(message: &str) -> String {
    const MARK: char = '…';
    if message.len() <= MAX_MESSAGE {
        return message.to_owned();
    }
    let mut end = MAX_MESSAGE - MARK.len_utf8();
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let mut cut = message.get(..end).unwrap_or_default().to_owned();
    cut.push(MARK);
    cut
}
