use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use serde_json::{from_value, json};

use super::id;
use crate::api::AppKey;
use crate::plan::{Instance, Ownership, combined_fields, own_fields, ownership};

fn instance() -> Instance {
    Instance::new("windlass", "8a1e")
}

fn meta(value: serde_json::Value) -> ObjectMeta {
    from_value(value).unwrap()
}

#[test]
fn the_annotation_names_the_owner() {
    let app = AppKey::new("team-a", "shop");
    let id = id("Deployment", "web");
    let annotation = instance().annotation(&app, &id);
    let meta = meta(json!({"annotations": {"windlass.dev/owner": annotation}}));
    assert_eq!(ownership(&instance(), &id, &meta), Ownership::App(app));
}

#[test]
fn an_annotation_copied_to_another_object_counts_for_nothing() {
    let annotation = instance().annotation(&AppKey::new("team-a", "shop"), &id("Deployment", "web"));
    let meta = meta(json!({"annotations": {"windlass.dev/owner": annotation}}));
    assert_eq!(ownership(&instance(), &id("Deployment", "web-copy"), &meta), Ownership::Unowned);
}

#[test]
fn an_object_made_by_a_controller_belongs_to_it() {
    let annotation = instance().annotation(&AppKey::new("team-a", "shop"), &id("Deployment", "web"));
    let meta = meta(json!({
        "annotations": {"windlass.dev/owner": annotation},
        "ownerReferences": [{"apiVersion": "v1", "kind": "Foo", "name": "f", "uid": "1", "controller": true}]
    }));
    let found = ownership(&instance(), &id("Deployment", "web"), &meta);
    assert_eq!(found, Ownership::Controlled("Foo f".into()));
}

#[test]
fn another_install_and_other_tools_are_recognised() {
    let id = id("Deployment", "web");
    let other = Instance::new("windlass", "other-cluster");
    let annotation = other.annotation(&AppKey::new("a", "b"), &id);
    let found =
        ownership(&instance(), &id, &meta(json!({"annotations": {"windlass.dev/owner": annotation}})));
    assert_eq!(found, Ownership::OtherInstance(format!("{}/a/b", other.as_str())));
    for (tool, value) in [
        ("Argo CD", json!({"labels": {"argocd.argoproj.io/instance": "x"}})),
        ("Flux", json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}})),
        (
            "Helm",
            json!({"labels": {"app.kubernetes.io/managed-by": "Helm"},
                        "annotations": {"meta.helm.sh/release-name": "x"}}),
        ),
    ] {
        assert_eq!(ownership(&instance(), &id, &meta(value)), Ownership::Tracked(tool));
    }
}

#[test]
fn labels_are_valid_label_values() {
    let label = instance().label(&AppKey::new(&"n".repeat(63), &"a".repeat(63)));
    assert!(label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric()), "{label}");
}

fn entry(manager: &str, operation: &str, fields: serde_json::Value) -> ManagedFieldsEntry {
    from_value(
        json!({"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": fields}),
    )
    .unwrap()
}

#[test]
fn only_our_own_apply_entry_is_hashed() {
    let ours = entry("windlass-x", "Apply", json!({"f:data": {"f:key": {}}}));
    let foreign = entry("kubectl-edit", "Update", json!({"f:metadata": {}}));
    let alone = own_fields("windlass-x", std::slice::from_ref(&ours));
    assert!(alone.is_some());
    assert_eq!(own_fields("windlass-x", &[foreign.clone(), ours]), alone, "foreign entries do not count");
    let taken = entry("windlass-x", "Apply", json!({"f:data": {}}));
    assert_ne!(own_fields("windlass-x", &[taken]), alone, "a field that was taken from us does");
    assert_eq!(own_fields("windlass-x", &[foreign]), None);
    assert_eq!(own_fields("windlass-x", &[entry("windlass-x", "Update", json!({}))]), None);
}

#[test]
fn the_combined_hash_sees_a_missing_object() {
    let (a, b) = (id("ConfigMap", "a"), id("ConfigMap", "b"));
    let hash = own_fields("m", &[entry("m", "Apply", json!({}))]);
    let both = combined_fields([(&a, hash.as_ref()), (&b, hash.as_ref())].into_iter());
    assert_ne!(both, combined_fields([(&a, hash.as_ref()), (&b, None)].into_iter()));
    assert_eq!(both.len(), 32);
}
