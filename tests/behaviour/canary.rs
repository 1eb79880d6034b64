//! A canary behind an HTTPRoute, judged by a real Prometheus.

use serde_json::{Value, json};
use windlass_core::api::RolloutPhase;

use crate::harness::gateway::{Answer, Gateway};
use crate::harness::manifests::config_map;
use crate::harness::shop::{
    SERVICE, behind_a_route, canary, commit, names, policy, told, wait_for_phase, wait_for_pods,
    wait_for_rest, web,
};
use crate::harness::{Prometheus, Scene, Target, pause, until};
use crate::tests;

tests![
    a_good_release_is_promoted_step_by_step,
    a_bad_release_is_undone_whole,
    a_route_that_nobody_accepts_ends_the_rollout,
    silence_of_prometheus_holds_and_never_fails,
];

/// The selector of the Service that clients in the cluster use.
fn pin(scene: &Scene) -> Value {
    scene.get("service", "web").unwrap()["spec"]["selector"]["pod-template-hash"].clone()
}

/// A gate on the metric of a target.
fn gate(prometheus: &Prometheus) -> Value {
    json!([{
        "name": "errors",
        "prometheus": {"address": prometheus.address()},
        "threshold": {"query": "error_ratio", "max": "0.01", "interval": "1s", "consecutive": 2},
    }])
}

/// The copies of the ConfigMap that workloads refer to.
fn copies(scene: &Scene) -> usize {
    scene.kubectl(&["get", "configmaps", "--output=name"]).matches("/settings-").count()
}

fn a_good_release_is_promoted_step_by_step() {
    let mut scene = Scene::waiting(&[]);
    let gateway = Gateway::of(&scene);
    scene.controller.start();
    let steps = json!([{"name": "smoke", "weight": 5, "hold": "2s"}, {"weight": 50, "approval": true}]);
    behind_a_route(&scene, &policy(&canary(steps)), json!({}));
    gateway.forget();

    let second = commit(
        &scene,
        &[("shop/web.yaml", &web("2", "")), ("shop/settings.yaml", &config_map("settings", "two"))],
    );
    scene.refresh("shop");
    wait_for_phase(&scene, RolloutPhase::Hold, 5);
    wait_for_pods(&scene, "one pod of the candidate", &[("1", 4), ("2", 1)]);
    let stable = pin(&scene);
    assert!(stable.is_string(), "clients in the cluster stay with the stable pods");
    assert_eq!(copies(&scene), 2, "both versions have a configuration of their own");
    assert!(scene.get("configmap", "settings").unwrap()["data"].to_string().contains("one"));
    wait_for_phase(&scene, RolloutPhase::Hold, 50);
    wait_for_pods(&scene, "half of them", &[("1", 4), ("2", 2)]);
    assert_eq!(pin(&scene), stable);
    let judged = names(&scene, "2");

    scene.ask("shop", "approve");
    scene.ready_at("the second release", "shop", &second);
    wait_for_rest(&scene, "nothing is left of the rollout");
    wait_for_pods(&scene, "all of them are new", &[("2", 4)]);
    let serving = names(&scene, "2");
    assert!(judged.iter().all(|pod| serving.contains(pod)), "the judged pods serve: {judged:?} {serving:?}");
    assert_eq!(gateway.shares(), [0, 5, 50, 100, 0], "{:?}", gateway.divisions());
    assert!(scene.get("configmap", "settings").unwrap()["data"].to_string().contains("two"));
    assert_eq!(copies(&scene), 1, "the copy of the old configuration is gone");
    scene.settled();
}

fn a_bad_release_is_undone_whole() {
    let target = Target::new(0.001);
    let prometheus = Prometheus::of(&target);
    let mut scene = Scene::waiting(&[]);
    let gateway = Gateway::of(&scene);
    scene.controller.start();
    let mut spec = canary(json!([{"weight": 5, "hold": "2s"}, {"weight": 50, "hold": "10m"}]));
    spec["gates"] = gate(&prometheus);
    let first = behind_a_route(&scene, &policy(&spec), json!({}));
    gateway.forget();

    let bad = commit(
        &scene,
        &[
            ("shop/web.yaml", &web("2", "")),
            ("shop/settings.yaml", &config_map("settings", "two")),
            ("shop/service.yaml", &SERVICE.replace("port: 80", "port: 80, targetPort: 8080")),
            ("shop/added.yaml", &config_map("added", "two")),
        ],
    );
    scene.refresh("shop");
    wait_for_phase(&scene, RolloutPhase::Hold, 50);
    target.set(Some(0.04));
    let message = scene.not_ready("RolledBack", "shop", "RolledBack");
    for words in [&bad[..7], &first[..7], "web", "gate errors: 0.04 is above max 0.01 for 2 looks in a row"] {
        assert!(message.contains(words), "no {words:?} in {message}");
    }
    wait_for_rest(&scene, "nothing is left of the rollout");
    wait_for_pods(&scene, "the stable pods serve", &[("1", 4)]);
    let status = scene.read("shop").and_then(|app| app.status).unwrap_or_default();
    assert_eq!(status.quarantined[0].reason, "GateFailed", "{:?}", status.quarantined);
    let port = scene.get("service", "web").unwrap()["spec"]["ports"][0]["targetPort"].clone();
    assert_eq!(port, 80, "the Service is as it was");
    assert!(scene.get("configmap", "settings").unwrap()["data"].to_string().contains("one"));
    assert!(scene.get("configmap", "added").is_none(), "what it added is gone");
    assert_eq!(copies(&scene), 1);
    assert_eq!(gateway.shares(), [0, 5, 50, 0], "{:?}", gateway.divisions());
    scene.settled();
}

fn a_route_that_nobody_accepts_ends_the_rollout() {
    let mut scene = Scene::waiting(&[]);
    let gateway = Gateway::of(&scene);
    scene.controller.start();
    let mut spec = canary(json!([{"weight": 50, "hold": "10m"}]));
    spec["traffic"]["deadline"] = json!("6s");
    behind_a_route(&scene, &policy(&spec), json!({}));
    for (answer, version) in [(Answer::Silence, "2"), (Answer::Refuses, "3")] {
        gateway.forget();
        gateway.answers(answer);
        let bad = commit(&scene, &[("shop/web.yaml", &web(version, ""))]);
        scene.refresh("shop");
        let message = until("it failed for want of a router", || {
            let ready = scene.condition("shop", "Ready")?;
            let told = ready.message.contains("waits for the router") && ready.message.contains(&bad[..7]);
            // As long as the gateway refuses the route, what is restored does not work either.
            let undone = ["RolledBack", "RollbackFailed"].contains(&ready.reason.as_str());
            if told && ready.status == "False" && undone {
                Ok(ready.message)
            } else {
                Err(told_with(&scene, &ready.message))
            }
        });
        assert!(message.contains("the rollout of"), "{message}");
        assert_eq!(gateway.shares(), [0], "no traffic for a candidate that nobody leads it to");
        gateway.answers(Answer::Accepts);
        wait_for_rest(&scene, "nothing is left of the rollout");
        wait_for_pods(&scene, "the stable pods serve", &[("1", 4)]);
    }
}

fn told_with(scene: &Scene, message: &str) -> String {
    format!("{message}: {}", told(scene))
}

fn silence_of_prometheus_holds_and_never_fails() {
    let target = Target::new(0.001);
    let mut prometheus = Prometheus::of(&target);
    let mut scene = Scene::waiting(&[]);
    let gateway = Gateway::of(&scene);
    scene.controller.start();
    let mut spec = canary(json!([{"weight": 5, "hold": "1s"}, {"weight": 50, "hold": "1s"}]));
    spec["gates"] = gate(&prometheus);
    spec["deadline"] = json!("10s");
    behind_a_route(&scene, &policy(&spec), json!({}));
    gateway.forget();
    prometheus.stop();
    let second = commit(&scene, &[("shop/web.yaml", &web("2", ""))]);
    scene.refresh("shop");
    until("it is held beyond its deadline", || {
        let told = told(&scene);
        if told.contains("held until a person says") { Ok(()) } else { Err(told) }
    });
    pause(3.0);
    wait_for_phase(&scene, RolloutPhase::Hold, 5);
    assert_eq!(gateway.shares(), [0, 5]);
    prometheus.start();
    scene.ready_at("judged once Prometheus is back", "shop", &second);
    wait_for_rest(&scene, "nothing is left of the rollout");
    assert_eq!(gateway.shares(), [0, 5, 50, 100, 0]);
    assert_eq!(scene.get("httproute", "web").unwrap()["spec"]["rules"][0]["backendRefs"][0]["name"], "web");
}
