//! StatefulSets, rolled out by their partition.

use serde_json::{Value, json};

use crate::harness::manifests::config_map;
use crate::harness::shop::{commit, pods, policy, target, told, wait_for_pods};
use crate::harness::{Scene, until};
use crate::tests;

tests![
    the_last_ordinals_go_first,
    a_pod_that_never_gets_ready_does_not_stand_in_the_way_back,
    a_lost_status_moves_no_pod_forward,
];

fn stateful(version: &str, labels: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: web}}
spec:
  replicas: 4
  serviceName: web
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web{labels}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: registry.example/web:{version}
        envFrom: [{{configMapRef: {{name: settings}}}}]
"
    )
}

fn rolling(steps: Value) -> String {
    policy(
        &json!({"target": {"kind": "StatefulSet", "name": "web"}, "strategy": {"rolling": {"steps": steps}}}),
    )
}

fn first(scene: &Scene, steps: Value, spec: Value) -> String {
    let files = [
        ("shop/web.yaml", stateful("1", "")),
        ("shop/settings.yaml", config_map("settings", "one")),
        ("shop/policy.yaml", rolling(steps)),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let first = commit(scene, &files);
    scene.application("shop", spec);
    scene.ready_at("the first release", "shop", &first);
    wait_for_pods(scene, "four pods", &[("1", 4)]);
    first
}

fn wait_for_approval(scene: &Scene) {
    until("it waits for approval", || {
        let told = told(scene);
        if told.contains("waits for approval") { Ok(()) } else { Err(told) }
    });
}

fn the_last_ordinals_go_first() {
    let scene = Scene::new();
    first(&scene, json!([{"percent": 25, "hold": "2s"}, {"percent": 50, "approval": true}]), json!({}));
    let second = commit(&scene, &[("shop/web.yaml", &stateful("2", ""))]);
    scene.refresh("shop");
    wait_for_pods(&scene, "one of them", &[("1", 3), ("2", 1)]);
    assert_eq!(pods(&scene, "web")["2"], ["web-3"]);
    wait_for_approval(&scene);
    assert_eq!(pods(&scene, "web")["2"], ["web-2", "web-3"]);
    scene.ask("shop", "approve");
    scene.ready_at("the second release", "shop", &second);
    wait_for_pods(&scene, "all of them", &[("2", 4)]);
    let strategy = scene.get("statefulset", "web").unwrap()["spec"]["updateStrategy"].clone();
    assert_eq!(strategy["rollingUpdate"]["partition"], 0, "{strategy}");
    scene.settled();
}

fn a_pod_that_never_gets_ready_does_not_stand_in_the_way_back() {
    let scene = Scene::new();
    first(
        &scene,
        json!([{"percent": 25}, {"percent": 50}]),
        json!({"health": {"timeout": "5s"}, "onFailure": "Rollback"}),
    );
    let bad = commit(
        &scene,
        &[
            ("shop/web.yaml", &stateful("2", ", fail: ready")),
            ("shop/settings.yaml", &config_map("settings", "two")),
        ],
    );
    scene.refresh("shop");
    let message = scene.not_ready("RolledBack", "shop", "RolledBack");
    assert!(message.contains(&bad[..7]) && message.contains("0 of 1 pods"), "{message}");
    wait_for_pods(&scene, "all pods are the stable ones again", &[("1", 4)]);
    until("they serve", || {
        let web = scene.get("statefulset", "web").unwrap();
        let idle = target(&scene, "web").is_some_and(|state| state.rollout.is_none());
        if web["status"]["readyReplicas"] == 4 && idle { Ok(()) } else { Err(told(&scene)) }
    });
    scene.settled();
}

fn a_lost_status_moves_no_pod_forward() {
    let mut scene = Scene::with(&["--no-leader-election"]);
    first(&scene, json!([{"percent": 25}, {"percent": 50, "approval": true}]), json!({}));
    let second = commit(&scene, &[("shop/web.yaml", &stateful("2", ""))]);
    scene.refresh("shop");
    wait_for_approval(&scene);
    wait_for_pods(&scene, "half of them", &[("1", 2), ("2", 2)]);
    scene.controller.kill();
    let gone = r#"[{"op": "remove", "path": "/status"}]"#;
    scene.kubectl(&["patch", "application", "shop", "--subresource=status", "--type=json", "--patch", gone]);
    scene.controller.start();
    wait_for_approval(&scene);
    wait_for_pods(&scene, "still half of them", &[("1", 2), ("2", 2)]);
    scene.ask("shop", "approve");
    scene.ready_at("the second release", "shop", &second);
    wait_for_pods(&scene, "all of them", &[("2", 4)]);
}
