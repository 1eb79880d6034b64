use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ApplicationStatus, HealthPolicy, OnFailure, SyncPolicy, Verify};

/// Keeps what Git says live in the cluster: fetches the sources, renders them into one release, applies
/// it, heals drift and prunes what Git no longer has.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "windlass.dev",
    version = "v1alpha1",
    kind = "Application",
    plural = "applications",
    shortname = "wapp",
    category = "windlass",
    namespaced,
    status = "ApplicationStatus",
    doc = "Application keeps the objects that Git describes live in the cluster.",
    derive = "PartialEq",
    printcolumn(name = "Sync", type_ = "string", json_path = ".status.sync.status"),
    printcolumn(name = "Health", type_ = "string", json_path = ".status.health.status"),
    printcolumn(name = "Rollout", type_ = "string", json_path = ".status.targets[0].phase"),
    printcolumn(name = "Revision", type_ = "string", json_path = ".status.sync.revision"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.size() <= 63")
        .message("the name of an Application has at most 63 characters")
)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationSpec {
    /// Where the manifests come from, rendered in this order into one release.
    #[schemars(
        length(min = 1, max = 10),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub sources: Vec<Source>,

    /// Where the objects go.
    #[serde(default)]
    pub destination: Destination,

    /// How a new release reaches the cluster.
    #[serde(default)]
    pub sync: SyncPolicy,

    /// How long health may take.
    #[serde(default)]
    pub health: HealthPolicy,

    /// Applications that must be ready at their own newest release before a new release of this one begins.
    /// Drift is healed meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub depends_on: Vec<Dependency>,

    /// Gates that a new release has to pass after its objects are healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,

    /// What happens when a new release fails.
    #[serde(default)]
    pub on_failure: OnFailure,

    /// What happens to the objects when this Application is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// Stops everything for this Application: no fetch, no apply, no heal, no prune.
    #[serde(default)]
    pub suspend: bool,
}

/// Another Application that this one needs.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// Its name.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    pub name: String,

    /// Its namespace; that of the dependent Application when this is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
}

/// One place that manifests come from.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Name of this source, unique in the Application; errors and the status use it.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,

    /// A path in a Git repository.
    pub git: GitSource,

    /// A Secret in the Application's namespace with `username` and `password`, or with `bearerToken`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,

    /// How files become manifests; exactly one member.
    #[serde(default)]
    pub render: Render,
}

/// A path in a Git repository at a branch, a tag or a commit.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("[has(self.branch), has(self.tag), has(self.commit)].filter(x, x).size() == 1")
        .message("set exactly one of branch, tag and commit")
)]
// Atomic, as every choice here: server-side apply replaces it as a whole. Merged, a member that the server
// wrote as the default, or that another manager set, would stay beside the one that is applied.
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[serde(rename_all = "camelCase")]
pub struct GitSource {
    /// Address of the repository: `https://` or `http://`, without user or password.
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^https?://[^\\s@]+$"))]
    #[x_kube(
        validation = Rule::new("self.startsWith('https://') || self.startsWith('http://')")
            .message("url must start with https:// or http://")
    )]
    pub url: String,

    /// Branch to follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[^\\s~^:?*\\[\\\\]+$"))]
    pub branch: Option<String>,

    /// Tag to use; a tag that is moved is followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[^\\s~^:?*\\[\\\\]+$"))]
    pub tag: Option<String>,

    /// Full commit id (40 or 64 hexadecimal digits).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 40, max = 64), regex(pattern = "^([0-9a-f]{40}|[0-9a-f]{64})$"))]
    pub commit: Option<String>,

    /// Directory of the manifests inside the repository.
    #[serde(default = "repository_root")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(
        validation = Rule::new("!self.startsWith('/') && self.split('/').all(part, part != '..')")
            .message("path is relative to the repository's root and never contains ..")
    )]
    pub path: String,
}

fn repository_root() -> String {
    ".".into()
}

/// A Secret or ConfigMap in the same namespace.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct LocalReference {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// How the files of a source become manifests.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("[has(self.auto), has(self.plain), has(self.handlebars)].filter(x, x).size() == 1")
        .message("set exactly one of auto, plain and handlebars")
)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[serde(rename_all = "camelCase")]
pub struct Render {
    /// Handlebars where the path has `*.hbs` files, else plain; the status shows which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto: Option<Empty>,

    /// All `*.yaml`, `*.yml` and `*.json` files of the path in the order of their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain: Option<Empty>,

    /// The `*.hbs` files of the path as strict Handlebars templates, the other manifests as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handlebars: Option<Handlebars>,
}

impl Default for Render {
    fn default() -> Self {
        Self { auto: Some(Empty {}), plain: None, handlebars: None }
    }
}

/// A choice that has no settings.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Empty {}

/// Values for Handlebars templates: the files in order, then the inline values, merged deeply.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Handlebars {
    /// YAML files, relative to the source's path; `..` may lead to files elsewhere in the repository.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 1024)))]
    pub values_files: Vec<String>,

    /// Values that win over those of the files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "any_values")]
    pub values: BTreeMap<String, Value>,
}

fn any_values(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 256,
        "x-kubernetes-preserve-unknown-fields": true
    })
}

/// Where the objects of an Application go.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Destination {
    /// Namespace of namespaced objects that name none; the Application's own when this is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
}

/// What happens to the objects of a deleted Application.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// They are deleted with it.
    #[default]
    Prune,
    /// They stay, without Windlass's label and annotation.
    Orphan,
}
