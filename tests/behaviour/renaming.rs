//! An Application under a new name: all objects are its own afterwards, and none was deleted or restarted.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use rand::RngExt as _;
use serde_json::{Value, json};

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, pause, until};
use crate::tests;

tests![
    the_old_one_lets_go,
    the_old_one_is_deleted_meanwhile,
    while_the_controller_is_killed,
    the_old_one_is_gone_by_force,
];

/// UIDs by kind and name of everything in the namespace that a restart would replace.
fn uids(scene: &Scene) -> BTreeMap<String, String> {
    let list = scene.kubectl(&["get", "configmaps,deployments,replicasets,pods", "--output=json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = list["items"].as_array().unwrap().iter();
    let items = items.filter(|item| item["metadata"]["name"] != "kube-root-ca.crt");
    items
        .map(|i| {
            (format!("{}/{}", text(&i["kind"]), text(&i["metadata"]["name"])), text(&i["metadata"]["uid"]))
        })
        .collect()
}

/// Creates the Application `new`, which takes the place of `old`, at a path.
fn create_new(scene: &Scene, path: &str) {
    scene.kubectl_apply(
        &json!({
            "apiVersion": "windlass.dev/v1alpha1",
            "kind": "Application",
            "metadata": {
                "name": "new",
                "annotations": {"windlass.dev/moved-from": format!("{}/old", scene.namespace)}
            },
            "spec": {"sources": [scene.source("env", path)]}
        })
        .to_string(),
    );
}

fn with_old(scene: &Scene) -> String {
    let commit = scene.repository.commit(&[
        ("old/web.yaml", Some(&deployment("web", 2, "web:1"))),
        ("old/settings.yaml", Some(&config_map("settings", "one"))),
        ("old/more.yaml", Some(&config_map("more", "one"))),
        ("new/web.yaml", Some(&deployment("web", 2, "web:1"))),
        ("new/settings.yaml", Some(&config_map("settings", "one"))),
    ]);
    scene.application("old", json!({}));
    scene.ready_at("the old one Ready", "old", &commit);
    commit
}

fn taken_over(scene: &Scene) {
    for (kind, name) in [("deployment", "web"), ("configmap", "settings")] {
        let live = scene.get(kind, name).unwrap();
        let annotation = live["metadata"]["annotations"]["windlass.dev/owner"].as_str().unwrap();
        assert!(annotation.contains(&format!("/{}/new:", scene.namespace)), "{annotation}");
    }
}

fn gone(scene: &Scene, name: &str) {
    until("the Application gone", || match scene.read(name) {
        None => Ok(()),
        Some(app) => Err(format!("{:?}", app.status.map(|status| status.conditions))),
    });
}

fn the_old_one_lets_go() {
    let scene = Scene::new();
    let commit = with_old(&scene);
    let before = uids(&scene);
    create_new(&scene, "old");
    scene.ready_at("the new one Ready", "new", &commit);
    let message = scene.not_ready("the old one lets go", "old", "Moved");
    assert!(message.contains(&format!("{}/new", scene.namespace)), "{message}");
    taken_over(&scene);
    assert_eq!(uids(&scene), before);
    scene.settled();
    let mark = scene.mark();
    pause(3.0);
    assert_eq!(scene.writes_but_lease(mark), [""; 0], "no tug of war");
    // The old one goes, and everything stays.
    scene.kubectl(&["delete", "wapp", "old", "--wait=false"]);
    gone(&scene, "old");
    scene.settled();
    assert_eq!(uids(&scene), before);
    // What Git no longer has is pruned by the new one.
    let next = scene.repository.commit(&[("old/more.yaml", None)]);
    scene.refresh("new");
    scene.ready_at("the new one Ready again", "new", &next);
    assert!(scene.get("configmap", "more").is_none());
}

fn the_old_one_is_deleted_meanwhile() {
    let mut scene = Scene::waiting(&[]);
    scene.controller.start_leading();
    let commit = with_old(&scene);
    let before = uids(&scene);
    assert!(scene.controller.stop().success());
    scene.kubectl(&["delete", "wapp", "old", "--wait=false"]);
    create_new(&scene, "new");
    scene.controller.start_leading();
    scene.ready_at("the new one Ready", "new", &commit);
    gone(&scene, "old");
    taken_over(&scene);
    // The path of the new one does not have this object, and the old one did.
    until("what the new one does not have is pruned", || match scene.get("configmap", "more") {
        None => Ok(()),
        Some(live) => Err(live["metadata"].to_string()),
    });
    let mut rest = before;
    rest.remove("ConfigMap/more");
    assert_eq!(uids(&scene), rest);
}

fn while_the_controller_is_killed() {
    let mut scene = Scene::waiting(&[]);
    scene.controller.start_leading();
    let commit = with_old(&scene);
    let before = uids(&scene);
    create_new(&scene, "old");
    for round in 0..4 {
        let moment = Duration::from_millis(rand::rng().random_range(0..400));
        thread::sleep(moment);
        scene.controller.kill();
        println!("renaming: round {round} killed after {moment:?}");
        assert_eq!(uids(&scene), before, "round {round}, killed after {moment:?}");
        scene.kubectl(&["delete", "lease", "--all"]);
        if round == 2 {
            scene.kubectl(&["delete", "wapp", "old", "--wait=false"]);
        }
        scene.controller.start_leading();
    }
    scene.ready_at("the new one Ready", "new", &commit);
    gone(&scene, "old");
    taken_over(&scene);
    scene.settled();
    assert_eq!(uids(&scene), before);
}

fn the_old_one_is_gone_by_force() {
    let scene = Scene::new();
    let commit = with_old(&scene);
    let before = uids(&scene);
    scene.kubectl(&[
        "patch",
        "wapp",
        "old",
        "--type=merge",
        "--patch",
        r#"{"metadata":{"finalizers":null}}"#,
    ]);
    scene.kubectl(&["delete", "wapp", "old"]);
    create_new(&scene, "new");
    scene.ready_at("the new one Ready", "new", &commit);
    until("what nobody wants is pruned", || match scene.get("configmap", "more") {
        None => Ok(()),
        Some(live) => Err(live["metadata"].to_string()),
    });
    taken_over(&scene);
    let mut rest = before;
    rest.remove("ConfigMap/more");
    assert_eq!(uids(&scene), rest);
    until("what was stored of the old one is gone", || {
        let stored = scene.kubectl(&["get", "secrets", "--output=name"]);
        if stored.matches("windlass-release-").count() == 1 { Ok(()) } else { Err(stored) }
    });
}
