use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const SERVICE: &str = include_str!("routes/service.yaml");

#[test]
fn a_service_beside_the_users_is_plain_and_has_one_releases_pods() {
    let pinned = pinned(&object(SERVICE), "web-stable", Pods::ReplicaSet("5d8c")).unwrap();
    insta::assert_snapshot!("service_pinned", shown(&[pinned]));
}

#[test]
fn the_users_own_service_changes_its_selector_only() {
    let git = object(SERVICE);
    let mut expected = git.body().clone();
    expected["spec"]["selector"] = json!({"app": "web", "controller-revision-hash": "web-77"});
    assert_eq!(pin(&git, Pods::Revision("web-77")).unwrap().body(), &expected);
}

#[test]
fn a_headless_service_gets_an_address() {
    let spec =
        json!({"clusterIP": "None", "clusterIPs": ["None"], "selector": {"a": "b"}, "ports": [{"port": 80}]});
    let pinned = pinned(&service(spec), "web-candidate", Pods::ReplicaSet("1")).unwrap();
    assert_eq!(
        pinned.body()["spec"],
        json!({"type": "ClusterIP", "selector": {"a": "b", "pod-template-hash": "1"}, "ports": [{"port": 80}]})
    );
}

fn service(spec: Value) -> Object {
    Object::new(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}))
        .unwrap()
}

#[rstest]
#[case(json!({"type": "ExternalName", "externalName": "a.b", "selector": {"a": "b"}}),
    "Service web is of type ExternalName: it has no pods to choose from")]
#[case(json!({"ports": [{"port": 80}]}), "Service web has no selector: Windlass cannot choose its endpoints")]
#[case(json!({"selector": {}}), "Service web has no selector: Windlass cannot choose its endpoints")]
#[case(json!(null), "Service web has no selector: Windlass cannot choose its endpoints")]
#[case(json!({"selector": {"a": "b"}, "clusterIP": "None"}), "Service web has no ports: requests cannot be divided by it")]
#[case(json!({"selector": {"a": "b"}, "ports": [80]}), "Service web: spec.ports must be a list of mappings")]
fn what_has_no_pods_to_choose_from_is_refused(#[case] spec: Value, #[case] reason: &str) {
    assert_eq!(pinned(&service(spec), "x", Pods::ReplicaSet("1")).unwrap_err().to_string(), reason);
}

#[test]
fn names_of_services_are_never_too_long_and_never_the_same() {
    assert_eq!(
        ServiceNames::of("web"),
        ServiceNames { stable: "web-stable".into(), candidate: "web-candidate".into() }
    );
    let long = |last: &str| ServiceNames::of(&format!("{}{last}", "a".repeat(62)));
    assert_eq!(long("b").candidate.len(), 63);
    assert_ne!(long("b"), long("c"));
    assert_eq!(ServiceNames::of(&"a".repeat(53)).candidate, format!("{}-candidate", "a".repeat(53)));
}
