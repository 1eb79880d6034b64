use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::{path, texts};
use crate::fields::FieldSet;

/// As the API server wrote it for a Deployment to which a container was added by hand.
fn patched() -> Value {
    json!({"f:spec": {"f:template": {"f:spec": {
        "f:containers": {"k:{\"name\":\"side\"}": {".": {}, "f:image": {}, "f:name": {}}},
        "f:nodeSelector": {}
    }}}})
}

fn ours() -> Value {
    json!({
        "f:metadata": {"f:labels": {"f:app": {}}},
        "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {
            "k:{\"name\":\"main\"}": {".": {}, "f:image": {}, "f:name": {}, "f:ports": {
                "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}
            }}
        }}}}
    })
}

fn set(fields: Value) -> FieldSet {
    FieldSet::read(&fields)
}

#[test]
fn a_set_is_written_as_it_was_read() {
    for fields in [ours(), patched(), json!({}), json!({"f:a": {"v:\"x\"": {}, "i:0": {}}})] {
        assert_eq!(set(fields.clone()).write(), fields);
    }
    assert!(set(Value::Null).is_empty());
}

#[test]
fn leaves_are_values_and_tops_are_what_people_see() {
    assert_eq!(
        texts(&set(patched()).leaves()),
        [
            "/spec/template/spec/containers/[name=side]/image",
            "/spec/template/spec/containers/[name=side]/name",
            "/spec/template/spec/nodeSelector",
        ]
    );
    assert_eq!(
        texts(&set(patched()).tops()),
        ["/spec/template/spec/containers/[name=side]", "/spec/template/spec/nodeSelector"]
    );
}

#[rstest]
#[case(json!({"f:a": {"f:b": {}, "f:c": {}}}), json!({"f:a": {"f:b": {}}}), json!({"f:a": {"f:c": {}}}))]
#[case(json!({"f:a": {".": {}, "f:b": {}}}), json!({"f:a": {".": {}}}), json!({}))]
#[case(json!({"f:a": {"f:b": {}}}), json!({"f:a": {}}), json!({}))]
#[case(json!({"f:a": {".": {}, "f:b": {}}}), json!({"f:a": {"f:b": {}}}), json!({"f:a": {}}))]
#[case(json!({"f:a": {}}), json!({"f:b": {}}), json!({"f:a": {}}))]
fn a_difference_is_what_only_the_first_has(#[case] a: Value, #[case] b: Value, #[case] rest: Value) {
    assert_eq!(set(a).difference(&set(b)), set(rest));
}

#[test]
fn a_field_that_holds_something_kept_out_is_kept_out_too() {
    let annotations = json!({"f:annotations": {".": {}, "f:mine": {}, "f:theirs": {}}});
    let out = path("/annotations/theirs");
    let kept = set(annotations).filter(&|at| !out.covers(at));
    assert_eq!(kept.write(), json!({"f:annotations": {"f:mine": {}}}));
}

#[rstest]
#[case("/spec/replicas", true)]
#[case("/spec", false)]
#[case("/spec/template/spec/containers/[name=main]", true)]
#[case("/spec/template/spec/containers/[name=side]", false)]
fn a_set_knows_its_members(#[case] at: &str, #[case] has: bool) {
    assert_eq!(set(ours()).has(&path(at)), has);
}

#[test]
fn places_in_lists_get_the_keys_that_the_server_knows() {
    let body = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "main", "image": "web:1", "ports": [{"containerPort": 80}]}
    ]}}}});
    let at = |text: &str| set(ours()).resolve(&path(text), &body).to_string();
    assert_eq!(
        at("/spec/template/spec/containers/0/image"),
        "/spec/template/spec/containers/[name=main]/image"
    );
    assert_eq!(
        at("/spec/template/spec/containers/[name=main]/ports/[containerPort=80]"),
        "/spec/template/spec/containers/[name=main]/ports/[containerPort=80,protocol=TCP]"
    );
    assert_eq!(at("/spec/template/spec/containers/7"), "/spec/template/spec/containers/7");
}

#[test]
fn a_list_that_is_one_value_has_no_parts() {
    let route = set(json!({"f:spec": {"f:rules": {}, "f:parents": {"k:{\"name\":\"a\"}": {".": {}}}}}));
    let body = json!({"spec": {"rules": [{"weight": 1}], "parents": [{"name": "a"}]}});
    assert!(route.is_inside_value(&path("/spec/rules/0/weight"), &body));
    assert!(!route.is_inside_value(&path("/spec/rules"), &body));
    assert!(!route.is_inside_value(&path("/spec/parents/0"), &body));
    assert!(!route.is_inside_value(&path("/spec/other/0"), &body));
}

fn fields() -> impl Strategy<Value = Value> {
    let leaf = Just(json!({}));
    leaf.prop_recursive(4, 24, 4, |inner| {
        let steps = prop_oneof![
            "[a-c]".prop_map(|name| format!("f:{name}")),
            "[a-c]".prop_map(|name| format!("k:{{\"name\":\"{name}\"}}")),
            Just(".".to_owned()),
        ];
        proptest::collection::btree_map(steps, inner, 0..4).prop_map(|map| {
            let leaf =
                |(step, value): (String, Value)| if step == "." { (step, json!({})) } else { (step, value) };
            Value::Object(map.into_iter().map(leaf).collect())
        })
    })
}

proptest! {
    #[test]
    fn sets_behave_as_sets(a in fields(), b in fields()) {
        let (a, b) = (set(a), set(b));
        let all = a.union(&b);
        prop_assert_eq!(&all, &b.union(&a));
        prop_assert_eq!(&all.union(&a), &all);
        prop_assert!(a.difference(&a).is_empty());
        prop_assert!(a.difference(&all).is_empty());
        prop_assert_eq!(&set(all.write()), &all);
        prop_assert_eq!(&a.filter(&|_| true), &a);
        prop_assert!(a.filter(&|_| false).is_empty());
        for top in a.difference(&b).tops() {
            prop_assert!(a.has(&top) && !b.has(&top));
        }
    }

    #[test]
    fn no_json_is_a_surprise(text in "[fkvi]:.{0,8}") {
        let set = FieldSet::read(&json!({text: {}}));
        let _ = (set.leaves(), set.tops(), set.filter(&|_| true), set.write());
    }
}
