//! A write lands on exactly the object it was decided by, or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::harness::manifests::config_map;
use crate::harness::{Fate, Gate, Scene, block_on, cluster, until};
use crate::tests;

tests![
    a_write_that_comes_late_changes_nothing,
    a_creation_that_comes_late_changes_nothing,
    an_object_that_keeps_changing_is_written_nevertheless,
    a_prune_that_comes_late_spares_what_was_taken_over,
];

/// A scene in sync, and a gate at which requests to its ConfigMap wait from now on.
fn held(verb: &'static str) -> (Scene, crate::harness::Proxy, Gate) {
    let mut scene = Scene::waiting(&[]);
    let proxy = scene.proxy();
    scene.controller.start();
    let first = scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/more.yaml", Some(&config_map("more", "one"))),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    scene.settled();
    let gate = Gate::default();
    let at = gate.clone();
    proxy.decide(move |method, path| {
        let object = path.contains("/configmaps/settings?") && !path.contains("dryRun");
        if method == verb && object { Fate::Waits(at.clone()) } else { Fate::Passes }
    });
    (scene, proxy, gate)
}

fn arrived(gate: &Gate) {
    until("the write is under way", || if gate.arrived() > 0 { Ok(()) } else { Err("it is not".into()) });
}

fn a_write_that_comes_late_changes_nothing() {
    let (scene, _proxy, gate) = held("PATCH");
    scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    scene.windlass(&["refresh", "shop", "--no-wait"]).ok();
    arrived(&gate);
    scene.kubectl(&["patch", "configmap", "settings", "--patch", TAKEN]);
    gate.open();
    let message = scene.not_ready("taken over meanwhile", "shop", "Conflict");
    assert!(message.contains("settings") && message.contains("Helm"), "{message}");
    assert_eq!(scene.get("configmap", "settings").unwrap()["data"]["key"], "theirs");
}

fn a_creation_that_comes_late_changes_nothing() {
    let (scene, _proxy, gate) = held("PATCH");
    let second = scene.repository.commit(&[("shop/settings.yaml", None)]);
    scene.windlass(&["refresh", "shop", "--no-wait"]).ok();
    scene.ready_at("Ready without it", "shop", &second);
    assert!(scene.get("configmap", "settings").is_none());
    scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    scene.windlass(&["refresh", "shop", "--no-wait"]).ok();
    arrived(&gate);
    scene.kubectl_apply(&config_map("settings", "theirs"));
    scene.kubectl(&["patch", "configmap", "settings", "--patch", TAKEN]);
    gate.open();
    let message = scene.not_ready("made meanwhile", "shop", "Conflict");
    assert!(message.contains("settings") && message.contains("Helm"), "{message}");
    assert_eq!(scene.get("configmap", "settings").unwrap()["data"]["key"], "theirs");
}

/// What Helm would make of the object.
const TAKEN: &str = r#"{"data": {"key": "theirs"}, "metadata": {
    "labels": {"app.kubernetes.io/managed-by": "Helm"},
    "annotations": {"meta.helm.sh/release-name": "shop", "windlass.dev/owner": null}}}"#;

fn an_object_that_keeps_changing_is_written_nevertheless() {
    let (scene, proxy, gate) = held("NONE");
    drop(gate);
    proxy.pass();
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, namespace) = (stop.clone(), scene.namespace.clone());
    let busy = thread::spawn(move || {
        let api = Api::<ConfigMap>::namespaced(cluster().client.clone(), &namespace);
        for round in 0.. {
            if stopped.load(Ordering::Relaxed) {
                return round;
            }
            let patch = json!({"metadata": {"annotations": {"round": round.to_string()}}});
            block_on(api.patch("settings", &PatchParams::default(), &Patch::Merge(patch))).unwrap();
        }
        0
    });
    let second = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    scene.windlass(&["refresh", "shop", "--no-wait"]).ok();
    scene.ready_at("written between two changes", "shop", &second);
    stop.store(true, Ordering::Relaxed);
    assert!(busy.join().unwrap() > 0);
    assert_eq!(scene.get("configmap", "settings").unwrap()["data"]["key"], "two");
}

fn a_prune_that_comes_late_spares_what_was_taken_over() {
    let (scene, _proxy, gate) = held("DELETE");
    let second = scene.repository.commit(&[("shop/settings.yaml", None)]);
    scene.windlass(&["refresh", "shop", "--no-wait"]).ok();
    arrived(&gate);
    scene.kubectl(&["patch", "configmap", "settings", "--patch", TAKEN]);
    gate.open();
    scene.ready_at("Ready without it", "shop", &second);
    assert_eq!(scene.get("configmap", "settings").unwrap()["data"]["key"], "theirs");
}
