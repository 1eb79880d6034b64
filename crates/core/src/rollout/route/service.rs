//! Services that have the pods of one release only.

use serde_json::{Map, Value};

use super::naming::{CANDIDATE, LONGEST_SERVICE, STABLE, ending};
use crate::object::Object;

/// The pods of one release, by the label that their controller gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pods<'a> {
    /// Of a ReplicaSet: the value of `pod-template-hash`.
    ReplicaSet(&'a str),
    /// Of a ControllerRevision, for StatefulSets and DaemonSets: the value of `controller-revision-hash`.
    Revision(&'a str),
}

impl Pods<'_> {
    /// Name and value of the label.
    fn label(&self) -> (&'static str, &str) {
        match self {
            Self::ReplicaSet(hash) => ("pod-template-hash", hash),
            Self::Revision(hash) => ("controller-revision-hash", hash),
        }
    }
}

/// Why a Service cannot be narrowed down to the pods of one release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// It is no Service.
    #[error("{0} is not a Service")]
    Kind(String),
    /// It is a name for something outside the cluster.
    #[error("Service {0} is of type ExternalName: it has no pods to choose from")]
    ExternalName(String),
    /// Its endpoints are written by something else.
    #[error("Service {0} has no selector: Windlass cannot choose its endpoints")]
    NoSelector(String),
    /// It is a headless Service that is there for its names only.
    #[error("Service {0} has no ports: requests cannot be divided by it")]
    NoPorts(String),
    /// A field has another type than its schema says.
    #[error("Service {name}: {field} must be {expected}")]
    Shape {
        /// Namespace and name of the Service.
        name: String,
        /// Path of the field.
        field: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
}

/// The names of the Services behind a route while a rollout runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceNames {
    /// Of the stable pods.
    pub stable: String,
    /// Of the candidate's pods.
    pub candidate: String,
}

impl ServiceNames {
    /// `<service>-stable` and `<service>-candidate`; a name that is too long for that is cut and gets a digest.
    pub fn of(service: &str) -> Self {
        Self {
            stable: ending(service, STABLE, LONGEST_SERVICE),
            candidate: ending(service, CANDIDATE, LONGEST_SERVICE),
        }
    }
}

/// The user's own Service, narrowed down to `pods`.
///
/// # Errors
/// [`ServiceError`] where there is nothing to narrow down.
pub fn pin(service: &Object, pods: Pods) -> Result<Object, ServiceError> {
    let mut body = service.body().clone();
    spec_of(service, &mut body)?.insert("selector".into(), selector(service, pods)?);
    finished(service, body)
}

/// A Service `name` beside the user's with only `pods`, for a route: the user's ports and options, reachable in
/// the cluster only.
///
/// Labels are left behind, since a ServiceMonitor that finds them would have Prometheus read each pod twice, and
/// so are annotations that make others act on the Service. A headless Service gets an address of its own, so
/// that every router can use it, and pods that aren't ready get no requests.
///
/// # Errors
/// [`ServiceError`] where there is nothing to narrow down.
pub fn pinned(service: &Object, name: &str, pods: Pods) -> Result<Object, ServiceError> {
    let selector = selector(service, pods)?;
    let mut body = service.body().clone();
    let spec = spec_of(service, &mut body)?;
    for field in [
        "allocateLoadBalancerNodePorts",
        "clusterIP",
        "clusterIPs",
        "externalIPs",
        "externalName",
        "externalTrafficPolicy",
        "healthCheckNodePort",
        "loadBalancerClass",
        "loadBalancerIP",
        "loadBalancerSourceRanges",
        "publishNotReadyAddresses",
    ] {
        spec.remove(field);
    }
    spec.insert("type".into(), "ClusterIP".into());
    spec.insert("selector".into(), selector);
    let shape = |field, expected| ServiceError::Shape { name: told(service), field, expected };
    match spec.get_mut("ports") {
        Some(Value::Array(ports)) if !ports.is_empty() => {
            for port in ports {
                port.as_object_mut()
                    .ok_or_else(|| shape("spec.ports", "a list of mappings"))?
                    .remove("nodePort");
            }
        }
        None | Some(Value::Null | Value::Array(_)) => return Err(ServiceError::NoPorts(told(service))),
        Some(_) => return Err(shape("spec.ports", "a list")),
    }
    let mut metadata = Map::new();
    metadata.insert("name".into(), name.into());
    if let Some(namespace) = service.namespace() {
        metadata.insert("namespace".into(), namespace.into());
    }
    for (field, keeps) in [("labels", keeps_label as fn(&str) -> bool), ("annotations", keeps_annotation)] {
        let entries = service.body().pointer(&format!("/metadata/{field}")).and_then(Value::as_object);
        let kept: Map<_, _> = entries
            .into_iter()
            .flatten()
            .filter(|(key, _)| keeps(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !kept.is_empty() {
            metadata.insert(field.into(), kept.into());
        }
    }
    if let Some(body) = body.as_object_mut() {
        body.insert("metadata".into(), metadata.into());
        body.remove("status");
    }
    finished(service, body)
}

/// Labels that tell proxies how to treat the Service.
fn keeps_label(key: &str) -> bool {
    matches!(prefix(key), "istio.io" | "networking.istio.io" | "service.kubernetes.io")
}

/// All annotations but those of tools that keep books about the object, and of those that make something for
/// each Service that has them: names in DNS, cloud load balancers, scrape targets.
fn keeps_annotation(key: &str) -> bool {
    let prefix = prefix(key);
    let bookkeeping =
        ["windlass.dev", "kubectl.kubernetes.io", "meta.helm.sh", "helm.sh", "argocd.argoproj.io"];
    let acting = ["prometheus.io", "service.beta.kubernetes.io", "metallb.io", "metallb.universe.tf"];
    !(bookkeeping.contains(&prefix)
        || acting.contains(&prefix)
        || prefix.ends_with("external-dns.alpha.kubernetes.io")
        || prefix.ends_with("toolkit.fluxcd.io"))
}

fn prefix(key: &str) -> &str {
    key.split_once('/').map_or("", |(prefix, _)| prefix)
}

/// The user's selector and the label of `pods`.
fn selector(service: &Object, pods: Pods) -> Result<Value, ServiceError> {
    let gvk = service.gvk();
    if !gvk.group.is_empty() || gvk.kind != "Service" {
        return Err(ServiceError::Kind(format!("{} {}", gvk.kind, told(service))));
    }
    if service.body().pointer("/spec/type").and_then(Value::as_str) == Some("ExternalName") {
        return Err(ServiceError::ExternalName(told(service)));
    }
    match service.body().pointer("/spec/selector") {
        Some(Value::Object(labels)) if !labels.is_empty() => {
            let (label, value) = pods.label();
            let mut labels = labels.clone();
            labels.insert(label.into(), value.into());
            Ok(labels.into())
        }
        _ => Err(ServiceError::NoSelector(told(service))),
    }
}

fn spec_of<'a>(service: &Object, body: &'a mut Value) -> Result<&'a mut Map<String, Value>, ServiceError> {
    body.get_mut("spec").and_then(Value::as_object_mut).ok_or_else(|| ServiceError::NoSelector(told(service)))
}

fn finished(service: &Object, body: Value) -> Result<Object, ServiceError> {
    Object::new(body).map_err(|_| ServiceError::Shape {
        name: told(service),
        field: "metadata",
        expected: "that of an object",
    })
}

/// Namespace and name.
fn told(service: &Object) -> String {
    match service.namespace() {
        Some(namespace) => format!("{namespace}/{}", service.name()),
        None => service.name().to_owned(),
    }
}
