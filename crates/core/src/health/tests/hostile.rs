//! No body can make a rule panic, talk without end, or say why something healthy is not.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::assess;
use super::super::cause::{Evidence, selection};
use crate::api::{HealthStatus, MAX_MESSAGE};

const KINDS: [(&str, &str); 24] = [
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("v1", "ReplicationController"),
    ("v1", "Pod"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "PersistentVolume"),
    ("v1", "Service"),
    ("v1", "Namespace"),
    ("v1", "ConfigMap"),
    ("networking.k8s.io/v1", "Ingress"),
    ("gateway.networking.k8s.io/v1", "Gateway"),
    ("gateway.networking.k8s.io/v1", "GatewayClass"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("gateway.networking.k8s.io/v1", "GRPCRoute"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("apiregistration.k8s.io/v1", "APIService"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    ("example.com/v1", "Widget"),
    ("/", "Widget"),
];

/// A body in which every path that a rule reads leads somewhere.
fn full_body(api_version: &str, kind: &str) -> Value {
    let condition = |kind: &str| json!({"type": kind, "status": "False", "reason": "Why", "message": "so", "observedGeneration": 3});
    let conditions =
        |kinds: &[&str]| Value::from(kinds.iter().map(|kind| condition(kind)).collect::<Vec<_>>());
    let terminated = json!({"exitCode": 1, "reason": "OOMKilled", "message": "m"});
    let container = json!({"name": "web", "ready": false, "started": false, "restartCount": 3, "lastState": {"terminated": terminated},
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "m"}}});
    let parent = json!({"group": "", "kind": "Service", "namespace": "a", "name": "b", "sectionName": "c", "port": 80});
    json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {"name": "web", "namespace": "shop", "generation": 3, "annotations": {
            "autoscaling.alpha.kubernetes.io/conditions": "[]", "volume.kubernetes.io/storage-provisioner": "p"}},
        "spec": {"replicas": 3, "paused": false, "suspend": false, "completions": 2, "type": "LoadBalancer",
            "volumeName": "v", "storageClassName": "s", "restartPolicy": "Always", "parentRefs": [parent],
            "resources": {"requests": {"storage": "2Gi"}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}},
        "status": {"observedGeneration": 3, "phase": "Running", "reason": "r", "message": "m", "startTime": "t",
            "replicas": 3, "updatedReplicas": 2, "readyReplicas": 1, "availableReplicas": 1, "currentReplicas": 1,
            "currentRevision": "a", "updateRevision": "b", "desiredNumberScheduled": 3, "currentNumberScheduled": 3,
            "updatedNumberScheduled": 2, "numberReady": 1, "numberAvailable": 1,
            "active": 1, "succeeded": 1, "failed": 1, "capacity": {"storage": "1Gi"},
            "allocatedResourceStatuses": {"storage": "NodeResizeInfeasible"},
            "containerStatuses": [container.clone()], "initContainerStatuses": [container],
            "loadBalancer": {"ingress": [{"ip": "203.0.113.7", "ports": [{"port": 80, "error": "e"}]}]},
            "listeners": [{"name": "l", "conditions": conditions(&["ResolvedRefs"])}],
            "parents": [{"parentRef": parent, "conditions": conditions(&["Accepted"])}],
            "conditions": conditions(&["Ready", "Accepted", "Programmed", "AbleToScale", "ScalingActive", "Established"])},
    })
}

fn paths(value: &Value, prefix: &str, all: &mut Vec<String>) {
    all.push(prefix.to_owned());
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| paths(value, &format!("{prefix}/{}", escaped(key)), all));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, value)| paths(value, &format!("{prefix}/{index}"), all));
        }
        _ => {}
    }
}

fn check(body: &Value) {
    let health = assess(body);
    assert!(health.message.len() <= MAX_MESSAGE, "{health:?}");
    assert_eq!(health.message.is_empty(), health.status == HealthStatus::Healthy, "{health:?} of {body}");
    assert_ne!(health.status, HealthStatus::Missing);
    let same = std::slice::from_ref(body);
    let evidence = Evidence { workload: body, newest: None, pods: same, owners: &[""], events: same };
    assert!(evidence.cause().is_none_or(|cause| (1..=MAX_MESSAGE).contains(&cause.message.len())));
    let _ = (evidence.question(), selection(body, same));
}

#[test]
fn any_field_may_be_anything() {
    let strange = [
        Value::Null,
        json!(true),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(-0.5),
        json!(""),
        json!("Failed"),
        json!("ä".repeat(600)),
        json!([]),
        json!([[[{"type": "Ready"}]]]),
        json!({}),
    ];
    for (api_version, kind) in KINDS {
        let mut body = full_body(api_version, kind);
        let mut all = Vec::new();
        paths(&body, "", &mut all);
        for path in &all {
            let field = body.pointer_mut(path).unwrap();
            let normal = std::mem::take(field);
            for value in &strange {
                *body.pointer_mut(path).unwrap() = value.clone();
                check(&body);
            }
            *body.pointer_mut(path).unwrap() = normal;
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "conditions",
        "type",
        "status",
        "True",
        "False",
        "Ready",
        "Failed",
        "phase",
        "Running",
        "containerStatuses",
        "state",
        "waiting",
        "terminated",
        "reason",
        "message",
        "replicas",
        "observedGeneration",
        "parents",
        "parentRef",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words.clone().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((words.clone(), inner), 0..5).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_spec_and_status_can_be_judged(kind in prop::sample::select(KINDS.to_vec()), spec in any_json(), status in any_json()) {
        check(&json!({
            "apiVersion": kind.0, "kind": kind.1, "metadata": {"name": "web", "generation": 3}, "spec": spec, "status": status,
        }));
    }
}
