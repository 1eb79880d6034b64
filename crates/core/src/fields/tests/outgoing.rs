use serde_json::{Value, json};

use super::managers::{entry, names};
use super::paths;
use crate::fields::{Outgoing, outgoing, without};

fn desired() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "main", "image": "web:1"}]}}}
    })
}

fn live() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop", "uid": "u"},
        "spec": {"replicas": 10, "template": {"spec": {"containers": [
            {"name": "side", "image": "side:1"}, {"name": "main", "image": "web:9"}
        ]}}}
    })
}

fn main_image() -> Value {
    json!({"f:template": {"f:spec": {"f:containers": {
        "k:{\"name\":\"main\"}": {".": {}, "f:image": {}, "f:name": {}}
    }}}})
}

fn replicas() -> Value {
    json!({"f:spec": {"f:replicas": {}}})
}

fn send(left: &[&str], entries: &[(&str, &str, Value)]) -> Outgoing {
    let entries: Vec<_> = entries.iter().map(|(m, o, fields)| entry(m, o, fields.clone())).collect();
    outgoing(&names(), &desired(), &paths(left), &live(), &entries)
}

/// The body of a hand-over of the replicas.
fn ten() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 10}
    })
}

#[test]
fn a_field_that_was_ours_is_handed_over_with_its_live_value() {
    let sent = send(&["/spec/replicas"], &[("windlass-w", "Apply", replicas())]);
    assert_eq!(sent.hand_over, Some(ten()));
    assert_eq!(sent.body["spec"].get("replicas"), None);
    assert_eq!(sent.take_back, None);
}

#[test]
fn what_somebody_else_has_needs_no_hand_over() {
    let ours = ("windlass-w", "Apply", replicas());
    for other in [("scaler", "Update", replicas()), ("windlass-handover-w", "Apply", replicas())] {
        assert_eq!(send(&["/spec/replicas"], &[ours.clone(), other]).hand_over, None);
    }
    assert_eq!(send(&["/spec/replicas"], &[]).hand_over, None);
}

#[test]
fn what_was_handed_over_before_stays_so() {
    // A place is the one in Git: in the live list the container is another one.
    for image in
        ["/spec/template/spec/containers/0/image", "/spec/template/spec/containers/[name=main]/image"]
    {
        let sent = send(
            &["/spec/replicas", image],
            &[
                ("windlass-handover-w", "Apply", replicas()),
                ("windlass-w", "Apply", json!({"f:spec": main_image()})),
            ],
        );
        let mut expected = ten();
        expected["spec"]["template"] = json!({"spec": {"containers": [{"name": "main", "image": "web:9"}]}});
        assert_eq!(sent.hand_over, Some(expected));
        assert_eq!(sent.body["spec"], json!({"template": {"spec": {"containers": [{"name": "main"}]}}}));
        assert_eq!(sent.take_back, None);
    }
}

#[test]
fn what_is_ours_again_is_taken_back() {
    let mut both = main_image();
    both["f:replicas"] = json!({});
    let held = [("windlass-handover-w", "Apply", json!({"f:spec": both}))];
    let sent = send(&["/spec/replicas"], &held);
    assert_eq!((sent.hand_over, sent.take_back), (None, Some(ten())));
    let sent = send(&[], &[("windlass-handover-w", "Apply", replicas())]);
    let nothing = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}
    });
    assert_eq!((sent.body, sent.take_back), (desired(), Some(nothing)));
    let sent = send(
        &["/spec/template/spec/containers/[name=main]/image"],
        &[("windlass-handover-w", "Apply", json!({"f:spec": main_image()}))],
    );
    assert_eq!(sent.take_back, None);
}

/// The rules of an HTTPRoute are one value: whoever sets one weight owns them all.
#[test]
fn a_part_of_one_value_is_sent_as_it_is() {
    let desired =
        json!({"spec": {"hostnames": ["a"], "rules": [{"backends": [{"weight": 100}, {"weight": 0}]}]}});
    let live =
        json!({"spec": {"hostnames": ["b"], "rules": [{"backends": [{"weight": 70}, {"weight": 30}]}]}});
    let left = paths(&["/spec/rules/0/backends/0/weight", "/spec/rules/0/backends/1/weight"]);
    let entries = [entry("flagger", "Update", json!({"f:spec": {"f:rules": {}}}))];
    let sent = outgoing(&names(), &desired, &left, &live, &entries);
    assert_eq!(
        sent.body,
        json!({"spec": {"hostnames": ["a"], "rules": [{"backends": [{"weight": 70}, {"weight": 30}]}]}})
    );
    assert_eq!((sent.hand_over, sent.take_back), (None, None));
}

#[test]
fn the_digest_of_an_object_has_only_what_is_ours() {
    let body = without(&desired(), &paths(&["/spec/replicas"]));
    assert_eq!(body["spec"].get("replicas"), None);
    assert_eq!(without(&desired(), &[]), desired());
}
