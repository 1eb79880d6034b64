//! Every kind of gate judges rollouts: counters of a real Prometheus, a service, a Job.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use serde_json::{Value, json};

use crate::harness::gateway::Gateway;
use crate::harness::shop::{behind_a_route, canary, commit, policy, told, wait_for_pods, wait_for_rest, web};
use crate::harness::{Prometheus, Scene, Target, block_on, until};
use crate::tests;

tests![
    more_errors_than_stable_fail_a_candidate,
    expressions_and_comparisons_judge_both_versions,
    a_service_and_a_job_are_asked_in_each_hold,
];

/// Exposes the counters of all pods of `web`: the version `2` answers every fifth request with an error where
/// `bad` says so, and one in a hundred of all others is one.
struct Traffic {
    ends: Arc<AtomicBool>,
    bad: Arc<AtomicBool>,
}

impl Traffic {
    fn of(scene: &Scene, target: Target) -> Self {
        let (ends, bad) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (namespace, own_ends, own_bad) = (scene.namespace.clone(), ends.clone(), bad.clone());
        let kubeconfig = crate::harness::cluster().kubeconfig.clone();
        let kubectl = crate::harness::cluster().kubectl.clone();
        thread::spawn(move || {
            let mut counts = std::collections::BTreeMap::<String, (u64, u64)>::new();
            while !own_ends.load(Ordering::Relaxed) {
                let list = std::process::Command::new(&kubectl)
                    .arg("--kubeconfig")
                    .arg(&kubeconfig)
                    .args(["--namespace", &namespace, "get", "pods", "--selector=app=web", "--output=json"])
                    .output()
                    .unwrap();
                let list: Value = serde_json::from_slice(&list.stdout).unwrap_or_default();
                for pod in list["items"].as_array().into_iter().flatten() {
                    let name = pod["metadata"]["name"].as_str().unwrap().to_owned();
                    let new = pod["spec"]["containers"][0]["image"].as_str().unwrap().ends_with(":2");
                    let counts = counts.entry(name).or_default();
                    let errors = if new && own_bad.load(Ordering::Relaxed) { 20 } else { 1 };
                    counts.0 += 100 - errors;
                    counts.1 += errors;
                }
                let mut text = String::from("error_ratio 0\n");
                for (pod, (good, errors)) in &counts {
                    for (code, count) in [(200, good), (500, errors)] {
                        let labels = format!("namespace=\"{namespace}\",pod=\"{pod}\",code=\"{code}\"");
                        text.push_str(&format!("http_requests_total{{{labels}}} {count}\n"));
                    }
                }
                target.expose(text);
                thread::sleep(Duration::from_millis(500));
            }
        });
        Self { ends, bad }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
    }
}

fn scene() -> (Scene, Gateway) {
    let mut scene = Scene::waiting(&["--no-leader-election"]);
    let gateway = Gateway::of(&scene);
    scene.controller.start();
    (scene, gateway)
}

fn more_errors_than_stable_fail_a_candidate() {
    let target = Target::new(0.0);
    let prometheus = Prometheus::of(&target);
    let (scene, gateway) = scene();
    let traffic = Traffic::of(&scene, target);
    let mut spec = canary(json!([{"weight": 50, "hold": "8s"}]));
    spec["gates"] = json!([{
        "name": "errors",
        "prometheus": {"address": prometheus.address()},
        "ratio": {
            "bad": "http_requests_total{code=~\"5..\"}", "total": "http_requests_total", "interval": "1s",
        },
    }]);
    behind_a_route(&scene, &policy(&spec), json!({}));
    let good = commit(&scene, &[("shop/web.yaml", &web("3", ""))]);
    scene.refresh("shop");
    scene.ready_at("a candidate that is as good", "shop", &good);
    wait_for_rest(&scene, "nothing is left");
    gateway.forget();

    traffic.bad.store(true, Ordering::Relaxed);
    let bad = commit(&scene, &[("shop/web.yaml", &web("2", ""))]);
    scene.refresh("shop");
    let message = scene.not_ready("RolledBack", "shop", "RolledBack");
    for words in [&bad[..7], "gate errors", "of the candidate's requests are bad and"] {
        assert!(message.contains(words), "no {words:?} in {message}");
    }
    println!("{message}");
    wait_for_rest(&scene, "nothing is left");
    wait_for_pods(&scene, "the stable pods", &[("3", 4)]);
    assert_eq!(gateway.shares(), [0, 50, 0]);
}

fn expressions_and_comparisons_judge_both_versions() {
    let target = Target::new(0.0);
    let prometheus = Prometheus::of(&target);
    let (scene, gateway) = scene();
    let traffic = Traffic::of(&scene, target);
    let errors = "sum(rate(http_requests_total{namespace='$namespace',code='500',pod=~'$pods'}[6s])) \
                  / sum(rate(http_requests_total{namespace='$namespace',pod=~'$pods'}[6s]))";
    let server = json!({"address": prometheus.address()});
    let mut spec = canary(json!([{"weight": 50, "hold": "8s"}]));
    spec["gates"] = json!([
        {"name": "share", "prometheus": server,
         "compare": {"query": errors, "tolerate": "2", "interval": "1s", "consecutive": 30}},
        {"name": "both", "prometheus": server,
         "cel": {"queries": {"errors": errors}, "expression": "candidate.errors < stable.errors * 5.0",
                 "interval": "1s", "consecutive": 2}},
    ]);
    behind_a_route(&scene, &policy(&spec), json!({}));
    let good = commit(&scene, &[("shop/web.yaml", &web("3", ""))]);
    scene.refresh("shop");
    scene.ready_at("a candidate that is as good", "shop", &good);
    wait_for_rest(&scene, "nothing is left");
    gateway.forget();

    traffic.bad.store(true, Ordering::Relaxed);
    commit(&scene, &[("shop/web.yaml", &web("2", ""))]);
    scene.refresh("shop");
    until("the comparison sees it", || {
        let told = told(&scene);
        if told.contains("more than 2 times stable's") || told.contains("gate both") {
            Ok(())
        } else {
            Err(told)
        }
    });
    let message = scene.not_ready("RolledBack", "shop", "RolledBack");
    assert!(message.contains("gate both: errors = "), "{message}");
    assert_eq!(gateway.shares()[..2], [0, 50]);
}

/// A web service that answers with what the test says, and counts.
struct Service {
    address: String,
    asked: Arc<AtomicU64>,
    fails: Arc<AtomicBool>,
}

impl Service {
    fn new() -> Self {
        let (asked, fails) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (own_asked, own_fails) = (asked.clone(), fails.clone());
        let answer = move |body: String| async move {
            own_asked.fetch_add(1, Ordering::Relaxed);
            let told: Value = serde_json::from_str(&body).unwrap();
            let verdict = if own_fails.load(Ordering::Relaxed) { "Fail" } else { "Pass" };
            let message = format!("{} at {} %", told["workload"]["name"].as_str().unwrap(), told["weight"]);
            json!({"verdict": verdict, "message": message}).to_string()
        };
        let address = block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let router = Router::new().route("/judge/web", post(answer));
            tokio::spawn(async move { axum::serve(listener, router).await });
            address
        });
        Self { address: format!("http://{address}"), asked, fails }
    }
}

fn a_service_and_a_job_are_asked_in_each_hold() {
    let service = Service::new();
    let (scene, gateway) = scene();
    let mut spec = canary(json!([{"weight": 5, "hold": "2s"}, {"weight": 50, "hold": "2s"}]));
    let job = json!({"backoffLimit": 0, "template": {
        "spec": {"restartPolicy": "Never", "containers": [
            {"name": "smoke", "image": "registry.example/smoke:1", "args": ["$service", "$workload"]},
        ]},
    }});
    spec["gates"] = json!([
        {"name": "smoke", "job": {"spec": job}},
        {"name": "people", "webhook": {"url": format!("{}/judge/$workload", service.address), "interval": "1s"}},
    ]);
    behind_a_route(&scene, &policy(&spec), json!({}));
    gateway.forget();
    let second = commit(&scene, &[("shop/web.yaml", &web("2", ""))]);
    scene.refresh("shop");
    scene.ready_at("both say yes", "shop", &second);
    wait_for_rest(&scene, "nothing is left");
    assert!(service.asked.load(Ordering::Relaxed) >= 3);
    let jobs: Value = serde_json::from_str(&scene.kubectl(&["get", "jobs", "--output=json"])).unwrap();
    let jobs = jobs["items"].as_array().unwrap();
    assert_eq!(jobs.len(), 3, "one in each hold");
    let arguments = &jobs[0]["spec"]["template"]["spec"]["containers"][0]["args"];
    assert_eq!(*arguments, json!(["web-candidate", "web"]));

    service.fails.store(true, Ordering::Relaxed);
    gateway.forget();
    commit(&scene, &[("shop/web.yaml", &web("3", ""))]);
    scene.refresh("shop");
    let message = scene.not_ready("RolledBack", "shop", "RolledBack");
    assert!(message.contains("gate people: the answer is Fail: web at 5 %"), "{message}");
    wait_for_rest(&scene, "nothing is left");
    assert_eq!(gateway.shares(), [0, 5, 0]);
}
