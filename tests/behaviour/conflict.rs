//! Two Applications that want one object: the first keeps it, the second is told, nothing flaps.

use serde_json::json;

use crate::harness::manifests::config_map;
use crate::harness::{Scene, pause, until};
use crate::tests;

tests![
    the_second_application_gets_a_conflict_that_names_the_first,
    an_object_is_handed_over_when_the_first_lets_go,
    what_a_controller_made_is_left_to_it,
];

fn scene_with_two() -> Scene {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[
        ("first/shared.yaml", Some(&config_map("shared", "first"))),
        ("first/more.yaml", Some(&config_map("first-own", "one"))),
        ("second/shared.yaml", Some(&config_map("shared", "second"))),
        ("second/own.yaml", Some(&config_map("second-own", "one"))),
    ]);
    scene.application("first", json!({}));
    scene.ready_at("first Ready", "first", &commit);
    scene.application("second", json!({}));
    scene
}

fn the_second_application_gets_a_conflict_that_names_the_first() {
    let scene = scene_with_two();
    let message = scene.not_ready("conflict told", "second", "Conflict");
    let owner = format!("{}/first", scene.namespace);
    assert!(message.contains("shared") && message.contains(&owner), "{message}");
    assert_eq!(scene.get("configmap", "second-own").unwrap()["data"]["key"], "one", "the rest is applied");
    let mark = scene.mark();
    pause(5.0);
    assert_eq!(scene.object_writes(mark), [""; 0], "nothing flaps");
    assert_eq!(scene.get("configmap", "shared").unwrap()["data"]["key"], "first");
    assert_eq!(scene.condition("first", "Ready").unwrap().status, "True");
}

fn an_object_is_handed_over_when_the_first_lets_go() {
    let scene = scene_with_two();
    scene.not_ready("conflict told", "second", "Conflict");
    let uid = scene.get("configmap", "shared").unwrap()["metadata"]["uid"].clone();
    let next = scene.repository.commit(&[("first/shared.yaml", None)]);
    scene.refresh("first");
    until("the second one has it", || {
        let live = scene.get("configmap", "shared").ok_or("it is gone")?;
        if live["data"]["key"] == "second" { Ok(()) } else { Err(live["data"].to_string()) }
    });
    for name in ["first", "second"] {
        until("Ready", || {
            let ready = scene.condition(name, "Ready")?;
            if ready.status == "True" { Ok(()) } else { Err(format!("{}: {}", ready.reason, ready.message)) }
        });
    }
    assert!(scene.read("first").unwrap().status.unwrap().sync.revision.contains(&next[..7]));
    scene.settled();
    let live = scene.get("configmap", "shared").unwrap();
    assert_eq!(live["data"]["key"], "second");
    assert_eq!(live["metadata"]["uid"], uid, "it was never deleted");
    let label = live["metadata"]["annotations"]["windlass.dev/owner"].as_str().unwrap();
    assert!(label.contains(&format!("{}/second:", scene.namespace)), "{label}");
}

fn what_a_controller_made_is_left_to_it() {
    let scene = Scene::new();
    scene.kubectl(&["create", "deployment", "theirs", "--image=web:1"]);
    let set = until("the Deployment's ReplicaSet", || {
        let names = scene.kubectl(&["get", "replicasets", "--output=jsonpath={.items[*].metadata.name}"]);
        if names.is_empty() { Err("there is none".into()) } else { Ok(names) }
    });
    let manifest = format!(
        "apiVersion: apps/v1
kind: ReplicaSet
metadata: {{name: {set}}}
spec:
  replicas: 0
  selector: {{matchLabels: {{app: mine}}}}
  template:
    metadata: {{labels: {{app: mine}}}}
    spec: {{containers: [{{name: main, image: web:1}}]}}
"
    );
    scene.repository.commit(&[("shop/set.yaml", Some(&manifest))]);
    scene.application("shop", json!({}));
    let message = scene.not_ready("conflict with a controller told", "shop", "Conflict");
    assert!(message.contains("Deployment theirs"), "{message}");
}
