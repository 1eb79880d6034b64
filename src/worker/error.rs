//! How a worker fails, and what a user is told about it.

use std::io;
use std::time::Duration;

use super::Kind;
use crate::failure::Failure;

/// Why a worker gave no answer. The variant becomes the condition's reason and the metric's label.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// All workers stayed busy for as long as a request may queue.
    #[error("no {kind} worker became free within {}", seconds(waited))]
    Busy {
        /// Which kind was asked for.
        kind: Kind,
        /// How long the request queued.
        waited: Duration,
    },
    /// The process could not be started or did not get ready.
    #[error("no {kind} worker could be started: {source}")]
    Spawn {
        /// Which kind was asked for.
        kind: Kind,
        /// What the operating system or the worker said.
        source: io::Error,
    },
    /// No answer by the deadline; the worker was killed.
    #[error("the {kind} worker gave no answer within {} and was stopped", seconds(deadline))]
    Timeout {
        /// Which kind was asked for.
        kind: Kind,
        /// How long it had.
        deadline: Duration,
    },
    /// The process ended while it was working.
    #[error("the {kind} worker ended early ({status})")]
    Crashed {
        /// Which kind was asked for.
        kind: Kind,
        /// Its exit code or signal.
        status: String,
    },
    /// The process asked for more memory than it may have.
    #[error("the {kind} worker needed more than its {} MiB of memory", limit >> 20)]
    OutOfMemory {
        /// Which kind was asked for.
        kind: Kind,
        /// The limit in bytes.
        limit: u64,
    },
    /// The request or the answer is larger than a frame may be.
    #[error("the {what} of the {kind} worker is larger than {} MiB", limit >> 20)]
    TooLarge {
        /// Which kind was asked for.
        kind: Kind,
        /// `request` or `answer`.
        what: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// The bytes that came back are no answer to the request.
    #[error("the answer of the {kind} worker was not understood: {message}")]
    Protocol {
        /// Which kind was asked for.
        kind: Kind,
        /// What is wrong with them; nothing of their content.
        message: String,
    },
}

impl WorkerError {
    /// CamelCase reason for a condition and label for a metric.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "WorkerBusy",
            Self::Spawn { .. } => "WorkerUnavailable",
            Self::Timeout { kind: Kind::Fetch, .. } => "FetchTimeout",
            Self::Timeout { kind: Kind::Render, .. } => "RenderTimeout",
            Self::Crashed { .. } => "WorkerCrashed",
            Self::OutOfMemory { .. } => "WorkerOutOfMemory",
            Self::TooLarge { kind: Kind::Fetch, .. } => "FetchTooLarge",
            Self::TooLarge { kind: Kind::Render, .. } => "RenderTooLarge",
            Self::Protocol { .. } => "WorkerProtocol",
        }
    }

    /// What to tell the user whose work it was. `what` names that work and begins the sentence, for example
    /// `fetch of https://git.example/env.git`.
    ///
    /// A timeout or a crash counts as transient, since a machine that is short of time or memory causes
    /// them too, and a retry with backoff costs little. Too much memory or output needs another input.
    pub fn failure(&self, what: &str) -> Failure {
        let message = match self.advice() {
            Some(advice) => format!("{what} failed: {self}. {advice}"),
            None => format!("{what} failed: {self}"),
        };
        match self {
            Self::OutOfMemory { .. } | Self::TooLarge { .. } => Failure::permanent(self.reason(), message),
            _ => Failure::transient(self.reason(), message),
        }
    }

    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Timeout { kind: Kind::Fetch, .. } => {
                Some("Check that the repository's server answers and how large the repository is")
            }
            Self::Timeout { kind: Kind::Render, .. } => {
                Some("Look for loops in templates and for very large files")
            }
            Self::OutOfMemory { .. } | Self::TooLarge { .. } => {
                Some("Split the application, or take large files out of its path")
            }
            _ => None,
        }
    }
}

fn seconds(duration: &Duration) -> String {
    format!("{} s", (duration.as_secs_f64() * 10.0).round() / 10.0)
}
