//! From a commit to live objects.

use std::time::Instant;

use serde_json::json;

use crate::harness::manifests::{config_map, deployment, service};
use crate::harness::{Scene, record, until};
use crate::tests;

tests![
    a_commit_becomes_live_and_ready,
    a_second_commit_changes_only_what_changed,
    a_commit_elsewhere_touches_nothing,
    handlebars_with_values_per_environment,
    two_sources_make_one_release,
    tags_and_commits_can_be_followed,
    one_source_moves_to_another_branch,
];

fn a_commit_becomes_live_and_ready() {
    let scene = Scene::new();
    scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({}));
    let first = scene.repository.commit(&[
        ("shop/web.yaml", Some(&[deployment("web", 3, "web:1"), service("web")].join("---\n"))),
        ("shop/settings.yaml", Some(&config_map("settings", "two"))),
    ]);
    let began = Instant::now();
    let said = scene.refresh("shop");
    assert!(said.starts_with("shop: "), "{said}");
    scene.ready_at("refresh answered to Ready, with a Deployment", "shop", &first);
    record("windlass refresh started to Ready, with a Deployment", began.elapsed());
    assert_eq!(scene.get("deployment", "web").unwrap()["status"]["readyReplicas"], 3);
    assert_eq!(scene.get("configmap", "settings").unwrap()["data"]["key"], "two");
    let status = scene.read("shop").unwrap().status.unwrap();
    assert_eq!(status.sync.revision, format!("main@{}", &first[..7]));
    assert_eq!(status.resources.total, 3);
    assert_eq!(status.stable.as_ref().unwrap().revision, status.sync.revision);
    assert_eq!(status.next, None);
    assert_eq!(status.sources[0].renderer, "plain");
    scene.kubectl(&["wait", "--for=condition=Ready", "--timeout=10s", "wapp/shop"]);
}

fn a_second_commit_changes_only_what_changed() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/web.yaml", Some(&deployment("web", 2, "web:1"))),
        ("shop/service.yaml", Some(&service("web"))),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/other.yaml", Some(&config_map("other", "one"))),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("first commit Ready", "shop", &first);
    scene.settled();
    let mark = scene.mark();
    let second = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    let began = Instant::now();
    scene.refresh("shop");
    until("refresh answered to object live", || {
        let live = scene.get("configmap", "settings").unwrap()["data"]["key"].clone();
        if live == "two" { Ok(()) } else { Err(format!("it has {live}")) }
    });
    scene.ready_at("refresh answered to Ready", "shop", &second);
    record("windlass refresh started to live and Ready", began.elapsed());
    assert_eq!(scene.object_writes(mark), ["patch configmaps settings"]);
}

fn a_commit_elsewhere_touches_nothing() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[
        ("left/settings.yaml", Some(&config_map("left", "one"))),
        ("right/settings.yaml", Some(&config_map("right", "one"))),
    ]);
    for name in ["left", "right"] {
        scene.application(name, json!({}));
        scene.ready_at("Ready", name, &first);
    }
    scene.settled();
    let mark = scene.mark();
    let second = scene.repository.commit(&[("left/settings.yaml", Some(&config_map("left", "two")))]);
    scene.refresh("left");
    scene.ready_at("left Ready", "left", &second);
    let right: Vec<_> = scene.writes(mark).into_iter().filter(|write| write.name.contains("right")).collect();
    assert_eq!(right, []);
}

fn handlebars_with_values_per_environment() {
    let scene = Scene::new();
    let template = config_map("{{windlass.app}}", "{{colour}} {{size}} in {{windlass.namespace}}");
    scene.repository.commit(&[
        ("base/settings.yaml.hbs", Some(&template)),
        ("values/all.yaml", Some("colour: grey\nsize: small\n")),
        ("values/prod.yaml", Some("colour: green\n")),
    ]);
    for (name, files, size) in [
        ("prod", vec!["../values/all.yaml", "../values/prod.yaml"], json!({})),
        ("test", vec!["../values/all.yaml"], json!({"size": "tiny"})),
    ] {
        let mut source = scene.source("env", "base");
        source["render"] = json!({"handlebars": {"valuesFiles": files, "values": size}});
        scene.application(name, json!({"sources": [source]}));
    }
    for (name, expected) in [("prod", "green small"), ("test", "grey tiny")] {
        until("rendered object live", || {
            let live = scene.get("configmap", name).ok_or("it does not exist")?;
            let expected = format!("{expected} in {}", scene.namespace);
            if live["data"]["key"] == expected.as_str() { Ok(()) } else { Err(live["data"].to_string()) }
        });
        assert_eq!(scene.read(name).unwrap().status.unwrap().sources[0].renderer, "handlebars");
    }
}

fn two_sources_make_one_release() {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[
        ("base/settings.yaml", Some(&config_map("settings", "one"))),
        ("extra/more.yaml", Some(&config_map("more", "one"))),
    ]);
    let sources = json!([scene.source("base", "base"), scene.source("extra", "extra")]);
    scene.application("shop", json!({"sources": sources}));
    scene.ready_at("two sources Ready", "shop", &commit);
    assert!(scene.get("configmap", "settings").is_some() && scene.get("configmap", "more").is_some());

    scene.repository.commit(&[("extra/again.yaml", Some(&config_map("settings", "two")))]);
    scene.windlass(&["refresh", "shop"]);
    let message = scene.not_ready("the same object in two sources refused", "shop", "DuplicateObject");
    for word in ["ConfigMap", "settings", "again.yaml", "settings.yaml", "base", "extra"] {
        assert!(message.contains(word), "{word} is not in: {message}");
    }
    assert_eq!(scene.get("configmap", "settings").unwrap()["data"]["key"], "one");
}

fn tags_and_commits_can_be_followed() {
    let scene = Scene::new();
    let tagged = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "tagged")))]);
    scene.repository.name("tag", "v1");
    let pinned = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "pinned")))]);
    scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "newest")))]);
    let url = &scene.repository.url;
    let at = |reference: serde_json::Value| {
        let mut git = json!({"url": url, "path": "shop"});
        git.as_object_mut().unwrap().extend(reference.as_object().unwrap().clone());
        json!({"sources": [{"name": "env", "git": git}]})
    };
    scene.application("shop", at(json!({"tag": "v1"})));
    scene.ready_at("tag Ready", "shop", &tagged);
    assert_eq!(scene.get("configmap", "settings").unwrap()["data"]["key"], "tagged");
    scene.application("shop", at(json!({"commit": pinned})));
    scene.ready_at("commit Ready", "shop", &pinned);
    assert_eq!(scene.get("configmap", "settings").unwrap()["data"]["key"], "pinned");
}

fn one_source_moves_to_another_branch() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "main")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    let second = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "next")))]);
    scene.repository.name("branch", "next");
    let mut source = scene.source("env", "shop");
    source["git"]["branch"] = json!("next");
    scene.application("shop", json!({"sources": [source]}));
    scene.ready_at("another branch Ready", "shop", &second);
    let status = scene.read("shop").unwrap().status.unwrap();
    assert_eq!(status.sync.revision, format!("next@{}", &second[..7]));
}
