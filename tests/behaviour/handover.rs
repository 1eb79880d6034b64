//! The number of replicas goes over to an autoscaler and back, never by way of a default.

use std::cell::Cell;

use serde_json::{Value, json};

use crate::harness::manifests::deployment;
use crate::harness::{Scene, pause, until};
use crate::tests;

tests![
    an_autoscaler_of_the_release_takes_over_with_no_pod_less,
    an_autoscaler_beside_the_release_is_left_alone,
    replicas_taken_out_of_git_stay,
    a_new_workload_begins_with_the_number_in_git,
];

/// An autoscaler that asks for at least `min` pods; without metrics it does nothing else.
fn autoscaler(min: u32) -> String {
    format!(
        "apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: web}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}
  minReplicas: {min}
  maxReplicas: 20
"
    )
}

fn replicas(scene: &Scene) -> u64 {
    scene.get("deployment", "web").map_or(0, |web| web["spec"]["replicas"].as_u64().unwrap())
}

fn until_replicas(scene: &Scene, what: &str, wanted: u64) {
    until(what, || {
        let found = replicas(scene);
        if found == wanted { Ok(()) } else { Err(format!("{found} replicas")) }
    });
}

/// Who has which fields of the Deployment, metadata and template left out.
fn owners(scene: &Scene) -> Vec<String> {
    let shown = scene.kubectl(&["get", "deployment", "web", "--output=json", "--show-managed-fields"]);
    let web: Value = serde_json::from_str(&shown).unwrap();
    let entries = web["metadata"]["managedFields"].as_array().unwrap().clone();
    let has_replicas = |entry: &&Value| entry["fieldsV1"]["f:spec"].get("f:replicas").is_some();
    entries.iter().filter(has_replicas).map(|e| e["manager"].as_str().unwrap().to_owned()).collect()
}

/// All numbers of replicas that the Deployment ever had, from its history of ReplicaSets' events.
fn fewest(scene: &Scene, seen: &Cell<u64>) {
    seen.set(seen.get().min(replicas(scene)));
}

fn an_autoscaler_of_the_release_takes_over_with_no_pod_less() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/web.yaml", Some(&deployment("web", 10, "web:1")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    let seen = Cell::new(10);
    // Git keeps a smaller number beside the autoscaler, and says something new of the Deployment.
    let next = scene.repository.commit(&[
        ("shop/web.yaml", Some(&deployment("web", 3, "web:2"))),
        ("shop/autoscaler.yaml", Some(&autoscaler(12))),
    ]);
    scene.refresh("shop");
    until("handed over", || {
        fewest(&scene, &seen);
        let ready = scene.condition("shop", "Ready")?;
        let revision = scene.read("shop").and_then(|app| app.status).unwrap_or_default().sync.revision;
        let there = ready.status == "True" && revision.contains(&next[..7]);
        if there && replicas(&scene) == 12 {
            Ok(())
        } else {
            Err(format!("{}: {}", ready.reason, ready.message))
        }
    });
    assert_eq!(seen.get(), 10);
    assert_eq!(owners(&scene), ["kube-controller-manager"]);
    scene.settled();
    let mark = scene.mark();
    scene.kubectl(&[
        "patch",
        "hpa",
        "web",
        "--field-manager=someone",
        "--patch",
        r#"{"spec": {"maxReplicas": 30}}"#,
    ]);
    scene.settled();
    assert_eq!(scene.object_writes(mark), ["patch horizontalpodautoscalers web"]);
    assert_eq!(replicas(&scene), 12);

    // Back: Git has the number again.
    scene
        .repository
        .commit(&[("shop/autoscaler.yaml", None), ("shop/web.yaml", Some(&deployment("web", 5, "web:2")))]);
    scene.refresh("shop");
    until_replicas(&scene, "taken back", 5);
    scene.settled();
    assert!(owners(&scene).iter().all(|owner| owner.starts_with("windlass-")), "{:?}", owners(&scene));
    assert_eq!(replicas(&scene), 5);
}

fn an_autoscaler_beside_the_release_is_left_alone() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/web.yaml", Some(&deployment("web", 3, "web:1")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    scene.kubectl_apply(&autoscaler(6));
    until_replicas(&scene, "scaled", 6);
    scene.settled();
    assert_eq!(replicas(&scene), 6);
    let next = scene.repository.commit(&[("shop/web.yaml", Some(&deployment("web", 2, "web:2")))]);
    scene.refresh("shop");
    scene.ready_at("updated", "shop", &next);
    assert_eq!(replicas(&scene), 6);
    let mark = scene.mark();
    pause(2.0);
    assert_eq!(scene.object_writes(mark), [""; 0]);
}

fn replicas_taken_out_of_git_stay() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/web.yaml", Some(&deployment("web", 4, "web:1")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    let seen = Cell::new(4);
    let without = deployment("web", 4, "web:2").replace("  replicas: 4\n", "");
    let next = scene.repository.commit(&[("shop/web.yaml", Some(&without))]);
    scene.refresh("shop");
    until("updated", || {
        fewest(&scene, &seen);
        let image =
            scene.get("deployment", "web").unwrap()["spec"]["template"]["spec"]["containers"][0]["image"]
                .clone();
        if image == "web:2" { Ok(()) } else { Err(format!("{image}")) }
    });
    scene.ready_at("Ready", "shop", &next);
    fewest(&scene, &seen);
    assert_eq!(seen.get(), 4);
    let owners = owners(&scene);
    assert!(owners.len() == 1 && owners[0].starts_with("windlass-handover-"), "{owners:?}");
    // Nobody minds a number by hand now.
    scene.kubectl(&["scale", "deployment/web", "--replicas=7"]);
    scene.settled();
    assert_eq!(replicas(&scene), 7);
}

fn a_new_workload_begins_with_the_number_in_git() {
    let scene = Scene::new();
    let ignoring = deployment("web", 4, "web:1").replace(
        "metadata: {name: web,",
        "metadata: {name: web, annotations: {windlass.dev/ignore: /spec/replicas},",
    );
    let first = scene.repository.commit(&[("shop/web.yaml", Some(&ignoring))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    assert_eq!(replicas(&scene), 4);
    let owners = owners(&scene);
    assert!(owners.len() == 1 && owners[0].starts_with("windlass-handover-"), "{owners:?}");
}
