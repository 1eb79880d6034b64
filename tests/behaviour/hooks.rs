//! Hooks run once a release, before, with and after its objects, and a failed one fails the release.

use serde_json::{Value, json};
use windlass_core::api::{HookRun, HookState};

use crate::harness::manifests::{config_map, job};
use crate::harness::{Scene, pause, until};
use crate::tests;

tests![
    hooks_run_around_the_release_once,
    a_failed_hook_fails_the_release_with_nothing_applied,
    killed_while_a_hook_runs_it_goes_on,
    a_hook_of_the_next_release_replaces_the_last_one,
    hooks_are_deleted_as_they_ask,
    a_finished_hook_that_vanishes_is_done,
    hooks_go_with_their_application,
    a_pod_is_a_hook_too,
];

fn hook(name: &str, phase: &str) -> String {
    job(name, "tool:1", json!({"windlass.dev/hook": phase}), json!({}))
}

fn failing() -> Value {
    json!({"labels": {"fail": "exit"}})
}

/// The records of all hooks of the release that is being applied, or else of the stable one.
fn runs(scene: &Scene) -> Vec<HookRun> {
    let status = scene.read("shop").and_then(|app| app.status).unwrap_or_default();
    status.next.or(status.stable).map(|release| release.hooks).unwrap_or_default()
}

fn running(scene: &Scene, object: &str) {
    until("hook recorded", || {
        let runs = runs(scene);
        let found = runs.iter().any(|run| run.object.contains(object) && run.state == HookState::Running);
        if found { Ok(()) } else { Err(format!("{runs:?}")) }
    });
}

fn uid(scene: &Scene, kind: &str, name: &str) -> String {
    scene.get(kind, name).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned()
}

fn hooks_run_around_the_release_once() {
    let mut scene = Scene::waiting(&[]);
    let after = job("after", "tool:1", json!({"helm.sh/hook": "post-install,post-upgrade"}), json!({}));
    let with = job("with", "tool:1", json!({"argocd.argoproj.io/hook": "Sync"}), json!({}));
    let commit = scene.repository.commit(&[
        ("shop/before.yaml", Some(hook("before", "PreSync").as_str())),
        ("shop/with.yaml", Some(with.as_str())),
        ("shop/after.yaml", Some(after.as_str())),
        ("shop/sorry.yaml", Some(hook("sorry", "SyncFail").as_str())),
        ("shop/test.yaml", Some(job("test", "tool:1", json!({"helm.sh/hook": "test"}), json!({})).as_str())),
        ("shop/conf.yaml", Some(config_map("conf", "1").as_str())),
    ]);
    scene.application("shop", json!({}));
    let mark = scene.mark();
    scene.controller.start_leading();
    scene.ready_at("release with hooks", "shop", &commit);
    scene.settled();
    let writes: Vec<_> =
        scene.writes(mark).iter().filter(|write| !write.is_bookkeeping()).map(ToString::to_string).collect();
    assert_eq!(writes, ["patch jobs before", "patch configmaps conf", "patch jobs with", "patch jobs after"]);
    let runs = runs(&scene);
    assert!(runs.len() == 3 && runs.iter().all(|run| run.state == HookState::Succeeded), "{runs:?}");
    // Neither a heal nor a restart runs them again, and what became of a hook is nobody's drift.
    scene.kubectl(&["delete", "job", "before"]);
    scene.kubectl(&["delete", "configmap", "conf"]);
    until("healed", || scene.get("configmap", "conf").map(drop).ok_or("it is gone".into()));
    scene.controller.kill();
    scene.kubectl(&["delete", "lease", "--all"]);
    let mark = scene.mark();
    scene.controller.start_leading();
    pause(3.0);
    assert_eq!(scene.writes_but_lease(mark), [""; 0]);
    assert!(scene.get("job", "before").is_none() && scene.get("job", "sorry").is_none());
}

fn a_failed_hook_fails_the_release_with_nothing_applied() {
    let scene = Scene::new();
    let annotations = json!({"windlass.dev/hook": "PreSync"});
    let bad = job("migrate", "tool:bad", annotations.clone(), failing());
    scene.repository.commit(&[
        ("shop/migrate.yaml", Some(bad.as_str())),
        ("shop/sorry.yaml", Some(hook("sorry", "SyncFail").as_str())),
        ("shop/conf.yaml", Some(config_map("conf", "1").as_str())),
    ]);
    scene.application("shop", json!({}));
    let message = scene.not_ready("failed", "shop", "HookFailed");
    assert!(message.contains("PreSync hook Job") && message.contains("migrate failed: job"), "{message}");
    until("hook for failed releases", || scene.get("job", "sorry").map(drop).ok_or("it did not run".into()));
    assert!(scene.get("configmap", "conf").is_none(), "the release was applied");
    // It is not tried again by itself,
    scene.settled();
    let first = uid(&scene, "job", "migrate");
    let mark = scene.mark();
    pause(3.0);
    assert_eq!(scene.writes_but_lease(mark), [""; 0]);
    // when a person asks, once,
    scene.windlass(&["sync", "shop", "--no-wait"]).ok();
    until("tried again", || match scene.get("job", "migrate") {
        Some(job) if job["metadata"]["uid"] != first.as_str() => Ok(()),
        other => Err(format!("{other:?}")),
    });
    scene.not_ready("failed again", "shop", "HookFailed");
    // and for a new release.
    let good = job("migrate", "tool:good", annotations, json!({}));
    let commit = scene.repository.commit(&[("shop/migrate.yaml", Some(good.as_str()))]);
    scene.refresh("shop");
    scene.ready_at("a better one", "shop", &commit);
    assert!(scene.get("configmap", "conf").is_some());
}

fn killed_while_a_hook_runs_it_goes_on() {
    let mut scene = Scene::waiting(&[]);
    let slow = json!({"annotations": {"slow": "6s"}});
    let commit = scene.repository.commit(&[
        (
            "shop/migrate.yaml",
            Some(job("migrate", "tool:1", json!({"windlass.dev/hook": "PreSync"}), slow).as_str()),
        ),
        ("shop/conf.yaml", Some(config_map("conf", "1").as_str())),
    ]);
    scene.application("shop", json!({}));
    scene.controller.start_leading();
    running(&scene, "migrate");
    until("hook created", || scene.get("job", "migrate").map(drop).ok_or("it is not there".into()));
    let first = uid(&scene, "job", "migrate");
    scene.controller.kill();
    scene.kubectl(&["delete", "lease", "--all"]);
    assert!(scene.get("configmap", "conf").is_none());
    let mark = scene.mark();
    scene.controller.start_leading();
    scene.ready_at("hook and release", "shop", &commit);
    assert_eq!(uid(&scene, "job", "migrate"), first, "it ran twice");
    assert_eq!(scene.object_writes(mark), ["patch configmaps conf"]);
}

fn a_hook_of_the_next_release_replaces_the_last_one() {
    let scene = Scene::new();
    let files = |value: &str| {
        scene.repository.commit(&[
            ("shop/migrate.yaml", Some(hook("migrate", "PreSync").as_str())),
            ("shop/conf.yaml", Some(config_map("conf", value).as_str())),
        ])
    };
    scene.application("shop", json!({}));
    let commit = files("1");
    scene.refresh("shop");
    scene.ready_at("first", "shop", &commit);
    let first = uid(&scene, "job", "migrate");
    let commit = files("2");
    scene.refresh("shop");
    scene.ready_at("second", "shop", &commit);
    assert_ne!(uid(&scene, "job", "migrate"), first, "it did not run again");
    assert_eq!(scene.get("configmap", "conf").unwrap()["data"]["key"], "2");
}

fn hooks_are_deleted_as_they_ask() {
    let scene = Scene::new();
    let policy = |policy: &str| json!({"argocd.argoproj.io/hook": "PreSync", "argocd.argoproj.io/hook-delete-policy": policy});
    let commit = scene.repository.commit(&[
        ("shop/good.yaml", Some(job("good", "tool:1", policy("HookSucceeded"), json!({})).as_str())),
        ("shop/kept.yaml", Some(job("kept", "tool:1", policy("HookFailed"), json!({})).as_str())),
        ("shop/conf.yaml", Some(config_map("conf", "1").as_str())),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("released", "shop", &commit);
    until("deleted", || scene.get("job", "good").map_or(Ok(()), |_| Err("it is there".into())));
    assert!(scene.get("job", "kept").is_some());
    let bad = job("kept", "tool:bad", policy("HookFailed"), failing());
    scene.repository.commit(&[("shop/kept.yaml", Some(bad.as_str()))]);
    scene.refresh("shop");
    scene.not_ready("failed", "shop", "HookFailed");
    until("deleted", || scene.get("job", "kept").map_or(Ok(()), |_| Err("it is there".into())));
}

fn a_finished_hook_that_vanishes_is_done() {
    let scene = Scene::new();
    let vanishing = hook("migrate", "PreSync")
        .replace(r#""backoffLimit":0"#, r#""backoffLimit":0,"ttlSecondsAfterFinished":0"#);
    assert!(vanishing.contains("ttl"));
    let slow = json!({"annotations": {"slow": "4s"}});
    let after = job("after", "tool:1", json!({"windlass.dev/hook": "PostSync"}), slow);
    let commit = scene.repository.commit(&[
        ("shop/migrate.yaml", Some(vanishing.as_str())),
        ("shop/conf.yaml", Some(config_map("conf", "1").as_str())),
        ("shop/after.yaml", Some(after.as_str())),
    ]);
    let mark = scene.mark();
    scene.application("shop", json!({}));
    scene.ready_at("released", "shop", &commit);
    assert!(scene.get("job", "migrate").is_none());
    assert_eq!(
        scene.object_writes(mark),
        ["patch configmaps conf", "patch jobs after", "patch jobs migrate"]
    );
}

fn hooks_go_with_their_application() {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[
        ("shop/migrate.yaml", Some(hook("migrate", "PreSync").as_str())),
        ("shop/other.yaml", Some(hook("other", "PostSync").as_str())),
        ("shop/conf.yaml", Some(config_map("conf", "1").as_str())),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("released", "shop", &commit);
    let commit = scene.repository.commit(&[("shop/other.yaml", None)]);
    scene.refresh("shop");
    scene.ready_at("without a hook", "shop", &commit);
    until("pruned", || scene.get("job", "other").map_or(Ok(()), |_| Err("it is there".into())));
    assert!(scene.get("job", "migrate").is_some());
    scene.kubectl(&["delete", "wapp", "shop"]);
    assert!(scene.get("job", "migrate").is_none());
}

fn a_pod_is_a_hook_too() {
    let scene = Scene::new();
    let pod = |name: &str, labels: Value| {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": labels, "annotations": {"windlass.dev/hook": "PreSync"}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "tool:1"}]}
        });
        format!("{pod}\n")
    };
    scene.repository.commit(&[
        ("shop/pod.yaml", Some(pod("migrate", json!({"fail": "exit"})).as_str())),
        ("shop/conf.yaml", Some(config_map("conf", "1").as_str())),
    ]);
    scene.application("shop", json!({}));
    let message = scene.not_ready("failed", "shop", "HookFailed");
    assert!(message.contains("exited with code 1"), "{message}");
    let commit = scene.repository.commit(&[("shop/pod.yaml", Some(pod("migrate", json!({})).as_str()))]);
    scene.refresh("shop");
    running(&scene, "Pod");
    until("it runs", || match scene.get("pod", "migrate") {
        Some(pod) if pod["status"]["phase"] == "Running" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    pause(3.0);
    assert!(scene.get("configmap", "conf").is_none(), "a pod that runs has not succeeded");
    scene.kubectl(&[
        "patch",
        "pod",
        "migrate",
        "--subresource=status",
        "--patch",
        r#"{"status": {"phase": "Succeeded"}}"#,
    ]);
    scene.ready_at("the pod succeeded", "shop", &commit);
}
