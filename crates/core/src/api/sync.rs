use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a new release reaches the cluster.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncPolicy {
    /// `Auto` applies each new release at once; `Manual` waits for `windlass sync`.
    pub mode: SyncMode,

    /// Deletes objects that the release no longer has.
    pub prune: bool,

    /// Restores objects that something else changed or deleted.
    pub self_heal: bool,

    /// Creates the destination namespace where it is missing. It is never deleted by Windlass.
    pub create_namespace: bool,

    /// The largest share of more than 10 objects that one release may prune without approval.
    #[schemars(length(min = 2, max = 4), regex(pattern = "^([0-9]|[1-9][0-9]|100)%$"))]
    pub prune_limit: String,

    /// Lets a release without any object prune everything.
    pub allow_empty: bool,

    /// What happens to an object that exists already and belongs to no Application.
    pub adopt: Adopt,

    /// Fields that are left to others. Where such a field was applied before, it keeps its live value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub ignore: Vec<IgnoreRule>,

    /// Field managers whose additions to our objects are drift and are removed, by name; a `*` at the end
    /// stands for anything. By default those of kubectl: `kubectl` and `kubectl-*`. What a pod template or a
    /// role got by an update is removed whoever made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20), inner(length(min = 1, max = 128)))]
    pub strip: Option<Vec<String>>,

    /// Commits an automatic rollback to Git, so that Git says again what the cluster has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_back_rollback: Option<WriteBack>,
}

impl Default for SyncPolicy {
    fn default() -> Self {
        Self {
            mode: SyncMode::Auto,
            prune: true,
            self_heal: true,
            create_namespace: false,
            prune_limit: "50%".into(),
            allow_empty: false,
            adopt: Adopt::Unowned,
            ignore: Vec::new(),
            strip: None,
            write_back_rollback: None,
        }
    }
}

impl SyncPolicy {
    /// [`Self::prune_limit`] as a number from 0 to 100.
    pub fn prune_limit_percent(&self) -> u8 {
        self.prune_limit.trim_end_matches('%').parse().unwrap_or(0).min(100)
    }
}

/// When a new release is applied.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncMode {
    /// At once.
    #[default]
    Auto,
    /// When a person asks for it; drift is still healed.
    Manual,
}

/// What happens to an existing object without an owner.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Adopt {
    /// Taken over, unless Argo CD, Flux or Helm tracks it.
    #[default]
    Unowned,
    /// Taken over even from those.
    Force,
    /// Never taken over: a conflict.
    Never,
}

/// Fields of some objects that are left to others.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct IgnoreRule {
    /// API group of the objects, for example `apps`; empty for the core group, all groups when not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub group: Option<String>,

    /// Kind of the objects; all kinds when not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub kind: Option<String>,

    /// Name of the object; all names when not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,

    /// Fields as JSON pointers (RFC 6901), for example `/spec/replicas`. Items of a list are named by their
    /// key, `/spec/template/spec/containers/[name=web]/image`, or by their place.
    #[schemars(length(min = 1, max = 50), inner(length(min = 2, max = 512), regex(pattern = "^/")))]
    pub paths: Vec<String>,
}

/// How a rollback is committed to Git: the paths that this Application reads, as they were, in one commit.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct WriteBack {
    /// Branch to push to. By default the source's own branch, or `windlass/rollback/NAMESPACE/NAME` where
    /// other Applications read one of the paths too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[^\\s~^:?*\\[\\\\]+$"))]
    pub branch: Option<String>,

    /// Author and committer, for example `Windlass <windlass@example.org>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 256), regex(pattern = "^[^<>\\n]+ <[^<>\\s]+>$"))]
    pub author: Option<String>,
}
