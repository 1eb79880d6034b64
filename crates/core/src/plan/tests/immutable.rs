use rstest::rstest;
use serde_json::{Value, json};

use crate::object::Object;
use crate::plan::{RefusalCause, explain, is_immutable, may_replace};

fn object(kind: &str, annotations: Value, more: Value) -> Object {
    let api_version = match kind {
        "StatefulSet" | "Deployment" => "apps/v1",
        "CustomResourceDefinition" => "apiextensions.k8s.io/v1",
        _ => "v1",
    };
    let mut body = json!({
        "apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "annotations": annotations}
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Object::new(body).unwrap()
}

/// As API server 1.35 says it.
#[rstest]
#[case("Invalid value: {\"matchLabels\":{\"app\":\"y\"}}: field is immutable", true)]
#[case("Forbidden: field is immutable when `immutable` is set", true)]
#[case("Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden", true)]
#[case("Invalid value: {\"Name\":\"b\"}: cannot change roleRef", true)]
#[case("Forbidden: updates to provisioner are forbidden.", true)]
#[case("Invalid value: [\"10.0.0.1\"]: may not change once set", true)]
#[case("Required value", false)]
#[case("Invalid value: \"IPv6\": not configured on this cluster", false)]
fn a_refusal_of_a_change_is_known_by_its_words(#[case] message: &str, #[case] immutable: bool) {
    assert_eq!(is_immutable(message), immutable);
}

#[rstest]
#[case("Deployment", json!({}), json!({}), Err("windlass.dev/replace: immutable"))]
#[case("Deployment", json!({"windlass.dev/replace": "immutable"}), json!({}), Ok(()))]
#[case("Deployment", json!({"argocd.argoproj.io/sync-options": "Force=true,Replace=true"}), json!({}), Ok(()))]
#[case("Service", json!({"windlass.dev/replace": "immutable"}), json!({"spec": {"type": "ClusterIP"}}), Ok(()))]
#[case("Service", json!({"windlass.dev/replace": "immutable"}), json!({"spec": {"type": "LoadBalancer"}}), Err("never recreates a Service of type LoadBalancer"))]
#[case("PersistentVolumeClaim", json!({"windlass.dev/replace": "immutable"}), json!({}), Err("never recreates a PersistentVolumeClaim"))]
#[case("Namespace", json!({"windlass.dev/replace": "immutable"}), json!({}), Err("never recreates a Namespace"))]
#[case("CustomResourceDefinition", json!({"windlass.dev/replace": "immutable"}), json!({}), Err("never recreates a Custom"))]
fn only_what_says_so_is_replaced_and_never_what_lasts(
    #[case] kind: &str,
    #[case] annotations: Value,
    #[case] live: Value,
    #[case] expected: Result<(), &str>,
) {
    let found = may_replace(&object(kind, annotations, json!({})), &live);
    match (found, expected) {
        (Ok(()), Ok(())) => {}
        (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
        (found, expected) => panic!("{found:?}, not {expected:?}"),
    }
}

#[test]
fn the_fields_are_told_with_both_values() {
    let desired =
        object("Deployment", json!({}), json!({"spec": {"selector": {"matchLabels": {"app": "y"}}}}));
    let live = json!({"spec": {"selector": {"matchLabels": {"app": "x"}}}});
    let cause = RefusalCause { field: "spec.selector", message: "field is immutable" };
    assert_eq!(
        explain(&desired, &live, &[cause]),
        r#"/spec/selector/matchLabels/app is "x", and "y" in Git"#
    );
}

#[test]
fn of_a_stateful_set_only_what_cannot_change_is_told() {
    let spec = json!({"spec": {"serviceName": "b", "replicas": 3, "template": {"new": true}}});
    let live = json!({"spec": {"serviceName": "a", "replicas": 1, "template": {}}});
    let cause = RefusalCause {
        field: "spec",
        message: "Forbidden: updates to statefulset spec for fields other than 'replicas', 'template' and \
                  'minReadySeconds' are forbidden",
    };
    assert_eq!(
        explain(&object("StatefulSet", json!({}), spec), &live, &[cause]),
        r#"/spec/serviceName is "a", and "b" in Git"#
    );
}

#[test]
fn a_secret_is_not_told() {
    let desired = object("Secret", json!({}), json!({"data": {"password": "bmV3"}}));
    let cause = RefusalCause { field: "data", message: "field is immutable when `immutable` is set" };
    assert_eq!(explain(&desired, &json!({"data": {"password": "b2xk"}}), &[cause]), "data");
}

#[test]
fn what_is_long_or_unknown_is_told_shortly() {
    let desired = object("ConfigMap", json!({}), json!({"data": {"long": "x".repeat(200)}, "list": [1]}));
    let live = json!({"data": {"long": "y"}, "list": [1, 2]});
    let causes = ["data", "list", "odd[0].x"].map(|field| RefusalCause { field, message: "immutable" });
    assert_eq!(
        explain(&desired, &live, &causes),
        r#"/data/long is "y", and another value in Git; /list is [1,2], and [1] in Git; odd[0].x"#
    );
    assert_eq!(explain(&desired, &live, &[]), "a field that cannot change");
}
