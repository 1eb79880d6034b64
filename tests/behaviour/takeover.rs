//! Objects that people applied with kubectl, or another tool did, before Git had them.

use serde_json::{Value, json};

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, until};
use crate::tests;

tests![
    what_kubectl_applied_and_git_does_not_have_goes,
    replicas_survive_a_take_over,
    an_object_that_is_applied_once_is_adopted_as_it_is,
    from_flux_by_force,
];

fn what_kubectl_applied_and_git_does_not_have_goes() {
    let scene = Scene::new();
    let by_hand = deployment("web", 2, "web:1").replace("tier: front", "tier: front, old: label").replace(
        "image: \"web:1\"}",
        "image: \"web:1\", env: [{name: OLD, value: x}]}\n      - {name: side, image: \"side:1\"}",
    );
    scene.kubectl_apply(&by_hand);
    let uid = scene.get("deployment", "web").unwrap()["metadata"]["uid"].clone();
    let commit = scene.repository.commit(&[("shop/web.yaml", Some(&deployment("web", 2, "web:1")))]);
    scene.application("shop", json!({}));
    scene.ready_at("taken over", "shop", &commit);
    let live = scene.get("deployment", "web").unwrap();
    assert_eq!(live["metadata"]["uid"], uid);
    let containers = live["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1);
    assert_eq!(containers[0].get("env"), None);
    assert_eq!(live["metadata"]["labels"].get("old"), None);
    let last_applied = "kubectl.kubernetes.io/last-applied-configuration";
    assert_eq!(live["metadata"]["annotations"].get(last_applied), None);
    scene.settled();
}

fn replicas_survive_a_take_over() {
    let scene = Scene::new();
    scene.kubectl_apply(&deployment("web", 6, "web:1"));
    let without = deployment("web", 1, "web:1").replace("  replicas: 1\n", "");
    let commit = scene.repository.commit(&[("shop/web.yaml", Some(&without))]);
    scene.application("shop", json!({}));
    scene.ready_at("taken over", "shop", &commit);
    scene.settled();
    assert_eq!(scene.get("deployment", "web").unwrap()["spec"]["replicas"], 6);
}

fn an_object_that_is_applied_once_is_adopted_as_it_is() {
    let scene = Scene::new();
    scene.kubectl_apply(&config_map("settings", "by hand"));
    let once = "name: settings, annotations: {windlass.dev/create-only: 'true'}";
    let once = config_map("settings", "one").replace("name: settings", once);
    let commit = scene.repository.commit(&[("shop/settings.yaml", Some(&once))]);
    scene.application("shop", json!({}));
    scene.ready_at("adopted", "shop", &commit);
    scene.settled();
    assert_eq!(scene.get("configmap", "settings").unwrap()["data"]["key"], "by hand");
}

fn from_flux_by_force() {
    let scene = Scene::new();
    let theirs = config_map("settings", "theirs")
        .replace("name: settings", "name: settings, labels: {kustomize.toolkit.fluxcd.io/name: shop}")
        .replace("\ndata: {", "\ndata: {more: theirs, ");
    let file = scene.directory().join("theirs.yaml");
    std::fs::write(&file, theirs).unwrap();
    let manager = "--field-manager=kustomize-controller";
    scene.kubectl(&["apply", "--server-side", manager, "--filename", file.to_str().unwrap()]);
    let commit = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "ours")))]);
    scene.application("shop", json!({"sync": {"adopt": "Force"}}));
    scene.ready_at("taken over", "shop", &commit);
    until("nothing of theirs left", || {
        let live = scene.get("configmap", "settings").unwrap();
        let label = live["metadata"]["labels"].get("kustomize.toolkit.fluxcd.io/name").cloned();
        let found = (live["data"].clone(), label.unwrap_or(Value::Null));
        if found == (json!({"key": "ours"}), Value::Null) { Ok(()) } else { Err(format!("{found:?}")) }
    });
}
