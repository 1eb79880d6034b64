use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, Gate};

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
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("self.gates.all(gate, !has(gate.ratio) && !has(gate.compare))").message(
        "ratio and compare need a stable release to run beside the new one: use them in a RolloutPolicy, and \
         the other kinds here"
    )
)]
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
