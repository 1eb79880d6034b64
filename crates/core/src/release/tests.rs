use serde_json::json;

use super::*;

fn object(name: &str, data: &str) -> ReleaseObject {
    let body = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "shop"}, "data": {"a": data}
    });
    let origin = Origin { source: "env".into(), file: "c.yaml".into(), document: 1, line: 1 };
    ReleaseObject { object: Object::new(body).unwrap(), origin }
}

fn release(objects: Vec<ReleaseObject>) -> Release {
    Release::new("main@1".into(), Cluster::default(), objects)
}

#[test]
fn the_digest_depends_on_the_objects_not_on_their_order() {
    let a = release(vec![object("a", "1"), object("b", "2")]);
    let b = release(vec![object("b", "2"), object("a", "1")]);
    assert_eq!(a.digest(), b.digest());
    assert_ne!(a.digest(), release(vec![object("a", "1"), object("b", "3")]).digest());
}

#[test]
fn a_snapshot_reads_back_as_it_was() {
    let release = release(vec![object("a", "1"), object("b", "2")]);
    let mut inventory = release.ids().to_vec();
    inventory.push(object("gone", "").object.id(&Cluster::default()));
    let reads =
        vec![PathRead { path: "app".into(), id: Some("1a".into()) }, PathRead { path: "x".into(), id: None }];
    let reads = std::sync::Arc::new(reads);
    let (revision, commit, renderer) = ("main@1".into(), "1".into(), "plain".into());
    let sources = vec![SourceRecord { revision, commit, renderer, reads }];
    let render = Some(RenderRecord { inputs: Digest::of_bytes(b"i"), sources });
    let snapshot = Snapshot { release, inventory, render };
    assert_eq!(Snapshot::decode(&snapshot.encode().unwrap()).unwrap(), snapshot);
}

#[test]
fn a_snapshot_of_another_format_is_refused() {
    let text = br#"{"format": 2, "revision": "", "cluster": "in-cluster", "objects": [], "inventory": []}"#;
    assert_eq!(
        Snapshot::decode(text).unwrap_err().to_string(),
        "the stored release has format 2, this Windlass reads format 1"
    );
}
