use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::GateState;

/// Most entries in [`ApplicationStatus::history`](super::ApplicationStatus::history).
pub const MAX_HISTORY: usize = 10;
/// [`HistoryEntry::result`] of a release that was undone.
pub const ROLLED_BACK: &str = "RolledBack";
/// Most entries in [`ReleaseRef::hooks`].
pub const MAX_HOOKS: usize = 50;
/// Most entries in [`ApplicationStatus::quarantined`](super::ApplicationStatus::quarantined).
pub const MAX_QUARANTINED: usize = 10;

/// One release by the digest of its objects and the revisions that it was rendered from.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseRef {
    /// SHA-256 over the objects of the release.
    #[schemars(length(max = 64))]
    pub digest: String,

    /// The revisions of the sources, joined by commas.
    #[schemars(length(max = 1024))]
    pub revision: String,

    /// When it was begun (`next`) or completed (`stable`).
    pub since: Time,

    /// Hash over the fields that the API server says are ours in all objects of the release. A restarted
    /// controller that computes the same from one list per kind knows that nothing drifted meanwhile.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub fields: String,

    /// The hooks of this release that were begun and its Jobs that ended, so that each runs once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub hooks: Vec<HookRun>,

    /// When all objects were healthy and its gates began to be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_since: Option<Time>,

    /// What the gates of `verify` have seen so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub gates: Vec<GateState>,

    /// Objects that were not healthy when this release began, so that it is not to blame for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(max = 640)))]
    pub unhealthy_before: Vec<String>,
}

impl ReleaseRef {
    /// The same once it proved itself: what its trial was about is forgotten.
    pub fn proved(self) -> Self {
        Self { gates: Vec::new(), unhealthy_before: Vec::new(), ..self }
    }
}

/// A hook of a release: an object that is created once at its phase and runs to its end.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HookRun {
    /// Kind, namespace and name, as `Job shop/migrate`.
    #[schemars(length(max = 640))]
    pub object: String,

    /// Its phase: `PreSync`, `Sync`, `PostSync`, `SyncFail` or `Rollback`; `Job` for a Job that is no hook.
    #[schemars(length(max = 32))]
    pub phase: String,

    /// Why it failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub message: String,

    /// How far it is.
    pub state: HookState,

    /// Digest of the hook that was begun.
    #[schemars(length(max = 64))]
    pub digest: String,

    /// It failed, and the cluster is to blame: its image could not be pulled for now, its pod had no place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub environment: bool,

    /// Since when it is so; of a hook only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// How far a hook is.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookState {
    /// Written before it is created.
    Running,
    /// It ended well.
    Succeeded,
    /// It failed.
    Failed,
}

/// A release that failed.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Quarantined {
    /// Digest of the release.
    #[schemars(length(max = 64))]
    pub digest: String,

    /// The revisions of its sources, joined by commas.
    #[schemars(length(max = 1024))]
    pub revision: String,

    /// Why, in one word: the reason of the condition at that time.
    #[schemars(length(max = 64))]
    pub reason: String,

    /// Why, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub message: String,

    /// Since when.
    pub since: Time,

    /// Its Rollback hooks that were begun, so that each runs once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub hooks: Vec<HookRun>,

    /// What `sync.writeBackRollback` did: the commit with its branch, or why there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub write_back: String,
}

/// One past release.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// Number of the release, counted up from 1; 0 in entries that an older Windlass wrote.
    #[serde(default)]
    pub number: u64,

    /// Digest of the release.
    #[schemars(length(max = 64))]
    pub digest: String,

    /// The revisions of the sources, joined by commas.
    #[schemars(length(max = 1024))]
    pub revision: String,

    /// When it was begun.
    pub started_at: Time,

    /// When its last object was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,

    /// What set it off, for example `commit` or `sync requested by jane (claimed)`.
    #[schemars(length(max = 256))]
    pub trigger: String,

    /// `Applying`, then `Applied` while it has not proved itself, then `Synced`, `Failed` or `RolledBack`.
    #[schemars(length(max = 32))]
    pub result: String,

    /// What was changed, or what went wrong.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub message: String,

    /// Its objects are kept whole, so `windlass rollback` can go back to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
}
