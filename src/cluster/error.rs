//! What the API server answered, in words.

use kube::runtime::watcher;
use windlass_core::object::ObjectId;

use crate::failure::Failure;

/// Reason of a write that came too late: something newer is stored.
pub const WRITE_CONFLICT: &str = "WriteConflict";

/// A request to the API server that did not succeed, or a client that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No usable configuration.
    #[error("cannot find the API server: {0}; set KUBECONFIG, or run inside a cluster")]
    Config(String),
    /// A request failed.
    #[error("{}", words(.0))]
    Request(#[from] kube::Error),
    /// Something stored in the cluster cannot be read.
    #[error("{0}")]
    Stored(String),
}

impl ClusterError {
    /// Whether the object is simply not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Request(kube::Error::Api(status)) if status.code == 404)
    }

    /// Whether somebody else was faster: look again and decide again.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Request(error) if is_conflict(error))
    }
}

/// Whether something newer is stored than the request was made from, or somebody else was faster.
pub fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

/// What a kube error says, with its causes where it came from the transport.
pub fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        kube::Error::Api(status) => format!("the API server answered {} {}", status.code, status.reason),
        other => {
            let mut text = other.to_string();
            let mut source = std::error::Error::source(other);
            while let Some(cause) = source {
                let cause_text = cause.to_string();
                if !text.contains(&cause_text) {
                    text.push_str(": ");
                    text.push_str(&cause_text);
                }
                source = cause.source();
            }
            format!("the API server cannot be reached: {text}")
        }
    }
}

/// What a watch that broke says, in one line: its own text holds a dump of the server's answer.
pub fn watch_words(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => words(error),
        watcher::Error::WatchError(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// Why an object could not be applied or deleted, as a user is told.
pub fn object_failure(id: &ObjectId, origin: &str, error: &kube::Error) -> Failure {
    let text = words(error);
    let at = if origin.is_empty() { id.to_string() } else { format!("{origin}: {id}") };
    let kube::Error::Api(status) = error else {
        return Failure::transient("ApiServerUnavailable", format!("{at}: {text}"));
    };
    let missing_namespace = status.code == 404
        && status.details.as_ref().is_some_and(|d| d.kind == "namespaces" || d.name == id.namespace)
        && !id.namespace.is_empty();
    // The server's answer may repeat what it refuses.
    let text = match (id.kind.as_str(), status.code) {
        ("Secret", 400 | 422 | 500) => {
            "the API server refuses this Secret; its answer may hold values and is not \
                                        shown; see `kubectl apply --dry-run=server`"
                .to_owned()
        }
        _ => text,
    };
    match status.code {
        404 if missing_namespace => Failure::transient(
            "NamespaceNotFound",
            format!(
                "{at}: namespace {} does not exist; create it, put it into the release, or set \
                 sync.createNamespace",
                id.namespace
            ),
        ),
        404 => Failure::transient(
            "KindNotServed",
            format!("{at}: the API server does not serve this kind: {text}"),
        ),
        401 | 403 if text.contains("being terminated") => {
            Failure::transient("NamespaceTerminating", format!("{at}: {text}"))
        }
        401 | 403 => Failure::transient("Forbidden", format!("{at}: {text}; grant Windlass this right")),
        // A field that the schema does not have comes back as 500 with an empty reason.
        500 if text.contains("failed to create typed patch object") => {
            Failure::permanent("InvalidObject", format!("{at}: {}", schema_words(&text)))
        }
        422 if text.contains("immutable") => Failure::permanent(
            "ImmutableField",
            format!("{at}: {text}; delete the object, or give the new one another name"),
        ),
        400 | 422 => Failure::permanent("InvalidObject", format!("{at}: {text}")),
        409 => Failure::transient(WRITE_CONFLICT, format!("{at}: {text}")),
        429 => Failure::transient("ApiServerBusy", format!("{at}: {text}")),
        _ => Failure::transient("ApiServerUnavailable", format!("{at}: {text}")),
    }
}

/// Cuts the server's framing off: `failed to create typed patch object (ns/name; apps/v1, Kind=X): .spec.y:
/// field not declared in schema`.
fn schema_words(text: &str) -> &str {
    text.split_once("): ").map_or(text, |(_, rest)| rest)
}
