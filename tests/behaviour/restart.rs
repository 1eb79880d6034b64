//! A controller that starts again finds everything as it left it, whatever state that was.

use serde_json::json;

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, pause, until};
use crate::tests;

tests![
    in_sync_nothing_is_written,
    unsettled_applications_are_left_as_they_are,
    drift_meanwhile_is_healed,
    drift_meanwhile_is_told_where_healing_is_off,
    a_lost_status_is_rebuilt,
];

/// Starts the controller again and asserts that it writes nothing but its Lease.
fn restart_writes_nothing(scene: &mut Scene, what: &str) {
    let mark = scene.mark();
    scene.controller.start_leading();
    pause(4.0);
    assert_eq!(scene.writes_but_lease(mark), [""; 0], "{what}");
}

fn in_sync_nothing_is_written() {
    let mut scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/web.yaml", Some(&deployment("web", 2, "web:1"))),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("other/more.yaml", Some(&config_map("more", "one"))),
    ]);
    for name in ["shop", "other"] {
        scene.application(name, json!({}));
        scene.ready_at("Ready", name, &first);
    }
    scene.settled();

    assert!(scene.controller.stop().success());
    restart_writes_nothing(&mut scene, "after SIGTERM");
    scene.controller.kill();
    // Here the Lease has to run out by itself.
    restart_writes_nothing(&mut scene, "after SIGKILL");

    let next = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    let mark = scene.mark();
    scene.refresh("shop");
    scene.ready_at("a commit after restarts", "shop", &next);
    assert_eq!(scene.object_writes(mark), ["patch configmaps settings"]);
}

fn unsettled_applications_are_left_as_they_are() {
    let mut scene = Scene::new();
    let names = ["broken", "manual", "drifted", "suspended", "unhealthy", "conflict"];
    let mut files: Vec<_> = names.map(|name| (format!("{name}/app.yaml"), config_map(name, "one"))).into();
    let sick =
        deployment("sick", 1, "web:1").replace("{labels: {app: sick}}", "{labels: {app: sick, fail: image}}");
    files.push(("unhealthy/sick.yaml".to_owned(), sick));
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    let first = scene.repository.commit(&files);
    for name in names {
        let spec = match name {
            "drifted" => json!({"sync": {"selfHeal": false}}),
            _ => json!({}),
        };
        scene.application(name, spec);
        if name != "unhealthy" {
            scene.ready_at("Ready", name, &first);
        }
    }
    scene.application("manual", json!({"sync": {"mode": "Manual"}}));
    scene.application("suspended", json!({"suspend": true}));
    scene.repository.commit(&[
        ("broken/app.yaml", Some("a: [\n")),
        ("manual/app.yaml", Some(&config_map("manual", "two"))),
        ("conflict/stolen.yaml", Some(&config_map("broken", "stolen"))),
    ]);
    scene.refresh("broken");
    scene.kubectl(&["patch", "configmap", "drifted", "--patch", r#"{"data": {"key": "by hand"}}"#]);
    let reasons = [
        ("broken", "InvalidYaml"),
        ("manual", "AwaitingSync"),
        ("drifted", "Drifted"),
        ("suspended", "Suspended"),
        ("conflict", "Conflict"),
    ];
    for (name, reason) in reasons {
        scene.not_ready(reason, name, reason);
    }
    until("unhealthy told", || match scene.condition("unhealthy", "Ready")? {
        ready if ready.message.contains("0 of 1 pod") => Ok(()),
        ready => Err(ready.message),
    });
    scene.settled();
    assert!(scene.controller.stop().success());
    let mark = scene.mark();
    scene.controller.start_leading();
    pause(4.0);
    // A release that was never complete is applied once more, which changes no object.
    let (again, others): (Vec<_>, Vec<_>) = scene
        .writes(mark)
        .into_iter()
        .filter(|write| write.resource != "leases")
        .partition(|write| write.name == "conflict" || write.name.starts_with("conflict."));
    assert_eq!(others, [], "after {again:?}");
    for (name, reason) in reasons {
        assert_eq!(scene.condition(name, "Ready").unwrap().reason, reason, "{name}");
    }
    assert_eq!(scene.get("configmap", "drifted").unwrap()["data"]["key"], "by hand");
    assert_eq!(scene.get("configmap", "manual").unwrap()["data"]["key"], "one");
}

fn drift_meanwhile_is_healed() {
    let mut scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/web.yaml", Some(&deployment("web", 2, "web:1"))),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/more.yaml", Some(&config_map("more", "one"))),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    scene.settled();
    assert!(scene.controller.stop().success());
    scene.kubectl(&["scale", "deployment/web", "--replicas=4"]);
    scene.kubectl(&["delete", "configmap", "settings"]);
    let second = scene.repository.commit(&[("shop/more.yaml", None)]);
    scene.controller.start_leading();
    until("what drifted meanwhile healed", || {
        let replicas = scene.get("deployment", "web").unwrap()["spec"]["replicas"].clone();
        let settings = scene.get("configmap", "settings").is_some();
        let more = scene.get("configmap", "more").is_some();
        if replicas == 2 && settings && !more {
            return Ok(());
        }
        Err(format!("{replicas} replicas, settings {settings}, more {more}"))
    });
    scene.ready_at("Ready", "shop", &second);
}

fn drift_meanwhile_is_told_where_healing_is_off() {
    let mut scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/web.yaml", Some(&deployment("web", 2, "web:1"))),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/more.yaml", Some(&config_map("more", "one"))),
        ("shop/gone.yaml", Some(&config_map("gone", "one"))),
    ]);
    scene.application("shop", json!({"sync": {"selfHeal": false}}));
    scene.ready_at("Ready", "shop", &first);
    scene.settled();
    assert!(scene.controller.stop().success());
    scene.kubectl(&["scale", "deployment/web", "--replicas=4"]);
    scene.kubectl(&["delete", "configmap", "gone"]);
    let mark = scene.mark();
    scene.controller.start_leading();
    for what in ["drift told", "drift told after another restart"] {
        let message = until(what, || {
            let ready = scene.condition("shop", "Ready")?;
            let all = ready.reason == "Drifted" && ready.message.contains("web");
            if all { Ok(ready.message) } else { Err(format!("{}: {}", ready.reason, ready.message)) }
        });
        assert!(message.contains("gone"), "{message}");
        assert!(!message.contains("settings") && !message.contains("more"), "{message}");
        scene.settled();
        assert_eq!(scene.object_writes(mark), [""; 0], "{what}");
        assert!(scene.controller.stop().success());
        scene.controller.start_leading();
    }
}

/// As after a restore from a backup, which does not keep the status of custom resources.
fn a_lost_status_is_rebuilt() {
    let mut scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/more.yaml", Some(&config_map("more", "one"))),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    assert!(scene.controller.stop().success());
    let uid = scene.get("configmap", "settings").unwrap()["metadata"]["uid"].clone();
    let patch = r#"[{"op": "remove", "path": "/status"}]"#;
    scene.kubectl(&["patch", "wapp", "shop", "--subresource=status", "--type=json", "--patch", patch]);
    assert!(scene.read("shop").unwrap().status.is_none());
    let second = scene.repository.commit(&[("shop/more.yaml", None)]);
    scene.controller.start_leading();
    scene.ready_at("Ready without the old status", "shop", &second);
    assert_eq!(scene.get("configmap", "settings").unwrap()["metadata"]["uid"], uid);
    assert!(scene.get("configmap", "more").is_none(), "what Git dropped meanwhile is pruned");
}
