//! Workloads with a RolloutPolicy, rolled out by a held ReplicaSet.

use serde_json::{Value, json};

use crate::harness::manifests::config_map;
use crate::harness::shop::{SERVICE, commit, names, policy, told, wait_for_pods, web};
use crate::harness::{Scene, until};
use crate::tests;

tests![
    a_rolling_release_is_held_at_each_step_and_finished_with_the_judged_pods,
    blue_green_moves_the_service_and_goes_back_with_everything_else,
];

fn rolling() -> Value {
    json!({
        "target": {"kind": "Deployment", "name": "web"},
        "strategy": {"rolling": {"steps": [
            {"name": "one", "percent": 25, "hold": "3s"},
            {"name": "half", "percent": 50, "approval": true},
        ]}},
    })
}

fn a_rolling_release_is_held_at_each_step_and_finished_with_the_judged_pods() {
    let scene = Scene::new();
    let settings = config_map("settings", "one");
    let files = [
        ("shop/web.yaml", web("1", "")),
        ("shop/settings.yaml", settings),
        ("shop/policy.yaml", policy(&rolling())),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let first = commit(&scene, &files);
    scene.application("shop", json!({}));
    scene.ready_at("the first release", "shop", &first);
    wait_for_pods(&scene, "four pods", &[("1", 4)]);

    let second = commit(&scene, &[("shop/web.yaml", &web("2", ""))]);
    scene.refresh("shop");
    wait_for_pods(&scene, "one of them is new", &[("1", 4), ("2", 1)]);
    wait_for_pods(&scene, "half of them are new", &[("1", 4), ("2", 2)]);
    let waiting = scene.not_ready("approval", "shop", "RollingOut");
    until("it waits for approval", || {
        let told = told(&scene);
        if told.contains("waits for approval") { Ok(()) } else { Err(format!("{waiting} {told}")) }
    });
    let held: Vec<_> = names(&scene, "2");
    scene.ask("shop", "approve");
    scene.ready_at("the second release", "shop", &second);
    wait_for_pods(&scene, "all of them are new", &[("2", 4)]);
    let now = names(&scene, "2");
    assert!(held.iter().all(|pod| now.contains(pod)), "the judged pods serve: {held:?} {now:?}");
    let web = scene.get("deployment", "web").unwrap();
    assert_eq!(web["spec"]["minReadySeconds"], Value::Null, "{web}");
    assert_eq!(web["spec"]["progressDeadlineSeconds"], 600);
}

fn blue_green_moves_the_service_and_goes_back_with_everything_else() {
    let scene = Scene::new();
    let policy = policy(&json!({
        "target": {"kind": "Deployment", "name": "web"},
        "strategy": {"blueGreen": {"approval": true, "bake": "1h"}},
        "traffic": {"service": "web"},
    }));
    let first = commit(
        &scene,
        &[
            ("shop/web.yaml", &web("1", "")),
            ("shop/service.yaml", SERVICE),
            ("shop/settings.yaml", &config_map("settings", "one")),
            ("shop/policy.yaml", &policy),
        ],
    );
    scene.application("shop", json!({}));
    scene.ready_at("the first release", "shop", &first);
    wait_for_pods(&scene, "four pods", &[("1", 4)]);

    commit(
        &scene,
        &[("shop/web.yaml", &web("2", "")), ("shop/settings.yaml", &config_map("settings", "two"))],
    );
    scene.refresh("shop");
    wait_for_pods(&scene, "both versions are whole", &[("1", 4), ("2", 4)]);
    let hash =
        |scene: &Scene| scene.get("service", "web").unwrap()["spec"]["selector"]["pod-template-hash"].clone();
    let stable = hash(&scene);
    assert!(stable.is_string(), "the Service leads to the stable pods");
    let settings = scene.get("configmap", "settings").unwrap();
    assert!(
        settings["data"].to_string().contains("one"),
        "what others read waits for the promotion: {settings}"
    );
    scene.ask("shop", "approve");
    until("the Service leads to the candidate", || {
        let now = hash(&scene);
        if now.is_string() && now != stable { Ok(()) } else { Err(format!("{now} {}", told(&scene))) }
    });
    until("it bakes", || if told(&scene).contains("Bake") { Ok(()) } else { Err(told(&scene)) });

    scene.ask("shop", "abort");
    let message = scene.not_ready("RolledBack", "shop", "RolledBack");
    assert!(message.contains("aborted by jane"), "{message}");
    wait_for_pods(&scene, "the old pods are left", &[("1", 4)]);
    until("nothing is left of the rollout", || {
        let left =
            scene.get("service", "web-stable").is_some() || scene.get("service", "web-candidate").is_some();
        let pinned = hash(&scene).is_string();
        if left || pinned { Err(format!("{left} {pinned} {}", told(&scene))) } else { Ok(()) }
    });
    let maps = scene.kubectl(&["get", "configmaps", "--output=name"]);
    assert_eq!(maps.matches("settings-").count(), 1, "{maps}");
}
