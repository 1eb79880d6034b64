//! The stored releases: what a controller that starts knows without Git.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rand::RngExt as _;
use serde_json::{Value, json};
use windlass::cluster::store::{pack, unpack};
use windlass_core::release::Snapshot;

use crate::harness::manifests::config_map;
use crate::harness::{Scene, pause, until};
use crate::tests;

tests![
    a_release_that_is_too_large_for_one_secret,
    killed_between_the_chunks_and_the_head,
    the_first_format_is_migrated,
    what_cannot_be_read_holds_its_application,
    what_is_stored_of_an_application_that_is_gone_is_forgotten_after_a_while,
];

const CHUNK: &str = "windlass.dev/release-chunk";

/// A ConfigMap that cannot be compressed much.
fn large(name: &str) -> String {
    let mut rng = rand::rng();
    let text: String = (0..700_000).map(|_| char::from(rng.random_range(b'a'..=b'z'))).collect();
    config_map(name, &text)
}

/// Commits a release of about 1.3 MB when compressed.
fn commit_large(scene: &Scene) -> String {
    let (one, two, three) = (large("one"), large("two"), large("three"));
    scene.repository.commit(&[
        ("shop/one.yaml", Some(&one)),
        ("shop/two.yaml", Some(&two)),
        ("shop/three.yaml", Some(&three)),
    ])
}

/// The Secrets of the store of a type.
fn stored(scene: &Scene, type_: &str) -> Vec<Value> {
    let field = format!("--field-selector=type={type_}");
    let list = scene.kubectl(&["get", "secrets", &field, "--output=json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    list["items"].as_array().unwrap().clone()
}

/// The one head.
fn head(scene: &Scene) -> Value {
    let heads = stored(scene, "windlass.dev/release");
    assert_eq!(heads.len(), 1);
    heads[0].clone()
}

fn data(secret: &Value, key: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap()
}

fn chunks(scene: &Scene) -> BTreeSet<String> {
    let name = |secret: &Value| secret["metadata"]["name"].as_str().unwrap().to_owned();
    stored(scene, CHUNK).iter().map(name).collect()
}

/// The chunks that the head names.
fn named(scene: &Scene) -> BTreeSet<String> {
    let list: Value = serde_json::from_slice(&data(&head(scene), "chunks")).unwrap();
    list["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// Replaces what the head holds.
fn put(scene: &Scene, bytes: &[u8]) {
    let name = head(scene)["metadata"]["name"].as_str().unwrap().to_owned();
    let patch = json!({"data": {"snapshot": BASE64_STANDARD.encode(bytes)}}).to_string();
    scene.kubectl(&["patch", "secret", &name, "--patch", &patch]);
}

fn a_release_that_is_too_large_for_one_secret() {
    let mut scene = Scene::new();
    let first = commit_large(&scene);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    let before = named(&scene);
    assert!(before.len() > 1, "{before:?}");
    assert_eq!(chunks(&scene), before);

    scene.settled();
    assert!(scene.controller.stop().success());
    let mark = scene.mark();
    scene.controller.start_leading();
    pause(4.0);
    assert_eq!(scene.writes_but_lease(mark), [""; 0], "after a restart");

    let second = commit_large(&scene);
    scene.refresh("shop");
    scene.ready_at("the next one", "shop", &second);
    assert_eq!(chunks(&scene), named(&scene));
    // The one before it is kept too, to go back to.
    assert!(named(&scene).len() > before.len());

    scene.repository.commit(&[("shop/two.yaml", None), ("shop/three.yaml", None)]);
    for number in 1..=5 {
        let settings = config_map("settings", &number.to_string());
        let small = scene.repository.commit(&[("shop/settings.yaml", Some(&settings))]);
        scene.refresh("shop");
        scene.ready_at("a small one", "shop", &small);
    }
    until("everything in the head again", || match chunks(&scene) {
        chunks if chunks.is_empty() => Ok(()),
        chunks => Err(format!("{chunks:?}")),
    });
    assert!(head(&scene)["data"]["snapshot"].is_string());

    let large = commit_large(&scene);
    scene.refresh("shop");
    scene.ready_at("large again", "shop", &large);
    scene.kubectl(&["delete", "wapp", "shop"]);
    assert_eq!(stored(&scene, "windlass.dev/release"), [] as [Value; 0]);
    assert_eq!(chunks(&scene), BTreeSet::new());
}

/// A policy that lets nobody write a head.
fn forbid_heads(scene: &Scene) -> String {
    let name = format!("no-heads.{}", scene.namespace);
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": scene.namespace}},
                "resourceRules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets"],
                    "operations": ["CREATE", "UPDATE"]
                }]
            },
            "validations": [{"expression": "object.type != 'windlass.dev/release'", "message": "no heads"}]
        }
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}
    });
    scene.kubectl_apply(&format!("{policy}\n---\n{binding}\n"));
    let secret = head(scene)["metadata"]["name"].as_str().unwrap().to_owned();
    until("heads refused", || {
        let tried = scene.try_kubectl(&["annotate", "secret", &secret, "--overwrite", "tried=yes"]);
        if tried.code == 0 { Err("it was taken".to_owned()) } else { Ok(()) }
    });
    name
}

fn killed_between_the_chunks_and_the_head() {
    let mut scene = Scene::new();
    let first = commit_large(&scene);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    let before = named(&scene);
    let policy = forbid_heads(&scene);
    let mark = scene.mark();
    let second = commit_large(&scene);
    let asked = scene.windlass(&["refresh", "shop", "--no-wait"]);
    assert_eq!(asked.code, 0, "{asked:?}");
    until("a head refused", || {
        let log = scene.controller.log();
        if log.contains("no heads") { Ok(()) } else { Err(log) }
    });
    scene.controller.kill();
    assert_eq!(named(&scene), before);
    assert!(chunks(&scene).len() > before.len());
    let writes = scene.writes(mark);
    assert!(
        writes.iter().all(|write| write.resource != "configmaps"),
        "nothing is applied that is not stored: {writes:?}"
    );

    scene.kubectl(&["delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", &policy]);
    let third = commit_large(&scene);
    scene.controller.start_leading();
    scene.ready_at("Ready after the kill", "shop", &third);
    assert_ne!(second, third);
    until("only what the head names", || {
        let (chunks, named) = (chunks(&scene), named(&scene));
        if chunks == named { Ok(()) } else { Err(format!("{chunks:?}, named {named:?}")) }
    });
}

/// The format of the Windlass before releases had roles.
fn first_format(snapshot: &Snapshot) -> Vec<u8> {
    let kept = snapshot.releases.iter().next().unwrap();
    let objects: Vec<_> = kept.release.iter().map(|(_, object)| object).collect();
    let stored = json!({
        "format": 1, "revision": kept.release.revision(), "cluster": "in-cluster", "objects": objects,
        "inventory": snapshot.inventory, "render": kept.render
    });
    zstd::bulk::compress(stored.to_string().as_bytes(), 3).unwrap()
}

fn the_first_format_is_migrated() {
    let mut scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/one.yaml", Some(&config_map("one", "1"))),
        ("shop/two.yaml", Some(&config_map("two", "1"))),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    scene.settled();
    assert!(scene.controller.stop().success());
    let snapshot = unpack(&data(&head(&scene), "snapshot")).unwrap();
    put(&scene, &first_format(&snapshot));

    let mark = scene.mark();
    scene.controller.start_leading();
    pause(4.0);
    assert_eq!(scene.writes_but_lease(mark), [""; 0], "after a restart");
    let second = scene.repository.commit(&[("shop/one.yaml", None)]);
    scene.refresh("shop");
    scene.ready_at("the next one", "shop", &second);
    assert!(scene.get("configmap", "one").is_none(), "the inventory was read");
    let plain = zstd::stream::decode_all(data(&head(&scene), "snapshot").as_slice()).unwrap();
    assert!(plain.starts_with(br#"{"format":2,"#));
}

fn what_cannot_be_read_holds_its_application() {
    let mut scene = Scene::new();
    let files =
        [("shop/one.yaml", Some(config_map("one", "1"))), ("other/two.yaml", Some(config_map("two", "1")))];
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_deref())).collect();
    let first = scene.repository.commit(&files);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    assert!(scene.controller.stop().success());
    let good = data(&head(&scene), "snapshot");
    assert!(pack(&unpack(&good).unwrap(), usize::MAX).unwrap().bytes == good, "it is what was stored");
    put(&scene, &zstd::bulk::compress(br#"{"format": 99}"#, 3).unwrap());
    scene.application("other", json!({}));
    scene.controller.start_leading();
    let message = scene.not_ready("held", "shop", "ReleaseUnreadable");
    assert!(message.contains("has format 99, this Windlass reads formats up to 2"), "{message}");
    scene.ready_at("another Application", "other", &first);

    let mark = scene.mark();
    scene.repository.commit(&[("shop/one.yaml", Some(&config_map("one", "2")))]);
    scene.kubectl(&["delete", "configmap", "one"]);
    let asked = scene.windlass(&["refresh", "shop", "--no-wait"]);
    assert_eq!(asked.code, 0, "{asked:?}");
    pause(3.0);
    assert_eq!(scene.object_writes(mark), [""; 0], "held");

    let heads = stored(&scene, "windlass.dev/release");
    let unreadable = heads.iter().find(|head| {
        head["metadata"]["annotations"]["windlass.dev/application"].as_str().unwrap().ends_with("/shop")
    });
    let name = unreadable.unwrap()["metadata"]["name"].as_str().unwrap().to_owned();
    assert!(message.contains(&name), "{message}");
    scene.kubectl(&["delete", "secret", &name]);
    let third = scene.repository.commit(&[("shop/one.yaml", Some(&config_map("one", "3")))]);
    scene.refresh("shop");
    scene.ready_at("as if it were new", "shop", &third);
    assert_eq!(scene.get("configmap", "one").unwrap()["data"]["key"], "3");
}

/// Deletes an Application as people do who cannot wait, so that its objects stay.
fn force_away(scene: &Scene, name: &str) {
    scene.kubectl(&[
        "patch",
        "wapp",
        name,
        "--type=merge",
        "--patch",
        r#"{"metadata": {"finalizers": null}}"#,
    ]);
    scene.kubectl(&["delete", "wapp", name]);
}

fn what_is_stored_of_an_application_that_is_gone_is_forgotten_after_a_while() {
    let mut scene = Scene::with(&["--keep-releases=3s"]);
    let files = ["back", "gone", "stays"].map(|name| (format!("{name}/c.yaml"), config_map(name, "1")));
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    let first = scene.repository.commit(&files);
    for name in ["back", "gone", "stays"] {
        scene.application(name, json!({}));
        scene.ready_at("Ready", name, &first);
    }
    let owners = |scene: &Scene| {
        let heads = stored(scene, "windlass.dev/release").into_iter();
        let owner = |head: Value| head["metadata"]["annotations"]["windlass.dev/application"].clone();
        heads.map(|head| owner(head).as_str().unwrap().rsplit_once('/').unwrap().1.to_owned()).collect()
    };
    assert_eq!(owners(&scene), BTreeSet::from(["back", "gone", "stays"].map(str::to_owned)));

    force_away(&scene, "back");
    let forgotten = |what: &str, rest: &[&str]| {
        until(what, || {
            let owners: BTreeSet<String> = owners(&scene);
            if owners.iter().eq(rest) { Ok(()) } else { Err(format!("{owners:?}")) }
        });
    };
    forgotten("forgotten while the controller runs", &["gone", "stays"]);
    assert!(scene.get("configmap", "back").is_some(), "its objects were let go");
    scene.application("back", json!({}));
    scene.ready_at("Ready again", "back", &first);

    assert!(scene.controller.stop().success());
    force_away(&scene, "gone");
    scene.controller.start_leading();
    until("forgotten after a restart", || {
        let owners: BTreeSet<String> = owners(&scene);
        if owners.iter().eq(["back", "stays"]) { Ok(()) } else { Err(format!("{owners:?}")) }
    });
}
