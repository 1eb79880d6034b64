//! Users' own health checks, in the Common Expression Language.

use serde_json::{Value, json};
use windlass_core::api::HealthStatus;

use crate::harness::manifests::config_map;
use crate::harness::{Scene, pause, until};
use crate::tests;

tests![a_check_judges, a_wrong_check_is_told, a_check_that_costs_too_much, checks_and_restarts];

fn health(scene: &Scene, name: &str, status: HealthStatus, words: &str) {
    until(&format!("{name} is {status:?}"), || {
        let health = scene.read(name).and_then(|app| app.status).unwrap_or_default().health;
        if health.status == status && health.message.contains(words) {
            return Ok(());
        }
        Err(format!("{name} is {:?}: {}", health.status, health.message))
    });
}

fn checks(checks: Value) -> Value {
    json!({"health": {"checks": checks}})
}

fn a_check_judges() {
    let scene = Scene::new();
    scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    let cel = "self.data.key == 'ready' ? {'status': 'Healthy'} : {'status': 'Degraded', 'message': 'key is ' + self.data.key}";
    scene.application(
        "shop",
        checks(
            json!([{"kind": "ConfigMap", "group": "", "cel": cel}, {"kind": "ConfigMap", "cel": "false"}]),
        ),
    );
    health(
        &scene,
        "shop",
        HealthStatus::Degraded,
        &format!("ConfigMap {}/settings: key is one", scene.namespace),
    );
    let commit = scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "ready")))]);
    scene.refresh("shop");
    scene.ready_at("the check is content", "shop", &commit);
    // A check that comes later needs bodies that were not watched before.
    scene.repository.commit(&[("other/settings.yaml", Some(&config_map("more", "one")))]);
    scene.application("other", checks(json!([])));
    scene.refresh("other");
    health(&scene, "other", HealthStatus::Healthy, "");
    scene.application("other", checks(json!([{"kind": "ConfigMap", "cel": "self.data.other == 'x'"}])));
    health(&scene, "other", HealthStatus::Progressing, "the health check found no field other");
    scene.application("other", checks(json!([])));
    health(&scene, "other", HealthStatus::Healthy, "");
}

fn a_wrong_check_is_told() {
    let scene = Scene::new();
    scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "one")))]);
    for (cel, words) in [
        ("self.data.", "it cannot be read: line 1, column 11: expected identifier after '.'"),
        ("data.key == 'one'", "it cannot be evaluated: Undeclared reference to 'data'"),
        ("self.data.key", "its value is 'one', and not true, false"),
    ] {
        scene.application(
            "shop",
            checks(json!([{"kind": "Pod", "cel": "true"}, {"kind": "ConfigMap", "group": "", "cel": cel}])),
        );
        let message = until(words, || {
            let message = scene.condition("shop", "Ready")?;
            let fits = message.reason == "HealthCheckFailed" && message.message.contains(words);
            if fits { Ok(message.message) } else { Err(format!("{}: {}", message.reason, message.message)) }
        });
        assert!(message.contains("spec.health.checks[1] for ConfigMap"), "{message}");
        health(&scene, "shop", HealthStatus::Unknown, "its health check is wrong");
    }
    scene.application("shop", checks(json!([{"kind": "ConfigMap", "cel": "true"}])));
    health(&scene, "shop", HealthStatus::Healthy, "");
    until("Ready", || {
        let ready = scene.condition("shop", "Ready")?;
        if ready.status == "True" { Ok(()) } else { Err(ready.message) }
    });
}

fn a_check_that_costs_too_much() {
    let scene = Scene::new();
    let list = "[0,1,2,3,4,5,6,7,8,9]";
    let endless = (0..12).fold("true".to_owned(), |inner, n| format!("{list}.all(x{n}, {inner})"));
    let bomb = format!("['0123456789']{}.size() == 0", ".map(x, x + x)".repeat(60));
    let files =
        ["endless", "bomb", "steady"].map(|name| (format!("{name}/app.yaml"), config_map(name, "one")));
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    let commit = scene.repository.commit(&files);
    scene.application("endless", checks(json!([{"kind": "ConfigMap", "cel": endless}])));
    scene.application("bomb", checks(json!([{"kind": "ConfigMap", "cel": bomb}])));
    scene.application("steady", checks(json!([{"kind": "ConfigMap", "cel": "self.data.key == 'one'"}])));
    scene.ready_at("an Application beside them", "steady", &commit);
    for name in ["endless", "bomb"] {
        let message = scene.not_ready("told", name, "HealthCheckFailed");
        println!("health_checks: {name}: {message}");
        assert!(message.contains("spec.health.checks[0] for ConfigMap"), "{message}");
    }
    // Judged once, not again and again.
    scene.settled();
}

fn checks_and_restarts() {
    let mut scene = Scene::new();
    let commit = scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("sick/settings.yaml", Some(&config_map("sick", "one"))),
    ]);
    scene.application("shop", checks(json!([{"kind": "ConfigMap", "cel": "self.data.key == 'one'"}])));
    scene.application("sick", checks(json!([{"kind": "ConfigMap", "cel": "'Degraded'"}])));
    scene.ready_at("Ready", "shop", &commit);
    health(&scene, "sick", HealthStatus::Degraded, "the health check says Degraded");
    scene.settled();
    assert!(scene.controller.stop().success());
    let mark = scene.mark();
    scene.controller.start_leading();
    pause(4.0);
    assert_eq!(scene.writes_but_lease(mark), [""; 0]);
}
