use std::sync::Arc;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;
use windlass_core::object::{Cluster, Object};
use windlass_core::release::{Kept, Origin, Release, ReleaseObject, Releases};

use super::*;
use crate::cluster::store::layout::Layout;

fn app() -> AppKey {
    AppKey::new("shop", "web")
}

fn instance() -> Instance {
    Instance::new("windlass", "uid")
}

/// A release with so many bytes that cannot be compressed.
fn kept(number: u64, bytes: usize) -> Kept {
    let mut random = vec![0; bytes];
    StdRng::seed_from_u64(number).fill_bytes(&mut random);
    let text: String = random.iter().map(|byte| char::from(byte % 64 + 48)).collect();
    let body =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": text}});
    let origin = Origin { source: "env".into(), file: "c.yaml".into(), document: 1, line: 1 };
    let objects = vec![ReleaseObject { object: Object::new(body).unwrap(), origin }];
    let release = Release::new(format!("main@{number}"), Cluster::default(), objects);
    Kept { release: Arc::new(release), render: None, number }
}

fn snapshot(bytes: usize) -> Snapshot {
    let releases = Releases {
        stable: Some(kept(5, bytes)),
        next: Some(kept(6, bytes)),
        previous: vec![kept(4, bytes), kept(3, bytes)],
        quarantined: Vec::new(),
    };
    Snapshot { releases, inventory: Vec::new() }
}

fn parts(layout: &Layout) -> BTreeMap<String, Vec<u8>> {
    let chunks = layout.chunks.iter().map(|secret| {
        let Part::Chunk(bytes) = layout::read(secret.clone()) else { panic!("{secret:?}") };
        (secret.metadata.name.clone().unwrap(), bytes)
    });
    chunks.collect()
}

fn head(layout: &Layout) -> Head {
    match layout::read(layout.head.clone()) {
        Part::Head(head) => head,
        Part::Chunk(_) => panic!("a chunk"),
    }
}

fn message(result: Result<Snapshot, Unreadable>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_small_snapshot_is_one_secret() {
    let snapshot = snapshot(1000);
    let packed = pack(&snapshot, usize::MAX).unwrap();
    let layout = layout::lay_out(&instance(), &app(), packed.bytes).unwrap();
    assert!(layout.chunks.is_empty());
    assert_eq!(layout::owner(&layout.head), Some(app()));
    assert_eq!(decode("head", head(&layout), &BTreeMap::new()).unwrap(), snapshot);
}

#[test]
fn a_large_snapshot_is_in_chunks_that_its_head_names() {
    let snapshot = snapshot(800_000);
    let packed = pack(&snapshot, usize::MAX).unwrap();
    let size = packed.bytes.len();
    let layout = layout::lay_out(&instance(), &app(), packed.bytes).unwrap();
    assert_eq!(layout.chunks.len(), size.div_ceil(960 << 10));
    let mut parts = parts(&layout);
    assert_eq!(decode("head", head(&layout), &parts).unwrap(), snapshot);

    let (first, last) = (parts.keys().next().unwrap().clone(), parts.keys().last().unwrap().clone());
    parts.get_mut(&first).unwrap()[0] ^= 1;
    let told = message(decode("head", head(&layout), &parts));
    assert_eq!(told, "Secret head: its parts are not those that were stored");
    parts.remove(&last);
    let told = message(decode("head", head(&layout), &parts));
    assert_eq!(told, format!("Secret head: its part in Secret {last} is missing"));
}

#[test]
fn former_releases_are_left_out_before_anything_else() {
    let snapshot = snapshot(10_000);
    let whole = pack(&snapshot, usize::MAX).unwrap();
    assert_eq!(whole.left_out, 0);
    let less = pack(&snapshot, whole.bytes.len() - 1).unwrap();
    assert_eq!(less.left_out, 1);
    let numbers: Vec<_> = unpack(&less.bytes).unwrap().releases.iter().map(|kept| kept.number).collect();
    assert_eq!(numbers, [5, 6, 4]);
    let refused = pack(&snapshot, 10_000).unwrap_err();
    assert!(refused.contains("bytes after compression, at most 10000 can be stored"), "{refused}");
}

#[test]
fn damage_is_told_and_never_guessed_around() {
    let mut bytes = pack(&snapshot(1000), usize::MAX).unwrap().bytes;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let told = message(decode("head", Head::Whole(bytes), &BTreeMap::new()));
    assert!(told.starts_with("Secret head: the stored release cannot be"), "{told}");
    let told = message(decode("head", Head::Empty, &BTreeMap::new()));
    assert_eq!(told, "Secret head: it holds no release");
}

/// As the Windlass before releases had roles wrote it.
#[test]
fn the_first_format_is_read() {
    let text = br#"{"format":1,"revision":"main@1","cluster":"in-cluster","objects":[],"inventory":[]}"#;
    let bytes = zstd::bulk::compress(text, 3).unwrap();
    let snapshot = decode("head", Head::Whole(bytes), &BTreeMap::new()).unwrap();
    assert_eq!(snapshot.releases.stable.unwrap().release.revision(), "main@1");
}

#[test]
fn chunks_that_no_head_names_are_garbage() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let mut chunks = Chunks { named: names(&["a", "b"]), garbage: names(&["x", "y"]) };
    chunks.name(&names(&["b", "c", "x"]));
    assert_eq!((&chunks.named, &chunks.garbage), (&names(&["a", "b", "c", "x"]), &names(&["y"])));
    assert!(chunks.keep(names(&["b", "c", "x"])));
    assert_eq!((&chunks.named, &chunks.garbage), (&names(&["b", "c", "x"]), &names(&["a", "y"])));
    assert!(chunks.keep(BTreeSet::new()));
    assert_eq!((&chunks.named, &chunks.garbage), (&names(&[]), &names(&["a", "b", "c", "x", "y"])));
}
