//! What a hook that fails does to its release.

use serde_json::{Value, json};
use windlass_core::api::ApplicationStatus;

use crate::harness::manifests::{config_map, job};
use crate::harness::{Scene, until};
use crate::tests;

tests![a_failed_hook_undoes_its_release, a_hook_that_the_cluster_failed_holds_it];

fn hook(name: &str, phase: &str, pod: Value) -> String {
    job(name, "tool:1", json!({"windlass.dev/hook": phase}), pod)
}

fn failing() -> Value {
    json!({"labels": {"fail": "exit"}, "annotations": {"says": "no such table"}})
}

fn status(scene: &Scene) -> ApplicationStatus {
    scene.read("shop").and_then(|app| app.status).unwrap_or_default()
}

fn settings(scene: &Scene) -> String {
    let found = scene.get("configmap", "settings").unwrap_or_default();
    found["data"]["key"].as_str().unwrap_or("none").to_owned()
}

/// An Application that rolls back, with a release that proved itself.
fn good(more: &[(&str, Option<&str>)]) -> Scene {
    let scene = Scene::new();
    let one = config_map("settings", "one");
    let files: Vec<_> =
        [("shop/settings.yaml", Some(one.as_str()))].into_iter().chain(more.iter().copied()).collect();
    let commit = scene.repository.commit(&files);
    scene.application("shop", json!({"onFailure": "Rollback"}));
    scene.ready_at("the good one", "shop", &commit);
    scene
}

fn commit(scene: &Scene, files: &[(&str, Option<&str>)]) -> String {
    let two = config_map("settings", "two");
    let files: Vec<_> =
        [("shop/settings.yaml", Some(two.as_str()))].into_iter().chain(files.iter().copied()).collect();
    let commit = scene.repository.commit(&files);
    scene.windlass(&["refresh", "shop", "--no-wait"]).ok();
    commit
}

fn rolled_back(scene: &Scene) -> String {
    until("rolled back", || {
        let (ready, settings) = (scene.condition("shop", "Ready")?, settings(scene));
        let done = ready.reason == "RolledBack" && settings == "one";
        if done { Ok(ready.message) } else { Err(format!("{}: {}, {settings}", ready.reason, ready.message)) }
    })
}

fn a_failed_hook_undoes_its_release() {
    let scene = good(&[]);
    let bad = hook("check", "PostSync", failing());
    let second = commit(&scene, &[("shop/check.yaml", Some(&bad))]);
    let message = rolled_back(&scene);
    assert!(message.contains(&second[..7]), "{message}");
    assert!(message.contains("PostSync hook Job") && message.contains("no such table"), "{message}");
    let entry = status(&scene).quarantined.remove(0);
    assert_eq!(entry.reason, "HookFailed");
    scene.settled();
    assert_eq!(settings(&scene), "one");
}

fn a_hook_that_the_cluster_failed_holds_it() {
    let scene = good(&[]);
    let busy = json!({"labels": {"fail": "image"}, "annotations": {"says": "unexpected status code 429 Too Many Requests"}});
    let bad = hook("migrate", "PreSync", busy);
    let bad = bad.replace(r#""backoffLimit":0"#, r#""backoffLimit":0,"activeDeadlineSeconds":6"#);
    assert!(bad.contains("activeDeadlineSeconds"));
    commit(&scene, &[("shop/migrate.yaml", Some(&bad))]);
    until("it says what the hook waits for", || {
        let ready = scene.condition("shop", "Ready")?;
        if ready.message.contains("429") {
            Ok(())
        } else {
            Err(format!("{}: {}", ready.reason, ready.message))
        }
    });
    let message = scene.not_ready("held", "shop", "HookFailed");
    assert!(message.contains("DeadlineExceeded") && message.contains("429"), "{message}");
    assert!(message.contains("not rolled back: that is no fault of the release"), "{message}");
    scene.settled();
    assert!(status(&scene).quarantined.is_empty());
    assert_eq!(scene.condition("shop", "Stalled").unwrap().status, "True");
}
