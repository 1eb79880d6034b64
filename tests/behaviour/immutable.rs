//! Fields that the API server lets nobody change.

use serde_json::json;

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, until};
use crate::tests;

tests![
    a_change_that_nobody_can_make_is_explained,
    an_object_is_made_anew_where_it_asks_for_that,
    what_lasts_is_never_made_anew,
];

fn with_selector(app: &str, annotations: &str) -> String {
    deployment("web", 2, "web:1")
        .replace("{app: web}", &format!("{{app: {app}}}"))
        .replace("metadata: {name: web,", &format!("metadata: {{name: web, annotations: {{{annotations}}},"))
}

fn a_change_that_nobody_can_make_is_explained() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/web.yaml", Some(&with_selector("web", ""))),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    let uid = scene.get("deployment", "web").unwrap()["metadata"]["uid"].clone();
    scene.repository.commit(&[
        ("shop/web.yaml", Some(&with_selector("other", ""))),
        ("shop/settings.yaml", Some(&config_map("settings", "two"))),
    ]);
    scene.refresh("shop");
    let message = until("refusal explained", || {
        let ready = scene.condition("shop", "Ready")?;
        if ready.message.contains("lets nobody change") { Ok(ready.message) } else { Err(ready.message) }
    });
    let told = [
        "shop/web.yaml:1",
        "/spec/selector/matchLabels/app",
        r#""web""#,
        r#""other""#,
        "windlass.dev/replace",
    ];
    for part in told {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(scene.get("deployment", "web").unwrap()["metadata"]["uid"], uid);
    assert_eq!(scene.get("configmap", "settings").unwrap()["data"]["key"], "one");
}

fn an_object_is_made_anew_where_it_asks_for_that() {
    let options = [
        ("ours", "windlass.dev/replace: immutable"),
        ("argo", "argocd.argoproj.io/sync-options: 'Force=true'"),
    ];
    let scene = Scene::new();
    for (name, option) in options {
        let named = |app: &str| with_selector(app, option).replace("name: web", &format!("name: {name}"));
        let file = format!("{name}/web.yaml");
        let first = scene.repository.commit(&[(&file, Some(&named("web")))]);
        scene.application(name, json!({}));
        scene.ready_at("Ready", name, &first);
        let uid = scene.get("deployment", name).unwrap()["metadata"]["uid"].clone();
        let next = scene.repository.commit(&[(&file, Some(&named("other")))]);
        scene.refresh(name);
        scene.ready_at("made anew", name, &next);
        let live = scene.get("deployment", name).unwrap();
        assert_ne!(live["metadata"]["uid"], uid);
        assert_eq!(live["spec"]["selector"]["matchLabels"]["app"], "other");
    }
}

fn claim(access: &str) -> String {
    format!(
        "apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data, annotations: {{windlass.dev/replace: immutable}}}}
spec: {{accessModes: [{access}], resources: {{requests: {{storage: 1Gi}}}}, storageClassName: none}}
"
    )
}

fn what_lasts_is_never_made_anew() {
    let scene = Scene::new();
    scene.repository.commit(&[("shop/claim.yaml", Some(&claim("ReadWriteOnce")))]);
    scene.application("shop", json!({}));
    let uid = until("claim made", || {
        let live = scene.get("persistentvolumeclaim", "data").ok_or("there is none")?;
        Ok(live["metadata"]["uid"].clone())
    });
    scene.settled();
    scene.repository.commit(&[("shop/claim.yaml", Some(&claim("ReadWriteMany")))]);
    scene.refresh("shop");
    let message = until("refusal explained", || {
        let ready = scene.condition("shop", "Ready")?;
        if ready.message.contains("never recreates") { Ok(ready.message) } else { Err(ready.message) }
    });
    assert!(message.contains("PersistentVolumeClaim") && message.contains("ReadWriteMany"), "{message}");
    assert_eq!(scene.get("persistentvolumeclaim", "data").unwrap()["metadata"]["uid"], uid);
}
