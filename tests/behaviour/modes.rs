//! What the specification can change about the way a release reaches the cluster.

use std::time::Duration;

use serde_json::json;

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, pause, until, until_within};
use crate::tests;

tests![
    the_namespace_is_created_on_request,
    a_namespace_that_is_deleted_comes_back,
    manual_waits_for_a_person,
    suspend_stops_everything,
    polling_finds_a_commit,
    health_times_out,
];

fn the_namespace_is_created_on_request() {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    let destination = format!("{}-target", scene.namespace);
    scene.application("shop", json!({"destination": {"namespace": destination}}));
    let message = scene.not_ready("missing namespace told", "shop", "NamespaceNotFound");
    assert!(message.contains(&destination) && message.contains("sync.createNamespace"), "{message}");
    let sync = json!({"destination": {"namespace": destination}, "sync": {"createNamespace": true}});
    scene.application("shop", sync);
    scene.ready_at("namespace created", "shop", &commit);
    let live = scene.kubectl(&["get", "configmap", "settings", "--namespace", &destination, "--output=name"]);
    assert_eq!(live.trim(), "configmap/settings");

    scene.kubectl(&["delete", "wapp", "shop", "--timeout=60s"]);
    let left = scene.kubectl(&["get", "configmaps", "--namespace", &destination, "--output=name"]);
    assert!(!left.contains("settings"), "{left}");
    assert_eq!(scene.get("namespace", &destination).unwrap()["status"]["phase"], "Active");
}

fn a_namespace_that_is_deleted_comes_back() {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/web.yaml", Some(&deployment("web", 1, "web:1"))),
    ]);
    let destination = format!("{}-target", scene.namespace);
    let spec = json!({"destination": {"namespace": destination}, "sync": {"createNamespace": true}});
    scene.application("shop", spec);
    scene.ready_at("Ready", "shop", &commit);
    let uid = scene.get("namespace", &destination).unwrap()["metadata"]["uid"].clone();
    scene.kubectl(&["delete", "namespace", &destination, "--wait=false"]);
    until("namespace and objects back", || {
        let live = scene.get("namespace", &destination).ok_or("the namespace is gone")?;
        let names =
            scene.kubectl(&["get", "configmaps,deployments", "--namespace", &destination, "--output=name"]);
        if live["metadata"]["uid"] != uid && names.contains("settings") && names.contains("web") {
            return Ok(());
        }
        Err(format!("{}: {names}", live["status"]["phase"]))
    });
    scene.ready_at("Ready again", "shop", &commit);
}

fn manual_waits_for_a_person() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({"sync": {"mode": "Manual"}}));
    let message = scene.not_ready("waiting told", "shop", "AwaitingSync");
    assert!(message.contains("windlass sync shop"), "{message}");
    assert!(scene.get("configmap", "settings").is_none());
    let said = scene.windlass(&["sync", "shop"]).ok();
    assert!(said.contains(&first[..7]), "{said}");
    assert!(scene.get("configmap", "settings").is_some());

    scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    scene.refresh("shop");
    scene.not_ready("waiting again", "shop", "AwaitingSync");
    scene.kubectl(&["patch", "configmap", "settings", "--patch", r#"{"data": {"key": "evil"}}"#]);
    until("drift healed to what was synced", || {
        let live = scene.get("configmap", "settings").unwrap()["data"]["key"].clone();
        if live == "one" { Ok(()) } else { Err(format!("it is {live}")) }
    });
    scene.windlass(&["sync", "shop"]).ok();
    assert_eq!(scene.get("configmap", "settings").unwrap()["data"]["key"], "two");
    let history = scene.read("shop").unwrap().status.unwrap().history;
    assert_eq!(history.len(), 2, "{history:?}");
    assert!(history[0].trigger.contains("jane"), "{}", history[0].trigger);
}

fn suspend_stops_everything() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    scene.application("shop", json!({"suspend": true}));
    scene.not_ready("suspended", "shop", "Suspended");
    let mark = scene.mark();
    scene.kubectl(&["delete", "configmap", "settings"]);
    let refused = scene.windlass(&["refresh", "shop"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("suspend"), "{}", refused.stderr);
    pause(2.0);
    assert_eq!(scene.object_writes(mark), [""; 0]);
    assert!(scene.get("configmap", "settings").is_none());
    scene.application("shop", json!({"suspend": false}));
    until("restored after suspension", || {
        scene.get("configmap", "settings").map(|_| ()).ok_or_else(|| "it is not there".to_owned())
    });
}

fn polling_finds_a_commit() {
    let scene = Scene::with(&["--poll-interval=2s"]);
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    let second = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    scene.ready_at("found by polling every 2 s", "shop", &second);
}

fn health_times_out() {
    let scene = Scene::new();
    let never =
        deployment("web", 1, "web:1").replace("{labels: {app: web}}", "{labels: {app: web, fail: ready}}");
    scene.repository.commit(&[("shop/web.yaml", Some(&never))]);
    scene.application("shop", json!({"health": {"timeout": "3s"}}));
    scene.not_ready("progressing", "shop", "Progressing");
    let message = until_within(Duration::from_secs(60), "degraded after its health timeout of 3 s", || {
        let ready = scene.condition("shop", "Ready")?;
        if ready.reason == "Degraded" { Ok(ready.message) } else { Err(ready.reason) }
    });
    assert!(message.contains("Deployment") && message.contains("3s"), "{message}");
    let fixed = scene.repository.commit(&[("shop/web.yaml", Some(&deployment("web", 1, "web:2")))]);
    scene.refresh("shop");
    scene.ready_at("healthy again", "shop", &fixed);
}
