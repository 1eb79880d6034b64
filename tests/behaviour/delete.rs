//! The end of an Application.

use std::time::Duration;

use serde_json::json;

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, pause, until};
use crate::tests;

tests![
    deleting_prunes,
    deleting_orphans_on_request,
    deleting_waits_for_a_controller,
    deleting_one_that_never_synced,
    objects_of_others_survive,
];

fn deleted(scene: &Scene, name: &str) {
    scene.kubectl(&["delete", "wapp", name, "--wait=false"]);
    until("deleted Application gone", || match scene.read(name) {
        None => Ok(()),
        Some(app) => Err(format!("{:?} {:?}", app.metadata.finalizers, app.status.map(|s| s.conditions))),
    });
}

fn deleting_prunes() {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[
        ("shop/web.yaml", Some(&deployment("web", 2, "web:1"))),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("other/more.yaml", Some(&config_map("more", "one"))),
    ]);
    for name in ["shop", "other"] {
        scene.application(name, json!({}));
        scene.ready_at("Ready", name, &commit);
    }
    assert_eq!(scene.read("shop").unwrap().metadata.finalizers, Some(vec!["windlass.dev/prune".to_owned()]));
    let mark = scene.mark();
    deleted(&scene, "shop");
    assert!(scene.get("deployment", "web").is_none_or(|web| !web["metadata"]["deletionTimestamp"].is_null()));
    assert!(scene.get("configmap", "settings").is_none());
    assert!(scene.get("configmap", "more").is_some(), "the other Application keeps its object");
    let writes = scene.object_writes(mark);
    assert_eq!(writes, ["delete configmaps settings", "delete deployments web"]);
    let releases = scene.kubectl(&["get", "secrets", "--output=name"]);
    assert_eq!(releases.matches("windlass-release-").count(), 1, "{releases}");

    // The same name can be used again at once.
    scene.application("shop", json!({}));
    scene.ready_at("Ready again", "shop", &commit);
}

fn deleting_orphans_on_request() {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({"deletionPolicy": "Orphan"}));
    scene.ready_at("Ready", "shop", &commit);
    deleted(&scene, "shop");
    pause(1.0);
    let live = scene.get("configmap", "settings").expect("it stays");
    assert_eq!(live["data"]["key"], "one");
    let marks = format!("{} {}", live["metadata"]["labels"], live["metadata"]["annotations"]);
    assert!(!marks.contains("windlass.dev"), "{marks}");
}

fn deleting_waits_for_a_controller() {
    let mut scene = Scene::new();
    let commit = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &commit);
    assert!(scene.controller.stop().success());
    scene.kubectl(&["delete", "wapp", "shop", "--wait=false"]);
    pause(1.0);
    assert!(scene.read("shop").unwrap().metadata.deletion_timestamp.is_some());
    assert!(scene.get("configmap", "settings").is_some());
    scene.controller.start();
    until("deleted by the controller that came back", || {
        match (scene.read("shop").is_some(), scene.get("configmap", "settings").is_some()) {
            (false, false) => Ok(()),
            (application, object) => Err(format!("Application {application}, object {object}")),
        }
    });
}

fn deleting_one_that_never_synced() {
    let scene = Scene::new();
    scene.repository.commit(&[("shop/settings.yaml", Some("not: [closed"))]);
    scene.application("shop", json!({}));
    scene.not_ready("broken", "shop", "InvalidYaml");
    deleted(&scene, "shop");
}

fn objects_of_others_survive() {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/more.yaml", Some(&config_map("more", "one"))),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &commit);
    // Suspended, Windlass does not take it back, and so it is theirs when the Application goes.
    scene.application("shop", json!({"suspend": true}));
    until("suspended", || {
        let ready = scene.condition("shop", "Ready")?;
        if ready.reason == "Suspended" { Ok(()) } else { Err(ready.reason) }
    });
    scene.kubectl(&["annotate", "configmap/settings", "windlass.dev/owner-"]);
    std::thread::sleep(Duration::from_millis(500));
    deleted(&scene, "shop");
    assert!(scene.get("configmap", "settings").is_some());
    assert!(scene.get("configmap", "more").is_none());
}
