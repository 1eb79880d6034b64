use rstest::rstest;
use serde_json::{Value, json};

use super::{id, release};
use crate::api::IgnoreRule;
use crate::plan::left;
use crate::release::Left;

fn workload(spec: Value, annotations: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "annotations": annotations}, "spec": spec
    })
}

fn rule(kind: Option<&str>, name: Option<&str>, path: &str) -> IgnoreRule {
    let text = |text: Option<&str>| text.map(str::to_owned);
    IgnoreRule { group: None, kind: text(kind), name: text(name), paths: vec![path.into()] }
}

/// What is left to others of a Deployment in a release with `more`.
fn of(workload: Value, more: Option<Value>, rules: &[IgnoreRule], scaled: bool) -> Vec<String> {
    let release = release([workload].into_iter().chain(more).collect());
    let left = left(&release, rules, &|_| scaled).unwrap();
    match left.get(&id("Deployment", "web")) {
        Some(Left::Fields(paths)) => paths.iter().map(ToString::to_string).collect(),
        Some(Left::Everything) => vec!["everything".into()],
        None => Vec::new(),
    }
}

fn hpa(target: Value) -> Option<Value> {
    Some(json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "shop"}, "spec": {"scaleTargetRef": target}
    }))
}

fn keda(target: Value) -> Option<Value> {
    Some(json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
        "metadata": {"name": "web", "namespace": "shop"}, "spec": {"scaleTargetRef": target}
    }))
}

#[rstest]
#[case::no_autoscaler(None, false)]
#[case::hpa(hpa(json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"})), true)]
#[case::another_name(hpa(json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"})), false)]
#[case::another_kind(hpa(json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web"})), false)]
#[case::another_group(hpa(json!({"apiVersion": "example.com/v1", "kind": "Deployment", "name": "web"})), false)]
#[case::no_target(hpa(json!("web")), false)]
#[case::keda_by_name(keda(json!({"name": "web"})), true)]
#[case::keda_another_kind(keda(json!({"kind": "StatefulSet", "name": "web"})), false)]
fn replicas_are_left_to_an_autoscaler_of_the_release(#[case] scaler: Option<Value>, #[case] left: bool) {
    let found = of(workload(json!({"replicas": 3}), json!({})), scaler, &[], false);
    assert_eq!(found, if left { vec!["/spec/replicas"] } else { vec![] });
}

#[test]
fn replicas_are_left_where_git_says_none_or_an_autoscaler_was_seen() {
    assert_eq!(of(workload(json!({}), json!({})), None, &[], false), ["/spec/replicas"]);
    assert_eq!(of(workload(json!({"replicas": 3}), json!({})), None, &[], true), ["/spec/replicas"]);
}

#[rstest]
#[case(rule(None, None, "/spec/paused"), true)]
#[case(rule(Some("Deployment"), Some("web"), "/spec/paused"), true)]
#[case(rule(Some("StatefulSet"), None, "/spec/paused"), false)]
#[case(rule(Some("Deployment"), Some("api"), "/spec/paused"), false)]
#[case(IgnoreRule { group: Some("apps".into()), ..rule(None, None, "/spec/paused") }, true)]
#[case(IgnoreRule { group: Some(String::new()), ..rule(None, None, "/spec/paused") }, false)]
fn rules_select_objects(#[case] rule: IgnoreRule, #[case] selects: bool) {
    let found = of(workload(json!({"replicas": 3}), json!({})), None, &[rule], false);
    assert_eq!(found, if selects { vec!["/spec/paused"] } else { vec![] });
}

#[test]
fn annotations_of_the_object_count_too() {
    let ignoring = json!({"windlass.dev/ignore": "/spec/paused,/spec/replicas"});
    let rules = [rule(None, None, "/spec/paused")];
    let found = of(workload(json!({"replicas": 3}), ignoring), None, &rules, false);
    assert_eq!(found, ["/spec/paused", "/spec/replicas"]);
    let once = json!({"windlass.dev/create-only": "true"});
    assert_eq!(of(workload(json!({}), once), None, &rules, false), ["everything"]);
}

#[rstest]
#[case(
    "spec",
    "spec.sync.ignore[0]: \"spec\" is no path of a field: it must begin with a slash and name a field"
)]
#[case(
    "/metadata/name",
    "spec.sync.ignore[0]: \"/metadata/name\" cannot be left to others: it says which object this is and whose"
)]
fn a_rule_that_makes_no_sense_is_told(#[case] path: &str, #[case] message: &str) {
    let error = left(&release(vec![]), &[rule(None, None, path)], &|_| false).unwrap_err();
    assert_eq!(error.to_string(), message);
}

#[test]
fn the_digest_of_an_object_has_only_what_is_ours() {
    let plain = release(vec![workload(json!({"replicas": 3, "paused": false}), json!({}))]);
    let other = release(vec![workload(json!({"replicas": 9, "paused": false}), json!({}))]);
    let web = id("Deployment", "web");
    let leaving = |release: &crate::release::Release| {
        let paths = left(release, &[rule(None, None, "/spec/replicas")], &|_| false).unwrap();
        release.clone().leaving(paths)
    };
    assert_ne!(plain.object_digest(&web), other.object_digest(&web));
    assert_eq!(leaving(&plain).object_digest(&web), leaving(&other).object_digest(&web));
    assert_eq!(leaving(&plain).digest(), plain.digest());
    assert_eq!(leaving(&plain).leaving(Default::default()), plain);
}
