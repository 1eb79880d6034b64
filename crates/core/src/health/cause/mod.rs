//! Why a workload is not healthy, from its own body and its pods, and whose fault that is.
//!
//! The counts in a workload's status say *that* pods are missing; only the pods, and at times their Events,
//! say *why*. All of it is read here and nothing is fetched: the shell asks [`selection`] which pods to list
//! and [`Evidence::question`] whose Events would tell more.

mod image;
mod pod;
mod trouble;
mod workload;

use serde_json::Value;

use super::Health;
use super::body::{Body, clipped};
use crate::api::{HealthStatus, bounded_message};
use crate::object::ObjectId;
use trouble::Trouble;

pub use workload::{Selection, runs_pods, selection, selector};

/// Whose fault a failure is. The worse one for a release is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureClass {
    /// The cluster's, or that of something outside it: another release would fail as well.
    Environment,
    /// The release's: its pods crash, fail their probes, or name what does not exist, while older pods are
    /// fine.
    Release,
}

/// Why something is not healthy. The worse one is the greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// Waiting does not help, so the object is [`HealthStatus::Degraded`] now and not only after
    /// `spec.health.timeout`.
    pub stuck: bool,
    /// Whose fault it is.
    pub class: FailureClass,
    /// For people, in at most [`crate::api::MAX_MESSAGE`] bytes. It does not change while the cause stays the
    /// same: no restart counts, no back-off times.
    pub message: String,
}

/// What is known of a workload that is not healthy.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// Its live body.
    pub workload: &'a Value,
    /// The label and the value that mark pods of its newest template; `None` where it has only one.
    pub newest: Option<(&'a str, &'a str)>,
    /// Pods that its selector finds; those that it does not own are passed over.
    pub pods: &'a [Value],
    /// UIDs of what owns its pods: itself, or its ReplicaSets.
    pub owners: &'a [&'a str],
    /// Events of the object that [`Evidence::question`] named.
    pub events: &'a [Value],
}

impl Evidence<'_> {
    /// The UID of the object, a pod or the workload itself, whose Events would tell more than its body does.
    pub fn question(&self) -> Option<String> {
        let without = Evidence { events: &[], ..*self };
        let uid = match without.newest_trouble() {
            Some(trouble) => trouble.ask,
            None => workload::lacks_pods(Body(self.workload)).then(|| uid(self.workload).to_owned()),
        };
        uid.filter(|uid| !uid.is_empty())
    }

    /// Why the workload is not healthy. `None` when nothing speaks against waiting: its pods are starting.
    pub fn cause(&self) -> Option<Cause> {
        let mut trouble =
            self.newest_trouble().or_else(|| workload::without_pods(Body(self.workload), self.events))?;
        if trouble.class == FailureClass::Release
            && let Some(older) = self.older_trouble()
        {
            trouble.class = FailureClass::Environment;
            let message = clipped(&trouble.message, 480);
            trouble.message = format!("{message}; older pods fail too: {}", older.message);
        }
        Some(Cause {
            stuck: trouble.is_stuck(),
            class: trouble.class,
            message: bounded_message(&trouble.message),
        })
    }

    fn newest_trouble(&self) -> Option<Trouble> {
        let mut worst = workload::trouble(Body(self.workload));
        let pods = self.own_pods().filter(|pod| self.is_newest(pod));
        for trouble in pods.filter_map(|pod| pod::trouble(Body(pod), self.events)) {
            // Of equals the first by name, so that the message does not change from look to look.
            let worse = worst.as_ref().is_none_or(|worst| {
                trouble.kind > worst.kind || (trouble.kind == worst.kind && trouble.message < worst.message)
            });
            if worse {
                worst = Some(trouble);
            }
        }
        worst
    }

    /// What is wrong with the older pods, if there are any and no older template has mostly well ones.
    fn older_trouble(&self) -> Option<Trouble> {
        let (label, _) = self.newest?;
        let mut templates: Vec<(&str, usize, Vec<Trouble>)> = Vec::new();
        for pod in self.own_pods().filter(|pod| !self.is_newest(pod)) {
            let value = label_of(pod, label);
            let at = match templates.iter().position(|(known, ..)| *known == value) {
                Some(at) => at,
                None => {
                    templates.push((value, 0, Vec::new()));
                    templates.len() - 1
                }
            };
            if let Some((_, count, troubles)) = templates.get_mut(at) {
                *count += 1;
                troubles.extend(pod::trouble(Body(pod), &[]));
            }
        }
        if templates.iter().any(|(_, count, troubles)| troubles.len() * 2 < *count) {
            return None;
        }
        templates.into_iter().flat_map(|(.., troubles)| troubles).min_by(|a, b| a.message.cmp(&b.message))
    }

    fn own_pods(&self) -> impl Iterator<Item = &Value> {
        self.pods.iter().filter(|pod| {
            let body = Body(pod);
            let owned = |owner: &str| {
                uid(pod) == owner
                    || body
                        .parts("/metadata/ownerReferences")
                        .any(|reference| reference.text("/uid") == owner)
            };
            body.text("/metadata/deletionTimestamp").is_empty() && self.owners.iter().any(|uid| owned(uid))
        })
    }

    fn is_newest(&self, pod: &Value) -> bool {
        self.newest.is_none_or(|(label, value)| label_of(pod, label) == value)
    }
}

impl Cause {
    /// The cause that an object without pods has by its kind: volumes, addresses and APIs that are not
    /// there yet are the cluster's to give. `None` for a kind of which that can't be told.
    pub fn of_kind(id: &ObjectId, health: &Health) -> Option<Self> {
        let given = matches!(
            (id.group.as_str(), id.kind.as_str()),
            ("", "PersistentVolumeClaim" | "PersistentVolume" | "Service" | "Namespace")
                | ("networking.k8s.io", "Ingress")
                | ("apiregistration.k8s.io", "APIService")
        );
        let failed = health.status == HealthStatus::Degraded;
        let waits = matches!(health.status, HealthStatus::Progressing) && !health.message.is_empty();
        (given && (failed || waits)).then(|| Self {
            stuck: false,
            class: FailureClass::Environment,
            message: health.message.clone(),
        })
    }
}

impl Health {
    /// The health of an object whose cause is known: what the object itself says up to its first semicolon,
    /// then the cause. A pod says it all itself.
    #[must_use]
    pub fn because(self, id: &ObjectId, cause: &Cause) -> Self {
        let stuck = cause.stuck && self.status == HealthStatus::Progressing;
        let status = if stuck { HealthStatus::Degraded } else { self.status };
        let said = self.message.split("; ").next().unwrap_or_default();
        if id.kind == "Pod" || self.message.contains(&cause.message) {
            Self { status, ..self }
        } else if said.is_empty() {
            Self { status, message: cause.message.clone() }
        } else {
            Self::new(status, format!("{said}: {}", cause.message))
        }
    }
}

fn uid(object: &Value) -> &str {
    Body(object).text("/metadata/uid")
}

fn label_of<'a>(object: &'a Value, label: &str) -> &'a str {
    object.pointer("/metadata/labels").and_then(|labels| labels.get(label)?.as_str()).unwrap_or_default()
}
