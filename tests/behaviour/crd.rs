//! The API server refuses wrong Applications in words that a person understands, and writes the defaults in.

use serde_json::{Value, json};

use crate::harness::Scene;
use crate::tests;

tests![
    wrong_applications_are_refused,
    defaults_are_written_in,
    edges_are_accepted,
    a_choice_can_be_changed_by_server_side_apply,
];

fn git(more: Value) -> Value {
    let mut git = json!({"url": "https://git.example/env.git"});
    git.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"sources": [{"name": "env", "git": git}]})
}

fn with(key: &str, value: Value) -> Value {
    let mut spec = git(json!({"branch": "main"}));
    spec[key] = value;
    spec
}

fn render(render: Value) -> Value {
    let mut spec = git(json!({"branch": "main"}));
    spec["sources"][0]["render"] = render;
    spec
}

fn gates(mut gate: Value) -> Value {
    gate["name"] = json!("errors");
    with("verify", json!({"gates": [gate]}))
}

fn sources(names: &[&str]) -> Value {
    let git = json!({"url": "https://git.example/env.git", "branch": "main"});
    json!({"sources": names.iter().map(|name| json!({"name": name, "git": git})).collect::<Vec<_>>()})
}

fn wrong_applications_are_refused() {
    let scene = Scene::waiting(&[]);
    let eleven: Vec<_> = (0..11).map(|i| format!("s{i}")).collect();
    let eleven: Vec<_> = eleven.iter().map(String::as_str).collect();
    let long = "a".repeat(64);
    let cases: Vec<(&str, Value, &str)> = vec![
        (
            "two references",
            git(json!({"branch": "main", "tag": "v1"})),
            "set exactly one of branch, tag and commit",
        ),
        ("no reference", git(json!({})), "set exactly one of branch, tag and commit"),
        (
            "ssh",
            git(json!({"url": "ssh://git@git.example/env", "branch": "main"})),
            "must start with https:// or http://",
        ),
        ("file", git(json!({"url": "file:///etc", "branch": "main"})), "must start with https:// or http://"),
        (
            "password",
            git(json!({"url": "https://me:pw@git.example/env", "branch": "main"})),
            "spec.sources[0].git.url",
        ),
        ("no host", git(json!({"url": "https://", "branch": "main"})), "spec.sources[0].git.url"),
        ("path up", git(json!({"branch": "main", "path": "a/../../b"})), "never contains .."),
        (
            "absolute path",
            git(json!({"branch": "main", "path": "/etc"})),
            "relative to the repository's root",
        ),
        ("branch with a space", git(json!({"branch": "a b"})), "spec.sources[0].git.branch"),
        ("short commit", git(json!({"commit": "3f2a9c1"})), "spec.sources[0].git.commit"),
        (
            "two renderers",
            render(json!({"plain": {}, "handlebars": {}})),
            "set exactly one of auto, plain and handlebars",
        ),
        ("no renderer", render(json!({})), "set exactly one of auto, plain and handlebars"),
        ("duration without a unit", with("health", json!({"timeout": "600"})), "spec.health.timeout"),
        ("duration in words", with("health", json!({"timeout": "ten minutes"})), "spec.health.timeout"),
        ("percent above 100", with("sync", json!({"pruneLimit": "150%"})), "spec.sync.pruneLimit"),
        ("percent without a sign", with("sync", json!({"pruneLimit": "50"})), "spec.sync.pruneLimit"),
        (
            "unknown mode",
            with("sync", json!({"mode": "Sometimes"})),
            "supported values: \"Auto\", \"Manual\"",
        ),
        ("unknown adoption", with("sync", json!({"adopt": "Maybe"})), "\"Unowned\""),
        (
            "unknown deletion",
            with("deletionPolicy", json!("Burn")),
            "supported values: \"Prune\", \"Orphan\"",
        ),
        ("namespace", with("destination", json!({"namespace": "Not_A_Name"})), "spec.destination.namespace"),
        ("long namespace", with("destination", json!({"namespace": long})), "spec.destination.namespace"),
        ("no gate", gates(json!({})), "set exactly one of threshold, ratio, compare, cel, webhook and job"),
        (
            "two gates in one",
            gates(json!({"threshold": {"query": "q", "max": "1"}, "webhook": {"url": "http://a.example"}})),
            "set exactly one of threshold, ratio, compare, cel, webhook and job",
        ),
        (
            "a ratio without a stable release beside",
            gates(json!({"ratio": {"bad": "errors_total", "total": "requests_total"}})),
            "use them in a RolloutPolicy",
        ),
        (
            "a ratio of expressions",
            gates(json!({"ratio": {"bad": "rate(errors_total[1m])", "total": "requests_total"}})),
            "spec.verify.gates[0].ratio.bad",
        ),
        (
            "a comparison of the same",
            gates(json!({"compare": {"query": "latency"}})),
            "query must name $pods or $service",
        ),
        (
            "too few requests of a threshold",
            gates(json!({"threshold": {"query": "q", "max": "1"}, "maxHold": "1h"})),
            "maxHold and onLowTraffic are for ratio and compare",
        ),
        (
            "a name that the expression could not use",
            gates(json!({"cel": {"queries": {"error-ratio": "q"}, "expression": "true"}})),
            "the name of a query starts with a lower-case letter",
        ),
        (
            "a name that has a meaning",
            gates(json!({"cel": {"queries": {"stable": "q"}, "expression": "true"}})),
            "the name of a query starts with a lower-case letter",
        ),
        ("a threshold without bounds", gates(json!({"threshold": {"query": "q"}})), "set min, max or both"),
        ("no source", json!({"sources": []}), "spec.sources"),
        ("no sources at all", json!({}), "spec.sources"),
        ("eleven sources", sources(&eleven), "must have at most 10 items"),
        ("source twice", sources(&["env", "env"]), "Duplicate value"),
        ("name of a source", sources(&["Env Prod"]), "spec.sources[0].name"),
        ("a number for a list", json!({"sources": 3}), "spec.sources"),
    ];
    let mut wrong = Vec::new();
    for (what, spec, words) in cases {
        match scene.judge_application("wrong", &spec) {
            Err(kube::Error::Api(status))
                if [400, 422].contains(&status.code) && status.message.contains(words) =>
            {
                println!("crd: {what}: {}", status.message);
            }
            Err(error) => wrong.push(format!("{what}: no {words:?} in {error}")),
            Ok(_) => wrong.push(format!("{what}: accepted")),
        }
    }
    let name = "a".repeat(64);
    match scene.judge_application(&name, &git(json!({"branch": "main"}))) {
        Err(kube::Error::Api(status)) if status.message.contains("at most 63 characters") => {}
        other => wrong.push(format!("long name: {other:?}")),
    }
    assert_eq!(wrong, Vec::<String>::new());
}

fn defaults_are_written_in() {
    let scene = Scene::waiting(&[]);
    let stored = scene.try_application("shop", &git(json!({"branch": "main"}))).unwrap();
    let spec = serde_json::to_value(stored.spec).unwrap();
    assert_eq!(
        spec,
        json!({
            "sources": [{
                "name": "env",
                "git": {"url": "https://git.example/env.git", "branch": "main", "path": "."},
                "render": {"auto": {}},
            }],
            "destination": {},
            "sync": {
                "mode": "Auto", "prune": true, "selfHeal": true, "createNamespace": false, "pruneLimit": "50%",
                "allowEmpty": false, "adopt": "Unowned",
            },
            "health": {"timeout": "10m"},
            "deletionPolicy": "Prune", "onFailure": "Auto",
            "suspend": false,
        })
    );
    // What the server stores, not what this program would read out of it.
    let raw = scene.get("wapp", "shop").unwrap();
    assert_eq!(raw["spec"]["sync"]["pruneLimit"], "50%");
    assert_eq!(raw["spec"]["sources"][0]["render"], json!({"auto": {}}));
    let columns = scene.kubectl(&["get", "wapp"]);
    assert!(columns.starts_with("NAME"), "{columns}");
    for column in ["SYNC", "HEALTH", "REVISION", "AGE"] {
        assert!(columns.contains(column), "{columns}");
    }
    assert!(scene.kubectl(&["get", "windlass"]).contains("shop"), "the category lists it");
}

fn edges_are_accepted() {
    let scene = Scene::waiting(&[]);
    let ten: Vec<_> = (0..10).map(|i| format!("s{i}")).collect();
    let ten: Vec<_> = ten.iter().map(String::as_str).collect();
    let cases = [
        sources(&ten),
        git(json!({"commit": "3f2a9c1e0b7d4a58c6f19e2d3b4a5c6d7e8f9a0b"})),
        git(json!({"tag": "release/v1.2.3+build"})),
        git(json!({"branch": "feature/ä", "path": "a/b..c/d"})),
        git(json!({"url": "http://127.0.0.1:8080/a/b.git", "branch": "main"})),
        with("health", json!({"timeout": "1h30m"})),
        with("sync", json!({"pruneLimit": "0%"})),
        with("sync", json!({"pruneLimit": "100%"})),
        gates(json!({"threshold": {"query": "q", "max": "0.01"}})),
        render(json!({"handlebars": {"valuesFiles": ["../a.yaml"], "values": {"a": {"b": [1, "c", null]}}}})),
    ];
    for spec in cases {
        let stored = scene.judge_application("edge", &spec);
        assert!(stored.is_ok(), "{spec}: {}", stored.unwrap_err());
    }
}

/// A default that the server wrote belongs to nobody, so an apply of another member alone would leave it beside.
fn a_choice_can_be_changed_by_server_side_apply() {
    let scene = Scene::waiting(&[]);
    let steps = [
        (git(json!({"branch": "main"})), json!({"auto": {}})),
        (render(json!({"handlebars": {"values": {"a": 1}}})), json!({"handlebars": {"values": {"a": 1}}})),
        (render(json!({"plain": {}})), json!({"plain": {}})),
        (git(json!({"tag": "v1"})), json!({"auto": {}})),
    ];
    for (spec, expected) in steps {
        let stored = scene.try_application("shop", &spec).unwrap_or_else(|error| panic!("{spec}: {error}"));
        assert_eq!(serde_json::to_value(&stored.spec.sources[0].render).unwrap(), expected);
    }
    for max in ["1", "2"] {
        let spec = gates(json!({"threshold": {"query": "q", "max": max}}));
        let stored = scene.try_application("shop", &spec).unwrap_or_else(|error| panic!("{spec}: {error}"));
        let gates = stored.spec.verify.unwrap().gates;
        assert_eq!(gates[0].threshold.as_ref().and_then(|own| own.max.as_deref()), Some(max));
    }
    // Another manager, which owns none of what is there.
    let branch = serde_json::to_string(&git(json!({"branch": "main"}))).unwrap();
    scene.kubectl_server_side("shop", &branch);
    assert_eq!(scene.read("shop").unwrap().spec.sources[0].git.tag, None);
}
