//! What a hook that fails does to its release.

use serde_json::{Value, json};
use windlass_core::api::ApplicationStatus;

use crate::harness::manifests::{config_map, deployment, job};
use crate::harness::{Scene, until};
use crate::tests;

tests![
    a_failed_hook_undoes_its_release,
    a_hook_that_the_cluster_failed_holds_it,
    hooks_for_failures_run_before_the_undo,
    hooks_for_failures_run_once_where_it_is_held,
    what_the_api_server_refuses_undoes_its_release,
    rollback_hooks_run_once_whoever_is_killed,
    a_rollback_hook_that_fails_stops_nothing,
];

fn hook(name: &str, phase: &str, pod: Value) -> String {
    job(name, "tool:1", json!({"windlass.dev/hook": phase}), pod)
}

fn failing() -> Value {
    json!({"labels": {"fail": "exit"}, "annotations": {"says": "no such table"}})
}

fn status(scene: &Scene) -> ApplicationStatus {
    scene.read("shop").and_then(|app| app.status).unwrap_or_default()
}

fn settings(scene: &Scene) -> String {
    let found = scene.get("configmap", "settings").unwrap_or_default();
    found["data"]["key"].as_str().unwrap_or("none").to_owned()
}

/// An Application that rolls back, with a release that proved itself.
fn good(more: &[(&str, Option<&str>)]) -> Scene {
    let scene = Scene::new();
    let one = config_map("settings", "one");
    let files: Vec<_> =
        [("shop/settings.yaml", Some(one.as_str()))].into_iter().chain(more.iter().copied()).collect();
    let commit = scene.repository.commit(&files);
    scene.application("shop", json!({"onFailure": "Rollback"}));
    scene.ready_at("the good one", "shop", &commit);
    scene
}

fn commit(scene: &Scene, files: &[(&str, Option<&str>)]) -> String {
    let two = config_map("settings", "two");
    let files: Vec<_> =
        [("shop/settings.yaml", Some(two.as_str()))].into_iter().chain(files.iter().copied()).collect();
    let commit = scene.repository.commit(&files);
    scene.windlass(&["refresh", "shop", "--no-wait"]).ok();
    commit
}

fn rolled_back(scene: &Scene) -> String {
    until("rolled back", || {
        let (ready, settings) = (scene.condition("shop", "Ready")?, settings(scene));
        let done = ready.reason == "RolledBack" && settings == "one";
        if done { Ok(ready.message) } else { Err(format!("{}: {}, {settings}", ready.reason, ready.message)) }
    })
}

fn a_failed_hook_undoes_its_release() {
    let scene = good(&[]);
    let bad = hook("check", "PostSync", failing());
    let second = commit(&scene, &[("shop/check.yaml", Some(&bad))]);
    let message = rolled_back(&scene);
    assert!(message.contains(&second[..7]), "{message}");
    assert!(message.contains("PostSync hook Job") && message.contains("no such table"), "{message}");
    let entry = status(&scene).quarantined.remove(0);
    assert_eq!(entry.reason, "HookFailed");
    scene.settled();
    assert_eq!(settings(&scene), "one");
}

fn a_hook_that_the_cluster_failed_holds_it() {
    let scene = good(&[]);
    let busy = json!({"labels": {"fail": "image"}, "annotations": {"says": "unexpected status code 429 Too Many Requests"}});
    let bad = hook("migrate", "PreSync", busy);
    let bad = bad.replace(r#""backoffLimit":0"#, r#""backoffLimit":0,"activeDeadlineSeconds":6"#);
    assert!(bad.contains("activeDeadlineSeconds"));
    commit(&scene, &[("shop/migrate.yaml", Some(&bad))]);
    until("it says what the hook waits for", || {
        let ready = scene.condition("shop", "Ready")?;
        if ready.message.contains("429") {
            Ok(())
        } else {
            Err(format!("{}: {}", ready.reason, ready.message))
        }
    });
    let message = scene.not_ready("held", "shop", "HookFailed");
    assert!(message.contains("DeadlineExceeded") && message.contains("429"), "{message}");
    assert!(message.contains("not rolled back: that is no fault of the release"), "{message}");
    scene.settled();
    assert!(status(&scene).quarantined.is_empty());
    assert_eq!(scene.condition("shop", "Stalled").unwrap().status, "True");
}

fn crashing() -> String {
    deployment("web", 1, "web:2").replace("{labels: {app: web}}", "{labels: {app: web, fail: crash}}")
}

fn slow(seconds: u32) -> Value {
    json!({"annotations": {"slow": format!("{seconds}s")}})
}

fn uid(scene: &Scene, job: &str) -> String {
    let found = scene.get("job", job).unwrap_or_default();
    found["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}

fn created(scene: &Scene, job: &str) -> String {
    until("the hook runs", || Some(uid(scene, job)).filter(|uid| !uid.is_empty()).ok_or("it does not".into()))
}

fn hooks_for_failures_run_before_the_undo() {
    let scene = good(&[("shop/web.yaml", Some(&deployment("web", 1, "web:1")))]);
    let sorry = hook("sorry", "SyncFail", slow(4));
    commit(&scene, &[("shop/web.yaml", Some(&crashing())), ("shop/sorry.yaml", Some(&sorry))]);
    let first = created(&scene, "sorry");
    let next = status(&scene).next.unwrap();
    assert_eq!((next.hooks.len(), next.hooks[0].phase.as_str()), (1, "SyncFail"), "{next:?}");
    assert_eq!(settings(&scene), "two", "it is undone before the hook has ended");
    let ready = scene.condition("shop", "Ready").unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "Degraded"), "{}", ready.message);
    until("it ends", || {
        let succeeded = scene.get("job", "sorry").unwrap_or_default()["status"]["succeeded"] == 1;
        if succeeded || settings(&scene) == "one" { Ok(()) } else { Err("it runs".into()) }
    });
    assert_eq!(scene.get("job", "sorry").unwrap()["status"]["succeeded"], 1, "undone before the hook ended");
    rolled_back(&scene);
    scene.settled();
    assert_eq!(uid(&scene, "sorry"), first, "it ran twice");
}

fn hooks_for_failures_run_once_where_it_is_held() {
    let scene = good(&[("shop/web.yaml", Some(&deployment("web", 1, "web:1")))]);
    scene.application("shop", json!({"onFailure": "Hold"}));
    let sorry = hook("sorry", "SyncFail", failing());
    commit(&scene, &[("shop/web.yaml", Some(&crashing())), ("shop/sorry.yaml", Some(&sorry))]);
    let first = created(&scene, "sorry");
    until("its failure is told", || {
        let ready = scene.condition("shop", "Ready")?;
        let told = ready.reason == "Degraded" && ready.message.contains("SyncFail hook Job");
        if told { Ok(()) } else { Err(format!("{}: {}", ready.reason, ready.message)) }
    });
    scene.settled();
    scene.refresh("shop");
    scene.settled();
    assert_eq!(uid(&scene, "sorry"), first, "it ran twice");
    assert_eq!(settings(&scene), "two");
}

fn rollback_hooks_run_once_whoever_is_killed() {
    let mut scene = good(&[("shop/web.yaml", Some(&deployment("web", 1, "web:1")))]);
    let back = hook("back", "Rollback", slow(6));
    commit(&scene, &[("shop/web.yaml", Some(&crashing())), ("shop/back.yaml", Some(&back))]);
    let first = created(&scene, "back");
    assert_eq!(settings(&scene), "two", "something is restored before the hook has ended");
    scene.controller.kill();
    scene.kubectl(&["delete", "lease", "--all"]);
    scene.controller.start_leading();
    rolled_back(&scene);
    assert_eq!(scene.get("job", "back").unwrap()["status"]["succeeded"], 1, "restored before the hook ended");
    scene.settled();
    assert_eq!(uid(&scene, "back"), first, "it ran twice");
    let entry = status(&scene).quarantined.remove(0);
    assert_eq!((entry.hooks.len(), entry.hooks[0].phase.as_str()), (1, "Rollback"), "{entry:?}");
    // A heal is no rollback, and neither is another start.
    scene.kubectl(&["delete", "configmap", "settings"]);
    until("healed", || if settings(&scene) == "one" { Ok(()) } else { Err("it is gone".into()) });
    scene.controller.kill();
    scene.kubectl(&["delete", "lease", "--all"]);
    let mark = scene.mark();
    scene.controller.start_leading();
    scene.settled();
    assert_eq!(scene.writes_but_lease(mark), [""; 0]);
    assert_eq!(uid(&scene, "back"), first, "it ran twice");
}

fn a_rollback_hook_that_fails_stops_nothing() {
    let scene = good(&[]);
    let back = hook("back", "Rollback", failing());
    let second = commit(&scene, &[("shop/back.yaml", Some(&back))]);
    scene.ready_at("the second one", "shop", &second);
    assert!(scene.get("job", "back").is_none());
    let rollback = scene.windlass(&["rollback", "shop"]);
    assert_eq!(rollback.code, 0, "{rollback:?}");
    assert_eq!(settings(&scene), "one");
    let message = scene.not_ready("rolled back", "shop", "RolledBack");
    assert!(message.contains("Rollback hook Job") && message.contains("back failed: job"), "{message}");
}

fn what_the_api_server_refuses_undoes_its_release() {
    let scene = good(&[]);
    let group = "refused.behaviour.example";
    let definition = format!(
        "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: gizmos.{group}}}
spec:
  group: {group}
  names: {{kind: Gizmo, plural: gizmos}}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, properties: {{spec: {{type: object, properties: {{size: {{type: integer}}}}}}}}}}}}
"
    );
    // Of a kind that is not served yet no preflight can tell.
    let gizmo =
        format!("apiVersion: {group}/v1\nkind: Gizmo\nmetadata: {{name: big}}\nspec: {{size: huge}}\n");
    let sorry = hook("sorry", "SyncFail", json!({}));
    commit(
        &scene,
        &[
            ("shop/definition.yaml", Some(&definition)),
            ("shop/gizmo.yaml", Some(&gizmo)),
            ("shop/sorry.yaml", Some(&sorry)),
        ],
    );
    created(&scene, "sorry");
    let message = rolled_back(&scene);
    assert!(message.contains("shop/gizmo.yaml:1"), "{message}");
    assert_eq!(status(&scene).quarantined[0].reason, "InvalidObject");
}
