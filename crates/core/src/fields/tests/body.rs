use rstest::rstest;
use serde_json::{Value, json};

use super::{path, paths};
use crate::fields::{copy, pick, remove, value};

fn deployment() -> Value {
    json!({
        "metadata": {"name": "web", "annotations": {"a": "1"}},
        "spec": {
            "replicas": 3,
            "containers": [
                {"name": "main", "image": "web:1", "ports": [{"containerPort": 80, "protocol": "TCP", "name": "http"}]},
                {"name": "side", "image": "side:1"}
            ],
            "finalizers": ["a", "b"]
        }
    })
}

#[rstest]
#[case("/spec/replicas", json!(3))]
#[case("/spec/containers/[name=side]/image", json!("side:1"))]
#[case("/spec/containers/1/image", json!("side:1"))]
#[case("/spec/containers/[name=main]/ports/[containerPort=80]/name", json!("http"))]
#[case("/spec/finalizers/[=b]", json!("b"))]
fn a_field_is_found(#[case] at: &str, #[case] expected: Value) {
    assert_eq!(value(&deployment(), &path(at)), Some(&expected));
}

#[rstest]
#[case("/spec/replicas", "/spec/replicas", json!(null))]
#[case("/metadata/annotations/a", "/metadata", json!({"name": "web"}))]
#[case("/spec/containers/[name=side]", "/spec/containers/1", json!(null))]
#[case("/spec/containers/[name=side]/image", "/spec/containers/1", json!({"name": "side"}))]
#[case("/spec/nothing/here", "/spec/replicas", json!(3))]
#[case("/spec/replicas/deeper", "/spec/replicas", json!(3))]
fn a_field_is_taken_out_with_what_it_leaves_empty(#[case] at: &str, #[case] look: &str, #[case] left: Value) {
    let mut body = deployment();
    remove(&mut body, &path(at));
    assert_eq!(value(&body, &path(look)).cloned().unwrap_or_default(), left);
}

#[test]
fn fields_are_picked_with_the_keys_that_lead_to_them() {
    let wanted = paths(&[
        "/spec/replicas",
        "/spec/containers/[name=main]/ports/[containerPort=80,protocol=TCP]/name",
        "/spec/containers/[name=side]/image",
        "/spec/finalizers/[=b]",
        "/spec/missing",
    ]);
    assert_eq!(
        pick(&deployment(), &wanted),
        json!({"spec": {
            "replicas": 3,
            "containers": [
                {"name": "main", "ports": [{"containerPort": 80, "protocol": "TCP", "name": "http"}]},
                {"name": "side", "image": "side:1"}
            ],
            "finalizers": ["b"]
        }})
    );
}

#[test]
fn a_field_is_copied_from_what_is_live() {
    let live = deployment();
    let mut body =
        json!({"spec": {"replicas": 1, "containers": [{"name": "side", "image": "old"}], "gone": 1}});
    for at in ["/spec/replicas", "/spec/containers/[name=side]/image", "/spec/gone", "/status/x"] {
        copy(&mut body, &live, &path(at));
    }
    assert_eq!(body, json!({"spec": {"replicas": 3, "containers": [{"name": "side", "image": "side:1"}]}}));
}
