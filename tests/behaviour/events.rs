//! Who did what, when and why: told by Events, by `windlass get` and by metrics.

use serde_json::{Value, json};

use crate::harness::manifests::config_map;
use crate::harness::{Scene, block_on, until};
use crate::tests;

tests![every_decision_is_told];

/// The messages of the Events of an Application with a reason.
fn events(scene: &Scene, reason: &str) -> Vec<String> {
    let list: Value = serde_json::from_str(&scene.kubectl(&["get", "events", "--output=json"])).unwrap();
    let events = list["items"].as_array().unwrap().iter();
    let ours =
        events.filter(|event| event["involvedObject"]["kind"] == "Application" && event["reason"] == reason);
    ours.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

fn told(scene: &Scene, reason: &str, words: &[&str]) {
    until(&format!("Event {reason}"), || {
        let all = events(scene, reason);
        let found = all.iter().any(|message| words.iter().all(|word| message.contains(word)));
        if found { Ok(()) } else { Err(format!("{words:?} are not in {all:?}")) }
    });
}

fn every_decision_is_told() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/old.yaml", Some(&config_map("old", "one"))),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("first commit Ready", "shop", &first);
    told(&scene, "Synced", &[&first[..7], "2 created", "by commit"]);

    scene.kubectl(&["patch", "configmap", "settings", "--patch", r#"{"data": {"key": "evil"}}"#]);
    told(&scene, "Healed", &["1 healed", "/settings", "/data/key by kubectl-patch"]);
    scene.kubectl(&["delete", "configmap", "settings"]);
    told(&scene, "Healed", &["1 restored", "/settings"]);

    let second = scene.repository.commit(&[("shop/old.yaml", None)]);
    scene.windlass(&["sync", "shop"]).ok();
    scene.ready_at("second commit Ready", "shop", &second);
    told(&scene, "Synced", &[&second[..7], "1 pruned", "/old", "sync requested by jane (claimed)"]);

    scene.repository.commit(&[(
        "shop/bad.yaml",
        Some("apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {ports: [{port: 80000}]}\n"),
    )]);
    scene.windlass(&["refresh", "shop"]);
    scene.not_ready("refused", "shop", "PreflightFailed");
    told(&scene, "PreflightFailed", &["shop/bad.yaml:1", "80000"]);

    let page = scene.windlass(&["get", "shop"]).ok();
    assert!(page.contains("refused by preflight: ") && page.contains("serving"), "{page}");
    let wide = scene.windlass(&["get", "shop", "--output=wide"]).ok();
    for word in
        ["Healed", "/data/key by kubectl-patch", "1 pruned", "PreflightFailed", "sync requested by jane"]
    {
        assert!(wide.contains(word), "{word} is not in:\n{wide}");
    }
    let metrics = block_on(async {
        let address = format!("{}/metrics", scene.controller.operations());
        reqwest::get(address).await.unwrap().text().await.unwrap()
    });
    for line in [
        r#"windlass_event_total{reason="Synced"} 2"#,
        r#"windlass_event_total{reason="Healed"} 2"#,
        r#"windlass_event_total{reason="PreflightFailed"} 1"#,
        r#"windlass_preflight_total{result="refused"} 1"#,
        r#"windlass_action_total{result="ok",verb="Prune"} 1"#,
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in:\n{metrics}");
    }
}
