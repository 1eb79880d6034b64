use rstest::rstest;
use serde_json::{Value, json};

use super::{check, condition, object};
use crate::api::HealthStatus::{self, Degraded, Healthy, Progressing, Suspended};

#[rstest]
#[case::scaling(json!([condition("AbleToScale", "True", "ReadyForNewScale", ""),
    condition("ScalingActive", "True", "ValidMetricFound", ""),
    condition("ScalingLimited", "True", "TooFewReplicas", "")]), Healthy, "")]
#[case::not_seen(json!([]), Progressing, "its controller has not seen it yet")]
#[case::no_metrics_yet(json!([condition("AbleToScale", "True", "", ""),
    condition("ScalingActive", "False", "FailedGetResourceMetric", "did not receive metrics for any ready pods")]),
    Progressing, "no metrics: FailedGetResourceMetric: did not receive metrics for any ready pods")]
#[case::target_at_zero(json!([condition("AbleToScale", "True", "", ""),
    condition("ScalingActive", "False", "ScalingDisabled", "scaling is disabled")]), Suspended,
    "its target is scaled to 0 pods")]
#[case::selector(json!([condition("AbleToScale", "True", "", ""),
    condition("ScalingActive", "False", "AmbiguousSelector", "pods by selector app=web are controlled by several HPAs")]),
    Degraded, "does not scale: AmbiguousSelector: pods by selector app=web are controlled by several HPAs")]
#[case::no_target(json!([condition("AbleToScale", "False", "FailedGetScale", "deployments \"web\" not found")]), Degraded,
    "cannot scale: FailedGetScale: deployments \"web\" not found")]
#[case::hostile(json!([[], {"type": {}}, {"status": "False"}]), Progressing, "its controller has not seen it yet")]
fn horizontal_pod_autoscaler(#[case] conditions: Value, #[case] health: HealthStatus, #[case] message: &str) {
    let v2 = object(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        json!({}),
        json!({"conditions": conditions.clone()}),
    );
    check(&v2, health, message);
    let mut v1 =
        object("autoscaling/v1", "HorizontalPodAutoscaler", json!({}), json!({"currentReplicas": 1}));
    v1["metadata"]["annotations"] =
        json!({"autoscaling.alpha.kubernetes.io/conditions": conditions.to_string()});
    check(&v1, health, message);
}

#[test]
fn annotated_conditions_that_are_no_json_count_as_absent() {
    let mut body = object("autoscaling/v1", "HorizontalPodAutoscaler", json!({}), json!({}));
    body["metadata"]["annotations"] = json!({"autoscaling.alpha.kubernetes.io/conditions": "[{"});
    check(&body, Progressing, "its controller has not seen it yet");
}

#[rstest]
#[case::good(json!({"observedGeneration": 3, "disruptionsAllowed": 1, "conditions":
    [condition("DisruptionAllowed", "True", "SufficientPods", "")]}), Healthy, "")]
#[case::none_allowed_now(json!({"observedGeneration": 3, "conditions":
    [condition("DisruptionAllowed", "False", "InsufficientPods", "")]}), Healthy, "")]
#[case::cannot_count(json!({"observedGeneration": 3, "conditions":
    [condition("DisruptionAllowed", "False", "SyncFailed", "found no controller ref for pod \"web-1\"")]}), Degraded,
    "cannot count its pods: SyncFailed: found no controller ref for pod \"web-1\"")]
#[case::not_seen(json!({}), Progressing, "its controller has not seen it yet")]
#[case::old_generation(json!({"observedGeneration": 2}), Progressing,
    "its controller has not seen the latest change (generation 3, observed 2)")]
#[case::hostile(json!({"observedGeneration": "3", "conditions": true}), Progressing, "its controller has not seen it yet")]
fn pod_disruption_budget(#[case] status: Value, #[case] health: HealthStatus, #[case] message: &str) {
    check(&object("policy/v1", "PodDisruptionBudget", json!({}), status), health, message);
}
