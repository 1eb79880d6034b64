//! The end of an Application.

use std::time::Duration;

use serde_json::json;

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, pause, until};
use crate::tests;

tests![
    deleting_prunes,
    deleting_orphans_on_request,
    deleting_waits_for_a_controller,
    deleting_one_that_never_synced,
    objects_of_others_survive,
    what_asks_to_stay_stays,
    a_finalizer_that_stays_is_named,
    deleting_needs_no_git,
    deleting_while_the_namespace_goes,
    deleting_during_a_sync_and_killed,
];

fn deleted(scene: &Scene, name: &str) {
    scene.kubectl(&["delete", "wapp", name, "--wait=false"]);
    until("deleted Application gone", || match scene.read(name) {
        None => Ok(()),
        Some(app) => Err(format!("{:?} {:?}", app.metadata.finalizers, app.status.map(|s| s.conditions))),
    });
}

fn deleting_prunes() {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[
        ("shop/web.yaml", Some(&deployment("web", 2, "web:1"))),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("other/more.yaml", Some(&config_map("more", "one"))),
    ]);
    for name in ["shop", "other"] {
        scene.application(name, json!({}));
        scene.ready_at("Ready", name, &commit);
    }
    assert_eq!(scene.read("shop").unwrap().metadata.finalizers, Some(vec!["windlass.dev/prune".to_owned()]));
    let mark = scene.mark();
    deleted(&scene, "shop");
    assert!(scene.get("deployment", "web").is_none_or(|web| !web["metadata"]["deletionTimestamp"].is_null()));
    assert!(scene.get("configmap", "settings").is_none());
    assert!(scene.get("configmap", "more").is_some(), "the other Application keeps its object");
    let writes = scene.object_writes(mark);
    assert_eq!(writes, ["delete configmaps settings", "delete deployments web"]);
    let releases = scene.kubectl(&["get", "secrets", "--output=name"]);
    assert_eq!(releases.matches("windlass-release-").count(), 1, "{releases}");

    // The same name can be used again at once.
    scene.application("shop", json!({}));
    scene.ready_at("Ready again", "shop", &commit);
}

fn deleting_orphans_on_request() {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({"deletionPolicy": "Orphan"}));
    scene.ready_at("Ready", "shop", &commit);
    deleted(&scene, "shop");
    pause(1.0);
    let live = scene.get("configmap", "settings").expect("it stays");
    assert_eq!(live["data"]["key"], "one");
    let marks = format!("{} {}", live["metadata"]["labels"], live["metadata"]["annotations"]);
    assert!(!marks.contains("windlass.dev"), "{marks}");
}

fn deleting_waits_for_a_controller() {
    let mut scene = Scene::new();
    let commit = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &commit);
    assert!(scene.controller.stop().success());
    scene.kubectl(&["delete", "wapp", "shop", "--wait=false"]);
    pause(1.0);
    assert!(scene.read("shop").unwrap().metadata.deletion_timestamp.is_some());
    assert!(scene.get("configmap", "settings").is_some());
    scene.controller.start();
    until("deleted by the controller that came back", || {
        match (scene.read("shop").is_some(), scene.get("configmap", "settings").is_some()) {
            (false, false) => Ok(()),
            (application, object) => Err(format!("Application {application}, object {object}")),
        }
    });
}

fn deleting_one_that_never_synced() {
    let scene = Scene::new();
    scene.repository.commit(&[("shop/settings.yaml", Some("not: [closed"))]);
    scene.application("shop", json!({}));
    scene.not_ready("broken", "shop", "InvalidYaml");
    deleted(&scene, "shop");
}

fn objects_of_others_survive() {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/more.yaml", Some(&config_map("more", "one"))),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &commit);
    // Suspended, Windlass does not take it back, and so it is theirs when the Application goes.
    scene.application("shop", json!({"suspend": true}));
    until("suspended", || {
        let ready = scene.condition("shop", "Ready")?;
        if ready.reason == "Suspended" { Ok(()) } else { Err(ready.reason) }
    });
    scene.kubectl(&["annotate", "configmap/settings", "windlass.dev/owner-"]);
    std::thread::sleep(Duration::from_millis(500));
    deleted(&scene, "shop");
    assert!(scene.get("configmap", "settings").is_some());
    assert!(scene.get("configmap", "more").is_none());
}

fn what_asks_to_stay_stays() {
    let scene = Scene::new();
    let marked = |name: &str, annotation: &str| {
        config_map(name, "one").replace(
            &format!("{{name: {name}}}"),
            &format!("{{name: {name}, annotations: {{{annotation}}}}}"),
        )
    };
    let commit = scene.repository.commit(&[
        ("shop/a.yaml", Some(&marked("kept", "windlass.dev/prune: \"false\""))),
        ("shop/b.yaml", Some(&marked("argo", "argocd.argoproj.io/sync-options: Delete=false"))),
        ("shop/c.yaml", Some(&config_map("other", "one"))),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &commit);
    deleted(&scene, "shop");
    assert!(scene.get("configmap", "kept").is_some());
    assert!(scene.get("configmap", "argo").is_some());
    assert!(scene.get("configmap", "other").is_none());
}

fn a_finalizer_that_stays_is_named() {
    let scene = Scene::new();
    let held =
        config_map("held", "one").replace("{name: held}", "{name: held, finalizers: [example.org/hold]}");
    let commit = scene
        .repository
        .commit(&[("shop/held.yaml", Some(&held)), ("shop/free.yaml", Some(&config_map("free", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &commit);
    scene.kubectl(&["delete", "wapp", "shop", "--wait=false"]);
    let message = scene.not_ready("what it waits for", "shop", "Deleting");
    assert!(message.contains("/held") && message.contains("example.org/hold"), "{message}");
    assert!(scene.get("configmap", "free").is_none(), "the rest is gone");
    scene.kubectl(&[
        "patch",
        "configmap",
        "held",
        "--type=merge",
        "--patch",
        r#"{"metadata":{"finalizers":null}}"#,
    ]);
    until("gone", || if scene.read("shop").is_none() { Ok(()) } else { Err("it is still there".into()) });
}

fn deleting_needs_no_git() {
    let mut scene = Scene::new();
    let commit = scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("other/more.yaml", Some(&config_map("more", "one"))),
    ]);
    for name in ["shop", "other"] {
        scene.application(name, json!({}));
        scene.ready_at("Ready", name, &commit);
    }
    scene.repository.delete();
    deleted(&scene, "shop");
    assert!(scene.get("configmap", "settings").is_none());
    assert!(scene.get("configmap", "more").is_some());
    // A controller that never reached the repository deletes as well.
    assert!(scene.controller.stop().success());
    scene.controller.start_leading();
    deleted(&scene, "other");
    assert!(scene.get("configmap", "more").is_none());
}

fn deleting_while_the_namespace_goes() {
    let scene = Scene::new();
    let target = format!("{}-target", scene.namespace);
    let held =
        config_map("held", "one").replace("{name: held}", "{name: held, finalizers: [example.org/hold]}");
    let commit = scene
        .repository
        .commit(&[("shop/held.yaml", Some(&held)), ("shop/free.yaml", Some(&config_map("free", "one")))]);
    scene.application(
        "shop",
        json!({"destination": {"namespace": target}, "sync": {"createNamespace": true}}),
    );
    scene.ready_at("Ready", "shop", &commit);
    scene.kubectl(&["delete", "namespace", &target, "--wait=false"]);
    scene.kubectl(&["delete", "wapp", "shop", "--wait=false"]);
    let message = scene.not_ready("what it waits for", "shop", "Deleting");
    assert!(message.contains("example.org/hold"), "{message}");
    let patch = r#"{"metadata":{"finalizers":null}}"#;
    scene.kubectl(&["--namespace", &target, "patch", "configmap", "held", "--type=merge", "--patch", patch]);
    until("gone", || if scene.read("shop").is_none() { Ok(()) } else { Err("it is still there".into()) });
}

fn deleting_during_a_sync_and_killed() {
    let mut scene = Scene::waiting(&[]);
    let files: Vec<_> =
        (0..60).map(|i| (format!("shop/{i}.yaml"), config_map(&format!("c{i}"), "one"))).collect();
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    scene.repository.commit(&files);
    scene.controller.start_leading();
    scene.application("shop", json!({}));
    until("the sync is under way", || {
        if scene.get("configmap", "c0").is_some() { Ok(()) } else { Err("nothing yet".into()) }
    });
    scene.kubectl(&["delete", "wapp", "shop", "--wait=false"]);
    std::thread::sleep(Duration::from_millis(150));
    scene.controller.kill();
    scene.kubectl(&["delete", "lease", "--all"]);
    scene.controller.start_leading();
    until("gone", || if scene.read("shop").is_none() { Ok(()) } else { Err("it is still there".into()) });
    let live = scene.kubectl(&["get", "configmaps", "--output=name"]);
    assert!(!live.contains("configmap/c"), "{live}");
}
