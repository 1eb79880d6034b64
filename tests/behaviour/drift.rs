//! What others change is set right, and what is theirs is left to them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::manifests::{config_map, deployment, service};
use crate::harness::{Scene, pause, until};
use crate::tests;

tests![
    at_rest_nothing_is_written_but_the_lease,
    changes_by_hand_are_healed,
    a_deleted_object_is_restored,
    what_is_foreign_is_left_alone,
    drift_is_only_told_where_healing_is_off,
    an_autoscaler_keeps_the_replicas_that_git_does_not_set,
    a_fight_is_bounded,
];

fn scene_with_shop() -> Scene {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[
        ("shop/web.yaml", Some(&deployment("web", 2, "web:1"))),
        ("shop/service.yaml", Some(&service("web"))),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &commit);
    scene.settled();
    scene
}

fn at_rest_nothing_is_written_but_the_lease() {
    let scene = scene_with_shop();
    let text = std::env::var("WINDLASS_TEST_REST_SECONDS").unwrap_or_else(|_| "60".into());
    let rest = Duration::from_secs(text.parse().expect("WINDLASS_TEST_REST_SECONDS is a number"));
    let mark = scene.mark();
    std::thread::sleep(rest);
    let writes = scene.writes(mark);
    let (renewals, others): (Vec<_>, Vec<_>) =
        writes.into_iter().partition(|write| write.resource == "leases");
    assert_eq!(others, []);
    assert!(renewals.len() as u64 >= rest.as_secs() / 10, "only {} renewals", renewals.len());
}

fn changes_by_hand_are_healed() {
    let scene = scene_with_shop();
    let web = || scene.get("deployment", "web").unwrap();
    let healed = |what: &str, pointer: &str, expected: Value| {
        until(what, || {
            let live = web();
            let found = live.pointer(pointer).cloned().unwrap_or_default();
            if found == expected { Ok(()) } else { Err(format!("{pointer} is {found}")) }
        });
    };
    let mark = scene.mark();
    scene.kubectl(&["scale", "deployment/web", "--replicas=5"]);
    healed("kubectl scale healed", "/spec/replicas", json!(2));
    scene.kubectl(&["set", "image", "deployment/web", "main=evil:9"]);
    healed("kubectl set image healed", "/spec/template/spec/containers/0/image", json!("web:1"));
    scene.kubectl(&["label", "deployment/web", "tier-"]);
    healed("label removal healed", "/metadata/labels/tier", json!("front"));
    scene.kubectl(&["label", "deployment/web", "windlass.dev/application-"]);
    until("removal of our own label healed", || {
        let live = web();
        let label = &live["metadata"]["labels"]["windlass.dev/application"];
        if label.is_string() { Ok(()) } else { Err(format!("it is {label}")) }
    });
    scene.kubectl(&["patch", "configmap", "settings", "--patch", r#"{"data": {"key": "evil"}}"#]);
    until("changed data healed", || {
        let live = scene.get("configmap", "settings").unwrap()["data"]["key"].clone();
        if live == "one" { Ok(()) } else { Err(format!("it is {live}")) }
    });
    scene.settled();
    let writes = scene.object_writes(mark);
    assert_eq!(writes[..1], ["patch configmaps settings"]);
    assert_eq!(writes[1..], ["patch deployments web"; 4]);
    let ready = scene.condition("shop", "Ready").unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("True", "Synced"));
}

fn a_deleted_object_is_restored() {
    let scene = scene_with_shop();
    for (kind, name) in [("deployment", "web"), ("service", "web"), ("configmap", "settings")] {
        let before = scene.get(kind, name).unwrap()["metadata"]["uid"].clone();
        scene.kubectl(&["delete", kind, name]);
        until("deleted object restored", || {
            let live = scene.get(kind, name).ok_or_else(|| format!("there is no {kind} {name}"))?;
            if live["metadata"]["uid"] == before { Err("it is still the old one".into()) } else { Ok(()) }
        });
    }
    until("Ready again", || {
        let ready = scene.condition("shop", "Ready")?;
        if ready.status == "True" { Ok(()) } else { Err(format!("{}: {}", ready.reason, ready.message)) }
    });
}

fn what_is_foreign_is_left_alone() {
    let scene = scene_with_shop();
    let mark = scene.mark();
    scene.kubectl(&["annotate", "service/web", "example.com/note=by hand"]);
    scene.kubectl(&["label", "service/web", "team=blue"]);
    scene.kubectl(&[
        "patch",
        "configmap",
        "settings",
        "--patch",
        r#"{"data": {"theirs": "stays"}}"#,
        "--field-manager=theirs",
    ]);
    pause(3.0);
    assert_eq!(scene.writes_but_lease(mark), [""; 0]);
    // An annotation is a new generation of a Deployment, so its health is told while its controller looks at it.
    scene.kubectl(&["annotate", "deployment/web", "example.com/note=by hand"]);
    scene.settled();
    assert_eq!(scene.object_writes(mark), [""; 0]);
    assert_eq!(
        scene.get("deployment", "web").unwrap()["metadata"]["annotations"]["example.com/note"],
        "by hand"
    );

    // Nor does a new commit take them away.
    let next = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    scene.refresh("shop");
    scene.ready_at("Ready", "shop", &next);
    assert_eq!(scene.get("configmap", "settings").unwrap()["data"], json!({"key": "two", "theirs": "stays"}));
}

fn drift_is_only_told_where_healing_is_off() {
    let scene = scene_with_shop();
    scene.application("shop", json!({"sync": {"selfHeal": false}}));
    scene.settled();
    let mark = scene.mark();
    scene.kubectl(&["scale", "deployment/web", "--replicas=4"]);
    let message = scene.not_ready("drift told", "shop", "Drifted");
    assert!(message.contains("Deployment") && message.contains("web"), "{message}");
    let status = scene.read("shop").unwrap().status.unwrap();
    assert_eq!(format!("{:?}", status.sync.status), "OutOfSync");
    pause(2.0);
    assert_eq!(scene.object_writes(mark), [""; 0]);
    assert_eq!(scene.get("deployment", "web").unwrap()["spec"]["replicas"], 4);

    scene.application("shop", json!({"sync": {"selfHeal": true}}));
    until("healed once it is allowed", || {
        let replicas = scene.get("deployment", "web").unwrap()["spec"]["replicas"].clone();
        if replicas == 2 { Ok(()) } else { Err(format!("{replicas} replicas")) }
    });
}

fn an_autoscaler_keeps_the_replicas_that_git_does_not_set() {
    let scene = Scene::new();
    let without = deployment("web", 1, "web:1").replace("  replicas: 1\n", "");
    let commit = scene.repository.commit(&[("shop/web.yaml", Some(&without))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &commit);
    scene.settled();
    let mark = scene.mark();
    scene.kubectl(&["scale", "deployment/web", "--replicas=3"]);
    until("scaled", || {
        let ready = scene.get("deployment", "web").unwrap()["status"]["readyReplicas"].clone();
        if ready == 3 { Ok(()) } else { Err(format!("{ready} replicas")) }
    });
    scene.settled();
    assert_eq!(scene.object_writes(mark), [""; 0]);
}

/// Somebody who undoes every heal at once costs few writes, and the Application says what goes on.
fn a_fight_is_bounded() {
    let scene = scene_with_shop();
    let mark = scene.mark();
    let began = Instant::now();
    let mut rounds = 0;
    while began.elapsed() < Duration::from_secs(8) {
        rounds += 1;
        let patch = format!(r#"{{"data": {{"key": "round {rounds}"}}}}"#);
        scene.kubectl(&["patch", "configmap", "settings", "--patch", &patch]);
    }
    let heals = scene.object_writes(mark).len();
    println!("drift: {heals} heals against {rounds} changes");
    assert!(heals < 12, "{heals} heals against {rounds} changes in 8 s");
    until("healed after the fight", || {
        let live = scene.get("configmap", "settings").unwrap()["data"]["key"].clone();
        if live == "one" { Ok(()) } else { Err(format!("it is {live}")) }
    });
}
