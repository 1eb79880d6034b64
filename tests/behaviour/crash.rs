//! A controller that is killed leaves nothing half done for longer than it takes to start again.

use std::thread;
use std::time::Duration;

use rand::RngExt as _;
use serde_json::json;

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, pause, until};
use crate::tests;

tests![
    killed_at_any_moment_it_converges,
    a_restart_in_sync_writes_nothing,
    drift_while_it_was_away_is_healed,
    a_second_controller_waits_for_the_lease,
];

const OBJECTS: usize = 100;
const KILLS: usize = 8;

/// As many ConfigMaps as there are, each with this value.
fn files(value: &str) -> Vec<(String, String)> {
    (0..OBJECTS).map(|i| (format!("shop/{i}.yaml"), config_map(&format!("c{i}"), value))).collect()
}

fn commit(scene: &Scene, value: &str) -> String {
    let files = files(value);
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    scene.repository.commit(&files)
}

/// As if the Lease of a killed controller had run out.
fn end_lease(scene: &Scene) {
    scene.kubectl(&["delete", "lease", "--all"]);
}

fn killed_at_any_moment_it_converges() {
    let mut scene = Scene::waiting(&[]);
    commit(&scene, "first");
    scene.application("shop", json!({}));
    let mut last = String::new();
    for round in 0..KILLS {
        // The first half is killed in the first sync, the others in an update.
        if round >= KILLS / 2 {
            last = commit(&scene, &format!("round {round}"));
        }
        scene.controller.start_leading();
        let moment = Duration::from_millis(rand::rng().random_range(0..500));
        thread::sleep(moment);
        scene.controller.kill();
        let live = scene.kubectl(&["get", "configmaps", "--output=name"]);
        let live = live.lines().filter(|line| line.starts_with("configmap/c")).count();
        println!("crash: round {round} killed after {moment:?} with {live} objects live");
        end_lease(&scene);
    }
    scene.controller.start_leading();
    scene.ready_at("converged after kills", "shop", &last);
    let live: serde_json::Value =
        serde_json::from_str(&scene.kubectl(&["get", "configmaps", "--output=json"])).unwrap();
    let items = live["items"].as_array().unwrap();
    let expected = format!("round {}", KILLS - 1);
    let right = items.iter().filter(|item| item["data"]["key"] == expected.as_str()).count();
    assert_eq!(right, OBJECTS);
    scene.settled();
    let mark = scene.mark();
    scene.controller.kill();
    end_lease(&scene);
    scene.controller.start_leading();
    pause(3.0);
    assert_eq!(scene.writes_but_lease(mark), [""; 0]);
}

fn a_restart_in_sync_writes_nothing() {
    let mut scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/web.yaml", Some(&deployment("web", 2, "web:1"))),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("other/more.yaml", Some(&config_map("more", "one"))),
    ]);
    for name in ["shop", "other"] {
        scene.application(name, json!({}));
        scene.ready_at("Ready", name, &first);
    }
    scene.settled();

    let mark = scene.mark();
    assert!(scene.controller.stop().success());
    scene.controller.start_leading();
    pause(3.0);
    assert_eq!(scene.writes_but_lease(mark), [""; 0], "after SIGTERM");

    let mark = scene.mark();
    scene.controller.kill();
    // Here the Lease has to run out by itself.
    scene.controller.start_leading();
    pause(3.0);
    assert_eq!(scene.writes_but_lease(mark), [""; 0], "after SIGKILL");

    let next = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    let mark = scene.mark();
    scene.refresh("shop");
    scene.ready_at("a commit after restarts", "shop", &next);
    assert_eq!(scene.object_writes(mark), ["patch configmaps settings"]);
}

fn drift_while_it_was_away_is_healed() {
    let mut scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/web.yaml", Some(&deployment("web", 2, "web:1"))),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/more.yaml", Some(&config_map("more", "one"))),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    scene.settled();
    assert!(scene.controller.stop().success());
    scene.kubectl(&["scale", "deployment/web", "--replicas=4"]);
    scene.kubectl(&["delete", "configmap", "settings"]);
    let second = scene.repository.commit(&[("shop/more.yaml", None)]);
    scene.controller.start_leading();
    until("what drifted meanwhile healed", || {
        let replicas = scene.get("deployment", "web").unwrap()["spec"]["replicas"].clone();
        let settings = scene.get("configmap", "settings").is_some();
        let more = scene.get("configmap", "more").is_some();
        if replicas == 2 && settings && !more {
            return Ok(());
        }
        Err(format!("{replicas} replicas, settings {settings}, more {more}"))
    });
    scene.ready_at("Ready", "shop", &second);
}

fn a_second_controller_waits_for_the_lease() {
    let mut scene = Scene::new();
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    let mut second = scene.another_controller();
    second.start();
    until("the second one waits", || {
        let log = second.log();
        if log.contains("another controller leads") { Ok(()) } else { Err(log) }
    });
    assert!(scene.controller.stop().success());
    let next = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    scene.refresh("shop");
    scene.ready_at("the second one took over", "shop", &next);
}
