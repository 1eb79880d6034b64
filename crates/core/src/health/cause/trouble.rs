//! One thing that is wrong.

use serde_json::Value;

use super::FailureClass;
use crate::health::body::{Body, clipped, one_line};

/// What kind of thing is wrong; what says more about the workload is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Evicted, preempted or on a node that is gone: another pod takes its place.
    Displaced,
    /// Its containers are not created yet.
    Starting,
    /// Runs and is not ready, which it also is while it starts.
    NotReady,
    /// No node takes it.
    Unscheduled,
    /// No pod could be created.
    Refused,
    /// Its volumes or its sandbox can't be set up.
    Setup,
    /// Its image can't be pulled.
    Image,
    /// A container can't be created from what the pod says.
    Configuration,
    /// A container ended with an error.
    Exit,
    /// Nothing that waits can help: a container ended with an error again and again, or its image's name is
    /// no name.
    Stuck,
}

/// One thing that is wrong, with a pod or with the workload itself.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) kind: Kind,
    pub(super) class: FailureClass,
    pub(super) message: String,
    /// UID of the object whose Events may say more.
    pub(super) ask: Option<String>,
}

impl Trouble {
    pub(super) fn new(kind: Kind, class: FailureClass, message: impl Into<String>) -> Self {
        Self { kind, class, message: message.into(), ask: None }
    }

    /// The same, with a pod whose Events may say more.
    pub(super) fn asking(mut self, pod: Body) -> Self {
        self.ask = Some(pod.text("/metadata/uid").to_owned());
        self
    }

    pub(super) fn is_stuck(&self) -> bool {
        self.kind == Kind::Stuck
    }
}

/// The newest Event of an object for which `f` has something to say.
pub(super) fn from_events<T>(
    events: &[Value],
    object: Body,
    f: impl Fn(&str, &str) -> Option<T>,
) -> Option<T> {
    let uid = object.text("/metadata/uid");
    let mut found: Vec<(&str, T)> = events
        .iter()
        .map(Body)
        .filter(|event| event.text("/involvedObject/uid") == uid)
        .filter_map(|event| Some((when(event), f(event.text("/reason"), &one_line(event.text("/message")))?)))
        .collect();
    found.sort_by_key(|(when, _)| *when);
    found.pop().map(|(_, told)| told)
}

/// Timestamps of one form, so that they are ordered as text.
fn when(event: Body<'_>) -> &str {
    ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"]
        .into_iter()
        .map(|path| event.text(path))
        .find(|time| !time.is_empty())
        .unwrap_or_default()
}

/// Text that a container wrote, in quotes; nothing where it wrote nothing.
pub(super) fn quoted(text: &str) -> String {
    let line = clipped(text, 300);
    if line.is_empty() { String::new() } else { format!(": \"{line}\"") }
}

/// `: text`, or nothing.
pub(super) fn because(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}
