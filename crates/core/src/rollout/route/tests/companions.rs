use rstest::rstest;
use serde_json::{Value, json};

use super::*;

fn policy(kind: &str, api_version: &str, spec: Value) -> Object {
    Object::new(json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {"name": "p", "namespace": "shop", "labels": {"a": "b"}}, "spec": spec, "status": {"x": 1},
    }))
    .unwrap()
}

fn copies(router: RouterKind, route: &str, objects: &[Object]) -> Vec<(String, Value)> {
    let copies = companions(router, &object(route), objects, &BACKENDS).unwrap();
    copies.iter().map(|copy| (copy.name().to_owned(), copy.body()["spec"].clone())).collect()
}

#[test]
fn a_policy_on_the_service_is_one_on_both_services() {
    let tls = |targets: Value| json!({"targetRefs": targets, "validation": {"hostname": "web.org"}});
    let target = |name: &str| json!({"group": "", "kind": "Service", "name": name, "sectionName": "https"});
    let policy =
        policy("BackendTLSPolicy", "gateway.networking.k8s.io/v1", tls(json!([target("web"), target("b")])));
    assert_eq!(
        copies(RouterKind::HttpRoute, HTTP_ROUTE, &[policy]),
        [
            ("p-stable".to_owned(), tls(json!([target("web-stable")]))),
            ("p-candidate".to_owned(), tls(json!([target("web-candidate")]))),
        ]
    );
}

#[test]
fn the_older_form_of_a_policy_has_one_target() {
    let spec =
        |name: &str| json!({"targetRef": {"group": "", "kind": "Service", "name": name}, "default": {}});
    let policy = policy("HealthCheckPolicy", "networking.gke.io/v1", spec("web"));
    let copies = companions(RouterKind::HttpRoute, &object(HTTP_ROUTE), &[policy], &BACKENDS).unwrap();
    assert_eq!(
        copies[1].body(),
        &json!({
            "apiVersion": "networking.gke.io/v1", "kind": "HealthCheckPolicy",
            "metadata": {"name": "p-candidate", "namespace": "shop"}, "spec": spec("web-candidate"),
        })
    );
}

#[rstest]
#[case::other_service(json!({"targetRefs": [{"group": "", "kind": "Service", "name": "b"}]}))]
#[case::a_gateway(json!({"targetRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "web"}}))]
#[case::other_namespace(json!({"targetRef": {"kind": "Service", "name": "web", "namespace": "b"}}))]
#[case::no_spec(json!(null))]
#[case::nonsense(json!({"targetRefs": "web", "targetRef": 1}))]
fn what_is_about_something_else_is_left_alone(#[case] spec: Value) {
    assert_eq!(copies(RouterKind::HttpRoute, HTTP_ROUTE, &[policy("P", "a.org/v1", spec)]), []);
}

fn rule(host: &str) -> Object {
    let spec = json!({"host": host, "subsets": [{"name": "v1", "labels": {"v": "1"}}]});
    policy("DestinationRule", "networking.istio.io/v1", spec)
}

const SUBSET: &str = "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec: {http: [{route: [{destination: {host: web, subset: v1}}]}]}
";

#[test]
fn a_destination_rule_is_copied_with_its_subsets() {
    let copies =
        copies(RouterKind::VirtualService, SUBSET, &[rule("web.shop.svc.cluster.local"), rule("other")]);
    assert_eq!(copies.len(), 2);
    assert_eq!(copies[0].1["host"], "web-stable.shop.svc.cluster.local");
    assert_eq!(copies[1].1["host"], "web-candidate.shop.svc.cluster.local");
    assert_eq!(copies[1].1["subsets"][0]["name"], "v1");
}

#[test]
fn a_subset_that_nothing_in_the_release_defines_is_refused() {
    let refused = |objects: &[Object]| {
        companions(RouterKind::VirtualService, &object(SUBSET), objects, &BACKENDS).unwrap_err().to_string()
    };
    let reason =
        "VirtualService shop/web: spec.http[0].route sends requests to subset v1, which no DestinationRule";
    assert!(refused(&[]).starts_with(reason), "{}", refused(&[]));
    assert!(refused(&[rule("other")]).starts_with(reason));
}
