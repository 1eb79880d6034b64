use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, LocalReference};

/// What happens when a new release does not become healthy in time or does not pass its gates.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// `Rollback` where the Application has `verify`, else `Hold`.
    #[default]
    Auto,
    /// The whole release is undone and quarantined.
    Rollback,
    /// It stays as it is, and says why.
    Hold,
}

/// Gates that a new release has to pass.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Verify {
    /// How long the gates are judged after the objects are healthy.
    #[serde(default = "five_minutes", rename = "for")]
    pub period: Duration,

    /// The gates; one that fails fails the release.
    #[schemars(
        length(min = 1, max = 20),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub gates: Vec<Gate>,

    /// What happens when a gate has no data until the period and as much again is over.
    #[serde(default)]
    pub on_no_verdict: OnNoVerdict,
}

fn five_minutes() -> Duration {
    Duration::from_secs(300)
}

/// What happens to a release of which nothing is known.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnNoVerdict {
    /// It stays as it is, and says why.
    #[default]
    Hold,
    /// It is undone.
    Rollback,
    /// It counts as good.
    Continue,
}

/// One question asked of the metrics.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// Name of this gate, unique in the Application.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,

    /// The Prometheus to ask; by default the one that the controller was started with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<PrometheusRef>,

    /// Bounds for the value of a query.
    pub threshold: Threshold,
}

/// A Prometheus server.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusRef {
    /// Its address, `http://` or `https://`.
    #[schemars(length(min = 8, max = 2048), regex(pattern = "^https?://[^\\s@]+$"))]
    pub address: String,

    /// A Secret in the Application's namespace with `username` and `password`, or with `bearerToken`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
}

/// Bounds for the value of a query; at least one of them.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new("has(self.min) || has(self.max)").message("set min, max or both")
)]
#[serde(rename_all = "camelCase")]
pub struct Threshold {
    /// A PromQL expression that gives a scalar or one sample. `$namespace` is the destination namespace.
    #[schemars(length(min = 1, max = 4096))]
    pub query: String,

    /// Smallest good value, a decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^-?[0-9]+([.][0-9]+)?$"))]
    pub min: Option<String>,

    /// Largest good value, a decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^-?[0-9]+([.][0-9]+)?$"))]
    pub max: Option<String>,

    /// Time between two looks.
    #[serde(default = "fifteen_seconds")]
    pub interval: Duration,

    /// How many looks in a row must be bad before the gate fails.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 100))]
    pub consecutive: u32,
}

fn fifteen_seconds() -> Duration {
    Duration::from_secs(15)
}

fn three() -> u32 {
    3
}
