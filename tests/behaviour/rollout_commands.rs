//! Rollouts as people see and steer them with `windlass rollout`.

use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::harness::manifests::config_map;
use crate::harness::{Scene, block_on, until};
use crate::tests;

tests![people_steer_a_rollout_and_are_told_what_makes_no_sense, what_is_followed_ends_as_the_rollout_does];

fn web(version: u32) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 4
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{{name: web, image: 'registry.example/web:{version}'}}]
"
    )
}

fn scene() -> Scene {
    let scene = Scene::new();
    let policy = json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "RolloutPolicy", "metadata": {"name": "web"},
        "spec": {
            "target": {"kind": "Deployment", "name": "web"},
            "strategy": {"rolling": {"steps": [
                {"name": "one", "percent": 25, "hold": "1h"},
                {"name": "half", "percent": 50, "approval": true},
            ]}},
        },
    });
    let commit = scene.repository.commit(&[
        ("shop/web.yaml", Some(&web(1))),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/policy.yaml", Some(&policy.to_string())),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("the first release", "shop", &commit);
    scene
}

fn commit(scene: &Scene, version: u32) {
    scene.repository.commit(&[("shop/web.yaml", Some(&web(version)))]);
    scene.refresh("shop");
}

fn shown(scene: &Scene) -> Value {
    let text = scene.windlass(&["rollout", "get", "shop", "--output=json"]).ok();
    serde_json::from_str::<Value>(&text).unwrap()["targets"][0].clone()
}

fn wait_for(scene: &Scene, what: &str, expected: &Value) {
    until(what, || {
        let shown = shown(scene);
        let fits = expected.as_object().unwrap().iter().all(|(key, value)| shown[key] == *value);
        if fits { Ok(()) } else { Err(format!("{shown:#}")) }
    });
}

fn people_steer_a_rollout_and_are_told_what_makes_no_sense() {
    let scene = scene();
    let rollout = |arguments: &[&str]| scene.windlass(&[&["rollout"], arguments].concat());
    let refused = |arguments: &[&str], why: &str| {
        let ran = rollout(arguments);
        assert!(ran.stderr.contains(why), "{ran:?}");
        ran.code(2);
    };
    assert!(rollout(&["get", "shop"]).ok().contains("Deployment"), "the workload is listed");
    refused(&["approve", "shop"], "no rollout of web is under way");
    refused(&["pause", "shop", "--target=api"], "no workload api of this release has a RolloutPolicy");

    commit(&scene, 2);
    let held = json!({"phase": "Hold", "weight": 25, "candidate": {"total": 1, "ready": 1}});
    wait_for(&scene, "a quarter is held", &held);
    refused(&["approve", "shop"], "asks for no approval");
    refused(&["resume", "shop"], "the rollout of web is not paused");
    let said = rollout(&["pause", "shop"]).ok();
    assert!(said.contains("step 1/2 25 %, paused"), "{said}");
    refused(&["pause", "shop"], "the rollout of web is paused already");
    let table = scene.windlass(&["get"]).ok();
    assert!(table.contains("ROLLOUT") && table.contains("step 1/2 25 %, paused"), "{table}");
    let said = rollout(&["resume", "shop"]).ok();
    assert!(said.contains("goes on: web: step 1/2 25 %"), "{said}");
    rollout(&["promote", "shop", "--target=web"]).ok();
    wait_for(&scene, "half waits for approval", &json!({"standing": "AwaitingApproval", "weight": 50}));
    let page = rollout(&["get", "shop"]).ok();
    for words in ["✓   1", "▶   2", "waits for approval", "candidate 2 of 2 ready, stable 4 of 4 ready"] {
        assert!(page.contains(words), "{words} is not in:\n{page}");
    }
    rollout(&["approve", "shop"]).ok();
    scene.windlass(&["wait", "shop"]).ok();
    wait_for(&scene, "it is done", &json!({"standing": "Idle"}));
    let metrics = block_on(async {
        let address = format!("{}/metrics", scene.controller.operations());
        reqwest::get(address).await.unwrap().text().await.unwrap()
    });
    for line in ["windlass_rollout_ended_total{result=\"promoted\"} 1", "windlass_rollouts{phase=\"Idle\"} 1"]
    {
        assert!(metrics.contains(line), "{line} is not in:\n{metrics}");
    }
}

fn follow(scene: &Scene) -> Child {
    let mut command = scene.windlass_command();
    let command =
        command.args(["rollout", "get", "shop", "--watch", "--timeout=5m", "--namespace", &scene.namespace]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code(), text)
}

fn what_is_followed_ends_as_the_rollout_does() {
    let scene = scene();
    let held = json!({"phase": "Hold", "weight": 25});
    commit(&scene, 2);
    wait_for(&scene, "a quarter is held", &held);
    let late = scene.windlass(&["rollout", "get", "shop", "--watch", "--timeout=1s"]);
    late.code(3);
    let follower = follow(&scene);
    scene.windlass(&["rollout", "promote", "shop", "--full"]).ok();
    let (code, text) = ended(follower);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("promoted: main@"), "{text}");

    commit(&scene, 3);
    wait_for(&scene, "a quarter is held", &held);
    let follower = follow(&scene);
    let said = scene.windlass(&["rollout", "abort", "shop"]).ok();
    assert!(said.contains("aborted: web"), "{said}");
    let (code, text) = ended(follower);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("rolled back") && text.contains("aborted by"), "{text}");
}
