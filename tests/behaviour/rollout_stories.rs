//! What happens to rollouts while other things happen.

use std::fs;

use serde_json::json;
use windlass_core::api::RolloutPhase;

use crate::harness::gateway::Gateway;
use crate::harness::manifests::config_map;
use crate::harness::shop::{
    behind_a_route, canary, commit, deployment, named_policy, names, pods, policy, target, told,
    wait_for_phase, wait_for_pods, wait_for_rest, web,
};
use crate::harness::{Scene, pause, until};
use crate::tests;

tests![
    a_lost_status_never_moves_a_canary_forward,
    commits_to_other_objects_change_nothing_and_one_to_the_target_starts_anew,
    of_two_workloads_one_fails_and_both_go_back,
    an_autoscaler_that_comes_with_the_release_takes_no_pods,
    what_people_do_to_a_held_workload_is_undone,
    an_application_that_goes_leads_its_traffic_back_first,
    what_stays_of_an_application_that_goes_is_not_held,
    a_policy_that_is_changed_or_removed_is_followed,
    a_newer_release_waits_where_the_policy_says_so,
    at_rest_a_policy_costs_nothing,
];

/// A scene with a gateway, and `web` at version 1 at rest.
fn scene(steps: serde_json::Value, spec: serde_json::Value) -> (Scene, Gateway) {
    let mut scene = Scene::waiting(&["--no-leader-election"]);
    let gateway = Gateway::of(&scene);
    scene.controller.start();
    behind_a_route(&scene, &policy(&canary(steps)), spec);
    gateway.forget();
    (scene, gateway)
}

fn wait_for_approval(scene: &Scene) {
    until("it waits for approval", || {
        let told = told(scene);
        if told.contains("waits for approval") { Ok(()) } else { Err(told) }
    });
}

fn a_lost_status_never_moves_a_canary_forward() {
    let (mut scene, gateway) = scene(json!([{"weight": 25, "approval": true}]), json!({}));
    let second = commit(&scene, &[("shop/web.yaml", &web("2", ""))]);
    scene.refresh("shop");
    wait_for_phase(&scene, RolloutPhase::Hold, 25);
    wait_for_approval(&scene);
    for git_is_down in [true, false] {
        scene.controller.kill();
        if git_is_down {
            scene.repository.delete();
            let _ = fs::remove_dir_all(scene.directory().join("cache"));
        }
        let gone = r#"[{"op": "remove", "path": "/status"}]"#;
        scene.kubectl(&[
            "patch",
            "application",
            "shop",
            "--subresource=status",
            "--type=json",
            "--patch",
            gone,
        ]);
        scene.controller.start();
        wait_for_phase(&scene, RolloutPhase::Hold, 25);
        wait_for_approval(&scene);
        wait_for_pods(&scene, "both versions", &[("1", 4), ("2", 1)]);
        assert!(gateway.shares().iter().all(|share| *share <= 25), "{:?}", gateway.shares());
    }
    scene.repository.open();
    let second = commit(&scene, &[("shop/other.yaml", &config_map("other", &second))]);
    scene.refresh("shop");
    scene.ask("shop", "approve");
    scene.ready_at("it goes on", "shop", &second);
    wait_for_rest(&scene, "nothing is left");
    wait_for_pods(&scene, "new pods", &[("2", 4)]);
}

fn commits_to_other_objects_change_nothing_and_one_to_the_target_starts_anew() {
    let (scene, gateway) =
        scene(json!([{"weight": 5, "hold": "5s"}, {"weight": 50, "hold": "5s"}]), json!({}));
    commit(&scene, &[("shop/web.yaml", &web("2", ""))]);
    scene.refresh("shop");
    wait_for_phase(&scene, RolloutPhase::Hold, 5);
    let began = target(&scene, "web").unwrap().rollout.unwrap().since;
    let mut last = String::new();
    for round in 0..4 {
        last = commit(&scene, &[("shop/other.yaml", &config_map("other", &format!("{round}")))]);
        scene.windlass(&["refresh", "shop", "--no-wait"]).ok();
        pause(2.0);
        if let Some(rollout) = target(&scene, "web").and_then(|state| state.rollout) {
            assert_eq!(rollout.since, began, "one canary");
        }
    }
    scene.ready_at("the last commit", "shop", &last);
    wait_for_rest(&scene, "nothing is left");
    assert_eq!(gateway.shares(), [0, 5, 50, 100, 0]);

    gateway.forget();
    commit(&scene, &[("shop/web.yaml", &web("3", ""))]);
    scene.refresh("shop");
    wait_for_phase(&scene, RolloutPhase::Hold, 50);
    let last = commit(&scene, &[("shop/web.yaml", &web("4", ""))]);
    scene.refresh("shop");
    scene.ready_at("the newest commit", "shop", &last);
    wait_for_rest(&scene, "nothing is left");
    wait_for_pods(&scene, "the newest pods", &[("4", 4)]);
    assert_eq!(gateway.shares(), [0, 5, 50, 0, 5, 50, 100, 0]);
}

fn of_two_workloads_one_fails_and_both_go_back() {
    let mut scene = Scene::waiting(&["--no-leader-election"]);
    let gateway = Gateway::of(&scene);
    scene.controller.start();
    let back = json!({
        "target": {"kind": "Deployment", "name": "back"},
        "strategy": {"rolling": {"steps": [{"percent": 25, "hold": "1s"}, {"percent": 50, "approval": true}]}},
    });
    commit(
        &scene,
        &[
            ("shop/back.yaml", &deployment("back", "1", "")),
            ("shop/back-policy.yaml", &named_policy("back", &back)),
        ],
    );
    let steps = json!([{"weight": 50, "hold": "1s"}]);
    behind_a_route(&scene, &policy(&canary(steps)), json!({"onFailure": "Rollback"}));
    let stable = pods(&scene, "back");
    gateway.forget();
    commit(
        &scene,
        &[
            ("shop/web.yaml", &web("2", "")),
            ("shop/back.yaml", &deployment("back", "2", "")),
            ("shop/settings.yaml", &config_map("settings", "two")),
        ],
    );
    scene.refresh("shop");
    until("the one waits for the other", || {
        let told = told(&scene);
        let both = told.contains("waits for approval") && told.contains("waits for the other workloads");
        if both { Ok(()) } else { Err(told) }
    });
    assert_eq!(gateway.shares(), [0, 50, 100], "all of its traffic, while stable is whole");
    let half = pods(&scene, "back").remove("2").unwrap();
    assert_eq!(half.len(), 2);
    // Its pods end again and again from now on.
    for pod in half {
        let crashed = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [{"name": "web", "image": "", "imageID": "", "ready": false, "restartCount": 5,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}});
        scene.kubectl(&["patch", "pod", &pod, "--subresource=status", "--patch", &crashed.to_string()]);
    }
    let message = scene.not_ready("RolledBack", "shop", "RolledBack");
    assert!(message.contains("back"), "{message}");
    wait_for_rest(&scene, "nothing is left of the canary");
    wait_for_pods(&scene, "the stable pods", &[("1", 4)]);
    until("the other one went back too", || {
        let now = pods(&scene, "back");
        if now == stable { Ok(()) } else { Err(format!("{now:?}")) }
    });
    assert!(scene.get("configmap", "settings").unwrap()["data"].to_string().contains("one"));
}

fn an_autoscaler_that_comes_with_the_release_takes_no_pods() {
    let (scene, _gateway) = scene(json!([{"weight": 50, "hold": "3s"}]), json!({}));
    let without = web("2", "").replace("  replicas: 4\n", "");
    let autoscaler = "apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 8
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
";
    let second = commit(&scene, &[("shop/web.yaml", &without), ("shop/autoscaler.yaml", autoscaler)]);
    scene.windlass(&["refresh", "shop", "--no-wait"]).ok();
    let floor = until("it is rolled out", || {
        let web = scene.get("deployment", "web").unwrap();
        assert!(web["spec"]["replicas"].as_u64() >= Some(4), "{web}");
        let ready = web["status"]["readyReplicas"].as_u64();
        assert!(ready >= Some(4), "{web}");
        let rollout = target(&scene, "web").and_then(|state| state.rollout);
        match (rollout, scene.get("hpa", "web")) {
            (Some(_), Some(hpa)) if pods(&scene, "web").contains_key("2") => {
                Ok(hpa["spec"]["minReplicas"].clone())
            }
            _ => Err(told(&scene)),
        }
    });
    assert_eq!(floor, 4, "it does not go below what there was");
    until("it is done", || {
        let web = scene.get("deployment", "web").unwrap();
        assert!(web["spec"]["replicas"].as_u64() >= Some(4), "{web}");
        assert!(web["status"]["readyReplicas"].as_u64() >= Some(4), "{web}");
        let revision = scene.read("shop").and_then(|app| app.status).unwrap_or_default().sync.revision;
        let idle = target(&scene, "web").is_some_and(|state| state.rollout.is_none());
        if idle && revision.contains(&second[..7]) { Ok(()) } else { Err(told(&scene)) }
    });
    wait_for_pods(&scene, "all of them are new", &[("2", 4)]);
}

fn what_people_do_to_a_held_workload_is_undone() {
    let (mut scene, gateway) = scene(json!([{"weight": 50, "approval": true}]), json!({}));
    let second = commit(&scene, &[("shop/web.yaml", &web("2", ""))]);
    scene.refresh("shop");
    wait_for_approval(&scene);
    let held = |scene: &Scene, what: &str| {
        until(what, || {
            let found = pods(scene, "web");
            let counts: Vec<_> = found.iter().map(|(tag, pods)| (tag.as_str(), pods.len())).collect();
            let live = scene.get("deployment", "web").unwrap();
            let spec = live["spec"].to_string();
            let as_held = live["spec"]["minReadySeconds"] == 2_147_483_646
                && live["spec"]["paused"].is_null()
                && live["spec"]["replicas"] == 4;
            let told = told(scene);
            if counts == [("1", 4), ("2", 2)] && as_held && told.contains("waits for approval") {
                Ok(())
            } else {
                Err(format!("{counts:?} {spec} {told}"))
            }
        });
        pause(1.0);
    };
    held(&scene, "at rest in the step");
    for action in [
        &["rollout", "undo", "deployment/web"][..],
        &["rollout", "pause", "deployment/web"],
        &["scale", "deployment/web", "--replicas=7"],
        &["set", "image", "deployment/web", "web=registry.example/web:9"],
    ] {
        scene.kubectl(action);
        pause(0.5);
        held(&scene, &format!("after {action:?}"));
    }
    let anew = |scene: &Scene| {
        until("it starts anew", || {
            let shares = gateway.shares();
            if shares.ends_with(&[0, 50]) { Ok(()) } else { Err(format!("{shares:?} {}", told(scene))) }
        });
    };
    gateway.forget();
    scene.controller.kill();
    scene.kubectl(&["set", "image", "deployment/web", "web=registry.example/web:1"]);
    let stable = replica_set(&scene, "1");
    until("the stable pods count as held", || {
        let set = scene.get("replicaset", &stable).unwrap();
        if set["spec"]["minReadySeconds"] == 2_147_483_646 { Ok(()) } else { Err(set["spec"].to_string()) }
    });
    scene.controller.start();
    anew(&scene);
    held(&scene, "after the way back that nobody saw");
    let set = scene.get("replicaset", &stable).unwrap();
    assert!(set["spec"]["minReadySeconds"].is_null(), "{set}");
    gateway.forget();
    scene.kubectl(&["delete", "replicaset", &stable]);
    anew(&scene);
    held(&scene, "after the stable pods were deleted");
    let weights = json!([{"op": "replace", "path": "/spec/rules/0/backendRefs",
        "value": [{"name": "web-candidate", "port": 80}]}]);
    scene.kubectl(&["patch", "httproute", "web", "--type=json", "--patch", &weights.to_string()]);
    until("the weights are what they were", || {
        let share = gateway.divisions().last().map(crate::harness::gateway::Division::candidate);
        if share == Some(50) { Ok(()) } else { Err(format!("{share:?}")) }
    });
    held(&scene, "after another division");

    scene.kubectl(&["rollout", "restart", "deployment/web"]);
    until("the step is judged anew with the pods that were made anew", || {
        let live = scene.get("deployment", "web").unwrap();
        let again = live["spec"]["template"]["metadata"]["annotations"].to_string().contains("restartedAt");
        let told = told(&scene);
        if again && told.contains("waits for approval") { Ok(()) } else { Err(format!("{again} {told}")) }
    });
    let judged = names(&scene, "2");
    scene.ask("shop", "approve");
    scene.ready_at("the second release", "shop", &second);
    let serving = names(&scene, "2");
    assert!(judged.iter().all(|pod| serving.contains(pod)), "{judged:?} {serving:?}");
}

/// The ReplicaSet of a version.
fn replica_set(scene: &Scene, tag: &str) -> String {
    let pod = names(scene, tag).remove(0);
    pod.rsplit_once('-').unwrap().0.to_owned()
}

fn an_application_that_goes_leads_its_traffic_back_first() {
    let (scene, gateway) = scene(json!([{"weight": 50, "approval": true}]), json!({}));
    commit(&scene, &[("shop/web.yaml", &web("2", ""))]);
    scene.refresh("shop");
    wait_for_phase(&scene, RolloutPhase::Hold, 50);
    gateway.forget();
    scene.kubectl(&["delete", "application", "shop", "--wait=false"]);
    until("it is gone", || if scene.read("shop").is_none() { Ok(()) } else { Err(told(&scene)) });
    let shares = gateway.shares();
    assert_eq!(shares.last(), Some(&0), "{shares:?}");
    assert!(scene.get("deployment", "web").is_none());
}

fn what_stays_of_an_application_that_goes_is_not_held() {
    let (scene, gateway) =
        scene(json!([{"weight": 50, "approval": true}]), json!({"deletionPolicy": "Orphan"}));
    commit(&scene, &[("shop/web.yaml", &web("2", ""))]);
    scene.refresh("shop");
    wait_for_phase(&scene, RolloutPhase::Hold, 50);
    scene.kubectl(&["delete", "application", "shop", "--wait=false"]);
    until("it is gone", || if scene.read("shop").is_none() { Ok(()) } else { Err(told(&scene)) });
    wait_for_pods(&scene, "the stable pods stay", &[("1", 4)]);
    let web = scene.get("deployment", "web").unwrap();
    assert_eq!(web["spec"]["progressDeadlineSeconds"], 600, "{web}");
    let backends = scene.get("httproute", "web").unwrap()["spec"]["rules"][0]["backendRefs"].clone();
    assert_eq!(backends[0]["name"], "web", "{backends}");
    assert_eq!(gateway.shares().last(), Some(&0));
}

fn a_policy_that_is_changed_or_removed_is_followed() {
    let (scene, gateway) =
        scene(json!([{"weight": 10, "approval": true}, {"weight": 50, "approval": true}]), json!({}));
    commit(&scene, &[("shop/web.yaml", &web("2", ""))]);
    scene.refresh("shop");
    wait_for_phase(&scene, RolloutPhase::Hold, 10);
    let heavier = canary(json!([{"weight": 30, "approval": true}, {"weight": 60, "approval": true}]));
    commit(&scene, &[("shop/policy.yaml", &policy(&heavier))]);
    scene.refresh("shop");
    wait_for_phase(&scene, RolloutPhase::Hold, 30);
    wait_for_approval(&scene);
    let last = scene.repository.commit(&[("shop/policy.yaml", None)]);
    scene.refresh("shop");
    scene.ready_at("without a policy it goes to its end", "shop", &last);
    wait_for_rest(&scene, "nothing is left");
    wait_for_pods(&scene, "all of them are new", &[("2", 4)]);
    assert!(target(&scene, "web").is_none(), "{}", told(&scene));
    let shares = gateway.shares();
    assert_eq!(shares[..4], [0, 10, 0, 30], "a heavier step begins with its pods: {shares:?}");
}

fn a_newer_release_waits_where_the_policy_says_so() {
    let mut scene = Scene::waiting(&["--no-leader-election"]);
    let gateway = Gateway::of(&scene);
    scene.controller.start();
    let mut spec = canary(json!([{"weight": 50, "approval": true}]));
    spec["onNewRelease"] = json!("Queue");
    behind_a_route(&scene, &policy(&spec), json!({}));
    gateway.forget();
    commit(&scene, &[("shop/web.yaml", &web("2", ""))]);
    scene.refresh("shop");
    wait_for_approval(&scene);
    let third = commit(&scene, &[("shop/web.yaml", &web("3", ""))]);
    scene.windlass(&["refresh", "shop", "--no-wait"]).ok();
    let message = scene.not_ready("the newer release waits", "shop", "RolloutUnderWay");
    assert!(message.contains(&third[..7]), "{message}");
    wait_for_pods(&scene, "the second release is held", &[("1", 4), ("2", 2)]);
    scene.ask("shop", "approve");
    until("the third release has its turn", || {
        let found = pods(&scene, "web");
        if found.contains_key("3") && !found.contains_key("1") {
            Ok(())
        } else {
            Err(format!("{found:?} {}", told(&scene)))
        }
    });
    wait_for_approval(&scene);
    scene.ask("shop", "approve");
    scene.ready_at("the third release", "shop", &third);
    assert_eq!(gateway.shares(), [0, 50, 100, 0, 50, 100, 0]);
}

fn at_rest_a_policy_costs_nothing() {
    let (mut scene, _gateway) = scene(json!([{"weight": 50, "hold": "1s"}]), json!({}));
    let second = commit(&scene, &[("shop/web.yaml", &web("2", ""))]);
    scene.refresh("shop");
    scene.ready_at("the second release", "shop", &second);
    wait_for_rest(&scene, "nothing is left");
    scene.settled();
    let mark = scene.mark();
    // An event of an object of its own.
    scene.kubectl(&["annotate", "service", "web", "example.org/touched=1"]);
    pause(2.0);
    assert_eq!(scene.lists(mark), [""; 0], "nothing is looked at");
    assert_eq!(scene.dry_runs(mark), [""; 0]);
    assert_eq!(scene.writes_but_lease(mark), [""; 0]);
    for _ in 0..2 {
        scene.controller.kill();
        let mark = scene.mark();
        scene.controller.start();
        pause(5.0);
        assert_eq!(scene.writes_but_lease(mark), [""; 0], "a restart writes nothing");
        assert_eq!(scene.dry_runs(mark), [""; 0]);
    }
}
