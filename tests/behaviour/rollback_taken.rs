//! A rollback prunes what the release that failed made, and nothing that was there before it.

use serde_json::json;

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, until};
use crate::tests;

tests![what_it_took_over_stays];

fn uid(scene: &Scene, name: &str) -> Option<String> {
    scene.get("configmap", name).map(|live| live["metadata"]["uid"].to_string())
}

fn message(scene: &Scene, name: &str) -> String {
    scene.condition(name, "Ready").map_or_else(|error| error, |ready| ready.message)
}

fn what_it_took_over_stays() {
    let mut scene = Scene::waiting(&[]);
    scene.controller.start_leading();
    let first = scene.repository.commit(&[
        ("a/own.yaml", Some(&config_map("own-a", "own"))),
        ("a/moved.yaml", Some(&config_map("moved", "one"))),
        ("b/web.yaml", Some(&deployment("web", 1, "web:1"))),
    ]);
    scene.application("a", json!({}));
    scene.application("b", json!({"onFailure": "Rollback", "health": {"timeout": "8s"}}));
    for name in ["a", "b"] {
        scene.ready_at("Ready", name, &first);
    }
    scene.kubectl_apply(&config_map("by-hand", "one"));
    scene.settled();
    let before = ["moved", "by-hand"].map(|name| uid(&scene, name));

    // One commit moves an object, adopts another, adds a third and is bad.
    let bad =
        deployment("web", 1, "web:2").replace("{labels: {app: web}}", "{labels: {app: web, fail: crash}}");
    let second = scene.repository.commit(&[
        ("a/moved.yaml", Some("")),
        ("b/moved.yaml", Some(&config_map("moved", "one"))),
        ("b/by-hand.yaml", Some(&config_map("by-hand", "one"))),
        ("b/added.yaml", Some(&config_map("added", "one"))),
        ("b/web.yaml", Some(&bad)),
    ]);
    scene.windlass(&["refresh", "b", "--no-wait"]).ok();
    scene.ready_at("the giver Ready", "a", &second);
    scene.not_ready("rolled back", "b", "RolledBack");
    until("what it made is pruned", || match uid(&scene, "added") {
        None => Ok(()),
        Some(_) => Err(message(&scene, "b")),
    });
    scene.settled();
    assert_eq!(["moved", "by-hand"].map(|name| uid(&scene, name)), before);
    let told = message(&scene, "b");
    assert!(told.contains("moved") && told.contains("by-hand") && told.contains("before"), "{told}");
    assert!(!told.contains("added"), "{told}");

    // A restart neither forgets nor prunes.
    assert!(scene.controller.stop().success());
    scene.controller.start_leading();
    scene.settled();
    assert_eq!(["moved", "by-hand"].map(|name| uid(&scene, name)), before);
    assert_eq!(message(&scene, "b"), told);

    // Git takes all of it back: the giver has its object again, and what was there by hand stays.
    let third = scene.repository.commit(&[
        ("a/moved.yaml", Some(&config_map("moved", "two"))),
        ("b/moved.yaml", None),
        ("b/by-hand.yaml", None),
        ("b/added.yaml", None),
        ("b/web.yaml", Some(&deployment("web", 1, "web:1"))),
    ]);
    scene.refresh("a");
    for name in ["a", "b"] {
        scene.ready_at("Ready after all was taken back", name, &third);
    }
    scene.settled();
    assert_eq!(["moved", "by-hand"].map(|name| uid(&scene, name)), before);
    assert_eq!(scene.get("configmap", "moved").unwrap()["data"]["key"], "two");
}
