//! Tables of what workloads and their pods say, and the cause that follows.

mod pods;
mod revisions;
mod workloads;

use serde_json::{Value, json};

use crate::health::cause::{Cause, Evidence, FailureClass};

fn workload(kind: &str, status: Value) -> Value {
    json!({"kind": kind, "metadata": {"name": "web", "namespace": "shop", "uid": "w", "generation": 1},
           "spec": {"replicas": 3}, "status": status})
}

/// A pod of ReplicaSet `rs`, of template `hash`.
fn pod(name: &str, hash: &str, status: Value) -> Value {
    json!({"metadata": {"name": name, "uid": format!("uid-{name}"), "labels": {"pod-template-hash": hash},
                        "ownerReferences": [{"uid": "rs"}]},
           "spec": {}, "status": status})
}

fn containers(container: Value) -> Value {
    json!({"phase": "Running", "containerStatuses": [container]})
}

fn ready(name: &str, hash: &str) -> Value {
    pod(name, hash, json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}))
}

fn crashing(name: &str, hash: &str) -> Value {
    pod(
        name,
        hash,
        containers(json!({"name": "app", "ready": false, "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": "panic: no such table\n"}}})),
    )
}

fn event(about: &str, reason: &str, message: &str) -> Value {
    json!({"involvedObject": {"uid": about}, "reason": reason, "message": message,
           "lastTimestamp": "2026-03-01T10:00:00Z"})
}

fn evidence<'a>(workload: &'a Value, pods: &'a [Value], events: &'a [Value]) -> Evidence<'a> {
    Evidence { workload, newest: Some(("pod-template-hash", "new")), pods, owners: &["rs", "w"], events }
}

fn cause(workload: &Value, pods: &[Value], events: &[Value]) -> Option<Cause> {
    evidence(workload, pods, events).cause()
}

fn release(message: &str) -> Option<Cause> {
    Some(Cause { stuck: false, class: FailureClass::Release, message: message.to_owned() })
}

fn environment(message: &str) -> Option<Cause> {
    Some(Cause { stuck: false, class: FailureClass::Environment, message: message.to_owned() })
}

fn stuck(message: &str) -> Option<Cause> {
    release(message).map(|cause| Cause { stuck: true, ..cause })
}
