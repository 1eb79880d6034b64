use rstest::rstest;
use serde_json::{Value, json};

use super::{check, condition, object};
use crate::api::HealthStatus::{self, Degraded, Healthy, Progressing, Unknown};

#[rstest]
#[case::established(json!([condition("NamesAccepted", "True", "NoConflicts", ""),
    condition("Established", "True", "InitialNamesAccepted", "")]), Healthy, "")]
#[case::new(json!([]), Progressing, "its API is not served yet")]
#[case::installing(json!([condition("Established", "False", "Installing", "")]), Progressing, "its API is not served yet")]
#[case::conflict(json!([condition("NamesAccepted", "False", "ListKindConflict", "\"ShopList\" is already in use"),
    condition("Established", "False", "NotAccepted", "not all names are accepted")]), Degraded,
    "its names are not accepted: ListKindConflict: \"ShopList\" is already in use")]
#[case::not_served(json!([condition("Established", "False", "NotAccepted", "not all names are accepted")]), Degraded,
    "its API is not served: NotAccepted: not all names are accepted")]
#[case::hostile(json!([{"type": "Established", "status": true}, 5]), Progressing, "its API is not served yet")]
fn custom_resource_definition(
    #[case] conditions: Value,
    #[case] health: HealthStatus,
    #[case] message: &str,
) {
    let body = object(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        json!({}),
        json!({"conditions": conditions}),
    );
    check(&body, health, message);
}

#[rstest]
#[case::available(json!({"conditions": [condition("Available", "True", "Passed", "all checks passed")]}), Healthy, "")]
#[case::no_endpoints(json!({"conditions": [condition("Available", "False", "MissingEndpoints",
    "endpoints for service/metrics-server have no addresses")]}), Progressing,
    "not available: MissingEndpoints: endpoints for service/metrics-server have no addresses")]
#[case::not_seen(json!({}), Progressing, "not seen by the API server's aggregator yet")]
#[case::hostile(json!({"conditions": "Available"}), Progressing, "not seen by the API server's aggregator yet")]
fn api_service(#[case] status: Value, #[case] health: HealthStatus, #[case] message: &str) {
    check(&object("apiregistration.k8s.io/v1", "APIService", json!({}), status), health, message);
}

#[rstest]
#[case::active(json!({"phase": "Active"}), Healthy, "")]
#[case::new(json!({}), Progressing, "not active yet")]
#[case::unknown(json!({"phase": "Asleep"}), Unknown, "unknown phase Asleep")]
#[case::hostile(json!({"phase": 1}), Progressing, "not active yet")]
fn namespace(#[case] status: Value, #[case] health: HealthStatus, #[case] message: &str) {
    check(&object("v1", "Namespace", json!({}), status), health, message);
}

#[test]
fn a_namespace_that_is_being_deleted_says_what_holds_it_up() {
    let mut body = object(
        "v1",
        "Namespace",
        json!({"finalizers": ["kubernetes"]}),
        json!({"phase": "Terminating", "conditions": [
            condition("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", "all resources discovered"),
            condition("NamespaceContentRemaining", "True", "SomeResourcesRemain", "certificates.cert-manager.io has 1 instance"),
        ]}),
    );
    body["metadata"]["deletionTimestamp"] = json!("2026-03-01T10:00:00Z");
    check(
        &body,
        Progressing,
        "being deleted; SomeResourcesRemain: certificates.cert-manager.io has 1 instance",
    );
}
