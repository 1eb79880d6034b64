//! Objects taken over from Argo CD and Flux with `sync.adopt: Force`: what Git does not have goes, the tool's
//! marks included, and nothing is made anew.

use serde_json::{Value, json};

use crate::harness::manifests::deployment;
use crate::harness::{Scene, until};
use crate::tests;

tests![from_argo_cd, from_flux];

/// The Deployment `web` as a tool applied it: with its marks, and with a label that Git no longer has.
fn applied_by(scene: &Scene, manager: &str, labels: &[(&str, String)], annotations: &[(&str, String)]) {
    let mut body: Value = serde_yaml::from_str(&deployment("web", 1, "web:1")).unwrap();
    for (key, value) in labels {
        body["metadata"]["labels"][*key] = json!(value);
    }
    for (key, value) in annotations {
        body["metadata"]["annotations"][*key] = json!(value);
    }
    body["spec"]["template"]["metadata"]["annotations"] = json!({"theirs": "yes"});
    body["spec"]["revisionHistoryLimit"] = json!(3);
    let file = scene.directory().join("theirs.json");
    std::fs::write(&file, body.to_string()).unwrap();
    let manager = format!("--field-manager={manager}");
    scene.kubectl(&["apply", "--server-side", &manager, "--filename", file.to_str().unwrap()]);
}

fn taken_over(scene: &Scene, tool: &str) {
    let uid = scene.get("deployment", "web").unwrap()["metadata"]["uid"].clone();
    let commit = scene.repository.commit(&[("shop/web.yaml", Some(&deployment("web", 1, "web:1")))]);
    scene.application("shop", json!({}));
    let message = scene.not_ready("refused", "shop", "Conflict");
    assert!(message.contains(tool) && message.contains("Force"), "{message}");
    scene.application("shop", json!({"sync": {"adopt": "Force"}}));
    scene.ready_at("taken over", "shop", &commit);
    let live = until("what Git does not have is gone", || {
        let live = scene.get("deployment", "web").ok_or("it is gone")?;
        let template = &live["spec"]["template"]["metadata"]["annotations"];
        if template["theirs"].is_null() && live["spec"]["revisionHistoryLimit"] == 10 {
            return Ok(live);
        }
        Err(format!("{} {}", template, live["spec"]["revisionHistoryLimit"]))
    });
    assert_eq!(live["metadata"]["uid"], uid);
    let marks = format!("{} {}", live["metadata"]["labels"], live["metadata"]["annotations"]);
    assert!(!marks.contains("argoproj") && !marks.contains("fluxcd"), "{marks}");
    let managers = live["metadata"]["managedFields"].to_string();
    assert!(
        !managers.contains("argocd-controller") && !managers.contains("kustomize-controller"),
        "{managers}"
    );
    scene.settled();
}

fn from_argo_cd() {
    let scene = Scene::new();
    let tracking = format!("shop:apps/Deployment:{}/web", scene.namespace);
    applied_by(
        &scene,
        "argocd-controller",
        &[("argocd.argoproj.io/instance", "shop".into())],
        &[("argocd.argoproj.io/tracking-id", tracking)],
    );
    taken_over(&scene, "Argo CD");
}

fn from_flux() {
    let scene = Scene::new();
    applied_by(
        &scene,
        "kustomize-controller",
        &[
            ("kustomize.toolkit.fluxcd.io/name", "shop".into()),
            ("kustomize.toolkit.fluxcd.io/namespace", "flux-system".into()),
        ],
        &[],
    );
    taken_over(&scene, "Flux");
}
