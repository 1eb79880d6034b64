use serde_json::json;

use super::super::*;
use crate::object::Object;

/// `kind name=value`, then annotations as `!Keep`, `!irreversible`.
fn object(text: &str) -> ReleaseObject {
    let mut words = text.split(' ');
    let kind = words.next().unwrap();
    let (name, value) = words.next().unwrap().split_once('=').unwrap();
    let api = match kind {
        "CustomResourceDefinition" => "apiextensions.k8s.io/v1",
        "Deployment" => "apps/v1",
        _ => "v1",
    };
    let mut annotations = serde_json::Map::new();
    for word in words {
        match word {
            "!Keep" => annotations.insert("windlass.dev/rollback".into(), "Keep".into()),
            "!irreversible" => annotations.insert("windlass.dev/irreversible".into(), "true".into()),
            other => panic!("{other}"),
        };
    }
    let body = json!({
        "apiVersion": api, "kind": kind,
        "metadata": {"name": name, "annotations": annotations}, "spec": {"value": value}
    });
    let origin = Origin { source: "env".into(), file: "c.yaml".into(), document: 1, line: 1 };
    ReleaseObject { object: Object::new(body).unwrap(), origin }
}

fn release(objects: &[&str]) -> Release {
    Release::new("main@1".into(), Cluster::default(), objects.iter().map(|text| object(text)).collect())
}

fn texts(release: &Release) -> Vec<String> {
    release
        .iter()
        .map(|(id, object)| {
            format!("{} {}={}", id.kind, id.name, object.object.body()["spec"]["value"].as_str().unwrap())
        })
        .collect()
}

fn names(ids: &[ObjectId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[test]
fn everything_is_as_it_was() {
    let stable = release(&["Deployment web=1", "ConfigMap a=1", "Service old=1"]);
    let next = release(&["Deployment web=2", "ConfigMap a=2", "Role new=1"]);
    let undone = undo(&stable, &next);
    assert_eq!(undone.release, stable);
    assert_eq!(undone.release.digest(), stable.digest());
    assert_eq!((undone.left, undone.irreversible), (vec![], vec![]));
}

#[test]
fn data_and_definitions_stay_as_the_undone_release_made_them() {
    let stable = release(&[
        "CustomResourceDefinition c=1",
        "Namespace n=1",
        "PersistentVolumeClaim gone=1",
        "PersistentVolumeClaim same=1",
        "ConfigMap a=1",
        "Secret rotated=1",
    ]);
    let next = release(&[
        "CustomResourceDefinition c=2",
        "Namespace n=1",
        "PersistentVolumeClaim new=1",
        "PersistentVolumeClaim same=1",
        "ConfigMap a=2",
        "Secret rotated=2 !Keep",
        "Secret added=1 !Keep",
        "Secret pruned=1",
    ]);
    let undone = undo(&stable, &next);
    assert_eq!(
        texts(&undone.release),
        [
            "ConfigMap a=1",
            "Namespace n=1",
            "PersistentVolumeClaim gone=1",
            "PersistentVolumeClaim new=1",
            "PersistentVolumeClaim same=1",
            "Secret added=1",
            "Secret rotated=2",
            "CustomResourceDefinition c=2",
        ]
    );
    assert_eq!(
        names(&undone.left),
        [
            "PersistentVolumeClaim new",
            "Secret added",
            "Secret rotated",
            "CustomResourceDefinition.apiextensions.k8s.io c",
        ]
    );
}

#[test]
fn only_what_was_changed_is_irreversible() {
    let stable = release(&["ConfigMap same=1 !irreversible", "Job migrate=1 !irreversible", "ConfigMap b=1"]);
    let next = release(&["ConfigMap same=1 !irreversible", "Job migrate=2", "ConfigMap b=2"]);
    assert_eq!(names(&undo(&stable, &next).irreversible), ["Job migrate"]);
    let next = release(&["ConfigMap same=1 !irreversible", "Job migrate=1 !irreversible", "ConfigMap b=2"]);
    assert_eq!(names(&undo(&stable, &next).irreversible), [""; 0]);
    let next = release(&["Job migrate=1 !irreversible", "ConfigMap b=1"]);
    assert_eq!(names(&undo(&stable, &next).irreversible), ["ConfigMap same"]);
}
