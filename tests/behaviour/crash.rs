//! A controller that is killed leaves nothing half done for longer than it takes to start again.

use std::thread;
use std::time::Duration;

use rand::RngExt as _;
use serde_json::json;

use crate::harness::manifests::config_map;
use crate::harness::{Scene, pause};
use crate::tests;

tests![killed_at_any_moment_it_converges];

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
