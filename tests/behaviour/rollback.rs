//! A release that fails is undone as a whole, and what failed is not applied again.

use serde_json::{Value, json};

use crate::harness::manifests::{config_map, deployment, service};
use crate::harness::{Scene, until};
use crate::tests;

tests![a_bad_release_is_undone_and_stays_so];

fn role(verb: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: reader}}\n\
         rules: [{{apiGroups: [\"\"], resources: [pods], verbs: [{verb}]}}]\n"
    )
}

fn bad(name: &str) -> String {
    deployment(name, 1, "web:2").replace("{labels: {app: web}}", "{labels: {app: web, fail: crash}}")
}

/// What the release says of each object, as it is live.
fn live(scene: &Scene) -> Value {
    let read = |kind: &str, name: &str, path: &str| {
        scene.get(kind, name).and_then(|object| object.pointer(path).cloned()).unwrap_or_default()
    };
    json!([
        read("deployment", "web", "/spec/template/spec/containers/0/image"),
        read("configmap", "settings", "/data/key"),
        read("service", "web", "/spec/ports/0/port"),
        read("role", "reader", "/rules/0/verbs/0"),
        read("configmap", "added", "/data/key"),
        read("configmap", "removed", "/data/key"),
    ])
}

fn a_bad_release_is_undone_and_stays_so() {
    let mut scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/web.yaml", Some(&deployment("web", 1, "web:1"))),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/service.yaml", Some(&service("web"))),
        ("shop/role.yaml", Some(&role("get"))),
        ("shop/removed.yaml", Some(&config_map("removed", "one"))),
    ]);
    scene.application("shop", json!({"onFailure": "Rollback", "health": {"timeout": "8s"}}));
    scene.ready_at("Ready", "shop", &first);
    let before = live(&scene);

    let second = scene.repository.commit(&[
        ("shop/web.yaml", Some(&bad("web"))),
        ("shop/settings.yaml", Some(&config_map("settings", "two"))),
        ("shop/service.yaml", Some(&service("web").replace("80", "81"))),
        ("shop/role.yaml", Some(&role("list"))),
        ("shop/removed.yaml", None),
        ("shop/added.yaml", Some(&config_map("added", "two"))),
    ]);
    let asked = scene.windlass(&["refresh", "shop", "--no-wait"]);
    assert_eq!(asked.code, 0, "{asked:?}");
    let message = scene.not_ready("rolled back", "shop", "RolledBack");
    assert!(message.contains(&second[..7]) && message.contains(&first[..7]), "{message}");
    until("everything as it was", || {
        let now = live(&scene);
        let status = scene.read("shop").and_then(|app| app.status).unwrap_or_default();
        let healthy = status.stable.as_ref().is_some_and(|stable| stable.healthy_since.is_some());
        if now == before && healthy { Ok(()) } else { Err(format!("{now}, healthy {healthy}")) }
    });
    assert_eq!(scene.condition("shop", "Stalled").unwrap().status, "True");

    // Neither a restart without Git nor a lost status applies it again.
    scene.settled();
    scene.controller.kill();
    scene.repository.delete();
    let patch = r#"[{"op": "remove", "path": "/status"}]"#;
    scene.kubectl(&["patch", "wapp", "shop", "--subresource=status", "--type=json", "--patch", patch]);
    scene.kubectl(&["delete", "lease", "--all"]);
    scene.controller.start_leading();
    scene.not_ready("still quarantined", "shop", "RolledBack");
    assert_eq!(live(&scene), before);
}
