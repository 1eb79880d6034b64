//! The custom resources of group `windlass.dev`: what users write and what Windlass answers.
//!
//! Validation lives in the schema, so that a wrong object is refused by the API server with a sentence,
//! not found out later by the controller. Every list, string and map is bounded: CEL needs the bounds to
//! prove its cost, and a custom resource must not be a way to exhaust the controller.

mod application;
mod duration;
mod health;
mod release;
mod request;
mod status;
mod sync;
#[cfg(test)]
mod tests;
mod verify;

pub use application::*;
pub use duration::{Duration, DurationError};
pub use health::*;
pub use release::*;
pub use request::{Action, Request};
pub use status::*;
pub use sync::*;
pub use verify::*;

/// The API group.
pub const GROUP: &str = "windlass.dev";
/// Label on every managed object: a hash of the owning Application, made for selectors.
pub const APPLICATION_LABEL: &str = "windlass.dev/application";
/// Annotation that names the owner of a managed object and the object itself.
pub const OWNER_ANNOTATION: &str = "windlass.dev/owner";
/// Annotation by which people ask for something: JSON `{"id": .., "action": .., "args": {..}}`.
pub const REQUEST_ANNOTATION: &str = "windlass.dev/request";
/// Annotation `"false"` on a managed object: never prune it.
pub const PRUNE_ANNOTATION: &str = "windlass.dev/prune";
/// Finalizer on an Application whose objects are not gone yet.
pub const FINALIZER: &str = "windlass.dev/prune";

/// Which Application: namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct AppKey {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl AppKey {
    /// A key from its parts.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

/// `namespace/name`
impl std::fmt::Display for AppKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
