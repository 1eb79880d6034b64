//! Jobs that are no hooks: each content runs once, and what ended may go.

use serde_json::{Value, json};

use crate::harness::manifests::config_map;
use crate::harness::{Scene, pause, until};
use crate::tests;

tests![a_finished_job_that_vanishes_is_no_drift, a_changed_job_is_replaced, a_wave_waits_for_its_jobs];

fn job(name: &str, image: &str, more: Value, wave: &str, slow: &str) -> String {
    let pod = if slow.is_empty() { json!({}) } else { json!({"annotations": {"slow": slow}}) };
    let mut job = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "annotations": {"windlass.dev/wave": wave}},
        "spec": {"template": {
            "metadata": pod,
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": image}]}
        }}
    });
    job["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    format!("{job}\n")
}

fn a_finished_job_that_vanishes_is_no_drift() {
    let mut scene = Scene::waiting(&[]);
    let seed = job("seed", "tool:1", json!({"ttlSecondsAfterFinished": 1}), "0", "");
    let commit = scene.repository.commit(&[
        ("shop/seed.yaml", Some(seed.as_str())),
        ("shop/conf.yaml", Some(config_map("conf", "1").as_str())),
    ]);
    scene.application("shop", json!({}));
    scene.controller.start_leading();
    scene.ready_at("released", "shop", &commit);
    until("gone", || scene.get("job", "seed").map_or(Ok(()), |_| Err("it is there".into())));
    scene.settled();
    scene.ready_at("still ready", "shop", &commit);
    // Neither a restart nor a release that does not change it runs it again, not even both together.
    scene.controller.kill();
    scene.kubectl(&["delete", "lease", "--all"]);
    let mark = scene.mark();
    scene.controller.start_leading();
    pause(3.0);
    assert_eq!(scene.writes_but_lease(mark), [""; 0]);
    scene.controller.kill();
    scene.kubectl(&["delete", "lease", "--all"]);
    let commit = scene.repository.commit(&[("shop/conf.yaml", Some(config_map("conf", "2").as_str()))]);
    let mark = scene.mark();
    scene.controller.start_leading();
    scene.ready_at("second release", "shop", &commit);
    assert_eq!(scene.object_writes(mark), ["patch configmaps conf"]);
}

fn a_changed_job_is_replaced() {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[
        ("shop/seed.yaml", Some(job("seed", "tool:1", json!({}), "0", "").as_str())),
        ("shop/conf.yaml", Some(config_map("conf", "1").as_str())),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("first", "shop", &commit);
    let changed = job("seed", "tool:2", json!({}), "0", "");
    let commit = scene.repository.commit(&[("shop/seed.yaml", Some(changed.as_str()))]);
    scene.refresh("shop");
    scene.ready_at("second", "shop", &commit);
    let live = scene.get("job", "seed").unwrap();
    assert_eq!(live["spec"]["template"]["spec"]["containers"][0]["image"], "tool:2");
    assert_eq!(live["status"]["succeeded"], 1, "{live}");
    scene.settled();
}

fn a_wave_waits_for_its_jobs() {
    let scene = Scene::new();
    let vanishing = job("seed", "tool:1", json!({"ttlSecondsAfterFinished": 0}), "-1", "4s");
    let commit = scene.repository.commit(&[
        ("shop/seed.yaml", Some(vanishing.as_str())),
        ("shop/conf.yaml", Some(config_map("conf", "1").as_str())),
    ]);
    scene.application("shop", json!({}));
    until("it runs", || scene.get("job", "seed").map(drop).ok_or("it is not there".into()));
    assert!(scene.get("configmap", "conf").is_none());
    scene.ready_at("released", "shop", &commit);
    until("gone", || scene.get("job", "seed").map_or(Ok(()), |_| Err("it is there".into())));
    assert!(scene.get("configmap", "conf").is_some());
    scene.settled();
}
