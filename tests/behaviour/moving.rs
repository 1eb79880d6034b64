//! Objects that move from one Application to another: never deleted on the way, whoever is asked first.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use rand::RngExt as _;
use serde_json::{Value, json};

use crate::harness::manifests::config_map;
use crate::harness::{Scene, pause, until, until_within};
use crate::tests;

tests![
    data_waits_for_a_broken_application_and_the_rest_for_a_minute,
    there_and_back_in_one_commit_each,
    whoever_looks_first,
    a_directory_while_the_controller_is_killed,
    into_an_application_of_the_same_commit,
    an_application_replaced_by_one_of_the_same_path,
    more_than_the_prune_limit,
    to_one_that_waits_for_a_person,
];

const OBJECTS: usize = 12;

/// The UIDs of the ConfigMaps `c0`, `c1`, ...
fn uids(scene: &Scene) -> BTreeMap<String, String> {
    let list: Value = serde_json::from_str(&scene.kubectl(&["get", "configmaps", "--output=json"])).unwrap();
    let items = list["items"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let ours = items.filter(|item| item["data"]["key"].is_string());
    ours.map(|item| (text(&item["metadata"]["name"]), text(&item["metadata"]["uid"]))).collect()
}

/// Waits until the ConfigMaps `c0`, `c1`, ... belong to an Application.
fn owned_by(scene: &Scene, owner: &str, objects: usize) {
    let owner = format!("/{}/{owner}:", scene.namespace);
    until("taken over", || {
        for i in 0..objects {
            let live = scene.get("configmap", &format!("c{i}")).ok_or(format!("c{i} is gone"))?;
            let annotation = live["metadata"]["annotations"]["windlass.dev/owner"].to_string();
            if !annotation.contains(&owner) {
                return Err(format!("c{i}: {annotation}"));
            }
        }
        Ok(())
    });
}

/// A commit that has the objects in the directory `to` and in no other of `a` and `b`, with one object that
/// stays in each.
fn commit_in(scene: &Scene, to: &str, objects: usize) -> String {
    let mut files: Vec<(String, Option<String>)> = Vec::new();
    for directory in ["a", "b"] {
        files.push((format!("{directory}/own.yaml"), Some(config_map(&format!("own-{directory}"), "own"))));
        let moved: String = (0..objects).map(|i| config_map(&format!("c{i}"), "one") + "---\n").collect();
        let content = if directory == to { moved } else { String::new() };
        files.push((format!("{directory}/moved.yaml"), Some(content)));
    }
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_deref())).collect();
    scene.repository.commit(&files)
}

fn in_a(scene: &Scene, objects: usize) -> BTreeMap<String, String> {
    let commit = commit_in(scene, "a", objects);
    for name in ["a", "b"] {
        scene.application(name, json!({}));
        scene.ready_at("Ready", name, &commit);
    }
    uids(scene)
}

fn there_and_back_in_one_commit_each() {
    let scene = Scene::new();
    let before = in_a(&scene, 3);
    for round in 0..6 {
        let to = if round % 2 == 0 { "b" } else { "a" };
        let commit = commit_in(&scene, to, 3);
        scene.refresh("a");
        for name in ["a", "b"] {
            scene.ready_at("Ready after the move", name, &commit);
        }
        owned_by(&scene, to, 3);
        assert_eq!(uids(&scene), before, "round {round}: none was deleted");
    }
    scene.settled();
    assert_eq!(uids(&scene), before);
}

/// With other credentials an Application looks at the repository on its own, so a refresh of the one tells
/// the other nothing.
fn whoever_looks_first() {
    let scene = Scene::new();
    for name in ["a", "b"] {
        scene.kubectl(&[
            "create",
            "secret",
            "generic",
            name,
            &format!("--from-literal=username={name}"),
            "--from-literal=password=any",
        ]);
    }
    let commit = commit_in(&scene, "a", 3);
    for name in ["a", "b"] {
        let mut source = scene.source("env", name);
        source["secretRef"] = json!({"name": name});
        scene.application(name, json!({"sources": [source]}));
        scene.ready_at("Ready", name, &commit);
    }
    let before = uids(&scene);
    for (first, to) in [("a", "b"), ("a", "a"), ("b", "b"), ("b", "a")] {
        let commit = commit_in(&scene, to, 3);
        scene.refresh(first);
        // The giver has the other one asked; the taker has to wait for the giver.
        if first == to {
            scene.not_ready("the taker waits", first, "Conflict");
        } else {
            scene.ready_at("the giver Ready", first, &commit);
        }
        pause(1.0);
        assert_eq!(uids(&scene), before, "{first} looked first, to {to}");
        let second = if first == "a" { "b" } else { "a" };
        scene.refresh(second);
        scene.ready_at("second one Ready", second, &commit);
        owned_by(&scene, to, 3);
        assert_eq!(uids(&scene), before, "{first} looked first, to {to}");
    }
}

fn a_directory_while_the_controller_is_killed() {
    let mut scene = Scene::waiting(&[]);
    scene.controller.start_leading();
    let before = in_a(&scene, OBJECTS);
    for round in 0..6 {
        let to = if round % 2 == 0 { "b" } else { "a" };
        commit_in(&scene, to, OBJECTS);
        let request = format!("windlass.dev/request={{\"id\": \"{round}\", \"action\": \"refresh\"}}");
        let first = if round % 3 == 0 { "a" } else { "b" };
        scene.kubectl(&["annotate", "--overwrite", "wapp", first, &request]);
        let moment = Duration::from_millis(rand::rng().random_range(0..400));
        thread::sleep(moment);
        scene.controller.kill();
        println!("moving: round {round} killed after {moment:?}");
        assert_eq!(uids(&scene), before, "round {round}, killed after {moment:?}");
        scene.kubectl(&["delete", "lease", "--all"]);
        scene.controller.start_leading();
        owned_by(&scene, to, OBJECTS);
        assert_eq!(uids(&scene), before, "round {round}, started again after {moment:?}");
    }
    scene.settled();
    assert_eq!(uids(&scene), before);
}

/// The manifest of an Application at a path of this scene's repository.
fn application(scene: &Scene, name: &str, path: &str) -> String {
    let spec = json!({"sources": [scene.source("env", path)]});
    json!({"apiVersion": "windlass.dev/v1alpha1", "kind": "Application", "metadata": {"name": name}, "spec": spec})
        .to_string()
}

fn into_an_application_of_the_same_commit() {
    let scene = Scene::new();
    let objects =
        |n: usize| (0..n).map(|i| config_map(&format!("c{i}"), "one") + "---\n").collect::<String>();
    let own = config_map("own-a", "own");
    let (a, b) = (application(&scene, "a", "a"), application(&scene, "b", "b"));
    let commit = scene.repository.commit(&[
        ("root/a.yaml", Some(&a)),
        ("a/own.yaml", Some(&own)),
        ("a/moved.yaml", Some(&objects(3))),
    ]);
    scene.application("root", json!({}));
    for name in ["root", "a"] {
        scene.ready_at("Ready", name, &commit);
    }
    let before = uids(&scene);
    let commit = scene.repository.commit(&[
        ("root/b.yaml", Some(&b)),
        ("a/moved.yaml", Some("")),
        ("b/moved.yaml", Some(&objects(3))),
    ]);
    scene.refresh("a");
    for name in ["root", "a", "b"] {
        scene.ready_at("Ready after the move", name, &commit);
    }
    owned_by(&scene, "b", 3);
    assert_eq!(uids(&scene), before);
    // Another name for the same path, and the old Application gone, in one commit.
    let c = application(&scene, "c", "b");
    let commit = scene.repository.commit(&[("root/b.yaml", None), ("root/c.yaml", Some(&c))]);
    scene.refresh("root");
    for name in ["root", "c"] {
        scene.ready_at("Ready after the renaming", name, &commit);
    }
    until("the old Application gone", || match scene.read("b") {
        None => Ok(()),
        Some(app) => Err(format!("{:?}", app.status.map(|status| status.conditions))),
    });
    owned_by(&scene, "c", 3);
    assert_eq!(uids(&scene), before);
}

fn an_application_replaced_by_one_of_the_same_path() {
    let scene = Scene::new();
    let before = in_a(&scene, 3);
    let mut spec = json!({"sources": [scene.source("env", "a")]});
    spec["deletionPolicy"] = json!("Prune");
    scene.try_application("again", &spec).unwrap();
    scene.kubectl(&["delete", "wapp", "a", "--wait=false"]);
    until("the old Application gone", || match scene.read("a") {
        None => Ok(()),
        Some(app) => Err(format!("{:?}", app.status.map(|status| status.conditions))),
    });
    owned_by(&scene, "again", 3);
    assert_eq!(uids(&scene), before);
}

fn more_than_the_prune_limit() {
    let scene = Scene::new();
    let before = in_a(&scene, OBJECTS);
    let commit = commit_in(&scene, "b", OBJECTS);
    scene.refresh("a");
    for name in ["a", "b"] {
        scene.ready_at("Ready after the move", name, &commit);
    }
    owned_by(&scene, "b", OBJECTS);
    assert_eq!(uids(&scene), before);
    assert!(!scene.controller.log().contains("PruneLimitExceeded"), "what moves is not pruned");
}

fn to_one_that_waits_for_a_person() {
    let scene = Scene::new();
    let before = in_a(&scene, 3);
    scene.application("b", json!({"sync": {"mode": "Manual"}}));
    until("Manual", || {
        let ready = scene.condition("b", "Ready")?;
        if ready.status == "True" { Ok(()) } else { Err(ready.message) }
    });
    let commit = commit_in(&scene, "b", 3);
    scene.refresh("a");
    scene.ready_at("the giver Ready", "a", &commit);
    scene.not_ready("the taker waits", "b", "AwaitingSync");
    scene.settled();
    assert_eq!(uids(&scene), before, "let go, not deleted");
    scene.windlass(&["sync", "b"]).ok();
    scene.ready_at("the taker Ready", "b", &commit);
    owned_by(&scene, "b", 3);
    assert_eq!(uids(&scene), before);
}

fn claim(name: &str) -> String {
    format!(
        "apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: {name}}}
spec: {{accessModes: [ReadWriteOnce], storageClassName: none, resources: {{requests: {{storage: 1Gi}}}}}}
"
    )
}

fn data_waits_for_a_broken_application_and_the_rest_for_a_minute() {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[
        ("a/own.yaml", Some(&config_map("own-a", "own"))),
        ("a/settings.yaml", Some(&config_map("settings", "one"))),
        ("a/data.yaml", Some(&claim("data"))),
        ("b/own.yaml", Some(&config_map("own-b", "own"))),
    ]);
    // A claim that no volume is made for never becomes healthy.
    for name in ["a", "b"] {
        scene.application(name, json!({}));
        until("synced", || {
            let revision = scene.read(name).and_then(|app| app.status).unwrap_or_default().sync.revision;
            if revision.contains(&commit[..7]) { Ok(()) } else { Err(revision) }
        });
    }
    let uid = scene.get("pvc", "data").unwrap()["metadata"]["uid"].clone();
    let last = scene.get("configmap", "settings").unwrap()["metadata"]["uid"].clone();
    scene.repository.commit(&[
        ("a/settings.yaml", None),
        ("a/data.yaml", None),
        ("b/data.yaml", Some(&claim("data"))),
        ("b/settings.yaml", Some("not: [closed")),
    ]);
    scene.refresh("a");
    scene.not_ready("the taker is broken", "b", "InvalidYaml");
    let owner = format!("{}/b", scene.namespace);
    until("it says whom it waits for", || {
        let ready = scene.condition("a", "Ready")?;
        if ready.message.contains(&owner) { Ok(()) } else { Err(ready.message) }
    });
    assert_eq!(scene.get("configmap", "settings").unwrap()["metadata"]["uid"], last, "it waits");
    until_within(Duration::from_secs(120), "the ConfigMap waits for a minute", || {
        if scene.get("configmap", "settings").is_none() { Ok(()) } else { Err("it is still there".into()) }
    });
    let message = scene.not_ready("the claim waits", "a", "PruneHeld");
    assert!(message.contains("PersistentVolumeClaim") && message.contains(&owner), "{message}");
    assert_eq!(scene.get("pvc", "data").unwrap()["metadata"]["uid"], uid);
    scene.repository.commit(&[("b/settings.yaml", Some(&config_map("settings", "two")))]);
    scene.refresh("b");
    until("the claim taken over", || {
        let live = scene.get("pvc", "data").ok_or("it is gone")?;
        let annotation = live["metadata"]["annotations"]["windlass.dev/owner"].to_string();
        if annotation.contains(&format!("{owner}:")) { Ok(()) } else { Err(annotation) }
    });
    assert_eq!(scene.get("pvc", "data").unwrap()["metadata"]["uid"], uid);
    until("nothing waits any more", || {
        let ready = scene.condition("a", "Ready")?;
        if ready.status == "True" { Ok(()) } else { Err(ready.message) }
    });
}
