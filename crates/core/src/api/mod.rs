//! The custom resources of group `windlass.dev`: what users write and what Windlass answers.
//!
//! Validation lives in the schema, so that a wrong object is refused by the API server with a sentence,
//! not found out later by the controller. Every list, string and map is bounded: CEL needs the bounds to
//! prove its cost, and a custom resource must not be a way to exhaust the controller.

mod application;
mod duration;
mod evidence;
mod gate;
mod health;
mod release;
mod request;
mod rollout;
mod rollout_policy;
mod status;
mod sync;
#[cfg(test)]
mod tests;
mod traffic;
mod verify;

pub use application::*;
pub use duration::{Duration, DurationError};
pub use evidence::*;
pub use gate::*;
pub use health::*;
pub use release::*;
pub use request::{Action, Request};
pub use rollout::*;
pub use rollout_policy::*;
pub use status::*;
pub use sync::*;
pub use traffic::*;
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
/// Annotation `"true"` on an object: applied where it is missing, never updated or healed.
pub const CREATE_ONLY_ANNOTATION: &str = "windlass.dev/create-only";
/// Annotation on an object: fields that are left to others, as paths separated by commas.
pub const IGNORE_ANNOTATION: &str = "windlass.dev/ignore";
/// Annotation `immutable` on an object: delete and make it anew where the API server refuses a change of an
/// immutable field.
pub const REPLACE_ANNOTATION: &str = "windlass.dev/replace";
/// Annotation `Keep` on an object: a rollback leaves it as it is.
pub const ROLLBACK_ANNOTATION: &str = "windlass.dev/rollback";
/// Annotation `"true"` on an object: a release that changes it is not rolled back without a person.
pub const IRREVERSIBLE_ANNOTATION: &str = "windlass.dev/irreversible";
/// Annotation on an Application: the one whose place it takes, `NAMESPACE/NAME` or `NAME`.
pub const MOVED_FROM_ANNOTATION: &str = "windlass.dev/moved-from";
/// Annotation on an Application: the one of another namespace that may take its place.
pub const MOVED_TO_ANNOTATION: &str = "windlass.dev/moved-to";
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
