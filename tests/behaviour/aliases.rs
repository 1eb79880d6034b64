//! What the API server would take for something else than Git means.

use serde_json::{Value, json};

use crate::harness::manifests::deployment;
use crate::harness::{Scene, until};
use crate::tests;

tests![a_service_account_can_be_changed_and_taken_away, a_key_that_stands_twice_is_told_with_its_place];

fn a_service_account_can_be_changed_and_taken_away() {
    let scene = Scene::new();
    let with = |line: &str| {
        deployment("web", 1, "web:1")
            .replace("    spec:\n      containers", &format!("    spec:\n{line}      containers"))
    };
    scene.repository.commit(&[("shop/web.yaml", Some(&with("      serviceAccountName: one\n")))]);
    scene.application("shop", json!({}));
    let account = |what: &str, wanted: Value| {
        until(what, || {
            let web = scene.get("deployment", "web").ok_or("there is none")?;
            let pod = &web["spec"]["template"]["spec"];
            let found = json!([pod["serviceAccountName"], pod["serviceAccount"]]);
            if found == json!([wanted, wanted]) { Ok(()) } else { Err(found.to_string()) }
        });
    };
    account("set", json!("one"));
    scene.repository.commit(&[("shop/web.yaml", Some(&with("      serviceAccount: two\n")))]);
    scene.refresh("shop");
    account("changed by its old name", json!("two"));
    scene.repository.commit(&[("shop/web.yaml", Some(&with("")))]);
    scene.refresh("shop");
    account("taken away", Value::Null);
}

fn a_key_that_stands_twice_is_told_with_its_place() {
    let scene = Scene::new();
    let twice = "image: \"web:1\", env: [{name: A, value: x}, {name: A, value: y}]";
    let web = deployment("web", 1, "web:1").replace("image: \"web:1\"", twice);
    scene.repository.commit(&[("shop/web.yaml", Some(&web))]);
    scene.application("shop", json!({}));
    let message = scene.not_ready("told", "shop", "DuplicateKey");
    for part in ["shop/web.yaml:11:", "environment variable A"] {
        assert!(message.contains(part), "{message}");
    }
}
