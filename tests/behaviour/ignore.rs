//! Fields that are left to others, by rules of the Application and by annotations of the object.

use serde_json::{Value, json};

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, until};
use crate::tests;

tests![
    an_ignored_field_is_nobodys_business,
    what_nobody_can_change_can_be_ignored,
    a_rule_that_comes_later_keeps_the_live_value,
    a_rule_that_goes_gives_the_field_back_to_git,
    a_part_of_a_list_that_is_one_value_can_be_ignored,
    nonsense_is_told_and_nothing_applied,
    what_is_applied_once_is_left_alone,
];

fn data(scene: &Scene, key: &str) -> Value {
    scene.get("configmap", "settings").map_or(Value::Null, |live| live["data"][key].clone())
}

fn until_data(scene: &Scene, what: &str, key: &str, wanted: &str) {
    until(what, || {
        let found = data(scene, key);
        if found == wanted { Ok(()) } else { Err(format!("{key} is {found}")) }
    });
}

fn two(key: &str, theirs: &str) -> String {
    config_map("settings", key).replace("\ndata: {", &format!("\ndata: {{theirs: {theirs:?}, "))
}

fn ignoring() -> Value {
    json!({"sync": {"ignore": [{"kind": "ConfigMap", "paths": ["/data/theirs"]}]}})
}

fn set(scene: &Scene, value: &str) {
    let patch = format!(r#"{{"data": {{"theirs": "{value}"}}}}"#);
    scene.kubectl(&["patch", "configmap", "settings", "--patch", &patch]);
}

fn an_ignored_field_is_nobodys_business() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&two("one", "from Git")))]);
    scene.application("shop", ignoring());
    scene.ready_at("Ready", "shop", &first);
    // At first it is what Git says: an object may need it to be made at all.
    assert_eq!(data(&scene, "theirs"), "from Git");
    scene.settled();
    let mark = scene.mark();
    set(&scene, "by hand");
    scene.settled();
    assert_eq!(scene.object_writes(mark), [""; 0]);
    let next = scene.repository.commit(&[("shop/settings.yaml", Some(&two("two", "something new")))]);
    scene.refresh("shop");
    scene.ready_at("updated", "shop", &next);
    assert_eq!((data(&scene, "key"), data(&scene, "theirs")), (json!("two"), json!("by hand")));
}

/// An update is asked of the API server as it will be, not as Git has it.
fn what_nobody_can_change_can_be_ignored() {
    let scene = Scene::new();
    let ignoring = json!({"sync": {"ignore": [{"kind": "Deployment", "paths": ["/spec/selector"]}]}});
    let first = scene.repository.commit(&[("shop/web.yaml", Some(&deployment("web", 1, "web:1")))]);
    scene.application("shop", ignoring);
    scene.ready_at("Ready", "shop", &first);
    let selector = "selector: {matchLabels: {app: web}}";
    let more = deployment("web", 1, "web:2").replace(selector, "selector: {matchLabels: {app: other}}");
    let next = scene.repository.commit(&[("shop/web.yaml", Some(&more))]);
    let changes = scene.windlass(&["diff", "shop"]).code(1);
    assert!(changes.contains("web:2") && !changes.contains("other"), "{changes}");
    scene.refresh("shop");
    scene.ready_at("updated", "shop", &next);
    scene.windlass(&["diff", "shop"]).ok();
    let live = scene.get("deployment", "web").unwrap();
    assert_eq!(live["spec"]["selector"]["matchLabels"]["app"], "web");
}

fn a_rule_that_comes_later_keeps_the_live_value() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&two("one", "from Git")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    scene.application("shop", ignoring());
    scene.ready_at("Ready with the rule", "shop", &first);
    scene.settled();
    assert_eq!(data(&scene, "theirs"), "from Git");
    set(&scene, "by hand");
    scene.settled();
    assert_eq!(data(&scene, "theirs"), "by hand");
}

fn a_rule_that_goes_gives_the_field_back_to_git() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&two("one", "from Git")))]);
    scene.application("shop", ignoring());
    scene.ready_at("Ready", "shop", &first);
    scene.settled();
    scene.application("shop", json!({}));
    scene.ready_at("Ready without the rule", "shop", &first);
    scene.settled();
    set(&scene, "by hand");
    until_data(&scene, "healed", "theirs", "from Git");
    // Nobody holds it any more when Git takes it out.
    scene.repository.commit(&[("shop/settings.yaml", Some(&config_map("settings", "two")))]);
    scene.refresh("shop");
    until_data(&scene, "updated", "key", "two");
    assert_eq!(data(&scene, "theirs"), Value::Null);
}

fn ingress(path: &str, name: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: web, annotations: {{windlass.dev/ignore: /spec/rules/0/host}}, labels: {{name: {name}}}}}
spec:
  rules:
  - host: git.example
    http: {{paths: [{{path: {path}, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}
"
    )
}

fn a_part_of_a_list_that_is_one_value_can_be_ignored() {
    let scene = Scene::new();
    let first = scene.repository.commit(&[("shop/ingress.yaml", Some(&ingress("/a", "one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    let rule = || scene.get("ingress", "web").unwrap()["spec"]["rules"][0].clone();
    let patch = r#"[{"op": "replace", "path": "/spec/rules/0/host", "value": "hand.example"}]"#;
    scene.kubectl(&["patch", "ingress", "web", "--type=json", "--patch", patch]);
    scene.settled();
    assert_eq!(rule()["host"], "hand.example");
    let next = scene.repository.commit(&[("shop/ingress.yaml", Some(&ingress("/b", "two")))]);
    scene.refresh("shop");
    scene.ready_at("updated", "shop", &next);
    assert_eq!(
        (rule()["host"].clone(), rule()["http"]["paths"][0]["path"].clone()),
        (json!("hand.example"), json!("/b"))
    );
}

fn nonsense_is_told_and_nothing_applied() {
    let scene = Scene::new();
    let wrong = deployment("web", 1, "web:1").replace(
        "metadata: {name: web,",
        "metadata: {name: web, annotations: {windlass.dev/create-only: maybe},",
    );
    let first = scene.repository.commit(&[
        ("rules/settings.yaml", Some(&config_map("rules", "one"))),
        ("options/web.yaml", Some(&wrong)),
    ]);
    scene.application("rules", json!({"sync": {"ignore": [{"paths": ["/data/[key]"]}]}}));
    let message = scene.not_ready("rule told", "rules", "InvalidIgnoreRule");
    assert!(message.contains("spec.sync.ignore[0]") && message.contains("[key]"), "{message}");
    scene.application("options", json!({}));
    let message = scene.not_ready("option told", "options", "InvalidOption");
    for part in ["options/web.yaml:1", "Deployment web", "windlass.dev/create-only", "maybe"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!((scene.get("configmap", "rules"), scene.get("deployment", "web")), (None, None));
    scene.application("rules", json!({"sync": {"ignore": [{"paths": ["/data/key"]}]}}));
    scene.ready_at("applied once it makes sense", "rules", &first);
}

fn what_is_applied_once_is_left_alone() {
    let mut scene = Scene::new();
    let once = |value: &str| {
        let annotated = "name: settings, annotations: {windlass.dev/create-only: 'true'}";
        config_map("settings", value).replace("name: settings", annotated)
    };
    let first = scene.repository.commit(&[("shop/settings.yaml", Some(&once("one")))]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &first);
    scene.settled();
    let mark = scene.mark();
    let patch = r#"{"data": {"key": "by hand"}}"#;
    scene.kubectl(&["patch", "configmap", "settings", "--patch", patch]);
    let next = scene.repository.commit(&[("shop/settings.yaml", Some(&once("two")))]);
    scene.refresh("shop");
    scene.ready_at("next release", "shop", &next);
    scene.controller.kill();
    scene.controller.start_leading();
    scene.settled();
    assert_eq!(scene.object_writes(mark), [""; 0]);
    assert_eq!(data(&scene, "key"), "by hand");
    // Missing, it is made anew.
    scene.kubectl(&["delete", "configmap", "settings"]);
    until_data(&scene, "restored", "key", "two");
}
