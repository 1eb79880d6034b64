//! What a workload's own body says: which pods are its, which of them are new, and why it has none.

use serde_json::Value;

use super::FailureClass::{self, Environment, Release};
use super::trouble::{Kind, Trouble, from_events};
use super::uid;
use crate::health::body::{Body, Truth, one_line};

/// Label of a Deployment's pods: the hash of their template.
const TEMPLATE_HASH: &str = "pod-template-hash";
/// Label of a StatefulSet's pods: the name of their ControllerRevision.
const REVISION_HASH: &str = "controller-revision-hash";
/// Label of a DaemonSet's pods, and the annotation of the DaemonSet that it comes from.
const TEMPLATE_GENERATION: &str = "pod-template-generation";
const GENERATION_ANNOTATION: &str = "deprecated.daemonset.template.generation";
/// Annotation by which the Deployment controller numbers ReplicaSets.
const REVISION_ANNOTATION: &str = "deployment.kubernetes.io/revision";

/// Whether objects of a kind run pods that tell why they are not healthy.
pub fn runs_pods(group: &str, kind: &str) -> bool {
    matches!(
        (group, kind),
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
            | ("", "ReplicationController" | "Pod")
            | ("batch", "Job")
    )
}

/// Which pods belong to a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Label selector as lists take it.
    pub selector: String,
    /// Label and value of pods of the newest template; `None` where there is only one.
    pub newest: Option<(String, String)>,
    /// UIDs of what owns the pods.
    pub owners: Vec<String>,
}

/// The pods of a workload, as far as it says so; `replica_sets` are those that a Deployment's selector finds,
/// of which the metadata is enough. `None` for what selects no pods, and while its controller has not seen
/// the newest template.
pub fn selection(workload: &Value, replica_sets: &[Value]) -> Option<Selection> {
    let body = Body(workload);
    let generation = body.int("/metadata/generation").unwrap_or(0);
    if body.int("/status/observedGeneration").is_some_and(|observed| observed < generation) {
        return None;
    }
    let selector = selector(workload)?;
    let own = uid(workload);
    let mut owners = vec![own.to_owned()];
    let newest = match body.text("/kind") {
        "Deployment" => {
            let mut owned: Vec<(u64, &Value)> = replica_sets
                .iter()
                .filter(|set| Body(set).parts("/metadata/ownerReferences").any(|one| one.text("/uid") == own))
                .map(|set| (revision(set), set))
                .collect();
            owned.sort_by_key(|(revision, _)| *revision);
            let (_, newest) = owned.last()?;
            owners = owned.iter().map(|(_, set)| uid(set).to_owned()).collect();
            Some((TEMPLATE_HASH, super::label_of(newest, TEMPLATE_HASH)))
        }
        "StatefulSet" => Some((REVISION_HASH, body.text("/status/updateRevision"))),
        "DaemonSet" => Some((TEMPLATE_GENERATION, annotation(workload, GENERATION_ANNOTATION))),
        _ => None,
    };
    let newest = newest.filter(|(_, value)| !value.is_empty());
    Some(Selection {
        selector,
        newest: newest.map(|(label, value)| (label.to_owned(), value.to_owned())),
        owners,
    })
}

/// `spec.selector` of a workload as lists take it; one that is empty or broken selects nothing here.
pub fn selector(workload: &Value) -> Option<String> {
    let spec = workload.pointer("/spec/selector")?;
    let labels = match Body(workload).text("/kind") {
        "ReplicationController" => Some(spec),
        _ => spec.get("matchLabels"),
    };
    let mut parts = Vec::new();
    for (key, value) in labels.and_then(Value::as_object).into_iter().flatten() {
        parts.push(format!("{key}={}", value.as_str()?));
    }
    for expression in Body(spec).parts("/matchExpressions") {
        let key = expression.text("/key");
        let values: Vec<&str> = expression.list("/values").iter().filter_map(Value::as_str).collect();
        parts.push(match expression.text("/operator") {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        });
    }
    (!parts.is_empty()).then(|| parts.join(","))
}

/// What the workload's own conditions say of pods that the API server refuses.
pub(super) fn trouble(body: Body) -> Option<Trouble> {
    let failure = body.condition("ReplicaFailure").filter(|failure| failure.truth == Truth::True)?;
    let text = format!("pods cannot be created: {}", one_line(failure.message));
    Some(Trouble::new(Kind::Refused, refusal(failure.message), text))
}

/// What there is to say when no pod says anything: a Job that failed and whose pods are gone, and pods that
/// were refused, of workloads that tell so only in Events.
pub(super) fn without_pods(body: Body, events: &[Value]) -> Option<Trouble> {
    if let Some(failed) = job_failed(body) {
        return Some(Trouble::new(Kind::Exit, Release, failed));
    }
    from_events(events, body, |reason, message| {
        (reason == "FailedCreate").then(|| {
            // The controllers begin with words of their own, which name the pod and themselves.
            let told = message.split_once("error: ").map_or(message, |(_, told)| told);
            let told = told.strip_prefix("Error creating: ").unwrap_or(told);
            Trouble::new(Kind::Refused, refusal(told), format!("pods cannot be created: {told}"))
        })
    })
}

fn job_failed(body: Body) -> Option<String> {
    let failed = ["Failed", "FailureTarget"].into_iter().find_map(|kind| body.condition(kind));
    failed.filter(|failed| failed.truth == Truth::True).map(|failed| failed.cause())
}

/// Whether pods are missing of which only Events may say why.
pub(super) fn lacks_pods(body: Body) -> bool {
    let (wanted, there) = match body.text("/kind") {
        "StatefulSet" => (body.count("/spec/replicas").unwrap_or(1), body.count("/status/replicas")),
        "DaemonSet" => (
            body.count("/status/desiredNumberScheduled").unwrap_or(0),
            body.count("/status/currentNumberScheduled"),
        ),
        "Job" if job_failed(body).is_none() => (1, body.count("/status/active")),
        _ => return false,
    };
    there.unwrap_or(0) < wanted
}

/// Whose fault it is that the API server refuses a pod. Quota, limits, and webhooks that are down are not the
/// release's; a pod that no namespace of this kind takes is.
fn refusal(message: &str) -> FailureClass {
    let lasting = message.contains("violates PodSecurity")
        || message.contains(" is invalid: ")
        || (message.contains("serviceaccount ") && message.contains("not found"));
    if lasting { Release } else { Environment }
}

fn revision(object: &Value) -> u64 {
    annotation(object, REVISION_ANNOTATION).parse().unwrap_or(0)
}

fn annotation<'a>(object: &'a Value, name: &str) -> &'a str {
    object.pointer("/metadata/annotations").and_then(|all| all.get(name)?.as_str()).unwrap_or_default()
}
