//! An Application whose new release waits for others to be ready.

use std::net::TcpListener;
use std::thread;
use std::time::Instant;

use serde_json::json;

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, record, until};
use crate::tests;

tests![
    a_dependent_begins_when_its_dependency_is_ready,
    one_commit_for_both_goes_in_order,
    what_depends_on_each_other_is_told,
    what_nobody_here_looks_after_is_told,
    a_dependency_that_is_deleted_is_told_and_goes,
    many_that_fail_or_hang_delay_nobody,
];

fn live(scene: &Scene, name: &str) -> String {
    scene.get("configmap", name).map_or("gone".into(), |live| live["data"]["key"].as_str().unwrap().into())
}

fn becomes(scene: &Scene, what: &str, name: &str, value: &str) {
    until(what, || match live(scene, name) {
        live if live == value => Ok(()),
        other => Err(format!("{name} is {other}")),
    });
}

/// A Deployment with more in the metadata of its pods.
fn database(image: &str, pods: &str) -> String {
    let with = format!("{{labels: {{app: database{pods}}}}}");
    // Slow pods are marked by an annotation, failing ones by a label.
    let with =
        if pods.starts_with(", annotations") { format!("{{labels: {{app: database}}{pods}}}") } else { with };
    deployment("database", 1, image).replace("{labels: {app: database}}", &with)
}

fn a_dependent_begins_when_its_dependency_is_ready() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[
        ("database/app.yaml", Some(&database("db:1", ", fail: ready"))),
        ("shop/app.yaml", Some(&config_map("shop", "one"))),
    ]);
    scene.application("shop", json!({"dependsOn": [{"name": "database"}]}));
    let message = scene.not_ready("a dependency that is missing told", "shop", "DependencyNotReady");
    assert!(message.contains("database: there is no such Application"), "{message}");
    scene.application("database", json!({"health": {"timeout": "2s"}}));
    until("why the dependency is not ready told", || {
        let ready = scene.condition("shop", "Ready")?;
        let told = ready.reason == "DependencyNotReady" && ready.message.contains("database: Degraded");
        if told { Ok(()) } else { Err(format!("{}: {}", ready.reason, ready.message)) }
    });
    let said = scene.windlass(&["get", "shop"]).ok();
    assert!(said.contains("waiting for database: Degraded"), "{said}");
    assert_eq!(live(&scene, "shop"), "gone", "a first install waits too");

    scene.repository.commit(&[("database/app.yaml", Some(&database("db:2", "")))]);
    scene.windlass(&["refresh", "database"]);
    until("dependency ready", || {
        let ready = scene.condition("database", "Ready")?;
        if ready.status == "True" { Ok(()) } else { Err(ready.message) }
    });
    let began = Instant::now();
    becomes(&scene, "dependent live", "shop", "one");
    record("dependency seen ready to dependent live", began.elapsed());
    scene.ready_at("dependent Ready", "shop", &first);
}

fn one_commit_for_both_goes_in_order() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[
        ("database/app.yaml", Some(&database("db:1", ""))),
        ("shop/app.yaml", Some(&config_map("shop", "one"))),
    ]);
    scene.application("database", json!({}));
    scene.application("shop", json!({"dependsOn": [{"name": "database"}]}));
    scene.ready_at("first commit Ready", "database", &first);
    scene.ready_at("first commit Ready", "shop", &first);
    let second = scene.repository.commit(&[
        ("database/app.yaml", Some(&database("db:2", ", annotations: {slow: 6s}"))),
        ("shop/app.yaml", Some(&config_map("shop", "two"))),
    ]);
    scene.windlass(&["refresh", "shop"]);
    scene.not_ready("the dependent waits", "shop", "DependencyNotReady");
    scene.kubectl(&["patch", "configmap", "shop", "--patch", r#"{"data": {"key": "evil"}}"#]);
    becomes(&scene, "drift healed meanwhile", "shop", "one");
    until("dependent live", || {
        let value = live(&scene, "shop");
        let status = scene.get("deployment", "database").unwrap()["status"].clone();
        let rolled =
            status["updatedReplicas"] == 1 && status["replicas"] == 1 && status["readyReplicas"] == 1;
        assert!(value != "two" || rolled, "it began before its dependency was ready: {status}");
        if value == "two" { Ok(()) } else { Err(value) }
    });
    scene.ready_at("dependent Ready", "shop", &second);
}

fn what_depends_on_each_other_is_told() {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[
        ("one/app.yaml", Some(&config_map("one", "a"))),
        ("two/app.yaml", Some(&config_map("two", "a"))),
        ("three/app.yaml", Some(&config_map("three", "a"))),
    ]);
    scene.application("one", json!({"dependsOn": [{"name": "two"}]}));
    scene.application("three", json!({"dependsOn": [{"name": "one"}]}));
    scene.not_ready("a dependency that is missing told", "one", "DependencyNotReady");
    scene.application("two", json!({"dependsOn": [{"name": "one"}]}));
    let message = scene.not_ready("a cycle told", "one", "DependencyCycle");
    assert!(message.contains("one -> two -> one"), "{message}");
    let message = scene.not_ready("a cycle told on the other", "two", "DependencyCycle");
    assert!(message.contains("two -> one -> two"), "{message}");
    assert_eq!(scene.condition("two", "Stalled").unwrap().status, "True");
    until("told to who waits for one of them", || {
        let message = scene.condition("three", "Ready")?.message;
        if message.contains("one: DependencyCycle") { Ok(()) } else { Err(message) }
    });
    assert_eq!([live(&scene, "one"), live(&scene, "two"), live(&scene, "three")], ["gone"; 3]);
    scene.application("two", json!({}));
    for name in ["two", "one", "three"] {
        scene.ready_at("Ready without the cycle", name, &commit);
    }
}

fn what_nobody_here_looks_after_is_told() {
    let scene = Scene::new();
    scene.repository.commit(&[("shop/app.yaml", Some(&config_map("shop", "one")))]);
    scene.application("shop", json!({"dependsOn": [{"name": "database", "namespace": "elsewhere"}]}));
    let message = scene.not_ready("a namespace that is not watched told", "shop", "DependencyNotReady");
    assert!(message.contains("elsewhere/database") && message.contains("--watch-namespace"), "{message}");
    assert_eq!(scene.condition("shop", "Stalled").unwrap().status, "True");
}

fn a_dependency_that_is_deleted_is_told_and_goes() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[
        ("database/app.yaml", Some(&config_map("database", "one"))),
        ("shop/app.yaml", Some(&config_map("shop", "one"))),
    ]);
    scene.application("database", json!({}));
    scene.application("shop", json!({"dependsOn": [{"name": "database"}]}));
    scene.ready_at("first commit Ready", "shop", &first);
    scene.kubectl(&["delete", "wapp", "database", "--timeout=60s"]);
    assert_eq!(live(&scene, "database"), "gone", "nobody stops the deletion");
    until("those who depend on it named in an Event", || {
        let events = scene.kubectl(&["get", "events", "--output=json"]);
        if events.contains("DependedOn") && events.contains("/shop depend on it") {
            Ok(())
        } else {
            Err(events)
        }
    });
    scene.ready_at("the dependent stays ready with its present release", "shop", &first);
    scene.repository.commit(&[("shop/app.yaml", Some(&config_map("shop", "two")))]);
    scene.windlass(&["refresh", "shop"]);
    scene.not_ready("its new release waits", "shop", "DependencyNotReady");
    assert_eq!(live(&scene, "shop"), "one");
}

fn many_that_fail_or_hang_delay_nobody() {
    let scene = Scene::new();
    // A server that takes every connection and never says a word.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    let first = scene.repository.commit(&[
        ("healthy/app.yaml", Some(&config_map("healthy", "one"))),
        ("broken/app.yaml", Some("apiVersion: v1\nkind: [\n")),
    ]);
    scene.application("healthy", json!({}));
    scene.ready_at("first commit Ready", "healthy", &first);
    for i in 0..24 {
        let url = format!("http://{address}/{i}.git");
        let source = json!({"name": "env", "git": {"url": url, "branch": "main"}});
        scene.application(&format!("hangs-{i}"), json!({"sources": [source]}));
        let broken = scene.source("env", "broken");
        scene.application(&format!("fails-{i}"), json!({"sources": [broken]}));
    }
    scene.not_ready("one that fails told", "fails-23", "InvalidYaml");
    let second = scene.repository.commit(&[("healthy/app.yaml", Some(&config_map("healthy", "two")))]);
    scene.refresh("healthy");
    scene.ready_at("a commit live beside 24 that hang and 24 that fail", "healthy", &second);
    scene.kubectl(&["patch", "configmap", "healthy", "--patch", r#"{"data": {"key": "evil"}}"#]);
    becomes(&scene, "drift healed beside them", "healthy", "two");
}
