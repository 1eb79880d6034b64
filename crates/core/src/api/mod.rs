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

/// What people ask of an Application by [`REQUEST_ANNOTATION`], written with their own rights.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Chosen by the asker; a request is carried out once, then echoed in `status.handledRequest`.
    pub id: String,
    /// What to do.
    pub action: Action,
    /// Who asks, as far as the asker says so; shown as claimed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// The revision that may prune more than the limit, for [`Action::AllowPrune`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// What a [`Request`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Look at the sources now.
    Refresh,
    /// Look at the sources now and apply, even where the sync mode is Manual.
    Sync,
    /// As [`Action::Sync`], and let the named revision prune above the limit.
    AllowPrune,
}
