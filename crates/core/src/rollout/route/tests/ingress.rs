use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const NGINX: RouterKind = RouterKind::Ingress;
const INGRESS: &str = include_str!("routes/ingress.yaml");

#[rstest]
#[case("stable", Split::Stable)]
#[case("weight", Split::Weight(5))]
#[case("match", Split::Match(vec![header("X-Beta", "1"), cookie("beta", "always")]))]
fn ingress(#[case] name: &str, #[case] split: Split) {
    insta::assert_snapshot!(format!("ingress_{name}"), shown(&merged(NGINX, &object(INGRESS), &split)));
}

/// An Ingress with this spec.
fn route(spec: Value) -> Object {
    Object::new(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "shop"}, "spec": spec,
    }))
    .unwrap()
}

fn backend(name: &str) -> Value {
    json!({"service": {"name": name, "port": {"number": 80}}})
}

fn rule(host: &str, backends: &[&str]) -> Value {
    let path =
        |name: &&str| json!({"path": format!("/{name}"), "pathType": "Prefix", "backend": backend(name)});
    json!({"host": host, "http": {"paths": backends.iter().map(path).collect::<Vec<_>>()}})
}

#[test]
fn a_default_backend_is_divided_too() {
    let merged = merged(NGINX, &route(json!({"defaultBackend": backend("web")})), &Split::Weight(10));
    assert_eq!(merged[0].body()["spec"], json!({"defaultBackend": backend("web-stable")}));
    assert_eq!(merged[1].body()["spec"], json!({"defaultBackend": backend("web-candidate")}));
}

#[test]
fn the_canary_has_nothing_of_other_services() {
    let spec = json!({
        "defaultBackend": backend("other"),
        "rules": [rule("a.org", &["other"]), rule("b.org", &["web", "other"]), {"host": "c.org"}],
        "tls": [{"hosts": ["a.org"]}, {"hosts": ["*.org"]}, {"secretName": "s"}],
    });
    let canary = &merged(NGINX, &route(spec), &Split::Weight(10))[1];
    assert_eq!(
        canary.body()["spec"],
        json!({
            "rules": [{"host": "b.org", "http": {"paths": [
                {"path": "/web", "pathType": "Prefix", "backend": backend("web-candidate")},
            ]}}],
            "tls": [{"hosts": ["*.org"]}, {"secretName": "s"}],
        })
    );
}

#[test]
fn a_path_that_is_empty_is_the_root() {
    let paths = json!([{"pathType": "ImplementationSpecific", "backend": backend("web")}]);
    let git = route(json!({"rules": [{"http": {"paths": paths}}]}));
    let merged = merged(NGINX, &git, &Split::Weight(10));
    assert_eq!(merged[0].body()["spec"]["rules"][0]["http"]["paths"][0].get("path"), None);
    assert_eq!(merged[1].body()["spec"]["rules"][0]["http"]["paths"][0]["path"], "/");
}

#[rstest]
#[case(Split::Mirror(1), "leave the mirror step out")]
#[case(Split::Match(vec![cookie("a", "1")]), "knows only cookies with the value always")]
#[case(Split::Match(vec![header("a", "1"), header("b", "1")]), "can match one header and one cookie")]
fn what_the_controller_cannot_do_is_refused(#[case] split: Split, #[case] reason: &str) {
    let told = problem(NGINX, &object(INGRESS), &split);
    assert!(told.starts_with("Ingress shop/web: ") && told.contains(reason), "{told}");
}

#[test]
fn an_ingress_that_cannot_have_a_canary_is_refused() {
    let mut canary = object(INGRESS);
    canary.set_annotation("nginx.ingress.kubernetes.io/canary", "true");
    assert!(problem(NGINX, &canary, &Split::Stable).contains("is a canary itself"));
    let unnamed = route(json!({"rules": [rule("a.org", &["other"])]}));
    assert!(problem(NGINX, &unnamed, &Split::Stable).contains("no rule sends requests to Service web"));
    let wrong = route(json!({"rules": {"a": 1}}));
    assert_eq!(problem(NGINX, &wrong, &Split::Stable), "Ingress shop/web: spec.rules must be a list");
}

#[test]
fn the_name_of_the_canary_is_never_too_long() {
    let mut body = object(INGRESS).into_body();
    body["metadata"]["name"] = "a".repeat(250).into();
    let merged = merged(NGINX, &Object::new(body).unwrap(), &Split::Weight(1));
    assert_eq!(merged[1].name().len(), 253);
}

proptest! {
    #[test]
    fn stable_changes_names_and_the_canary_is_what_changed(
        rules in prop::collection::vec(prop::collection::vec(prop::sample::select(vec!["web", "other"]), 0..4), 0..5),
        percent in 1u8..=100,
    ) {
        let git = route(json!({"rules": rules.iter().map(|backends| rule("a.org", backends)).collect::<Vec<_>>()}));
        let ours = rules.iter().flatten().filter(|name| **name == "web").count();
        let Ok(merged) = merge(NGINX, &git, &BACKENDS, &Split::Weight(percent)) else {
            prop_assert_eq!(ours, 0);
            return Ok(());
        };
        prop_assert_eq!(&merged, &merge(NGINX, &git, &BACKENDS, &Split::Weight(percent)).unwrap());
        prop_assert_eq!(&merged[0], &merge(NGINX, &git, &BACKENDS, &Split::Stable).unwrap()[0]);
        prop_assert_eq!(&renamed(merged[0].body(), "web-stable", "web"), git.body());
        let canary = merged[1].body().to_string();
        prop_assert_eq!(canary.matches("\"web-candidate\"").count(), ours + 1);
        prop_assert!(!canary.contains("other") && !canary.contains("web-stable"));
    }
}
