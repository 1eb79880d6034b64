//! What a running controller tells: metrics, probes, Events, the status.

use serde_json::{Value, json};

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, block_on, until};
use crate::tests;

tests![
    metrics_count_what_was_done,
    events_tell_what_happened,
    unhealthy_objects_are_listed,
    the_status_page_has_it_all
];

fn get(url: &str) -> (u16, String) {
    block_on(async {
        let answer = reqwest::get(url).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    })
}

fn scene_with_shop() -> Scene {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[
        ("shop/web.yaml", Some(&deployment("web", 2, "web:1"))),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &commit);
    scene
}

fn metrics_count_what_was_done() {
    let scene = scene_with_shop();
    let address = scene.controller.operations();
    for path in ["healthz", "readyz"] {
        assert_eq!(get(&format!("{address}/{path}")).0, 200, "{path}");
    }
    let (status, metrics) = get(&format!("{address}/metrics"));
    assert_eq!(status, 200);
    for line in [
        "windlass_applications{health=\"Healthy\",sync=\"Synced\"} 1",
        "windlass_action_total{result=\"ok\",verb=\"Create\"} 2",
        "windlass_source_resolve_total{result=\"ok\"} 1",
        "windlass_render_total{result=\"ok\"} 1",
        "windlass_queue_depth 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in:\n{metrics}");
    }
    scene.kubectl(&["scale", "deployment/web", "--replicas=5"]);
    until("heal counted", || {
        let (_, metrics) = get(&format!("{address}/metrics"));
        let counted = metrics.contains("windlass_action_total{result=\"ok\",verb=\"Heal\"} 1");
        if counted { Ok(()) } else { Err(metrics) }
    });
    assert!(!metrics.contains("shop"), "names of Applications are no labels: they have no bound");
}

fn events_tell_what_happened() {
    let scene = scene_with_shop();
    let event = |reason: &str| {
        until(&format!("Event {reason}"), || {
            let events = scene.kubectl(&["get", "events", "--output=json"]);
            let events: Value = serde_json::from_str(&events).unwrap();
            let found =
                events["items"].as_array().unwrap().iter().find(|event| {
                    event["reason"] == reason && event["involvedObject"]["kind"] == "Application"
                });
            found.cloned().ok_or_else(|| format!("{} others", events["items"].as_array().unwrap().len()))
        })
    };
    let synced = event("Synced");
    assert_eq!(
        (synced["type"].clone(), synced["involvedObject"]["name"].clone()),
        (json!("Normal"), json!("shop"))
    );
    assert!(synced["message"].as_str().unwrap().contains("2 created"), "{synced}");
    scene.kubectl(&["delete", "configmap", "settings"]);
    let healed = event("Healed");
    assert!(healed["message"].as_str().unwrap().contains("settings"), "{healed}");
    scene.repository.commit(&[("shop/settings.yaml", Some("a: [\n"))]);
    scene.windlass(&["refresh", "shop"]);
    let failed = event("InvalidYaml");
    assert_eq!(failed["type"], "Warning");
    assert!(scene.kubectl(&["describe", "wapp", "shop"]).contains("InvalidYaml"));
}

fn unhealthy_objects_are_listed() {
    let scene = Scene::new();
    let crashing =
        deployment("bad", 1, "web:1").replace("{labels: {app: bad}}", "{labels: {app: bad, fail: image}}");
    scene.repository.commit(&[
        ("shop/bad.yaml", Some(&crashing)),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
    ]);
    scene.application("shop", json!({}));
    until("what is unhealthy told", || {
        let message = scene.condition("shop", "Ready")?.message;
        if message.contains("Deployment") && message.contains("bad") { Ok(()) } else { Err(message) }
    });
    let status = scene.read("shop").unwrap().status.unwrap();
    assert_eq!(format!("{:?}", status.sync.status), "Synced");
    assert_eq!(status.resources.total, 2);
    assert_eq!(status.resources.unhealthy.len(), 1);
    assert_eq!(status.resources.unhealthy[0].name, "bad");
    let said = scene.windlass(&["get", "shop"]).ok();
    assert!(said.contains(&format!("{}/bad", scene.namespace)), "{said}");
}

fn the_status_page_has_it_all() {
    let scene = scene_with_shop();
    let address = scene.controller.web();
    let (status, list) = get(&format!("{address}/"));
    assert_eq!(status, 200);
    for word in ["shop", "Synced", "Healthy", &scene.namespace] {
        assert!(list.contains(word), "{word} is not in:\n{list}");
    }
    let (status, page) = get(&format!("{address}/applications/{}/shop", scene.namespace));
    assert_eq!(status, 200);
    for word in ["Deployment", "web", "ConfigMap", "settings", "main@"] {
        assert!(page.contains(word), "{word} is not in:\n{page}");
    }
    let (status, json) = get(&format!("{address}/api/v1/applications"));
    assert_eq!(status, 200);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json.to_string().contains("shop"), "{json}");
}
