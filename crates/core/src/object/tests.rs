use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

#[test]
fn an_object_knows_which_one_it_is() {
    let object = Object::new(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}
    }))
    .unwrap();
    let id = object.id(&Cluster::default());
    assert_eq!(id.to_string(), "Deployment shop/web");
    assert_eq!(id.to_annotation(), "apps/Deployment/shop/web");
    assert_eq!(object.gvk().api_version(), "apps/v1");
}

#[rstest]
#[case(json!([1]), "this is a list, not an object; a manifest is a mapping with apiVersion, kind and metadata")]
#[case(json!({"kind": "A"}), "field apiVersion is missing or not a non-empty string")]
#[case(json!({"apiVersion": "v1", "kind": "A", "metadata": 3}), "field metadata must be a mapping")]
#[case(json!({"apiVersion": "v1", "kind": "A", "metadata": {"generateName": "x-"}}),
       "metadata.generateName is not supported: give the object a fixed metadata.name")]
#[case(json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": "x", "labels": {"a": 1}}}),
       "field metadata.labels must be a mapping of strings")]
fn a_wrong_object_is_refused_by_field(#[case] body: Value, #[case] message: &str) {
    assert_eq!(Object::new(body).unwrap_err().to_string(), message);
}

#[test]
fn metadata_entries_are_set_even_where_the_map_is_null() {
    let mut object = Object::new(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": null}}),
    )
    .unwrap();
    object.set_label("a", "b");
    object.set_annotation("c", "d");
    object.set_namespace(Some("n"));
    assert_eq!(object.label("a"), Some("b"));
    assert_eq!(object.annotation("c"), Some("d"));
    assert_eq!(object.body()["metadata"]["namespace"], "n");
}

#[test]
fn canonical_json_sorts_keys_at_every_depth() {
    let value: Value = serde_json::from_str(r#"{"b":[{"z":1,"a":null}],"a":"\n"}"#).unwrap();
    assert_eq!(canonical_json(&value), r#"{"a":"\n","b":[{"a":null,"z":1}]}"#);
}

proptest! {
    #[test]
    fn canonical_json_parses_back_to_the_same_value(keys in prop::collection::vec(".{0,8}", 0..8)) {
        let value = Value::Object(keys.into_iter().enumerate().map(|(i, k)| (k, json!([i, {"x": i}]))).collect());
        prop_assert_eq!(serde_json::from_str::<Value>(&canonical_json(&value)).unwrap(), value);
    }
}
