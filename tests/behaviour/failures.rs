//! What goes wrong in the manifests: a reason of its own for each, a message that helps, the last good state
//! kept and healed, and no other Application disturbed.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, until};
use crate::tests;

tests![broken_manifests, what_the_api_server_refuses, names_that_appear_twice_in_a_list];

/// An Application that is broken by a commit.
struct Case {
    name: &'static str,
    /// Files of the broken commit, below the Application's path; its `app.yaml` is removed if it is not here.
    files: Vec<(&'static str, String)>,
    reason: &'static str,
    /// What the message says.
    words: Vec<&'static str>,
    /// More of the specification.
    spec: Value,
}

fn case(
    name: &'static str,
    files: &[(&'static str, &str)],
    reason: &'static str,
    words: &[&'static str],
) -> Case {
    let files = files.iter().map(|(path, text)| (*path, (*text).to_owned())).collect();
    Case { name, files, reason, words: words.to_vec(), spec: json!({}) }
}

/// Brings every case and a healthy Application into the cluster, breaks the cases by one commit, has `meanwhile`
/// look at what is left, and mends them by another commit.
fn break_and_mend(scene: &Scene, cases: &[Case], good: impl Fn(&str) -> String, meanwhile: impl Fn()) {
    let mut files: Vec<(String, Option<String>)> =
        cases.iter().map(|case| (format!("{}/app.yaml", case.name), Some(good(case.name)))).collect();
    files.push(("steady/app.yaml".to_owned(), Some(config_map("steady", "one"))));
    let first = commit(scene, &files);
    for case in cases {
        scene.application(case.name, case.spec.clone());
    }
    scene.application("steady", json!({}));
    for name in cases.iter().map(|case| case.name).chain(["steady"]) {
        scene.ready_at("good state Ready", name, &first);
    }
    let uids: Vec<_> = cases.iter().map(|case| uid(scene, case.name)).collect();

    let mut broken = vec![("steady/app.yaml".to_owned(), Some(config_map("steady", "two")))];
    for case in cases {
        broken.extend(
            case.files.iter().map(|(file, text)| (format!("{}/{file}", case.name), Some(text.clone()))),
        );
        if !case.files.iter().any(|(file, _)| *file == "app.yaml") {
            broken.push((format!("{}/app.yaml", case.name), None));
        }
    }
    let second = commit(scene, &broken);
    scene.refresh("steady");
    scene.ready_at("steady Ready beside broken ones", "steady", &second);
    for case in cases {
        let message = scene.not_ready(&format!("{} told", case.name), case.name, case.reason);
        println!("failures: {}: {}: {message}", case.name, case.reason);
        for word in case.words.iter().chain([&&first[..7]]) {
            assert!(message.contains(word), "{}: {word:?} is not in: {message}", case.name);
        }
    }
    let now: Vec<_> = cases.iter().map(|case| uid(scene, case.name)).collect();
    assert_eq!(now, uids, "the last good state is kept");
    meanwhile();

    let mut mended = Vec::new();
    for case in cases {
        let extra = case.files.iter().filter(|(file, _)| *file != "app.yaml");
        mended.extend(extra.map(|(file, _)| (format!("{}/{file}", case.name), None)));
        mended.push((format!("{}/app.yaml", case.name), Some(good(case.name).replace("one", "mended"))));
    }
    let third = commit(scene, &mended);
    scene.refresh("steady");
    for case in cases {
        scene.ready_at("mended", case.name, &third);
    }
}

fn commit(scene: &Scene, files: &[(String, Option<String>)]) -> String {
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_deref())).collect();
    scene.repository.commit(&files)
}

fn live(scene: &Scene, name: &str) -> Option<Value> {
    scene.get("configmap", name).or_else(|| scene.get("deployment", name))
}

fn uid(scene: &Scene, name: &str) -> Value {
    live(scene, name).unwrap_or_else(|| panic!("{name} does not exist"))["metadata"]["uid"].clone()
}

fn broken_manifests() {
    let scene = Scene::new();
    let mut looping = scene.source("env", "loops");
    looping["render"] = json!({"handlebars": {"values": {"list": vec![1; 1000]}}});
    let loops = "{{#each list}}{{#each @root.list}}{{#each @root.list}}{{/each}}{{/each}}{{/each}}\n";
    let cases = [
        case(
            "variable",
            &[("app.yaml.hbs", &config_map("variable", "{{colour}}"))],
            "UnknownVariable",
            &["variable/app.yaml.hbs:4:", "colour"],
        ),
        case(
            "yaml",
            &[("app.yaml", "apiVersion: v1\nkind: [ConfigMap\n")],
            "InvalidYaml",
            &["yaml/app.yaml:3:1"],
        ),
        case(
            "keys",
            &[("app.yaml", &format!("{}data: {{key: again}}\n", config_map("keys", "one")))],
            "DuplicateKey",
            &["keys/app.yaml:5:1", "data"],
        ),
        case(
            "kind",
            &[("app.yaml", "apiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: big}\n")],
            "UnknownKind",
            &["kind/app.yaml", "Gadget", "example.com/v1", "CustomResourceDefinition"],
        ),
        case(
            "name",
            &[("app.yaml", "apiVersion: v1\nkind: ConfigMap\n")],
            "InvalidObject",
            &["name/app.yaml", "name"],
        ),
        case("empty", &[("README.md", "nothing\n")], "EmptyRelease", &["sync.allowEmpty"]),
        Case {
            spec: json!({"sources": [looping]}),
            ..case("loops", &[("app.yaml.hbs", loops)], "TemplateLimit", &["loops/app.yaml.hbs"])
        },
        case(
            "partials",
            &[("app.yaml.hbs", "{{> one}}\n"), ("_one.hbs", "{{> two}}\n"), ("_two.hbs", "{{> one}}\n")],
            "TemplateCycle",
            &["one", "two"],
        ),
    ];
    let reasons: BTreeSet<_> = cases.iter().map(|case| case.reason).collect();
    assert_eq!(reasons.len(), cases.len(), "each has a reason of its own");
    let good = |name: &str| config_map(name, "one");
    break_and_mend(&scene, &cases, good, || {
        scene.kubectl(&["delete", "configmap", "variable", "yaml", "kind", "loops"]);
        for name in ["variable", "yaml", "kind", "loops"] {
            until("the last good state is healed", || match scene.get("configmap", name) {
                Some(live) if live["data"]["key"] == "one" => Ok(()),
                other => Err(format!("{name}: {other:?}")),
            });
        }
    });
}

fn what_the_api_server_refuses() {
    let scene = Scene::new();
    let good = |name: &str| deployment(name, 1, "web:one");
    let elsewhere = deployment("namespace", 1, "web:1")
        .replace("{name: namespace,", "{name: namespace, namespace: nowhere,");
    let selector = deployment("selector", 1, "web:1").replace("app: selector}", "app: other}");
    let field = deployment("field", 1, "web:1").replace("replicas:", "replicaz:");
    let cases = [
        case(
            "namespace",
            &[("app.yaml", &elsewhere)],
            "PreflightFailed",
            &["namespace/app.yaml", "nowhere", "createNamespace"],
        ),
        case(
            "selector",
            &[("app.yaml", &selector)],
            "PreflightFailed",
            &["selector/app.yaml", "/spec/selector/matchLabels/app", "another name"],
        ),
        case("field", &[("app.yaml", &field)], "PreflightFailed", &["field/app.yaml", ".spec.replicaz"]),
    ];
    break_and_mend(&scene, &cases, good, || ());
}

/// The API server answers these with an internal error, which would be tried again for ever.
fn names_that_appear_twice_in_a_list() {
    let scene = Scene::new();
    let twice = "{name: main, image: web:1, env: [{name: COLOUR, value: a}, {name: COLOUR, value: b}]}";
    let broken = deployment("web", 1, "web:1").replace("{name: main, image: \"web:1\"}", twice);
    assert!(broken.contains("COLOUR"), "{broken}");
    scene.repository.commit(&[("shop/web.yaml", Some(&broken))]);
    scene.application("shop", json!({}));
    let message = until("a name that appears twice told", || {
        let stalled = scene.condition("shop", "Stalled")?;
        if stalled.status == "True" {
            Ok(stalled.message)
        } else {
            Err(format!("{}: {}", stalled.reason, stalled.message))
        }
    });
    println!("failures: env: {message}");
    assert!(message.contains("shop/web.yaml") && message.contains("COLOUR"), "{message}");
}
