//! The custom resources of group `windlass.dev`: what users write and what Windlass answers.
//!
//! Validation lives in the schema, so that a wrong object is refused by the API server with a sentence,
//! not found out later by the controller. Every list, string and map is bounded: CEL needs the bounds to
//! prove its cost, and a custom resource must not be a way to exhaust the controller.

mod application;
mod duration;
mod status;
#[cfg(test)]
mod tests;

pub use application::*;
pub use duration::{Duration, DurationError};
pub use status::*;

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
