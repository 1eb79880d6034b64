//! What was released, going back by hand, and trying again.

use serde_json::{Value, json};

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, until};
use crate::tests;

tests![a_person_goes_back_and_forth, a_rollback_that_is_refused_is_told, a_trial_that_fails_again_ends];

fn live(scene: &Scene) -> String {
    scene.get("configmap", "settings").unwrap()["data"]["key"].as_str().unwrap().to_owned()
}

fn a_person_goes_back_and_forth() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("first Ready", "shop", &first);
    let alone = scene.windlass(&["rollback", "shop"]);
    assert_eq!(alone.code, 2, "{alone:?}");
    assert!(alone.stderr.contains("no earlier release is kept"), "{alone:?}");

    let second = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    scene.refresh("shop");
    scene.ready_at("second Ready", "shop", &second);
    let [one, two] = [&first, &second].map(|commit| format!("main@{}", &commit[..7]));
    let table = scene.windlass(&["history", "shop"]).ok();
    let rows: Vec<_> = table.lines().collect();
    assert_eq!(rows.len(), 3, "{table}");
    for (row, words) in [(rows[1], ["2 ", &two, "present"]), (rows[2], ["1 ", &one, "kept"])] {
        assert!(words.iter().all(|word| row.contains(word)), "{words:?} are not in {row}");
    }

    let missing = scene.windlass(&["rollback", "shop", "99"]);
    assert_eq!(missing.code, 2, "{missing:?}");
    assert!(missing.stderr.contains("99") && missing.stderr.contains(&format!("1 ({one})")), "{missing:?}");
    assert_eq!(live(&scene), "two");

    let back = scene.windlass(&["rollback", "shop"]);
    assert_eq!(back.code, 0, "{back:?}");
    assert_eq!(live(&scene), "one");
    let ready = scene.condition("shop", "Ready").unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "RolledBack"));
    assert!(ready.message.contains(&two) && ready.message.contains("jane"), "{}", ready.message);
    // Git still says the second, and looking again doesn't apply it.
    scene.refresh("shop");
    assert_eq!(live(&scene), "one");
    let list: Value = serde_json::from_str(&scene.windlass(&["history", "shop", "-o", "json"]).ok()).unwrap();
    assert_eq!(list["items"][0]["present"], true, "{list}");
    assert_eq!(list["items"][0]["revision"], one.as_str(), "{list}");
    assert_eq!(list["items"][1]["result"], "RolledBack", "{list}");

    let again = scene.windlass(&["retry", "shop"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(live(&scene), "two");
    scene.ready_at("second Ready again", "shop", &second);

    // By its number, from a release that proved itself twice.
    let named = scene.windlass(&["rollback", "shop", "1"]);
    assert_eq!(named.code, 0, "{named:?}");
    assert_eq!(live(&scene), "one");
}

fn a_rollback_that_is_refused_is_told() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("first Ready", "shop", &first);
    let problem = |id: &str| {
        until("handled", || {
            let status = scene.read("shop").and_then(|app| app.status).unwrap_or_default();
            if status.handled_request.as_deref() == Some(id) {
                return Ok(status.request_problem);
            }
            Err(format!("{:?}", status.handled_request))
        })
    };
    let request =
        r#"windlass.dev/request={"id": "1", "action": "rollback", "by": "jane", "release": "abcdef12"}"#;
    scene.kubectl(&["annotate", "wapp", "shop", request]);
    assert_eq!(problem("1"), "no release abcdef12 is kept; no earlier release is kept");
    let page = scene.windlass(&["get", "shop"]).ok();
    assert!(page.contains("the last one was refused: no release abcdef12 is kept"), "{page}");
    until("an Event", || {
        let events = scene.kubectl(&[
            "get",
            "events",
            "-o",
            "jsonpath={range .items[*]}{.type} {.reason} {.message}{.note}\n{end}",
        ]);
        let told = events.lines().any(|line| {
            line.starts_with(
                "Warning RequestRefused rollback requested by jane (claimed): no release abcdef12 is kept",
            )
        });
        if told { Ok(()) } else { Err(events) }
    });
    // A list that is not true any more deceives the command line, not the controller.
    let entry = json!([{"op": "add", "path": "/status/history/-", "value": {
        "number": 77, "digest": "0123456789", "revision": "main@gone", "startedAt": "2026-01-01T00:00:00Z",
        "trigger": "commit", "result": "Synced", "kept": true,
    }}]);
    scene.kubectl(&[
        "patch",
        "wapp",
        "shop",
        "--subresource=status",
        "--type=json",
        "--patch",
        &entry.to_string(),
    ]);
    let refused = scene.windlass(&["rollback", "shop", "77"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("refused the request: no release 0123456789 is kept"), "{refused:?}");
    // The next request is another story.
    scene.windlass(&["sync", "shop"]).ok();
    let status = scene.read("shop").and_then(|app| app.status).unwrap();
    assert_eq!(status.request_problem, "");
    assert_eq!(live(&scene), "one");
}

fn a_trial_that_fails_again_ends() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/web.yaml", Some(&deployment("web", 1, "web:1")))]);
    scene.application("shop", json!({"onFailure": "Rollback"}));
    scene.ready_at("first Ready", "shop", &first);
    let bad =
        deployment("web", 1, "web:2").replace("{labels: {app: web}}", "{labels: {app: web, fail: crash}}");
    let second = scene.repository.commit(&[("shop/web.yaml", Some(&bad))]);
    scene.windlass(&["refresh", "shop", "--no-wait"]).ok();
    scene.not_ready("rolled back", "shop", "RolledBack");
    scene.settled();
    // Long before the time is over that it would wait for something to happen.
    let again = scene.windlass(&["retry", "shop", "--timeout", "1h"]);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.stderr.contains(&second[..7]) && again.stderr.contains("CrashLoopBackOff"), "{again:?}");
    // What is quarantined is no matter of time either.
    let sync = scene.windlass(&["sync", "shop", "--timeout", "1h"]);
    assert_eq!(sync.code, 1, "{sync:?}");
    assert!(sync.stderr.contains("quarantined"), "{sync:?}");
}
