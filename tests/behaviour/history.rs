//! What was released, going back by hand, and trying again.

use serde_json::{Value, json};

use crate::harness::Scene;
use crate::harness::manifests::config_map;
use crate::tests;

tests![a_person_goes_back_and_forth];

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
