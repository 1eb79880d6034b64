//! What goes wrong between Windlass and a Git server: a reason of its own for each, the last good state kept,
//! and no other Application disturbed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::manifests::config_map;
use crate::harness::{Scene, block_on, cluster, pause, signal, until, until_within};
use crate::tests;

tests![
    a_stopped_worker,
    broken_sources,
    a_password_is_needed,
    a_worker_that_is_killed,
    a_missing_branch_slows_nobody_down,
    a_glitch_is_soon_forgotten,
    a_new_application_sees_what_was_committed_before_it,
];

fn at(url: &str, branch: &str) -> Value {
    json!({"sources": [{"name": "env", "git": {"url": url, "branch": branch, "path": "shop"}}]})
}

fn broken_sources() {
    let scene = Scene::new();
    let good = &scene.repository.url;
    let git = cluster().git.trim_end_matches('/').to_owned();
    let first = scene.repository.commit(&[
        ("shop/app.yaml", Some("apiVersion: v1\nkind: List\nitems: []\n")),
        ("steady/app.yaml", Some(&config_map("steady", "one"))),
    ]);
    let with_secret = |name: &str| {
        let mut spec = at(good, "main");
        spec["sources"][0]["secretRef"] = json!({"name": name});
        spec
    };
    scene.kubectl(&["create", "secret", "generic", "incomplete", "--from-literal=username=jane"]);
    let cases: Vec<(&str, Value, &str, Vec<&str>)> = vec![
        (
            "unreachable",
            at("http://127.0.0.1:1/env.git", "main"),
            "SourceUnreachable",
            vec!["127.0.0.1:1", "refused"],
        ),
        ("host", at("http://git.invalid/env.git", "main"), "SourceUnreachable", vec!["git.invalid"]),
        ("branch", at(good, "nowhere"), "RevisionNotFound", vec!["nowhere", "main"]),
        ("repository", at(&format!("{git}/nothing.git"), "main"), "RepositoryNotFound", vec!["nothing.git"]),
        ("unavailable", at(&format!("{git}/_status/503/x.git"), "main"), "SourceUnreachable", vec!["503"]),
        ("endless", at(&format!("{git}/_endless/x.git"), "main"), "RepositoryTooLarge", vec!["_endless"]),
        ("closing", at(&format!("{git}/_close/x.git"), "main"), "SourceUnreachable", vec!["_close"]),
        ("secret", with_secret("missing"), "SecretNotFound", vec!["Secret missing", &scene.namespace]),
        ("incomplete", with_secret("incomplete"), "SecretInvalid", vec!["Secret incomplete", "password"]),
        (
            "silent",
            at(&format!("{git}/_silent/x.git"), "main"),
            "SourceTimeout",
            vec!["_silent", "sends nothing"],
        ),
    ];
    for (name, ..) in &cases {
        let path = format!("{name}/app.yaml");
        scene.repository.commit(&[(&path, Some(&config_map(name, "good")))]);
    }
    let last = scene.repository.commit(&[]);
    for name in cases.iter().map(|case| case.0).chain(["steady"]) {
        scene.application(name, json!({}));
    }
    for name in cases.iter().map(|case| case.0).chain(["steady"]) {
        scene.ready_at("good state Ready", name, &last);
    }
    assert_ne!(first, last);
    for (name, spec, ..) in &cases {
        scene.try_application(name, spec).unwrap();
    }
    let next = scene.repository.commit(&[("steady/app.yaml", Some(&config_map("steady", "two")))]);
    scene.refresh("steady");
    scene.ready_at("steady Ready beside broken sources", "steady", &next);
    for (name, _, reason, words) in &cases {
        let message = scene.not_ready(&format!("{name} told"), name, reason);
        println!("sources: {name}: {reason}: {message}");
        for word in words.iter().chain([&"source env", &&last[..7]]) {
            assert!(message.contains(word), "{name}: {word:?} is not in: {message}");
        }
        assert_eq!(scene.get("configmap", name).unwrap()["data"]["key"], "good");
    }
    // One that is silent blocks nobody, and is healed as the others are.
    scene.kubectl(&["delete", "configmap", "silent"]);
    until("the last good state is healed", || {
        scene.get("configmap", "silent").map(|_| ()).ok_or_else(|| "it is gone".to_owned())
    });
    for (name, ..) in &cases {
        scene.application(name, json!({}));
        scene.ready_at("mended", name, &last);
    }
}

fn a_password_is_needed() {
    let scene = Scene::with(&["--poll-interval=2s"]);
    let first = scene.repository.commit(&[("shop/app.yaml", Some(&config_map("shop", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    scene.repository.protect("jane", "open sesame");
    let message = scene.not_ready("401 told", "shop", "AuthenticationFailed");
    assert!(message.contains("401") && message.contains("secretRef"), "{message}");
    assert!(scene.get("configmap", "shop").is_some());

    let mut source = scene.source("env", "shop");
    source["secretRef"] = json!({"name": "git"});
    let secret = |password: &str| {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git"},
            "stringData": {"username": "jane", "password": password},
        });
        scene.kubectl_apply(&secret.to_string());
    };
    secret("wrong");
    scene.application("shop", json!({"sources": [source]}));
    let message = scene.not_ready("wrong password told", "shop", "AuthenticationFailed");
    assert!(!message.contains("wrong"), "a password is never told: {message}");
    secret("open sesame");
    scene.ready_at("mended Secret found", "shop", &first);
    let log = scene.controller.log();
    assert!(!log.contains("open sesame"), "a password is never logged");
}

/// A render worker that does not answer, here because it was stopped, costs its own Application a condition
/// until its deadline, and then it is replaced.
fn a_stopped_worker() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/app.yaml", Some(&config_map("shop", "one"))),
        ("next/app.yaml", Some(&config_map("shop", "two"))),
        ("steady/app.yaml", Some(&config_map("steady", "one"))),
    ]);
    for name in ["shop", "steady"] {
        scene.application(name, json!({}));
        scene.ready_at("Ready", name, &first);
    }
    let workers = scene.controller.workers("render");
    assert!(!workers.is_empty(), "no render worker waits");
    for worker in &workers {
        signal(*worker, libc::SIGSTOP);
    }
    scene.application("shop", json!({"sources": [scene.source("env", "next")]}));
    // Nothing shows when the stopped worker has this work; other work must not get there first.
    pause(3.0);
    let next = scene.repository.commit(&[("steady/app.yaml", Some(&config_map("steady", "two")))]);
    scene.refresh("steady");
    scene.ready_at("steady Ready beside a stopped worker", "steady", &next);
    let message = until_within(Duration::from_secs(100), "stopped worker told", || {
        let ready = scene.condition("shop", "Ready")?;
        let told = ready.reason == "RenderTimeout";
        if told { Ok(ready.message) } else { Err(format!("{}: {}", ready.reason, ready.message)) }
    });
    assert!(
        message.contains("render") && message.contains("60 s") && message.contains(&first[..7]),
        "{message}"
    );
    until("the stopped worker is gone", || {
        let left = scene.controller.workers("render");
        if workers.iter().all(|worker| left.contains(worker)) { Err(format!("{left:?}")) } else { Ok(()) }
    });
    until("another worker renders it", || {
        let live = scene.get("configmap", "shop").unwrap()["data"]["key"].clone();
        if live == "two" { Ok(()) } else { Err(format!("it is {live}")) }
    });
}

fn a_worker_that_is_killed() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/app.yaml", Some(&config_map("shop", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    for kind in ["fetch", "render"] {
        for worker in scene.controller.workers(kind) {
            signal(worker, libc::SIGKILL);
        }
    }
    let second = scene.repository.commit(&[("shop/app.yaml", Some(&config_map("shop", "two")))]);
    scene.windlass(&["refresh", "shop", "--no-wait"]).ok();
    scene.ready_at("Ready after workers were killed", "shop", &second);
}

/// A repository that answers is looked at at every interval, whatever one Application wants of it.
fn a_missing_branch_slows_nobody_down() {
    let scene = Scene::with(&["--poll-interval=1s"]);
    let first = scene.repository.commit(&[("steady/app.yaml", Some(&config_map("steady", "one")))]);
    scene.try_application("wrong", &at(&scene.repository.url, "nowhere")).unwrap();
    scene.application("steady", json!({}));
    scene.ready_at("Ready", "steady", &first);
    scene.not_ready("missing branch told", "wrong", "RevisionNotFound");
    let before = looks(&scene);
    until("15 looks, one a second", || match looks(&scene) - before {
        15.. => Ok(()),
        more => Err(format!("{more} looks")),
    });
}

fn a_glitch_is_soon_forgotten() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/app.yaml", Some(&config_map("shop", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    scene.repository.delete();
    scene.windlass(&["refresh", "shop"]);
    scene.not_ready("missing repository told", "shop", "RepositoryNotFound");
    scene.repository.open();
    let second = scene.repository.commit(&[("shop/app.yaml", Some(&config_map("shop", "two")))]);
    scene.ready_at("found again, looking every 60 s", "shop", &second);
}

/// How many references the controller has seen at repositories so far.
fn looks(scene: &Scene) -> u32 {
    let address = format!("{}/metrics", scene.controller.operations());
    let metrics = block_on(async { reqwest::get(&address).await?.text().await }).unwrap();
    let line = metrics.lines().find(|line| line.starts_with("windlass_source_resolve_total{result=\"ok\"}"));
    line.and_then(|line| line.rsplit_once(' ')?.1.parse().ok()).unwrap()
}

/// However long ago the repository was looked at for others; and many new ones share few looks.
fn a_new_application_sees_what_was_committed_before_it() {
    let mut scene = Scene::waiting(&["--poll-interval=10m"]);
    scene.controller.start_leading();
    let names: Vec<_> = (0..40).map(|number| format!("new-{number}")).collect();
    let commit = |value: &str| {
        let files: Vec<_> =
            names.iter().map(|name| (format!("{name}/map.yaml"), config_map(name, value))).collect();
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
        scene.repository.commit(&files)
    };
    let first = commit("one");
    scene.application(&names[0], json!({}));
    scene.ready_at("Ready", &names[0], &first);
    let second = commit("two");
    let before = looks(&scene);
    for name in &names[1..] {
        scene.application(name, json!({}));
    }
    for name in &names[1..] {
        scene.ready_at("a new one Ready", name, &second);
        let history = scene.read(name).and_then(|app| app.status).unwrap().history;
        assert_eq!(history.len(), 1, "it never saw the commit before: {history:?}");
    }
    let shared = looks(&scene) - before;
    assert!((1..=names.len() as u32 / 2).contains(&shared), "{shared} looks");

    // Other sources than before are new too.
    let third = scene.repository.commit(&[("other/map.yaml", Some(&config_map("other", "three")))]);
    let source = scene.source("env", "other");
    scene.application(&names[0], json!({"sources": [source]}));
    scene.ready_at("another path as of the last commit", &names[0], &third);

    // A restart looks once, whoever is there.
    scene.settled();
    assert!(scene.controller.stop().success());
    scene.controller.start_leading();
    scene.settled();
    assert_eq!(looks(&scene), 1);
}
