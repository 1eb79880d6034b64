//! Health of what changes or guards the number of pods.

use serde_json::Value;

use super::Health;
use super::body::{Body, Condition, Truth};

/// Where `autoscaling/v1`, which has no conditions, carries those of v2 as JSON.
const V1_CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";

/// HorizontalPodAutoscaler. Absent metrics are Progressing: pods that have just started have none, and
/// every first release would fail.
pub(super) fn horizontal_pod_autoscaler(body: Body) -> Health {
    let annotated = body.0.pointer("/metadata/annotations").and_then(|all| all.get(V1_CONDITIONS)?.as_str());
    let v1: Value = annotated
        .and_then(|json| serde_json::from_str(json).ok())
        .map_or(Value::Null, |conditions: Value| serde_json::json!({ "conditions": conditions }));
    let conditions: Vec<Condition> = body.conditions("/status").chain(Body(&v1).conditions("")).collect();
    let find = |kind| conditions.iter().find(|condition| condition.kind == kind);
    match find("AbleToScale") {
        None => return Health::unseen("it yet"),
        Some(able) if able.truth == Truth::False => {
            return Health::degraded(format!("cannot scale: {}", able.cause()));
        }
        Some(_) => {}
    }
    match find("ScalingActive").filter(|active| active.truth == Truth::False) {
        None => Health::healthy(),
        Some(active) if active.reason == "ScalingDisabled" => {
            Health::suspended("its target is scaled to 0 pods")
        }
        Some(active) if active.reason.starts_with("FailedGet") => {
            Health::progressing(format!("no metrics: {}", active.cause()))
        }
        Some(active) => Health::degraded(format!("does not scale: {}", active.cause())),
    }
}

/// PodDisruptionBudget. One that allows no disruption just now does what it should.
pub(super) fn pod_disruption_budget(body: Body) -> Health {
    match body.condition("DisruptionAllowed") {
        Some(allowed) if allowed.truth == Truth::False && allowed.reason == "SyncFailed" => {
            Health::degraded(format!("cannot count its pods: {}", allowed.cause()))
        }
        _ if body.int("/status/observedGeneration").is_none() => Health::unseen("it yet"),
        _ => Health::healthy(),
    }
}
