//! What people ask by annotation, and commits that rewrite what was there.

use std::thread;

use serde_json::json;

use crate::harness::manifests::config_map;
use crate::harness::{Scene, pause, until};
use crate::tests;

tests![
    a_request_is_carried_out_once,
    a_request_that_makes_no_sense_is_ignored,
    a_rewritten_branch_is_followed,
    a_branch_that_goes_and_comes_back,
    many_applications_at_once,
    links_stay_inside_the_repository,
];

fn request(scene: &Scene, text: &str) {
    scene.kubectl(&["annotate", "--overwrite", "wapp", "shop", &format!("windlass.dev/request={text}")]);
}

fn handled(scene: &Scene) -> Option<String> {
    scene.read("shop").unwrap().status.unwrap().handled_request
}

fn a_request_is_carried_out_once() {
    let mut scene = Scene::new();
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({"sync": {"mode": "Manual"}}));
    scene.not_ready("waiting", "shop", "AwaitingSync");
    request(&scene, r#"{"id": "1", "action": "sync", "by": "jane"}"#);
    scene.ready_at("synced by annotation", "shop", &first);
    assert_eq!(handled(&scene).as_deref(), Some("1"));

    // The annotation stays, and neither a restart nor a commit carries it out again.
    assert!(scene.controller.stop().success());
    scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    scene.controller.start_leading();
    scene.not_ready("waiting again", "shop", "AwaitingSync");
    pause(1.0);
    assert_eq!(scene.get("configmap", "settings").unwrap()["data"]["key"], "one");
    let history = scene.read("shop").unwrap().status.unwrap().history;
    assert_eq!(history.len(), 1, "{history:?}");
    assert_eq!(history[0].trigger, "sync requested by jane (claimed)");
}

fn a_request_that_makes_no_sense_is_ignored() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    let long = format!(r#"{{"id": "{}", "action": "sync"}}"#, "x".repeat(300));
    for text in ["not JSON", "{}", r#"{"id": "1", "action": "explode"}"#, "[1, 2]", &long] {
        request(&scene, text);
        pause(0.3);
    }
    assert_eq!(handled(&scene), None);
    assert_eq!(scene.condition("shop", "Ready").unwrap().status, "True");
    let second = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    scene.refresh("shop");
    scene.ready_at("Ready after nonsense", "shop", &second);
}

fn a_rewritten_branch_is_followed() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    let second = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    scene.refresh("shop");
    scene.ready_at("Ready", "shop", &second);
    scene.repository.go_back(1);
    scene.refresh("shop");
    scene.ready_at("the older commit Ready", "shop", &first);
    assert_eq!(scene.get("configmap", "settings").unwrap()["data"]["key"], "one");
    let other = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "other")))]);
    scene.refresh("shop");
    scene.ready_at("a commit on top of it Ready", "shop", &other);
}

fn a_branch_that_goes_and_comes_back() {
    let scene = Scene::with(&["--poll-interval=2s"]);
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.repository.name("branch", "feature");
    let mut source = scene.source("env", "shop");
    source["git"]["branch"] = json!("feature");
    scene.application("shop", json!({"sources": [source]}));
    scene.ready_at("Ready", "shop", &first);
    scene.repository.remove("refs/heads/feature");
    let message = scene.not_ready("removed branch told", "shop", "RevisionNotFound");
    assert!(message.contains("feature"), "{message}");
    assert!(scene.get("configmap", "settings").is_some());
    let second = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    scene.repository.name("branch", "feature");
    scene.ready_at("the branch that came back Ready", "shop", &second);
}

fn many_applications_at_once() {
    let scene = Scene::new();
    let names: Vec<_> = (0..20).map(|i| format!("app{i}")).collect();
    let files = |value: &str| {
        names
            .iter()
            .map(|name| (format!("{name}/settings.yaml"), config_map(name, value)))
            .collect::<Vec<_>>()
    };
    let commit = |files: Vec<(String, String)>| {
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
        scene.repository.commit(&files)
    };
    let first = commit(files("one"));
    thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| scene.application(name, json!({})));
        }
    });
    for name in &names {
        scene.ready_at("one of 20 Ready", name, &first);
    }
    let mark = scene.mark();
    let second = commit(files("two"));
    // One look at the repository is enough for all of them.
    scene.refresh("app0");
    for name in &names {
        scene.ready_at("one of 20 Ready after one refresh", name, &second);
    }
    assert_eq!(scene.object_writes(mark).len(), 20);
}

fn links_stay_inside_the_repository() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    scene.repository.link("shop/secret.yaml", "/etc/passwd");
    scene.windlass(&["refresh", "shop"]);
    let message = until("link out of the repository told", || {
        let ready = scene.condition("shop", "Ready")?;
        if ready.status == "False" { Ok(ready.message) } else { Err(ready.message) }
    });
    assert!(message.contains("shop/secret.yaml"), "{message}");
    assert!(!message.contains("root:"), "{message}");
    scene.repository.link("shop/secret.yaml", "../elsewhere/more.yaml");
    let inside = scene.repository.commit(&[("elsewhere/more.yaml", Some(&config_map("linked", "one")))]);
    scene.refresh("shop");
    scene.ready_at("link inside the repository Ready", "shop", &inside);
    assert!(scene.get("configmap", "linked").is_some());
}
