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
    what_failed_under_the_old_name_is_known,
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
    create_new_with(scene, json!({"sources": [scene.source("env", path)]}));
}

fn create_new_with(scene: &Scene, spec: Value) {
    scene.kubectl_apply(
        &json!({
            "apiVersion": "windlass.dev/v1alpha1",
            "kind": "Application",
            "metadata": {
                "name": "new",
                "annotations": {"windlass.dev/moved-from": format!("{}/old", scene.namespace)}
            },
            "spec": spec
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

fn what_failed_under_the_old_name_is_known() {
    let mut scene = Scene::waiting(&[]);
    scene.controller.start_leading();
    let policy = json!({"onFailure": "Rollback", "health": {"timeout": "8s"}});
    let first = scene.repository.commit(&[
        ("old/web.yaml", Some(&deployment("web", 1, "web:1"))),
        ("old/settings.yaml", Some(&config_map("settings", "one"))),
    ]);
    scene.application("old", policy.clone());
    scene.ready_at("the old one Ready", "old", &first);
    scene.settled();
    let before = uids(&scene);
    let bad =
        deployment("web", 1, "web:2").replace("{labels: {app: web}}", "{labels: {app: web, fail: crash}}");
    let second = scene
        .repository
        .commit(&[("old/web.yaml", Some(&bad)), ("old/settings.yaml", Some(&config_map("settings", "two")))]);
    scene.windlass(&["refresh", "old", "--no-wait"]).ok();
    scene.not_ready("rolled back", "old", "RolledBack");
    let live = |scene: &Scene, value: &str| {
        let settings = scene.get("configmap", "settings").unwrap()["data"]["key"].clone();
        if settings == value { Ok(()) } else { Err(settings.to_string()) }
    };
    until("as it was", || live(&scene, "one"));
    scene.settled();
    let versions = |scene: &Scene| scene.kubectl(&["get", "replicasets", "--output=name"]);
    let tried = versions(&scene);

    let mut spec = policy;
    spec["sources"] = json!([scene.source("env", "old")]);
    create_new_with(&scene, spec);
    let message = scene.not_ready("known under the new name", "new", "RolledBack");
    assert!(message.contains(&second[..7]) && message.contains(&first[..7]), "{message}");
    until("taken over", || {
        let live = scene.get("deployment", "web").unwrap();
        let annotation = live["metadata"]["annotations"]["windlass.dev/owner"].to_string();
        if annotation.contains("/new:") { Ok(()) } else { Err(annotation) }
    });
    let status = scene.read("new").and_then(|app| app.status).unwrap();
    assert!(status.history.len() >= 3, "{:?}", status.history);
    assert!(status.stable.is_some_and(|stable| stable.revision.contains(&first[..7])));
    scene.kubectl(&["delete", "wapp", "old", "--wait=false"]);
    gone(&scene, "old");
    scene.settled();
    scene.controller.kill();
    scene.kubectl(&["delete", "lease", "--all"]);
    scene.controller.start_leading();
    scene.settled();
    scene.not_ready("still known after a restart", "new", "RolledBack");
    live(&scene, "one").unwrap();
    assert_eq!(versions(&scene), tried, "the bad one was not tried again");
    let now = uids(&scene);
    for name in ["Deployment/web", "ConfigMap/settings"] {
        assert_eq!(now.get(name), before.get(name), "{name}");
    }

    // A mended commit goes on from there.
    let third = scene.repository.commit(&[("old/web.yaml", Some(&deployment("web", 1, "web:3")))]);
    scene.refresh("new");
    scene.ready_at("a mended commit", "new", &third);
    live(&scene, "two").unwrap();
}
