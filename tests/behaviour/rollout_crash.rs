//! A rollout ends in the same place wherever the controller is killed on the way.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;
use windlass_core::api::RolloutPhase;

use crate::harness::gateway::Gateway;
use crate::harness::manifests::config_map;
use crate::harness::shop::{
    behind_a_route, canary, commit, policy, target, told, wait_for_pods, wait_for_rest, web,
};
use crate::harness::{Prometheus, Scene, Target};
use crate::tests;

tests![killed_in_each_phase_of_a_good_rollout, killed_in_each_phase_of_a_bad_rollout];

/// Kills the controller as soon as the status names another phase or step, and starts it again, until `done`.
fn kill_on_the_way(
    scene: &mut Scene,
    mut at: impl FnMut(RolloutPhase, u32),
    done: impl Fn(&Scene) -> bool,
) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut killed = Vec::new();
    let begin = Instant::now();
    while !done(scene) {
        assert!(begin.elapsed() < Duration::from_secs(240), "never done: {killed:?} {}", told(scene));
        let state = target(scene, "web");
        let step = state.as_ref().and_then(|state| Some(state.rollout.as_ref()?.step));
        if let (Some(state), Some(step)) = (state, step) {
            at(state.phase, step);
            if seen.insert((state.phase, step)) {
                scene.controller.kill();
                killed.push(format!("{:?} {step}", state.phase));
                scene.controller.start();
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    killed
}

fn is_at(scene: &Scene, revision: &str, reason: &str) -> bool {
    let idle = target(scene, "web").is_some_and(|state| state.rollout.is_none());
    let ready = scene.condition("shop", "Ready").ok();
    idle && ready.is_some_and(|ready| ready.reason == reason && ready.message.contains(&revision[..7]))
}

fn killed_in_each_phase_of_a_good_rollout() {
    let mut scene = Scene::waiting(&["--no-leader-election"]);
    let gateway = Gateway::of(&scene);
    scene.controller.start();
    let steps = json!([{"weight": 5, "hold": "1s"}, {"weight": 50, "hold": "1s"}]);
    behind_a_route(&scene, &policy(&canary(steps)), json!({}));
    gateway.forget();
    let second = commit(
        &scene,
        &[("shop/web.yaml", &web("2", "")), ("shop/settings.yaml", &config_map("settings", "two"))],
    );
    scene.windlass(&["refresh", "shop", "--no-wait"]).ok();
    let killed = kill_on_the_way(
        &mut scene,
        |_, _| {},
        |scene| {
            let status = scene.read("shop").and_then(|app| app.status).unwrap_or_default();
            let idle = status.targets.iter().all(|target| target.rollout.is_none());
            idle && status.stable.is_some_and(|stable| stable.revision.contains(&second[..7]))
        },
    );
    assert!(killed.len() >= 11, "{killed:?}");
    scene.ready_at("the second release", "shop", &second);
    wait_for_rest(&scene, "nothing is left");
    wait_for_pods(&scene, "new pods", &[("2", 4)]);
    assert_eq!(gateway.shares(), [0, 5, 50, 100, 0], "{killed:?}");
    scene.settled();
}

fn killed_in_each_phase_of_a_bad_rollout() {
    let metric = Target::new(0.001);
    let prometheus = Prometheus::of(&metric);
    let mut scene = Scene::waiting(&["--no-leader-election"]);
    let gateway = Gateway::of(&scene);
    scene.controller.start();
    let mut spec = canary(json!([{"weight": 5, "hold": "1s"}, {"weight": 50, "hold": "10m"}]));
    spec["gates"] = json!([{
        "name": "errors",
        "prometheus": {"address": prometheus.address()},
        "threshold": {"query": "error_ratio", "max": "0.01", "interval": "1s", "consecutive": 2},
    }]);
    behind_a_route(&scene, &policy(&spec), json!({}));
    gateway.forget();
    let bad = commit(
        &scene,
        &[("shop/web.yaml", &web("2", "")), ("shop/settings.yaml", &config_map("settings", "two"))],
    );
    scene.windlass(&["refresh", "shop", "--no-wait"]).ok();
    let fails = |phase, step| {
        if phase == RolloutPhase::Hold && step == 1 {
            metric.set(Some(0.5));
        }
    };
    let killed = kill_on_the_way(&mut scene, fails, |scene| is_at(scene, &bad, "RolledBack"));
    for phase in ["Retreat 1", "Abort 1", "Clean 1"] {
        assert!(killed.iter().any(|killed| killed == phase), "{killed:?}");
    }
    wait_for_rest(&scene, "nothing is left");
    wait_for_pods(&scene, "the stable pods", &[("1", 4)]);
    assert!(scene.get("configmap", "settings").unwrap()["data"].to_string().contains("one"));
    assert_eq!(gateway.shares(), [0, 5, 50, 0], "{killed:?}");
    scene.settled();
}
