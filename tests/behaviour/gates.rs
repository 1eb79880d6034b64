//! Gates ask a real Prometheus.

use windlass::prometheus::{Endpoint, Guard, Prometheus as Client};
use windlass_core::gate::Sample;

use serde_json::{Value, json};

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Prometheus, Scene, Target, block_on, until};
use crate::tests;

tests![
    what_prometheus_answers,
    a_good_release_passes_and_a_bad_one_is_undone,
    silence_holds_a_release_and_is_no_failure,
    a_rollback_is_committed_to_git,
];

/// A gate on the metric of a target.
fn verify(prometheus: &Prometheus) -> Value {
    json!({
        "for": "3s",
        "gates": [{
            "name": "errors",
            "prometheus": {"address": prometheus.address()},
            "threshold": {"query": "error_ratio", "max": "0.01", "interval": "1s", "consecutive": 2},
        }],
    })
}

/// A Deployment and its configuration.
fn shop(version: &str) -> Vec<(String, String)> {
    vec![
        ("shop/web.yaml".into(), deployment("web", 2, &format!("web:{version}"))),
        ("shop/settings.yaml".into(), config_map("settings", version)),
    ]
}

fn commit(scene: &Scene, files: &[(String, String)]) -> String {
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    scene.repository.commit(&files)
}

fn image(scene: &Scene) -> String {
    let web = scene.get("deployment", "web").unwrap();
    web["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
}

fn stable_at(scene: &Scene, what: &str, commit: &str) {
    until(what, || {
        let status = scene.read("shop").and_then(|app| app.status).unwrap_or_default();
        let stable = status.stable.map(|stable| stable.revision).unwrap_or_default();
        if stable.contains(&commit[..7]) && status.next.is_none() { Ok(()) } else { Err(stable) }
    });
}

fn a_good_release_passes_and_a_bad_one_is_undone() {
    let target = Target::new(0.001);
    let prometheus = Prometheus::of(&target);
    let scene = Scene::new();
    let first = commit(&scene, &shop("1"));
    scene.application("shop", json!({"verify": verify(&prometheus)}));
    let verifying = scene.not_ready("Verifying", "shop", "Verifying");
    assert!(verifying.contains("errors"), "{verifying}");
    scene.ready_at("the first release", "shop", &first);
    stable_at(&scene, "the first release proved itself", &first);

    target.set(Some(0.04));
    let bad = commit(&scene, &shop("2"));
    scene.refresh("shop");
    let message = scene.not_ready("RolledBack", "shop", "RolledBack");
    for words in [&bad[..7], &first[..7], "gate errors: 0.04 is above max 0.01 for 2 looks in a row"] {
        assert!(message.contains(words), "no {words:?} in {message}");
    }
    until("the Deployment and its configuration are as they were", || {
        let data = scene.get("configmap", "settings").unwrap()["data"].to_string();
        let image = image(&scene);
        if image == "web:1" && data.contains('1') { Ok(()) } else { Err(format!("{image}, {data}")) }
    });

    target.set(Some(0.0));
    let better = commit(&scene, &shop("3"));
    scene.refresh("shop");
    stable_at(&scene, "a better release", &better);
    assert_eq!(image(&scene), "web:3");
}

fn silence_holds_a_release_and_is_no_failure() {
    let target = Target::new(0.001);
    let mut prometheus = Prometheus::of(&target);
    let scene = Scene::new();
    let first = commit(&scene, &shop("1"));
    scene.application("shop", json!({"verify": verify(&prometheus)}));
    stable_at(&scene, "the first release proved itself", &first);

    prometheus.stop();
    let second = commit(&scene, &shop("2"));
    scene.refresh("shop");
    let message = scene.not_ready("NoVerdict", "shop", "NoVerdict");
    assert!(message.contains("cannot be reached"), "{message}");
    assert_eq!(image(&scene), "web:2", "held, not undone");
    prometheus.start();
    stable_at(&scene, "judged once Prometheus is back", &second);
}

fn a_rollback_is_committed_to_git() {
    let target = Target::new(0.001);
    let prometheus = Prometheus::of(&target);
    let scene = Scene::new();
    let first = commit(&scene, &shop("1"));
    let spec = json!({
        "verify": verify(&prometheus),
        "sync": {"writeBackRollback": {"author": "Robot <robot@example.org>"}},
    });
    scene.application("shop", spec);
    stable_at(&scene, "the first release proved itself", &first);
    target.set(Some(0.5));
    let mut files = shop("2");
    files.push(("other/app.yaml".into(), config_map("other", "2")));
    let bad = commit(&scene, &files);
    scene.refresh("shop");
    let told = until("committed", || {
        let status = scene.read("shop").and_then(|app| app.status).unwrap_or_default();
        let told = status.quarantined.first().map(|entry| entry.write_back.clone()).unwrap_or_default();
        if told.is_empty() { Err(format!("{:?}", status.quarantined)) } else { Ok(told) }
    });
    let pulled = scene.repository.pull("main");
    assert_eq!(told, format!("committed main@{}", &pulled.commit[..7]));
    assert_eq!((pulled.parent.as_str(), pulled.author.as_str()), (bad.as_str(), "Robot <robot@example.org>"));
    for words in [bad.as_str(), first.as_str(), "VerifyFailed", "gate errors: 0.5 is above max 0.01"] {
        assert!(pulled.message.contains(words), "no {words:?} in {}", pulled.message);
    }
    let text = |path: &str| {
        pulled.files.iter().find(|(name, _)| name == path).map(|(_, text)| text.clone()).unwrap()
    };
    assert_eq!(text("shop/web.yaml"), deployment("web", 2, "web:1"));
    assert_eq!(text("other/app.yaml"), config_map("other", "2"), "what the Application does not read stays");
    scene.refresh("shop");
    scene.ready_at("Git says what is served", "shop", &pulled.commit);
    scene.settled();
    assert_eq!(scene.repository.pull("main").commit, pulled.commit, "it is committed once");
}

fn what_prometheus_answers() {
    let target = Target::new(0.25);
    let mut prometheus = Prometheus::of(&target);
    let client = Client::new(Guard::default()).unwrap();
    let endpoint = Endpoint { address: prometheus.address(), authorization: None };
    let ask = |query: &str| block_on(client.query(&endpoint, query));
    let why = |query: &str| match ask(query) {
        Sample::NoData(why) => why,
        value => panic!("{query}: {value:?}"),
    };
    until("the metric is there", || match ask("error_ratio") {
        Sample::Value(0.25) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(ask("error_ratio * 2"), Sample::Value(0.5));
    assert_eq!(ask("scalar(error_ratio)"), Sample::Value(0.25));
    assert_eq!(why("no_such_metric"), "the query gives no series");
    assert!(why("error_ratio / 0 * 0").contains("NaN"));
    assert!(why("{__name__=~'up|error_ratio'}").contains("2 series"));
    assert!(why("error_ratio[1m]").contains("matrix"));
    assert!(why("sum(").contains("the query is refused"));
    target.set(Some(0.5));
    until("a new value is seen", || match ask("error_ratio") {
        Sample::Value(0.5) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    prometheus.stop();
    assert!(why("error_ratio").contains("cannot be reached"), "{}", why("error_ratio"));
    let elsewhere = Endpoint { address: "http://169.254.169.254".into(), authorization: None };
    let refused = block_on(client.query(&elsewhere, "up"));
    assert_eq!(refused, Sample::NoData("http://169.254.169.254 may not be asked for metrics".into()));
}
