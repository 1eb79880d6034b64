//! What people add to our objects by hand goes; what is not theirs to take away stays.

use serde_json::{Value, json};

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, pause, until};
use crate::tests;

tests![
    a_sidecar_added_by_hand_goes,
    pod_templates_and_roles_are_guarded_against_anybody,
    labels_annotations_and_restarts_stay,
    the_list_of_managers_is_the_users,
    what_was_added_while_nobody_looked_goes,
];

fn scene_with_shop(spec: Value) -> Scene {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[
        ("shop/web.yaml", Some(&deployment("web", 2, "web:1"))),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        (
            "shop/role.yaml",
            Some("apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: reader}\n"),
        ),
    ]);
    scene.application("shop", spec);
    scene.ready_at("Ready", "shop", &commit);
    scene.settled();
    scene
}

const SIDECAR: &str =
    r#"{"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:1"}]}}}}"#;

fn containers(scene: &Scene) -> Vec<String> {
    let web = scene.get("deployment", "web").unwrap();
    let containers = web["spec"]["template"]["spec"]["containers"].as_array().unwrap().clone();
    containers.iter().map(|container| container["name"].as_str().unwrap().to_owned()).collect()
}

fn until_only_main(scene: &Scene, what: &str) {
    until(what, || {
        let found = containers(scene);
        if found == ["main"] { Ok(()) } else { Err(format!("{found:?}")) }
    });
}

fn a_sidecar_added_by_hand_goes() {
    let scene = scene_with_shop(json!({}));
    let mark = scene.mark();
    scene.kubectl(&["patch", "deployment", "web", "--patch", SIDECAR]);
    until_only_main(&scene, "sidecar removed");
    scene.kubectl(&["patch", "configmap", "settings", "--patch", r#"{"data": {"more": "by hand"}}"#]);
    until("data removed", || {
        let data = scene.get("configmap", "settings").unwrap()["data"].clone();
        if data == json!({"key": "one"}) { Ok(()) } else { Err(data.to_string()) }
    });
    scene.settled();
    // Who owns what is set, then the object applied.
    let writes = scene.object_writes(mark);
    assert_eq!(writes[..2], ["patch configmaps settings"; 2]);
    assert_eq!(writes[2..], ["patch deployments web"; 2]);
    let ready = scene.condition("shop", "Ready").unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("True", "Synced"));
}

fn pod_templates_and_roles_are_guarded_against_anybody() {
    let scene = scene_with_shop(json!({}));
    scene.kubectl(&["patch", "deployment", "web", "--field-manager=someone", "--patch", SIDECAR]);
    until_only_main(&scene, "sidecar of somebody removed");
    let rules = r#"{"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]}"#;
    scene.kubectl(&["patch", "role", "reader", "--field-manager=someone", "--patch", rules]);
    until("rights removed", || {
        let rules = scene.get("role", "reader").unwrap()["rules"].clone();
        if rules.as_array().is_none_or(Vec::is_empty) { Ok(()) } else { Err(rules.to_string()) }
    });
}

fn labels_annotations_and_restarts_stay() {
    let scene = scene_with_shop(json!({}));
    let mark = scene.mark();
    scene.kubectl(&["label", "deployment", "web", "team=blue"]);
    scene.kubectl(&["annotate", "configmap", "settings", "example.com/note=by hand"]);
    scene.kubectl(&["rollout", "restart", "deployment/web"]);
    scene.settled();
    assert_eq!(scene.object_writes(mark), [""; 0]);
    let restarted = || {
        let web = scene.get("deployment", "web").unwrap();
        assert_eq!(web["metadata"]["labels"]["team"], "blue");
        web["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].is_string()
    };
    assert!(restarted());
    // Not even when something else is removed.
    scene.kubectl(&["patch", "deployment", "web", "--patch", SIDECAR]);
    until_only_main(&scene, "sidecar removed");
    assert!(restarted());
}

fn the_list_of_managers_is_the_users() {
    let scene = scene_with_shop(json!({"sync": {"strip": ["someone*"]}}));
    let patch = |manager: &str| {
        let data = format!(r#"{{"data": {{"{manager}": "by hand"}}}}"#);
        let manager = format!("--field-manager={manager}");
        scene.kubectl(&["patch", "configmap", "settings", &manager, "--patch", &data]);
    };
    patch("kubectl-patch");
    patch("someone-else");
    until("removed", || {
        let data = scene.get("configmap", "settings").unwrap()["data"].clone();
        let expected = json!({"key": "one", "kubectl-patch": "by hand"});
        if data == expected { Ok(()) } else { Err(data.to_string()) }
    });
    pause(1.0);
    assert_eq!(scene.get("configmap", "settings").unwrap()["data"]["kubectl-patch"], "by hand");
}

fn what_was_added_while_nobody_looked_goes() {
    let mut scene = scene_with_shop(json!({}));
    scene.controller.kill();
    scene.kubectl(&["patch", "deployment", "web", "--patch", SIDECAR]);
    let mark = scene.mark();
    scene.controller.start();
    until_only_main(&scene, "sidecar removed after a restart");
    scene.settled();
    assert_eq!(scene.object_writes(mark), ["patch deployments web"; 2]);
}
