//! What holds for every kind.

use rstest::rstest;
use serde_json::{Value, json};

use super::super::has_body_rule;
use super::{Health, assess, check, object};
use crate::api::{HealthStatus, MAX_MESSAGE};

#[rstest]
#[case::core_kind("apps/v1", "Deployment")]
#[case::no_rule("v1", "ConfigMap")]
#[case::custom_resource("example.com/v1", "Widget")]
fn a_deleted_object_is_on_its_way_out_and_names_its_finalizers(
    #[case] api_version: &str,
    #[case] kind: &str,
) {
    let mut body = object(api_version, kind, json!({}), json!({}));
    body["metadata"]["deletionTimestamp"] = json!("2026-03-01T10:00:00Z");
    check(&body, HealthStatus::Progressing, "being deleted");
    body["metadata"]["finalizers"] = json!(["example.com/backup", 7, "foregroundDeletion"]);
    check(
        &body,
        HealthStatus::Progressing,
        "being deleted; waiting for finalizers: example.com/backup, foregroundDeletion",
    );
}

#[rstest]
#[case("", "ConfigMap", false)]
#[case("", "Secret", false)]
#[case("", "ServiceAccount", false)]
#[case("rbac.authorization.k8s.io", "ClusterRole", false)]
#[case("networking.k8s.io", "NetworkPolicy", false)]
#[case("storage.k8s.io", "StorageClass", false)]
#[case("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", false)]
#[case("apps", "ControllerRevision", false)]
#[case("", "Pod", true)]
#[case("", "Service", true)]
#[case("apps", "Deployment", true)]
#[case("networking.k8s.io", "Ingress", true)]
#[case("gateway.networking.k8s.io", "ReferenceGrant", true)]
#[case("snapshot.storage.k8s.io", "VolumeSnapshot", true)]
#[case("example.com", "ConfigMap", true)]
#[case("serving.knative.dev", "Service", true)]
fn kinds_that_need_their_body(#[case] group: &str, #[case] kind: &str, #[case] needs: bool) {
    assert_eq!(has_body_rule(group, kind), needs);
}

#[test]
fn a_kind_without_a_rule_is_healthy_whatever_its_body_says() {
    let status = json!({"observedGeneration": 1, "conditions": [{"type": "Stalled", "status": "True"}]});
    check(&object("networking.k8s.io/v1", "NetworkPolicy", json!({}), status), HealthStatus::Healthy, "");
}

#[test]
fn the_version_does_not_choose_the_rule_and_the_group_does() {
    let paused = json!({"paused": true});
    assert_eq!(
        assess(&object("apps/v9", "Deployment", paused.clone(), json!({}))).status,
        HealthStatus::Suspended
    );
    assert_eq!(
        assess(&object("example.com/v1", "Deployment", paused, json!({}))).status,
        HealthStatus::Healthy
    );
}

#[rstest]
#[case(Value::Null)]
#[case(json!([]))]
#[case(json!("Deployment"))]
#[case(json!({"apiVersion": "v1", "metadata": {"name": "web"}}))]
#[case(json!({"apiVersion": "v1", "kind": {"Pod": 1}}))]
fn what_is_no_object_is_unknown(#[case] body: Value) {
    check(&body, HealthStatus::Unknown, "not a Kubernetes object: it has no kind");
}

#[test]
fn a_long_cause_is_cut_and_put_on_one_line() {
    let message = "first\nsecond\u{1b}[31m ".to_owned() + &"ä".repeat(100_000);
    let status =
        json!({"conditions": [{"type": "Ready", "status": "False", "reason": "X", "message": message}]});
    let health = assess(&object("example.com/v1", "Widget", json!({}), status));
    assert!(health.message.starts_with("not Ready: X: first second [31m ää"), "{}", health.message);
    assert!(health.message.len() <= MAX_MESSAGE && health.message.ends_with('…'));
}

#[test]
fn a_missing_object_says_so() {
    assert_eq!(
        Health::missing(),
        Health { status: HealthStatus::Missing, message: "does not exist".to_owned() }
    );
}
