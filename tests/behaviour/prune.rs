//! What Git no longer has leaves the cluster, and only that.

use serde_json::json;

use crate::harness::manifests::config_map;
use crate::harness::{Scene, pause, until};
use crate::tests;

tests![
    a_removed_object_is_pruned,
    an_empty_render_prunes_nothing,
    a_path_that_vanishes_prunes_nothing,
    a_failing_render_prunes_nothing_and_says_where,
    an_empty_release_can_be_allowed,
    many_prunes_wait_for_a_person,
    what_asks_to_stay_stays,
];

fn a_removed_object_is_pruned() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/stays.yaml", Some(&config_map("stays", "one"))),
        ("shop/goes.yaml", Some(&config_map("goes", "one"))),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    let mark = scene.mark();
    let second = scene.repository.commit(&[("shop/goes.yaml", None)]);
    scene.refresh("shop");
    gone(&scene, "goes");
    scene.ready_at("Ready after prune", "shop", &second);
    assert_eq!(scene.object_writes(mark), ["delete configmaps goes"]);
    assert_eq!(scene.read("shop").unwrap().status.unwrap().resources.total, 1);
}

fn an_empty_render_prunes_nothing() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/README.md", Some("the manifests of the shop\n")),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    let mark = scene.mark();
    scene.repository.commit(&[("shop/settings.yaml", None)]);
    scene.windlass(&["refresh", "shop"]);
    let message = scene.not_ready("empty release refused", "shop", "EmptyRelease");
    assert!(message.contains("sync.allowEmpty"), "{message}");
    assert!(message.contains(&first[..7]), "it does not say what is served: {message}");
    pause(1.0);
    assert_eq!(scene.object_writes(mark), [""; 0]);
    assert!(scene.get("configmap", "settings").is_some());
}

fn a_path_that_vanishes_prunes_nothing() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("other/settings.yaml", Some(&config_map("other", "one"))),
    ]);
    scene.application("shop", json!({"sync": {"allowEmpty": true}}));
    scene.ready_at("Ready", "shop", &first);
    let mark = scene.mark();
    scene.repository.commit(&[("shop/settings.yaml", None)]);
    scene.windlass(&["refresh", "shop"]);
    let message = scene.not_ready("missing path told", "shop", "PathNotFound");
    assert!(message.contains("shop"), "{message}");
    pause(1.0);
    assert_eq!(scene.object_writes(mark), [""; 0], "a path that is gone is no empty release");
}

fn a_failing_render_prunes_nothing_and_says_where() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/more.yaml", Some(&config_map("more", "one"))),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    let mark = scene.mark();
    scene.repository.commit(&[
        (
            "shop/settings.yaml",
            Some("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  labels: [\n"),
        ),
        ("shop/more.yaml", None),
    ]);
    scene.windlass(&["refresh", "shop"]);
    let message = scene.not_ready("broken YAML told", "shop", "InvalidYaml");
    assert!(message.contains("shop/settings.yaml:6:1"), "no file, line and column: {message}");
    pause(1.0);
    assert_eq!(scene.object_writes(mark), [""; 0]);

    let fixed = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    scene.refresh("shop");
    scene.ready_at("fixed", "shop", &fixed);
    gone(&scene, "more");
}

fn an_empty_release_can_be_allowed() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/README.md", Some("the manifests of the shop\n")),
    ]);
    scene.application("shop", json!({"sync": {"allowEmpty": true}}));
    scene.ready_at("Ready", "shop", &first);
    let second = scene.repository.commit(&[("shop/settings.yaml", None)]);
    scene.refresh("shop");
    gone(&scene, "settings");
    scene.ready_at("empty and Ready", "shop", &second);
}

fn many_prunes_wait_for_a_person() {
    let scene = Scene::new();
    let names: Vec<_> =
        (0..12).map(|i| (format!("shop/{i}.yaml"), config_map(&format!("c{i}"), "one"))).collect();
    let files: Vec<_> = names.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    let first = scene.repository.commit(&files);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    let mark = scene.mark();
    let removed: Vec<_> = files[..8].iter().map(|(path, _)| (*path, None)).collect();
    let changed = config_map("c11", "two");
    let second = scene.repository.commit(&[removed, vec![("shop/11.yaml", Some(changed.as_str()))]].concat());
    scene.windlass(&["refresh", "shop"]);
    let message = scene.not_ready("prune limit told", "shop", "PruneLimitExceeded");
    assert!(message.contains("8 of 12"), "{message}");
    let revision = format!("main@{}", &second[..7]);
    assert!(message.contains(&format!("--allow-prune {revision}")), "{message}");
    assert_eq!(
        scene.object_writes(mark),
        ["patch configmaps c11"],
        "what can be applied is, and nothing is pruned"
    );

    // The approval is for one revision.
    let other = scene.windlass(&["sync", "shop", "--allow-prune", &first[..7]]);
    assert_eq!(other.code, 1, "{other:?}");
    assert!(scene.get("configmap", "c0").is_some());

    scene.windlass(&["sync", "shop", "--allow-prune", &revision]).ok();
    for i in 0..8 {
        gone(&scene, &format!("c{i}"));
    }
    scene.ready_at("Ready after approval", "shop", &second);
    assert!(scene.get("configmap", "c8").is_some());
}

fn what_asks_to_stay_stays() {
    let scene = Scene::new();
    let kept = config_map("kept", "one")
        .replace("{name: kept}", "{name: kept, annotations: {windlass.dev/prune: \"false\"}}");
    let files = [
        ("shop/stays.yaml", Some(config_map("stays", "one"))),
        ("shop/kept.yaml", Some(kept)),
        ("off/first.yaml", Some(config_map("off-first", "one"))),
        ("off/second.yaml", Some(config_map("off-second", "one"))),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_deref())).collect();
    let first = scene.repository.commit(&files);
    scene.application("shop", json!({}));
    scene.application("off", json!({"sync": {"prune": false}}));
    scene.ready_at("Ready", "shop", &first);
    scene.ready_at("Ready", "off", &first);
    let second = scene.repository.commit(&[("shop/kept.yaml", None), ("off/second.yaml", None)]);
    for name in ["shop", "off"] {
        scene.refresh(name);
        scene.ready_at("Ready without prune", name, &second);
    }
    scene.settled();
    assert!(scene.get("configmap", "kept").is_some(), "the annotation keeps it");
    assert!(scene.get("configmap", "off-second").is_some(), "prune: false keeps it");
}

fn gone(scene: &Scene, name: &str) {
    until("pruned object gone", || match scene.get("configmap", name) {
        None => Ok(()),
        Some(live) => Err(format!("{name} is there: {}", live["metadata"])),
    });
}
