//! Of several controllers one writes, whatever happens to it.

use serde_json::json;

use crate::harness::manifests::config_map;
use crate::harness::{Fate, Gate, Mark, Scene, signal, until};
use crate::tests;

tests![
    a_leader_that_ends_hands_over,
    a_dead_leader_is_replaced,
    a_stopped_leader_that_lost_the_lease_writes_nothing,
    without_renewals_nothing_is_written,
    a_deleted_lease_ends_its_holder,
];

/// Has the first controller lead and everything in sync.
fn begin(scene: &mut Scene) {
    let first = commit(scene, "one");
    scene.controller.start_leading();
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    scene.settled();
}

fn commit(scene: &Scene, value: &str) -> String {
    scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", value)))])
}

fn value(scene: &Scene) -> String {
    scene.get("configmap", "settings").unwrap()["data"]["key"].as_str().unwrap().to_owned()
}

/// What the first controller changed since a mark; a request that was refused changed nothing.
fn changes(scene: &Scene, since: Mark) -> Vec<String> {
    let writes = scene.writes(since).into_iter().filter(|write| (200..300).contains(&write.code));
    writes.map(|write| write.to_string()).collect()
}

fn a_leader_that_ends_hands_over() {
    let mut scene = Scene::waiting(&[]);
    begin(&mut scene);
    let mut second = scene.another_controller();
    second.start();
    until("the second one waits", || second.said("another controller leads"));
    signal(scene.controller.pid(), libc::SIGTERM);
    until("the second one leads after SIGTERM", || second.said("leading instance"));
    let next = commit(&scene, "two");
    scene.refresh("shop");
    scene.ready_at("the second one works", "shop", &next);
}

fn a_dead_leader_is_replaced() {
    let mut scene = Scene::waiting(&[]);
    begin(&mut scene);
    let mut second = scene.another_controller();
    second.start();
    until("the second one waits", || second.said("another controller leads"));
    scene.controller.kill();
    until("the second one leads after SIGKILL", || second.said("leading instance"));
    let next = commit(&scene, "two");
    scene.refresh("shop");
    scene.ready_at("the second one works", "shop", &next);
}

/// As a machine that sleeps, or is cut off: when it comes back it must not undo what its successor did.
fn a_stopped_leader_that_lost_the_lease_writes_nothing() {
    let mut scene = Scene::waiting(&[]);
    begin(&mut scene);
    let mut second = scene.another_controller();
    second.start();
    until("the second one waits", || second.said("another controller leads"));
    signal(scene.controller.pid(), libc::SIGSTOP);
    let next = commit(&scene, "two");
    let asked = scene.windlass(&["refresh", "shop", "--no-wait"]);
    assert_eq!(asked.code, 0, "{asked:?}");
    scene.ready_at("the second one took over", "shop", &next);
    let mark = scene.mark();
    signal(scene.controller.pid(), libc::SIGCONT);
    // It sees the change in its watch at once, and has only its old release to heal to.
    until("the first one ended", || {
        if scene.controller.is_running() { Err(scene.controller.log()) } else { Ok(()) }
    });
    assert!(scene.controller.log().contains("lost the lease"), "{}", scene.controller.log());
    assert_eq!(changes(&scene, mark), [""; 0]);
    assert_eq!(value(&scene), "two");
}

/// A leader that can do everything but renew its Lease: it stops writing well before another may begin.
fn without_renewals_nothing_is_written() {
    let mut scene = Scene::waiting(&[]);
    let proxy = scene.proxy();
    begin(&mut scene);
    let gate = Gate::default();
    let (at, seen) = (gate.clone(), gate.clone());
    proxy.decide(move |method, path| match path.contains("/leases/") && method == "PUT" {
        true => Fate::Waits(at.clone()),
        false => Fate::Passes,
    });
    until("two renewals failed", || match seen.arrived() {
        0..=2 => Err(format!("{} of them arrived", seen.arrived())),
        _ => Ok(()),
    });
    let mark = scene.mark();
    scene.kubectl(&["patch", "configmap", "settings", "--patch", r#"{"data": {"key": "by hand"}}"#]);
    until("the leader ended", || {
        if scene.controller.is_running() { Err(scene.controller.log()) } else { Ok(()) }
    });
    assert!(scene.controller.log().contains("lost the lease"), "{}", scene.controller.log());
    assert_eq!(changes(&scene, mark), [""; 0]);
    assert_eq!(value(&scene), "by hand");
}

fn a_deleted_lease_ends_its_holder() {
    let mut scene = Scene::waiting(&[]);
    begin(&mut scene);
    let mut second = scene.another_controller();
    second.start();
    until("the second one waits", || second.said("another controller leads"));
    scene.kubectl(&["delete", "leases", "--all"]);
    until("the first one ended", || {
        if scene.controller.is_running() { Err(scene.controller.log()) } else { Ok(()) }
    });
    assert!(!second.log().contains("leading instance"), "it leads beside the first one:\n{}", second.log());
    until("the second one leads", || second.said("leading instance"));
}
