//! What users' health checks say of objects. It takes the place of what the built-in rules say, for who plans
//! and for who tells.

use std::sync::Arc;

use serde_json::Value;
use windlass_core::api::HealthStatus;
use windlass_core::health::Health;
use windlass_core::object::{Digest, ObjectId};
use windlass_core::plan::Observed;

use super::{State, World};

/// What a check says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Version of the object that was judged; 0 when none was yet.
    pub version: u64,
    /// Digest of the expression.
    pub expression: Digest,
    /// What it says; what is wrong with the check where it says nothing.
    pub health: Result<Health, String>,
}

impl World {
    /// The body of an object, of a kind whose bodies are kept, and the version that it is of.
    pub fn body(&self, id: &ObjectId) -> Option<(u64, Arc<Value>)> {
        self.with(|state| state.bodies.get(id).cloned())
    }

    /// What a check said of an object last, if one is for it.
    pub fn verdict(&self, id: &ObjectId) -> Option<Verdict> {
        self.with(|state| state.verdicts.get(id).cloned())
    }

    /// Keeps what a check says of an object; with `None` the built-in rules judge it again.
    pub fn judged(&self, id: &ObjectId, verdict: Option<Verdict>) {
        self.with(|state| match verdict {
            Some(verdict) => state.verdicts.insert(id.clone(), verdict),
            None => state.verdicts.remove(id),
        });
    }
}

impl State {
    /// The object as last seen, with the health that its check gives it, if there is one.
    pub(super) fn judged(&self, id: &ObjectId) -> Option<Observed> {
        let mut observed = self.observed.get(id)?.clone();
        if let Some(verdict) = self.verdicts.get(id)
            && !observed.deleting
        {
            let (status, message) = match &verdict.health {
                // What was said of an older version says nothing of this one.
                _ if verdict.version < observed.resource_version => {
                    (HealthStatus::Progressing, "its health check has not seen its latest version".to_owned())
                }
                Ok(health) => (health.status, health.message.clone()),
                Err(error) => (HealthStatus::Unknown, format!("its health check is wrong: {error}")),
            };
            observed.health = Health { status, message };
        }
        Some(observed)
    }
}
