//! Why workloads are not healthy, told with the cause: from pods that a cluster's real controllers and
//! scheduler made and that its fake nodes let fail.

use serde_json::{Value, json};
use windlass_core::api::{HealthState, HealthStatus};

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Scene, until};
use crate::tests;

tests![
    root_causes_of_pods,
    root_causes_without_pods,
    a_fix_is_not_blamed,
    older_pods_that_fail_too,
    nothing_is_listed_at_rest
];

/// A Deployment whose pods fail so.
fn failing(name: &str, fail: &str, says: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 2
  strategy: {{rollingUpdate: {{maxUnavailable: 0}}}}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}, fail: {fail}}}, annotations: {{says: '{says}'}}}}
    spec: {{containers: [{{name: main, image: \"shop.example/{name}:1\"}}]}}
"
    )
}

fn health(scene: &Scene, name: &str) -> HealthState {
    scene.read(name).and_then(|app| app.status).unwrap_or_default().health
}

/// Waits until the health of an Application is so and its message has all these words; gives the message.
fn told(scene: &Scene, name: &str, status: HealthStatus, words: &[&str]) -> String {
    until(&format!("{name} is {status:?}"), || {
        let health = health(scene, name);
        if health.status == status && words.iter().all(|word| health.message.contains(word)) {
            return Ok(health.message);
        }
        Err(format!("{name} is {:?}: {}, and not {status:?} with {words:?}", health.status, health.message))
    })
}

/// Brings each manifest into the cluster as an Application of its own.
fn applications(scene: &Scene, manifests: &[(&str, String)]) {
    let files: Vec<(String, &str)> =
        manifests.iter().map(|(name, text)| (format!("{name}/app.yaml"), text.as_str())).collect();
    let files: Vec<(&str, Option<&str>)> =
        files.iter().map(|(path, text)| (path.as_str(), Some(*text))).collect();
    scene.repository.commit(&files);
    for (name, _) in manifests {
        scene.application(name, json!({}));
        scene.refresh(name);
    }
}

fn root_causes_of_pods() {
    let scene = Scene::new();
    let big = deployment("big", 1, "big:1")
        .replace("image: \"big:1\"", "image: \"big:1\", resources: {requests: {cpu: \"4000\"}}");
    let volume = deployment("volume", 1, "volume:1").replace(
        "      containers:",
        "      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]\n      containers:",
    ) + "---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], storageClassName: '', resources: {requests: {storage: 1Gi}}}
";
    applications(
        &scene,
        &[
            ("crash", failing("crash", "crash", "panic: no such table")),
            (
                "absent",
                failing(
                    "absent",
                    "image",
                    "rpc error: code = NotFound desc = shop.example/absent:1: not found",
                ),
            ),
            ("limited", failing("limited", "image", "unexpected status code 429 Too Many Requests")),
            ("config", failing("config", "config", "configmap \"settings\" not found")),
            ("unready", failing("unready", "ready", "")),
            ("big", big),
            ("volume", volume),
        ],
    );
    let (degraded, progressing) = (HealthStatus::Degraded, HealthStatus::Progressing);
    let message = told(&scene, "crash", degraded, &["CrashLoopBackOff"]);
    assert!(
        message.starts_with(&format!("Deployment {}/crash: 0 of 2 pods ready: pod crash-", scene.namespace)),
        "{message}"
    );
    assert!(
        message.ends_with(r#": container main: CrashLoopBackOff, exit code 1: "panic: no such table""#),
        "{message}"
    );
    let image = "container main: ErrImagePull, image shop.example/absent:1: shop.example/absent:1: not found";
    told(&scene, "absent", progressing, &[image]);
    told(&scene, "limited", progressing, &["unexpected status code 429 Too Many Requests"]);
    told(&scene, "config", progressing, &[r#"CreateContainerConfigError: configmap "settings" not found"#]);
    told(&scene, "unready", progressing, &["container main: running but not ready"]);
    told(&scene, "big", progressing, &["not scheduled: 0/3 nodes are available: ", "Insufficient cpu"]);
    told(&scene, "volume", progressing, &["not scheduled: ", "unbound immediate PersistentVolumeClaims"]);
    told(&scene, "volume", progressing, &["PersistentVolumeClaim", "its storageClassName is empty"]);

    // The kubelet tells of probes in Events only; kwok has no probes, so the Event is made by hand.
    let pod = scene.kubectl(&[
        "get",
        "pods",
        "--selector=app=unready",
        "--output=jsonpath={.items[*].metadata.name}",
    ]);
    for pod in pod.split_whitespace() {
        let pod = scene.get("pod", pod).unwrap();
        let event = probe_event(&pod);
        scene.kubectl_apply(&event.to_string());
    }
    told(
        &scene,
        "unready",
        progressing,
        &["running but not ready: Readiness probe failed: HTTP probe failed with statuscode: 500"],
    );
}

fn probe_event(pod: &Value) -> Value {
    let name = &pod["metadata"]["name"];
    json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": format!("{}.probe", name.as_str().unwrap())},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": pod["metadata"]["namespace"], "name": name,
                           "uid": pod["metadata"]["uid"]},
        "type": "Warning", "reason": "Unhealthy", "message": "Readiness probe failed: HTTP probe failed with statuscode: 500",
        "lastTimestamp": "2026-03-01T10:00:00Z", "source": {"component": "kubelet"}})
}

fn root_causes_without_pods() {
    let scene = Scene::new();
    scene.kubectl(&["create", "quota", "none", "--hard=pods=1"]);
    scene.kubectl(&["run", "only", "--image=only:1"]);
    let set = deployment("set", 1, "set:1").replace("kind: Deployment", "kind: StatefulSet");
    let job = |name: &str, backoff: u32| {
        format!(
            "apiVersion: batch/v1
kind: Job
metadata: {{name: {name}}}
spec:
  backoffLimit: {backoff}
  template:
    metadata: {{labels: {{fail: exit}}, annotations: {{says: 'no such table'}}}}
    spec: {{restartPolicy: Never, containers: [{{name: main, image: \"job:1\"}}]}}
"
        )
    };
    applications(&scene, &[("web", deployment("web", 1, "web:1")), ("set", set)]);
    for name in ["web", "set"] {
        told(
            &scene,
            name,
            HealthStatus::Progressing,
            &["pods cannot be created: pods \"", "exceeded quota: none"],
        );
    }
    scene.kubectl(&["delete", "quota", "none"]);
    applications(&scene, &[("job", job("job", 0))]);
    let words = ["job failed: BackoffLimitExceeded", ": pod job-", r#"exit code 1: "no such table""#];
    told(&scene, "job", HealthStatus::Degraded, &words);
}

fn a_fix_is_not_blamed() {
    let scene = Scene::new();
    applications(&scene, &[("shop", failing("web", "crash", "boom"))]);
    told(&scene, "shop", HealthStatus::Degraded, &["CrashLoopBackOff", "boom"]);
    let fixed =
        failing("web", "crash", "boom").replace(", fail: crash", "").replace("says: 'boom'", "slow: 6s");
    scene.repository.commit(&[("shop/app.yaml", Some(&fixed))]);
    scene.refresh("shop");
    // The new pods take a while, and nothing says that they crash.
    let message = told(&scene, "shop", HealthStatus::Progressing, &["0 of 2 pods ready"]);
    assert!(!message.contains("CrashLoopBackOff"), "{message}");
    told(&scene, "shop", HealthStatus::Healthy, &[]);
}

fn older_pods_that_fail_too() {
    let scene = Scene::new();
    applications(
        &scene,
        &[("shop", failing("web", "crash", "first")), ("good", deployment("good", 2, "good:1"))],
    );
    told(&scene, "shop", HealthStatus::Degraded, &["first"]);
    told(&scene, "good", HealthStatus::Healthy, &[]);
    let bad = failing("good", "crash", "second");
    scene.repository.commit(&[
        ("shop/app.yaml", Some(&failing("web", "crash", "second"))),
        ("good/app.yaml", Some(&bad)),
    ]);
    scene.refresh("shop");
    scene.refresh("good");
    told(&scene, "shop", HealthStatus::Degraded, &["\"second\"; older pods fail too: pod web-", "\"first\""]);
    let message = told(&scene, "good", HealthStatus::Degraded, &["\"second\""]);
    assert!(!message.contains("older pods"), "{message}");
}

fn nothing_is_listed_at_rest() {
    let scene = Scene::new();
    let web = deployment("web", 2, "web:1");
    applications(&scene, &[("shop", web.clone() + "---\n" + &config_map("settings", "one"))]);
    told(&scene, "shop", HealthStatus::Healthy, &[]);
    scene.settled();
    let mark = scene.mark();
    scene.refresh("shop");
    scene.settled();
    assert!(!scene.lists(mark).contains(&"pods".to_owned()), "{:?}", scene.lists(mark));
    scene.repository.commit(&[("shop/app.yaml", Some(&failing("web", "crash", "boom")))]);
    scene.refresh("shop");
    told(&scene, "shop", HealthStatus::Degraded, &["boom"]);
    assert!(scene.lists(mark).contains(&"pods".to_owned()), "the audit log shows lists");
    scene.repository.commit(&[("shop/app.yaml", Some(&web))]);
    scene.refresh("shop");
    told(&scene, "shop", HealthStatus::Healthy, &[]);
    scene.settled();
    let mark = scene.mark();
    crate::harness::pause(7.0);
    assert!(!scene.lists(mark).contains(&"pods".to_owned()), "{:?}", scene.lists(mark));
}
