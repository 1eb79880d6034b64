//! Tables of realistic bodies: what each kind looks like when it is well, on its way, failed, of an older
//! generation and hostile.

mod aggregate;
mod autoscaling;
mod batch;
mod cause;
mod check;
mod cluster;
mod gateway;
mod generic;
mod hostile;
mod network;
mod pod;
mod rules;
mod storage;
mod workloads;

use serde_json::{Value, json};

use super::{Health, assess};
use crate::api::HealthStatus;

/// An object of generation 3, with `spec` and `status`.
fn object(api_version: &str, kind: &str, spec: Value, status: Value) -> Value {
    json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "web", "namespace": "shop", "generation": 3},
        "spec": spec,
        "status": status,
    })
}

/// A condition that was written for generation 3.
fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": 3,
        "lastTransitionTime": "2026-03-01T10:00:00Z",
    })
}

#[track_caller]
fn check(body: &Value, status: HealthStatus, message: &str) {
    assert_eq!(assess(body), Health { status, message: message.to_owned() });
}
