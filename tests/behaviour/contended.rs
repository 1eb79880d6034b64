//! A field that somebody else keeps setting back.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::manifests::config_map;
use crate::harness::{Scene, until};
use crate::tests;

tests![a_fight_is_told_with_field_and_rival_and_forgotten_when_it_ends];

fn a_fight_is_told_with_field_and_rival_and_forgotten_when_it_ends() {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &commit);
    scene.settled();
    let mark = scene.mark();
    let mut round = 0;
    let deadline = Instant::now() + Duration::from_secs(60);
    let message = loop {
        round += 1;
        let patch = format!(r#"{{"data": {{"key": "round {round}"}}}}"#);
        scene.kubectl(&["patch", "configmap", "settings", "--field-manager=rival", "--patch", &patch]);
        let ready = scene.condition("shop", "Ready").unwrap();
        if ready.reason == "Contended" {
            break ready.message;
        }
        assert!(Instant::now() < deadline, "{}: {}", ready.reason, ready.message);
    };
    for part in ["ConfigMap", "settings", "rival", "/data/key", "spec.sync.ignore"] {
        assert!(message.contains(part), "{message}");
    }
    let heals = scene.object_writes(mark).len();
    assert!(heals <= 8, "{heals} heals against {round} changes");
    // The release is none the worse for it: the next one is applied.
    let next = scene.repository.commit(&[("shop/more.yaml", Some(&config_map("more", "two")))]);
    scene.refresh("shop");
    until("next release applied", || scene.get("configmap", "more").map(drop).ok_or("there is none".into()));
    scene.ready_at("the fight is over", "shop", &next);
    assert_eq!(scene.get("configmap", "settings").unwrap()["data"]["key"], "one");
}
