//! Whether an object does what it should, from its body alone.
//!
//! The rules are those of kstatus (kubernetes-sigs/cli-utils, pkg/kstatus) with what its users miss: the
//! root cause in words, and the kinds that it takes to be ready as soon as they exist. `docs/health.md`
//! has them in a table. There is no clock in here: an object that stays [`HealthStatus::Progressing`]
//! for too long is the caller's to judge.

mod aggregate;
mod autoscaling;
mod batch;
pub(crate) mod body;
pub mod cause;
pub mod check;
mod cluster;
pub(crate) mod gateway;
mod generic;
mod network;
mod pod;
mod storage;
#[cfg(test)]
mod tests;
mod workloads;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::{HealthStatus, bounded_message};
use body::{Body, Truth};

pub use aggregate::aggregate;

/// How the message of an object begins that its controller has yet to look at.
const UNSEEN: &str = "its controller has not seen";

/// Health of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The state.
    pub status: HealthStatus,
    /// The cause, for people, in at most [`crate::api::MAX_MESSAGE`] bytes; empty for a healthy object.
    pub message: String,
}

impl Health {
    /// It does what it should.
    pub fn healthy() -> Self {
        Self { status: HealthStatus::Healthy, message: String::new() }
    }

    /// It should exist and does not.
    pub fn missing() -> Self {
        Self::new(HealthStatus::Missing, "does not exist")
    }

    /// Whether nothing is known but that its controller has yet to look at it, which most do within moments.
    pub fn is_unseen(&self) -> bool {
        self.status == HealthStatus::Progressing && self.message.starts_with(UNSEEN)
    }

    fn unseen(what: &str) -> Self {
        Self::progressing(format!("{UNSEEN} {what}"))
    }

    fn new(status: HealthStatus, message: impl AsRef<str>) -> Self {
        Self { status, message: bounded_message(message.as_ref()) }
    }

    fn progressing(message: impl AsRef<str>) -> Self {
        Self::new(HealthStatus::Progressing, message)
    }

    fn degraded(message: impl AsRef<str>) -> Self {
        Self::new(HealthStatus::Degraded, message)
    }

    fn suspended(message: impl AsRef<str>) -> Self {
        Self::new(HealthStatus::Suspended, message)
    }
}

/// Judges a live object by its body. A field of the wrong type counts as absent, so any value can be
/// judged; one that has no `kind` is [`HealthStatus::Unknown`].
pub fn assess(body: &Value) -> Health {
    let body = Body(body);
    let (api_version, kind) = (body.text("/apiVersion"), body.text("/kind"));
    if kind.is_empty() {
        return Health::new(HealthStatus::Unknown, "not a Kubernetes object: it has no kind");
    }
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    if !body.text("/metadata/deletionTimestamp").is_empty() {
        return being_deleted(body);
    }
    if !has_body_rule(group, kind) {
        return Health::healthy();
    }
    if let Some(health) = not_observed(body) {
        return health;
    }
    let generation = body.int("/metadata/generation");
    for condition in body.conditions("/status").filter(|condition| !condition.is_stale(generation)) {
        match (condition.kind, condition.truth) {
            ("Stalled", Truth::True) => return Health::degraded(condition.cause()),
            ("Reconciling", Truth::True) => return Health::progressing(condition.cause()),
            _ => {}
        }
    }
    match rule(group, kind) {
        Some(rule) => rule(body),
        None => generic::assess(body),
    }
}

/// `status.observedGeneration` is behind.
fn not_observed(body: Body) -> Option<Health> {
    let (generation, observed) = (body.int("/metadata/generation")?, body.int("/status/observedGeneration")?);
    (observed < generation)
        .then(|| Health::unseen(&format!("the latest change (generation {generation}, observed {observed})")))
}

/// Whether the health of a kind needs its body. The others, such as ConfigMaps, Secrets and roles, are
/// healthy as soon as they exist, and only `metadata.deletionTimestamp` says otherwise.
pub fn has_body_rule(group: &str, kind: &str) -> bool {
    rule(group, kind).is_some() || !BUILT_IN_GROUPS.contains(&group)
}

/// The groups that the API server itself serves; every other group is somebody's custom resources.
const BUILT_IN_GROUPS: [&str; 24] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

type Rule = fn(Body) -> Health;

fn rule(group: &str, kind: &str) -> Option<Rule> {
    Some(match (group, kind) {
        ("apps", "Deployment") => workloads::deployment,
        ("apps", "StatefulSet") => workloads::stateful_set,
        ("apps", "DaemonSet") => workloads::daemon_set,
        ("apps", "ReplicaSet") | ("", "ReplicationController") => workloads::replica_set,
        ("", "Pod") => pod::assess,
        ("batch", "Job") => batch::job,
        ("batch", "CronJob") => batch::cron_job,
        ("", "PersistentVolumeClaim") => storage::claim,
        ("", "PersistentVolume") => storage::volume,
        ("", "Service") => network::service,
        ("networking.k8s.io", "Ingress") => network::ingress,
        ("gateway.networking.k8s.io", "Gateway") => gateway::gateway,
        ("gateway.networking.k8s.io", "GatewayClass") => gateway::class,
        ("gateway.networking.k8s.io", "HTTPRoute" | "GRPCRoute" | "TLSRoute" | "TCPRoute" | "UDPRoute") => {
            gateway::route
        }
        ("apiextensions.k8s.io", "CustomResourceDefinition") => cluster::custom_resource_definition,
        ("apiregistration.k8s.io", "APIService") => cluster::api_service,
        ("", "Namespace") => cluster::namespace,
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaling::horizontal_pod_autoscaler,
        ("policy", "PodDisruptionBudget") => autoscaling::pod_disruption_budget,
        _ => return None,
    })
}

/// What holds the deletion up: finalizers by name, and for a Namespace what its conditions say.
fn being_deleted(body: Body) -> Health {
    let mut message = "being deleted".to_owned();
    let finalizers: Vec<&str> =
        body.list("/metadata/finalizers").iter().filter_map(Value::as_str).take(5).collect();
    if !finalizers.is_empty() {
        message = format!("{message}; waiting for finalizers: {}", finalizers.join(", "));
    }
    for condition in body.conditions("/status") {
        if condition.kind.starts_with("Namespace") && condition.truth == Truth::True {
            message = format!("{message}; {}", condition.cause());
        }
    }
    Health::progressing(message)
}
