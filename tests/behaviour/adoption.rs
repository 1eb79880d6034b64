//! Objects that were there before Windlass.

use serde_json::json;

use crate::harness::Scene;
use crate::harness::manifests::config_map;
use crate::tests;

tests![
    an_unowned_object_is_adopted,
    what_another_tool_tracks_is_refused,
    adoption_can_be_forbidden,
    what_a_deleted_one_left_is_known,
];

fn an_unowned_object_is_adopted() {
    let scene = Scene::new();
    scene.kubectl(&[
        "create",
        "configmap",
        "settings",
        "--from-literal=key=by hand",
        "--from-literal=more=goes, as Git does not have it",
    ]);
    let uid = scene.get("configmap", "settings").unwrap()["metadata"]["uid"].clone();
    let commit = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("adopted", "shop", &commit);
    let live = scene.get("configmap", "settings").unwrap();
    assert_eq!(live["metadata"]["uid"], uid);
    assert_eq!(live["data"], json!({"key": "one"}));
}

fn what_another_tool_tracks_is_refused() {
    let scene = Scene::new();
    let tools = [
        ("argo", "Argo CD", "labels: {argocd.argoproj.io/instance: shop}"),
        ("argo-tracking", "Argo CD", "annotations: {argocd.argoproj.io/tracking-id: 'shop:/ConfigMap:x/y'}"),
        ("flux", "Flux", "labels: {kustomize.toolkit.fluxcd.io/name: shop}"),
        (
            "helm",
            "Helm",
            "labels: {app.kubernetes.io/managed-by: Helm}, annotations: {meta.helm.sh/release-name: shop}",
        ),
    ];
    let mut files = Vec::new();
    for (name, _, tracking) in tools {
        let tracked = config_map(name, "theirs")
            .replace(&format!("name: {name}"), &format!("name: {name}, {tracking}"));
        scene.kubectl_apply(&tracked);
        files.push((format!("{name}/settings.yaml"), config_map(name, "ours")));
    }
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    let commit = scene.repository.commit(&files);
    for (name, tool, _) in tools {
        scene.application(name, json!({}));
        let message = scene.not_ready("tracked object refused", name, "Conflict");
        assert!(message.contains(tool) && message.contains("Force"), "{message}");
        assert_eq!(scene.get("configmap", name).unwrap()["data"]["key"], "theirs");
    }
    scene.application("helm", json!({"sync": {"adopt": "Force"}}));
    scene.ready_at("taken over by force", "helm", &commit);
    assert_eq!(scene.get("configmap", "helm").unwrap()["data"]["key"], "ours");
}

fn adoption_can_be_forbidden() {
    let scene = Scene::new();
    scene.kubectl(&["create", "configmap", "settings", "--from-literal=key=by hand"]);
    let commit = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({"sync": {"adopt": "Never"}}));
    let message = scene.not_ready("adoption refused", "shop", "Conflict");
    assert!(message.contains("settings") && message.contains("Never"), "{message}");
    assert_eq!(scene.get("configmap", "settings").unwrap()["data"]["key"], "by hand");
    // Once it is out of the way, Windlass makes its own.
    scene.kubectl(&["delete", "configmap", "settings"]);
    scene.ready_at("created", "shop", &commit);
}

fn what_a_deleted_one_left_is_known() {
    let mut scene = Scene::new();
    let both = |scene: &Scene| {
        scene.repository.commit(&[
            ("shop/settings.yaml", Some(&config_map("settings", "one"))),
            ("shop/more.yaml", Some(&config_map("more", "one"))),
        ])
    };
    for restarted in [false, true] {
        let commit = both(&scene);
        scene.application("shop", json!({}));
        // In the second round it is there already.
        scene.refresh("shop");
        scene.ready_at("Ready", "shop", &commit);
        let uid = scene.get("configmap", "settings").unwrap()["metadata"]["uid"].clone();
        // Its finalizer is taken off by force: nobody prunes.
        let patch = r#"{"metadata":{"finalizers":null}}"#;
        scene.kubectl(&["patch", "wapp", "shop", "--type=merge", "--patch", patch]);
        scene.kubectl(&["delete", "wapp", "shop"]);
        let commit = scene.repository.commit(&[("shop/more.yaml", None)]);
        if restarted {
            assert!(scene.controller.stop().success());
            scene.controller.start_leading();
        }
        scene.application("shop", json!({}));
        scene.ready_at("Ready again", "shop", &commit);
        assert_eq!(scene.get("configmap", "settings").unwrap()["metadata"]["uid"], uid, "adopted");
        assert!(scene.get("configmap", "more").is_none(), "pruned (restarted: {restarted})");
    }
}
