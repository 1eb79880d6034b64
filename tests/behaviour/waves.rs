//! Waves: what comes later waits for what comes earlier to be healthy, and goes first.

use serde_json::json;

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, pause, until};
use crate::tests;

tests![
    a_wave_waits_until_the_one_before_is_healthy,
    healthy_waves_follow_each_other_at_once,
    killed_between_waves_it_goes_on,
    a_held_release_still_heals_what_it_does_not_change,
    waves_go_in_reverse,
    a_definition_comes_before_its_resources_in_any_wave,
    a_wave_that_is_no_number_is_refused,
];

/// A manifest with one more annotation.
fn annotated(manifest: &str, annotation: &str, value: &str) -> String {
    let (before, after) = manifest.split_once("metadata: {").unwrap();
    format!("{before}metadata: {{annotations: {{{annotation}: {value:?}}}, {after}")
}

fn in_wave(manifest: &str, wave: i32) -> String {
    annotated(manifest, "windlass.dev/wave", &wave.to_string())
}

/// A Deployment whose pods never get ready.
fn never_ready(name: &str) -> String {
    deployment(name, 1, "web:1")
        .replace("metadata: {labels: {app: ", "metadata: {labels: {fail: ready, app: ")
}

fn waiting_for(scene: &Scene, words: &str) {
    until("told what it waits for", || {
        let condition = scene.condition("shop", "Reconciling")?;
        if condition.status == "True" && condition.message.contains(words) {
            return Ok(());
        }
        Err(format!("{}: {}: {}", condition.status, condition.reason, condition.message))
    });
}

/// Commits a database that never gets ready, and a later wave.
fn commit_stuck(scene: &Scene) -> String {
    let db = in_wave(&never_ready("db"), -1);
    let web = annotated(&deployment("web", 1, "web:1"), "argocd.argoproj.io/sync-wave", "1");
    scene.repository.commit(&[
        ("shop/db.yaml", Some(db.as_str())),
        ("shop/conf.yaml", Some(config_map("conf", "1").as_str())),
        ("shop/web.yaml", Some(web.as_str())),
    ])
}

fn commit_ready(scene: &Scene) -> String {
    let db = in_wave(&deployment("db", 1, "db:2"), -1);
    scene.repository.commit(&[("shop/db.yaml", Some(db.as_str()))])
}

fn a_wave_waits_until_the_one_before_is_healthy() {
    let scene = Scene::new();
    commit_stuck(&scene);
    scene.application("shop", json!({}));
    waiting_for(&scene, "wave -1: Deployment");
    assert!(scene.get("configmap", "conf").is_none(), "wave 0 has begun");
    let status = scene.read("shop").unwrap().status.unwrap();
    assert!(status.stable.is_none() && status.next.is_some(), "{status:?}");
    let fixed = commit_ready(&scene);
    scene.refresh("shop");
    scene.ready_at("all waves", "shop", &fixed);
    let created = |kind: &str, name: &str| {
        scene.get(kind, name).unwrap()["metadata"]["creationTimestamp"].as_str().unwrap().to_owned()
    };
    assert!(created("deployment", "db") <= created("configmap", "conf"));
    assert!(created("configmap", "conf") <= created("deployment", "web"));
    assert!(scene.read("shop").unwrap().status.unwrap().stable.is_some());
}

fn healthy_waves_follow_each_other_at_once() {
    let scene = Scene::new();
    let files: Vec<_> = (0..5)
        .map(|wave| (format!("shop/{wave}.yaml"), in_wave(&config_map(&format!("c{wave}"), "1"), wave)))
        .collect();
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    let commit = scene.repository.commit(&files);
    let mark = scene.mark();
    scene.application("shop", json!({}));
    scene.ready_at("five waves", "shop", &commit);
    scene.settled();
    let writes = scene.writes(mark);
    let order: Vec<_> =
        writes.iter().filter(|write| write.resource == "configmaps").map(ToString::to_string).collect();
    assert!(order.is_sorted() && order.len() == 5, "{order:?}");
    let own = writes.iter().filter(|write| write.is_bookkeeping() && write.resource != "leases").count();
    assert!(own <= 5, "{own} own writes: {:?}", scene.writes_but_lease(mark));
}

fn killed_between_waves_it_goes_on() {
    let mut scene = Scene::waiting(&[]);
    commit_stuck(&scene);
    scene.application("shop", json!({}));
    scene.controller.start_leading();
    waiting_for(&scene, "wave -1: Deployment");
    scene.controller.kill();
    scene.kubectl(&["delete", "lease", "--all"]);
    let mark = scene.mark();
    scene.controller.start_leading();
    pause(3.0);
    assert!(scene.get("configmap", "conf").is_none(), "wave 0 has begun: {:?}", scene.object_writes(mark));
    scene.controller.kill();
    scene.kubectl(&["delete", "lease", "--all"]);
    let fixed = commit_ready(&scene);
    scene.controller.start_leading();
    scene.ready_at("all waves", "shop", &fixed);
    scene.settled();
}

fn a_held_release_still_heals_what_it_does_not_change() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/db.yaml", Some(in_wave(&deployment("db", 1, "db:1"), -1).as_str())),
        ("shop/conf.yaml", Some(config_map("conf", "1").as_str())),
        ("shop/other.yaml", Some(config_map("other", "1").as_str())),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("first", "shop", &first);
    scene.repository.commit(&[
        ("shop/db.yaml", Some(in_wave(&never_ready("db"), -1).as_str())),
        ("shop/conf.yaml", Some(config_map("conf", "2").as_str())),
    ]);
    scene.refresh("shop");
    waiting_for(&scene, "wave -1: Deployment");
    scene.kubectl(&[
        "patch",
        "configmap",
        "other",
        "--type=merge",
        "--patch",
        r#"{"data": {"key": "mine"}}"#,
    ]);
    until("healed", || match scene.get("configmap", "other").unwrap()["data"]["key"].as_str() {
        Some("1") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(scene.get("configmap", "conf").unwrap()["data"]["key"], "1");
}

fn waves_go_in_reverse() {
    let scene = Scene::new();
    let files = [("a", 1), ("b", -1), ("c", 0)];
    let files: Vec<_> =
        files.map(|(name, wave)| (format!("shop/{name}.yaml"), in_wave(&config_map(name, "1"), wave))).into();
    let mut all: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    let kept = config_map("kept", "1");
    all.push(("shop/kept.yaml", Some(kept.as_str())));
    let commit = scene.repository.commit(&all);
    scene.application("shop", json!({}));
    scene.ready_at("created", "shop", &commit);
    let mark = scene.mark();
    let none: Vec<_> = files.iter().map(|(path, _)| (path.as_str(), None)).collect();
    let commit = scene.repository.commit(&none);
    scene.refresh("shop");
    scene.ready_at("pruned", "shop", &commit);
    let deleted: Vec<_> = scene
        .writes(mark)
        .iter()
        .map(ToString::to_string)
        .filter(|write| write.starts_with("delete configmaps"))
        .collect();
    let ends: Vec<_> = deleted.iter().map(|write| write.chars().next_back().unwrap()).collect();
    assert_eq!(ends, ['a', 'c', 'b'], "{deleted:?}");
}

fn a_definition_comes_before_its_resources_in_any_wave() {
    let scene = Scene::new();
    let group = format!("{}.example.org", scene.namespace);
    let definition = format!(
        "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: gadgets.{group}, annotations: {{windlass.dev/wave: \"7\"}}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: Gadget, plural: gadgets}}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"
    );
    let gadget = |name: &str, wave: i32| {
        format!(
            "apiVersion: {group}/v1\nkind: Gadget\nmetadata: {{name: {name}, annotations: {{windlass.dev/wave: \"{wave}\"}}}}\n"
        )
    };
    let commit = scene.repository.commit(&[
        ("shop/definition.yaml", Some(definition.as_str())),
        ("shop/early.yaml", Some(gadget("early", -1).as_str())),
        ("shop/late.yaml", Some(gadget("late", 3).as_str())),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("definition and resources", "shop", &commit);
    assert!(scene.get(&format!("gadgets.{group}"), "late").is_some());
    scene.kubectl(&["delete", "wapp", "shop"]);
}

fn a_wave_that_is_no_number_is_refused() {
    let scene = Scene::new();
    let wrong = annotated(&config_map("a", "1"), "argocd.argoproj.io/sync-wave", "soon");
    scene.repository.commit(&[("shop/a.yaml", Some(wrong.as_str()))]);
    scene.application("shop", json!({}));
    let message = scene.not_ready("refused", "shop", "InvalidObject");
    assert!(message.contains("shop/a.yaml:1: ConfigMap"), "{message}");
    assert!(message.contains("argocd.argoproj.io/sync-wave is \"soon\""), "{message}");
}
