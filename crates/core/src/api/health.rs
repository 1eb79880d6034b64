use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Duration;

/// How long health may take.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthPolicy {
    /// A release that is still progressing after this time counts as degraded.
    pub timeout: Duration,

    /// Rules for the health of kinds that Windlass does not know; the first that fits an object counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub checks: Vec<HealthCheck>,
}

impl Default for HealthPolicy {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(600), checks: Vec::new() }
    }
}

/// A rule for the health of a kind, in the Common Expression Language.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheck {
    /// API group of the objects; empty for the core group, all groups when not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub group: Option<String>,

    /// Kind of the objects.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,

    /// An expression over `self`, the live object. `true` is Healthy, `false` Progressing; a string is a
    /// status (`'Degraded'`), a map a status with a message (`{'status': 'Degraded', 'message': ...}`).
    #[schemars(length(min = 1, max = 2048))]
    pub cel: String,
}

impl HealthCheck {
    /// Whether the rule is for objects of this kind.
    pub fn fits(&self, group: &str, kind: &str) -> bool {
        self.kind == kind && self.group.as_deref().is_none_or(|own| own == group)
    }
}

/// `Certificate.cert-manager.io`
impl std::fmt::Display for HealthCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.kind)?;
        match self.group.as_deref() {
            Some(group) if !group.is_empty() => write!(f, ".{group}"),
            _ => Ok(()),
        }
    }
}
