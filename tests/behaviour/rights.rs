//! What Windlass may not do, and what it leaves to others.

use std::time::Duration;

use serde_json::json;

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, pause, until, until_within};
use crate::tests;

tests![
    a_missing_right_is_told,
    other_namespaces_are_left_alone,
    cluster_scoped_objects_of_another_controller_conflict,
    another_install_is_left_alone,
];

fn a_missing_right_is_told() {
    let mut scene = Scene::waiting(&[]);
    let binding = format!("windlass-{}", scene.namespace);
    let role = format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: {binding}}}
rules:
- {{apiGroups: [windlass.dev], resources: ['*'], verbs: ['*']}}
- {{apiGroups: ['', events.k8s.io, coordination.k8s.io], resources: ['*'], verbs: ['*']}}
- {{apiGroups: [policy], resources: ['*'], verbs: [get, list, watch]}}
"
    );
    scene.kubectl_apply(&role);
    scene.kubectl(&["delete", "clusterrolebinding", &binding]);
    let account = format!("--serviceaccount={}:windlass", scene.namespace);
    let role = format!("--clusterrole={binding}");
    scene.kubectl(&["create", "clusterrolebinding", &binding, &role, &account]);
    let budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: budget}\n\
                  spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}\n";
    let commit = scene.repository.commit(&[
        ("write/budget.yaml", Some(budget)),
        ("watch/web.yaml", Some(&deployment("web", 1, "web:1"))),
        ("steady/settings.yaml", Some(&config_map("steady", "one"))),
    ]);
    scene.controller.start();
    for name in ["write", "watch", "steady"] {
        scene.application(name, json!({}));
    }
    scene.ready_at("steady Ready beside forbidden ones", "steady", &commit);
    let message = scene.not_ready("a write that is forbidden told", "write", "Forbidden");
    assert!(message.contains("budget") && message.contains("poddisruptionbudgets"), "{message}");
    let message = until_within(Duration::from_secs(60), "a watch that is forbidden told", || {
        let ready = scene.condition("watch", "Ready")?;
        if ready.reason == "WatchTimeout" {
            Ok(ready.message)
        } else {
            Err(format!("{}: {}", ready.reason, ready.message))
        }
    });
    assert!(message.contains("list and watch"), "{message}");

    scene.kubectl(&["delete", "clusterrolebinding", &binding]);
    scene.kubectl(&["create", "clusterrolebinding", &binding, "--clusterrole=cluster-admin", &account]);
    for name in ["write", "watch"] {
        scene.ready_at("Ready once it is allowed", name, &commit);
    }
}

fn other_namespaces_are_left_alone() {
    let scene = Scene::new();
    let other = scene.beside("other", &[]);
    scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    let commit = other.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    other.application("shop", json!({}));
    pause(2.0);
    assert!(other.read("shop").unwrap().status.is_none(), "no controller looks after it");
    let mut other = other;
    other.controller.start();
    other.ready_at("Ready", "shop", &commit);
}

fn role(name: &str, verb: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: {name}}}
rules: [{{apiGroups: [''], resources: [pods], verbs: [{verb}]}}]
"
    )
}

fn cluster_scoped_objects_of_another_controller_conflict() {
    let scene = Scene::new();
    let mut other = scene.beside("other", &[]);
    other.controller.start();
    let name = format!("{}-role", scene.namespace);
    let first = scene.repository.commit(&[("shop/role.yaml", Some(&role(&name, "get")))]);
    other.repository.commit(&[("shop/role.yaml", Some(&role(&name, "list")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    other.application("shop", json!({}));
    let message = other.not_ready("conflict across controllers told", "shop", "Conflict");
    assert!(message.contains(&format!("{}/shop", scene.namespace)), "{message}");
    let (mark, other_mark) = (scene.mark(), other.mark());
    pause(3.0);
    assert_eq!(scene.object_writes(mark), [""; 0]);
    assert_eq!(other.object_writes(other_mark), [""; 0]);
    // Once the first one drops it, the other may have it.
    scene.kubectl(&["delete", "wapp", "shop", "--timeout=60s"]);
    until("the other one has it", || {
        let live = scene.get("clusterrole", &name).ok_or("it is gone")?;
        if live["rules"][0]["verbs"][0] == "list" { Ok(()) } else { Err(live["rules"].to_string()) }
    });
}

fn another_install_is_left_alone() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    let mut other = scene.beside("other", &["--instance=green"]);
    other.controller.start();
    other.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    other.application("shop", json!({"destination": {"namespace": scene.namespace}}));
    let message = other.not_ready("conflict across installs told", "shop", "Conflict");
    assert!(message.contains("another install") && message.contains("settings"), "{message}");
    assert_eq!(scene.get("configmap", "settings").unwrap()["data"]["key"], "one");
}
