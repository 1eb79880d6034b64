//! What went wrong in a part of Windlass that reads strangers' input, as it crosses the worker's pipe and
//! as it reaches a condition.

use serde::{Deserialize, Serialize};

/// A failure that a user is told about: it becomes a condition reason, a metric label and a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// CamelCase reason of the condition and label of the metric, for example `AuthenticationFailed`.
    pub reason: String,
    /// What is wrong, where (file, line, column, object, field) and what to do; no secret in it.
    pub message: String,
    /// Whether the same input may succeed later without anybody changing it.
    pub transient: bool,
}

impl Failure {
    /// A failure that lasts until somebody changes something.
    pub fn permanent(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.into(), message: message.into(), transient: false }
    }

    /// A failure that may go away by itself.
    pub fn transient(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.into(), message: message.into(), transient: true }
    }
}
