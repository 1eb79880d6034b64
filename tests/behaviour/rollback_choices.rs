//! What a rollback leaves alone, and what Git may say after one.

use serde_json::json;

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, until};
use crate::tests;

tests![what_cannot_be_undone_is_left, git_decides_after_a_rollback, a_stable_release_that_fails_is_told];

fn bad(image: &str) -> String {
    deployment("web", 1, image).replace("{labels: {app: web}}", "{labels: {app: web, fail: crash}}")
}

fn annotated(name: &str, value: &str, annotation: &str) -> String {
    let metadata = format!("{{name: {name}, annotations: {{{annotation}}}}}");
    config_map(name, value).replace(&format!("{{name: {name}}}"), &metadata)
}

fn definition(group: &str, label: &str) -> String {
    format!(
        "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: gizmos.{group}, labels: {{made-by: {label}}}}}
spec:
  group: {group}
  names: {{kind: Gizmo, plural: gizmos}}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"
    )
}

fn application(scene: &Scene) {
    scene.application("shop", json!({"onFailure": "Rollback", "health": {"timeout": "5s"}}));
}

fn refresh(scene: &Scene) {
    scene.windlass(&["refresh", "shop", "--no-wait"]).ok();
}

fn value(scene: &Scene, name: &str) -> String {
    let found = scene.get("configmap", name).unwrap_or_default();
    found["data"]["key"].as_str().unwrap_or("none").to_owned()
}

fn rolled_back(scene: &Scene, bad: &str) {
    until("rolled back", || {
        let ready = scene.condition("shop", "Ready")?;
        let settings = value(scene, "settings");
        // A claim that stays and finds no volume is unhealthy after a while, rollback or not.
        let rolled_back = matches!(ready.reason.as_str(), "RolledBack" | "RollbackFailed");
        let told = rolled_back && ready.message.contains(&bad[..7]);
        if told && settings == "one" {
            return Ok(());
        }
        Err(format!("{}: {}, settings {settings}", ready.reason, ready.message))
    });
}

fn what_cannot_be_undone_is_left() {
    let scene = Scene::new();
    let group = "left.behaviour.example";
    let (keep, sealed) = ("windlass.dev/rollback: Keep", "windlass.dev/irreversible: \"true\"");
    let first = scene.repository.commit(&[
        ("shop/web.yaml", Some(&deployment("web", 1, "web:1"))),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/kept.yaml", Some(&annotated("kept", "one", keep))),
        ("shop/sealed.yaml", Some(&annotated("sealed", "one", sealed))),
        ("shop/definition.yaml", Some(&definition(group, "good"))),
    ]);
    application(&scene);
    scene.ready_at("Ready", "shop", &first);

    let made = format!("{}-made", scene.namespace);
    let namespace = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {made}}}\n");
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\n\
        spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n";
    let second = scene.repository.commit(&[
        ("shop/web.yaml", Some(&bad("web:2"))),
        ("shop/settings.yaml", Some(&config_map("settings", "two"))),
        ("shop/kept.yaml", Some(&annotated("kept", "two", keep))),
        ("shop/definition.yaml", Some(&definition(group, "bad"))),
        ("shop/namespace.yaml", Some(&namespace)),
        ("shop/claim.yaml", Some(claim)),
    ]);
    refresh(&scene);
    rolled_back(&scene, &second);
    scene.settled();
    rolled_back(&scene, &second);
    assert_eq!(value(&scene, "kept"), "two");
    let crd = scene.get("crd", &format!("gizmos.{group}")).unwrap();
    assert_eq!(crd["metadata"]["labels"]["made-by"], "bad");
    for (kind, name) in [("namespace", made.as_str()), ("pvc", "data")] {
        let object = scene.get(kind, name).unwrap();
        assert!(object["metadata"]["deletionTimestamp"].is_null(), "{kind} {name} goes");
    }

    let third = scene.repository.commit(&[
        ("shop/web.yaml", Some(&bad("web:3"))),
        ("shop/settings.yaml", Some(&config_map("settings", "three"))),
        ("shop/sealed.yaml", Some(&annotated("sealed", "three", sealed))),
    ]);
    refresh(&scene);
    let message = scene.not_ready("held", "shop", "Irreversible");
    assert!(message.contains("sealed"), "{message}");
    scene.settled();
    assert_eq!((value(&scene, "settings").as_str(), value(&scene, "sealed").as_str()), ("three", "three"));
    let status = scene.read("shop").and_then(|app| app.status).unwrap();
    assert!(status.quarantined.iter().all(|entry| !entry.revision.contains(&third[..7])), "{status:?}");
}

fn git_decides_after_a_rollback() {
    let scene = Scene::new();
    let commit = |web: &str, settings: &str| {
        let files = [("shop/web.yaml", Some(web)), ("shop/settings.yaml", Some(settings))];
        let commit = scene.repository.commit(&files);
        application(&scene);
        refresh(&scene);
        commit
    };
    let (one, two) = (config_map("settings", "one"), config_map("settings", "two"));
    let oldest = commit(&deployment("web", 1, "web:0"), &config_map("settings", "zero"));
    scene.ready_at("the oldest", "shop", &oldest);
    let good = commit(&deployment("web", 1, "web:1"), &one);
    scene.ready_at("the good one", "shop", &good);
    let failed = commit(&bad("web:2"), &two);
    rolled_back(&scene, &failed);

    // The same objects in another commit are what failed.
    let again = commit(&bad("web:2"), &format!("# A remark.\n{two}"));
    until("the commit is seen", || {
        let status = scene.read("shop").and_then(|app| app.status).unwrap_or_default();
        let seen = status.sources.iter().any(|source| source.revision.contains(&again[..7]));
        if seen { Ok(()) } else { Err(format!("{:?}", status.sources)) }
    });
    scene.settled();
    let ready = scene.condition("shop", "Ready").unwrap();
    assert_eq!((ready.reason.as_str(), value(&scene, "settings").as_str()), ("RolledBack", "one"));

    // What was good before may come back: what was restored, and what is older than that.
    let back = commit(&deployment("web", 1, "web:1"), &one);
    scene.ready_at("back at the good one", "shop", &back);
    let failed = commit(&bad("web:3"), &two);
    rolled_back(&scene, &failed);
    let older = commit(&deployment("web", 1, "web:0"), &config_map("settings", "zero"));
    scene.ready_at("back at the oldest", "shop", &older);
    assert_eq!(value(&scene, "settings"), "zero");
}

fn a_stable_release_that_fails_is_told() {
    let scene = Scene::new();
    let group = "failing.behaviour.example";
    let gizmo = format!("apiVersion: {group}/v1\nkind: Gizmo\nmetadata: {{name: big}}\n");
    let first = scene.repository.commit(&[
        ("shop/web.yaml", Some(&deployment("web", 1, "web:1"))),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/definition.yaml", Some(&definition(group, "good"))),
        ("shop/gizmo.yaml", Some(&gizmo)),
    ]);
    application(&scene);
    scene.ready_at("Ready", "shop", &first);
    scene.repository.commit(&[
        ("shop/web.yaml", Some(&bad("web:2"))),
        ("shop/settings.yaml", Some(&config_map("settings", "two"))),
    ]);
    refresh(&scene);
    until("the bad one begins", || {
        let status = scene.read("shop").and_then(|app| app.status).unwrap_or_default();
        status.next.map(|_| ()).ok_or_else(|| "it does not".to_owned())
    });
    let stalled =
        r#"{"status": {"conditions": [{"type": "Stalled", "status": "True", "message": "out of order"}]}}"#;
    scene.kubectl(&["patch", &format!("gizmos.{group}"), "big", "--type=merge", "--patch", stalled]);
    let message = scene.not_ready("neither works", "shop", "RollbackFailed");
    assert!(message.contains("out of order"), "{message}");
    assert_eq!(value(&scene, "settings"), "one");
    scene.settled();
    let fine = r#"{"status": {"conditions": [{"type": "Ready", "status": "True"}]}}"#;
    scene.kubectl(&["patch", &format!("gizmos.{group}"), "big", "--type=merge", "--patch", fine]);
    scene.not_ready("it works again", "shop", "RolledBack");
}
