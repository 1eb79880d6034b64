mod began;
mod breaker;
mod fate;
mod legacy;
mod placement;
mod roles;
mod select;
mod undo;

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::api::Quarantined;

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

fn render(commit: &str) -> RenderRecord {
    let reads =
        vec![PathRead { path: "app".into(), id: Some("1a".into()) }, PathRead { path: "x".into(), id: None }];
    let (revision, renderer) = (format!("main@{commit}"), "plain".into());
    let source = SourceRecord { revision, commit: commit.into(), renderer, reads: Arc::new(reads) };
    RenderRecord { inputs: Digest::of_bytes(b"i"), sources: vec![source] }
}

fn kept(number: u64, objects: Vec<ReleaseObject>) -> Kept {
    Kept { release: Arc::new(release(objects)), render: Some(render(&number.to_string())), number }
}

fn snapshot() -> Snapshot {
    let quarantined = Quarantined {
        digest: "d".into(),
        revision: "main@2".into(),
        reason: "CrashLoop".into(),
        message: String::new(),
        since: Time("2026-01-01T00:00:00Z".parse().unwrap()),
        hooks: Vec::new(),
        write_back: String::new(),
    };
    let releases = Releases {
        stable: Some(kept(4, vec![object("a", "4"), object("b", "1")])),
        next: Some(kept(5, vec![object("a", "5"), object("b", "1")])),
        previous: vec![
            kept(3, vec![object("a", "3"), object("b", "1")]),
            Kept { render: None, ..kept(1, vec![]) },
        ],
        quarantined: vec![quarantined],
    };
    let cluster = Cluster::default();
    let inventory = ["a", "b", "gone"].map(|name| object(name, "").object.id(&cluster)).into();
    Snapshot { releases, inventory }
}

#[test]
fn a_snapshot_reads_back_as_it_was() {
    for snapshot in [Snapshot::default(), snapshot()] {
        let read = Snapshot::decode(&snapshot.encode().unwrap()).unwrap();
        assert_eq!(read, snapshot);
        let objects = |snapshot: &Snapshot| {
            let all = snapshot.releases.iter().flat_map(|kept| kept.release.iter());
            all.map(|(_, object)| object.clone()).collect::<Vec<_>>()
        };
        assert_eq!(objects(&read), objects(&snapshot));
    }
}

#[test]
fn an_object_of_several_releases_is_stored_once() {
    let text = String::from_utf8(snapshot().encode().unwrap()).unwrap();
    assert_eq!(text.matches(r#""data":{"a":"1"}"#).count(), 1, "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn releases_are_found_by_their_digest() {
    let releases = snapshot().releases;
    let numbers: Vec<_> = releases.iter().map(|kept| kept.number).collect();
    assert_eq!(numbers, [4, 5, 3, 1]);
    let digest = releases.previous[0].release.digest().clone();
    assert_eq!(releases.find(digest.as_str()).unwrap().number, 3);
    assert_eq!(releases.find("another"), None);
}

#[test]
fn the_format_of_one_release_is_still_read() {
    let wanted = object("a", "1");
    let gone = object("gone", "").object.id(&Cluster::default());
    let text = json!({
        "format": 1, "revision": "main@1", "cluster": "in-cluster", "objects": [&wanted],
        "inventory": [&gone], "render": render("1")
    });
    let stable = Kept { number: 0, ..kept(1, vec![wanted]) };
    let releases = Releases { stable: Some(stable), ..Releases::default() };
    let snapshot = Snapshot::decode(text.to_string().as_bytes()).unwrap();
    assert_eq!(snapshot, Snapshot { releases, inventory: vec![gone] });
}

#[rstest]
#[case("x", "the stored release cannot be read: it is damaged at byte 1")]
#[case(r#"{"format": "secret"}"#, "the stored release cannot be read: it is damaged at byte 19")]
#[case(r#"{"format": 3}"#, "the stored release has format 3, this Windlass reads formats up to 2")]
#[case(
    r#"{"format": 2, "objects": [], "releases": [], "stable": 0, "previous": [], "quarantined": [],
        "inventory": []}"#,
    "the stored release cannot be read: it has no release 0"
)]
#[case(
    r#"{"format": 2, "objects": [], "releases": [{"revision": "r", "cluster": "c", "number": 1, "objects":
        [[1, {"source": "s", "file": "f", "document": 1, "line": 1}]]}], "previous": [], "quarantined": [],
        "inventory": []}"#,
    "the stored release cannot be read: it has no object 1"
)]
fn what_is_no_snapshot_is_refused(#[case] text: &str, #[case] message: &str) {
    let error = Snapshot::decode(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(error, message);
}

fn distinct(releases: &[&Arc<Release>]) -> usize {
    let mut pointers: Vec<_> = releases.iter().map(|release| Arc::as_ptr(release)).collect();
    pointers.sort();
    pointers.dedup();
    pointers.len()
}

#[test]
fn compact_releases_are_what_they_were() {
    let whole = [
        kept(1, vec![object("a", "1"), object("b", "1")]).release,
        kept(2, vec![object("a", "2"), object("b", "1")]).release,
        kept(3, vec![]).release,
    ];
    let (mut first, mut same, mut second, mut third) =
        (whole[0].clone(), whole[0].clone(), whole[1].clone(), whole[2].clone());
    // Packed, packed again with all of it unpacked, and with nothing unpacked since.
    for round in 0..3 {
        compact(vec![&mut first, &mut same, &mut second, &mut third]).unwrap();
        assert_eq!(distinct(&[&first, &same, &second, &third]), 3, "what was shared is shared");
        assert_eq!(first.ids().as_ptr(), second.ids().as_ptr(), "equal identities are there once");
        for (compact, whole) in [(&first, &whole[0]), (&second, &whole[1]), (&third, &whole[2])] {
            assert_eq!(compact, whole);
            assert!(round == 1 || compact.iter().eq(whole.iter()));
        }
    }
    // Without one of them, and with one that is new.
    let mut new = kept(4, vec![object("c", "1")]).release;
    compact(vec![&mut second, &mut new]).unwrap();
    let one = object("c", "1").object.id(&Cluster::default());
    assert_eq!(new.get(&one).unwrap().object.body()["data"], json!({"a": "1"}));
    assert!(second.iter().eq(whole[1].iter()));
    compact(vec![]).unwrap();
}

/// What is left to others is left out of an object's digest, not of the object.
#[test]
fn objects_that_differ_in_what_is_left_to_others_are_kept_apart() {
    let leaving = |data: &str| {
        let left = BTreeMap::from([(object("a", "").object.id(&Cluster::default()), Left::Everything)]);
        let release = release(vec![object("a", data)]).leaving(left);
        Kept { release: Arc::new(release), render: None, number: 1 }
    };
    let (mut one, two) = (leaving("1"), leaving("2"));
    let id = one.release.ids()[0].clone();
    assert_eq!(one.release.object_digest(&id), two.release.object_digest(&id));
    let data = |kept: &Kept| kept.release.get(&id).unwrap().object.body()["data"]["a"].clone();
    let releases = Releases { stable: Some(one.clone()), next: Some(two.clone()), ..Releases::default() };
    let snapshot = Snapshot { releases, inventory: Vec::new() };
    let read = Snapshot::decode(&snapshot.encode().unwrap()).unwrap().releases;
    assert_eq!(read.iter().map(data).collect::<Vec<_>>(), ["1", "2"]);
    let mut other = two.release.clone();
    compact(vec![&mut one.release, &mut other]).unwrap();
    assert_eq!([data(&one), data(&Kept { release: other, ..two })], ["1", "2"]);
    assert_eq!(one.release.left().len(), 1);
}
