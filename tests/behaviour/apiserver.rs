//! An API server that is busy, slow, broken or gone delays what Windlass does, and nothing else.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::harness::manifests::config_map;
use crate::harness::{Fate, Gate, Scene, block_on, pause, until};
use crate::tests;

tests![
    a_busy_one_is_asked_again_when_it_says,
    one_that_restarts_in_the_middle_of_twenty_syncs_loses_nothing,
    one_that_is_killed_in_the_middle_of_writes_and_starts_again,
    one_that_does_not_answer_holds_up_nobody_else,
    watches_that_expired_start_over,
    a_version_that_is_no_longer_served_is_watched_in_another,
    readiness_tells_whether_it_serves,
];

fn a_busy_one_is_asked_again_when_it_says() {
    let mut scene = Scene::waiting(&[]);
    let proxy = scene.proxy();
    let mut refused: HashMap<String, u32> = HashMap::new();
    // Each write is refused twice, each time with another status.
    proxy.decide(move |method, path| {
        if method == "GET" || path.contains("/leases") {
            return Fate::Passes;
        }
        let times = refused.entry(format!("{method} {path}")).or_default();
        *times += 1;
        match times {
            1 => Fate::Answered(429, 1),
            2 => Fate::Answered(503, 0),
            _ => Fate::Passes,
        }
    });
    scene.controller.start();
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    let mark = scene.mark();
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    assert_eq!(scene.object_writes(mark), ["patch configmaps settings"]);
    let log = scene.controller.log();
    assert!(!log.contains("a reconcile failed"), "{log}");
}

fn one_that_restarts_in_the_middle_of_twenty_syncs_loses_nothing() {
    let mut scene = Scene::waiting(&[]);
    let mut proxy = scene.proxy();
    let names: Vec<_> = (0..20).map(|number| format!("app-{number}")).collect();
    let files = |value: &str| -> Vec<_> {
        let of = |name: &String| (format!("{name}/map.yaml"), config_map(name, value));
        names.iter().map(of).collect()
    };
    let commit = |value: &str| {
        let files = files(value);
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
        scene.repository.commit(&files)
    };
    let first = commit("one");
    for name in &names {
        scene.application(name, json!({}));
    }
    // It goes down with some written, some under way and answers lost.
    let gate = Gate::default();
    let at = gate.clone();
    let mut writes = 0;
    proxy.decide(move |method, path| {
        if !path.contains("/configmaps/") || method != "PATCH" {
            return Fate::Passes;
        }
        writes += 1;
        match writes {
            1..=5 => Fate::Passes,
            6..=8 => Fate::Unheard,
            _ => Fate::Waits(at.clone()),
        }
    });
    scene.controller.start();
    until("some are under way", || match gate.arrived() {
        0 => Err("none is".to_owned()),
        _ => Ok(()),
    });
    proxy.down();
    pause(3.0);
    proxy.pass();
    gate.open();
    proxy.up();
    for name in &names {
        scene.ready_at("Ready after the restart", name, &first);
    }
    assert!(scene.controller.is_running(), "{}", scene.controller.log());
    scene.settled();
    for name in &names {
        assert_eq!(scene.get("configmap", name).unwrap()["data"]["key"], "one", "{name}");
    }
    // And it goes on: each object is written once.
    let second = commit("two");
    let mark = scene.mark();
    scene.refresh(&names[0]);
    for name in &names {
        scene.ready_at("the next commit", name, &second);
    }
    let mut expected: Vec<_> = names.iter().map(|name| format!("patch configmaps {name}")).collect();
    expected.sort();
    assert_eq!(scene.object_writes(mark), expected);
}

fn value(scene: &Scene, name: &str) -> Value {
    scene.get("configmap", name).unwrap_or_default()["data"]["key"].clone()
}

/// A process of its own, killed for good: what it had in memory is gone with it, its watches too.
fn one_that_is_killed_in_the_middle_of_writes_and_starts_again() {
    // How the Lease fares while nobody can renew it is another matter.
    let mut scene = Scene::waiting(&["--no-leader-election", "--poll-interval=5s"]);
    let mut server = scene.api_server();
    let names: Vec<_> = (0..12).map(|number| format!("app-{number}")).collect();
    let commit = |value: &str| {
        let map = |name: &String| (format!("{name}/map.yaml"), config_map(name, value));
        let files: Vec<_> = names.iter().map(map).collect();
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
        scene.repository.commit(&files)
    };
    let first = commit("one");
    for name in &names {
        scene.application(name, json!({}));
    }
    scene.controller.start();
    for name in &names {
        scene.ready_at("Ready", name, &first);
    }
    let pid = scene.controller.pid();

    let second = commit("two");
    scene.windlass(&["refresh", &names[0], "--no-wait"]).ok();
    until("the first of the writes", || match names.iter().find(|name| value(&scene, name) == "two") {
        Some(_) => Ok(()),
        None => Err("none is written".to_owned()),
    });
    server.kill();
    server.start();
    for name in &names {
        scene.ready_at("Ready after it was killed", name, &second);
        assert_eq!(value(&scene, name), "two", "{name}");
    }

    // A commit and a change by hand while it is down: neither is missed.
    scene.settled();
    server.kill();
    let third = commit("three");
    scene.kubectl(&["delete", "configmap", &names[1]]);
    pause(6.0);
    assert_eq!(value(&scene, &names[0]), "two", "there is no other way to the cluster");
    server.start();
    for name in &names {
        scene.ready_at("the commit made while it was down", name, &third);
        assert_eq!(value(&scene, name), "three", "{name}");
    }
    // And what happens now is seen again.
    scene.kubectl(&["patch", "configmap", &names[2], "--patch", r#"{"data": {"key": "by hand"}}"#]);
    until("a change after it is healed", || {
        let live = value(&scene, &names[2]);
        if live == "three" { Ok(()) } else { Err(format!("it is {live}")) }
    });
    assert!(scene.controller.is_running(), "{}", scene.controller.log());
    assert_eq!(scene.controller.pid(), pid);
}

fn one_that_does_not_answer_holds_up_nobody_else() {
    let mut scene = Scene::waiting(&[]);
    let proxy = scene.proxy();
    let gate = Gate::default();
    let at = gate.clone();
    proxy.decide(move |method, path| {
        if method == "PATCH" && path.contains("/configmaps/slow") && !at.is_open() {
            Fate::Waits(at.clone())
        } else {
            Fate::Passes
        }
    });
    scene.controller.start();
    let first = scene.repository.commit(&[
        ("slow/map.yaml", Some(&config_map("slow", "one"))),
        ("quick/map.yaml", Some(&config_map("quick", "one"))),
    ]);
    scene.application("slow", json!({}));
    until("the slow one is under way", || if gate.arrived() > 0 { Ok(()) } else { Err("no".into()) });
    scene.application("quick", json!({}));
    scene.ready_at("another application meanwhile", "quick", &first);
    let message = scene.not_ready("the deadline told", "slow", "ApiServerUnavailable");
    assert!(message.contains("slow"), "{message}");
    proxy.pass();
    gate.open();
    scene.ready_at("Ready once it answers", "slow", &first);
}

fn watches_that_expired_start_over() {
    let mut scene = Scene::waiting(&[]);
    let mut proxy = scene.proxy();
    scene.controller.start();
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    scene.settled();
    // What happens now is seen by no watch, and the versions that they know are too old afterwards.
    proxy.down();
    scene.kubectl(&["patch", "configmap", "settings", "--patch", r#"{"data": {"key": "by hand"}}"#]);
    let gate = Gate::default();
    let (count, mut expired) = (gate.clone(), 0);
    proxy.decide(move |_, path| {
        let goes_on = path.contains("watch=") && path.contains("resourceVersion=");
        if goes_on && !path.contains("sendInitialEvents") && expired < 2 {
            expired += 1;
            count.open();
            return Fate::Answered(410, 0);
        }
        Fate::Passes
    });
    proxy.up();
    until("what happened meanwhile is healed", || {
        let live = scene.get("configmap", "settings").unwrap()["data"]["key"].clone();
        if live == "one" { Ok(()) } else { Err(format!("it is {live}")) }
    });
    assert!(gate.is_open(), "no watch was told that it expired");
}

fn crd(group: &str, versions: &[(&str, bool)]) -> String {
    let versions: Vec<_> = versions
        .iter()
        .map(|(name, served)| {
            json!({"name": name, "served": served, "storage": *name == "v1", "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true}}})
        })
        .collect();
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("boats.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "versions": versions,
            "names": {"kind": "Boat", "plural": "boats", "singular": "boat"}}})
    .to_string()
}

fn a_version_that_is_no_longer_served_is_watched_in_another() {
    let scene = Scene::new();
    let group = "version.behaviour.windlass.dev";
    scene.kubectl_apply(&crd(group, &[("v1", true), ("v2", true)]));
    let boat = format!("apiVersion: {group}/v1\nkind: Boat\nmetadata: {{name: red}}\nspec: {{crew: 2}}\n");
    until("the kind is served", || {
        let known = scene.try_kubectl(&["get", &format!("boats.v1.{group}")]);
        if known.code == 0 { Ok(()) } else { Err(known.stderr) }
    });
    let commit = scene.repository.commit(&[("shop/boat.yaml", Some(&boat))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &commit);
    scene.settled();
    // Which one it watches is its own affair: one after the other goes and comes back.
    for (served, other) in [("v1", "v2"), ("v2", "v1")] {
        scene.kubectl_apply(&crd(group, &[("v1", served == "v1"), ("v2", served == "v2")]));
        until("the other version is gone", || {
            let found = scene.try_kubectl(&["get", "--raw", &format!("/apis/{group}/{other}")]);
            if found.code == 0 { Err(found.stdout) } else { Ok(()) }
        });
        let kind = format!("boats.{served}.{group}");
        let patch = r#"{"spec": {"crew": 9}}"#;
        scene.kubectl(&["patch", &kind, "red", "--type=merge", "--patch", patch]);
        if served == "v1" {
            until("a change is seen and healed", || {
                let crew = scene.get(&kind, "red").unwrap()["spec"]["crew"].clone();
                if crew == 2 { Ok(()) } else { Err(format!("it has {crew}")) }
            });
        } else {
            // Git says v1.
            let message = scene.not_ready("a change is seen", "shop", "KindNotServed");
            assert!(message.contains("boat.yaml"), "{message}");
        }
        scene.kubectl_apply(&crd(group, &[("v1", true), ("v2", true)]));
        until("healed with both again", || {
            let crew = scene.get(&kind, "red").unwrap()["spec"]["crew"].clone();
            if crew == 2 { Ok(()) } else { Err(format!("it has {crew}")) }
        });
        scene.ready_at("Ready with both again", "shop", &commit);
    }
}

fn readiness_tells_whether_it_serves() {
    let mut scene = Scene::waiting(&[]);
    let proxy = scene.proxy();
    // All that a controller does while it waits to lead is to look at the Lease.
    proxy.decide(|_, path| if path.contains("/leases") { Fate::Answered(500, 0) } else { Fate::Passes });
    scene.controller.start();
    let address = scene.controller.operations();
    let answer = |path: &str| {
        let url = format!("{address}{path}");
        block_on(async move {
            let answer = reqwest::get(url).await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        })
    };
    until("an API server that does not answer told", || match answer("/readyz") {
        (503, text) if text.contains("the API server has not answered") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(answer("/healthz").0, 200);
    proxy.pass();
    until("leading", || scene.controller.said("leading instance"));
    until("ready", || match answer("/readyz") {
        (200, _) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(answer("/healthz").0, 200);
}
