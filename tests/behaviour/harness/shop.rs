//! What tests of rollouts commit and look at: workloads that read a ConfigMap, a Service, a route, and policies.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use windlass_core::api::{RolloutPhase, TargetStatus};

use super::{Scene, until};

/// A Deployment of four pods that reads the ConfigMap `settings`; `labels` is more labels of its pods, as
/// `, fail: crash`.
pub fn web(version: &str, labels: &str) -> String {
    deployment("web", version, labels)
}

/// As [`web`], with another name.
pub fn deployment(name: &str, version: &str, labels: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 4
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}{labels}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: registry.example/web:{version}
        envFrom: [{{configMapRef: {{name: settings}}}}]
"
    )
}

/// A Service in front of the pods of `web`.
pub const SERVICE: &str = "apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
";

/// An HTTPRoute to it.
pub const ROUTE: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: edge}]
  rules: [{backendRefs: [{name: web, port: 80}]}]
";

/// A RolloutPolicy.
pub fn policy(spec: &Value) -> String {
    named_policy("web", spec)
}

/// As [`policy`], with another name.
pub fn named_policy(name: &str, spec: &Value) -> String {
    json!({"apiVersion": "windlass.dev/v1alpha1", "kind": "RolloutPolicy", "metadata": {"name": name}, "spec": spec})
        .to_string()
}

/// The specification of a canary of `web` behind its route.
pub fn canary(steps: Value) -> Value {
    json!({
        "target": {"kind": "Deployment", "name": "web"},
        "strategy": {"canary": {"steps": steps, "bake": "2s"}},
        "traffic": {"service": "web", "httpRoute": {"name": "web"}},
    })
}

/// Commits files.
pub fn commit(scene: &Scene, files: &[(&str, &str)]) -> String {
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, Some(*text))).collect();
    scene.repository.commit(&files)
}

/// Pods that are not ending, by the tag of their image.
pub fn pods(scene: &Scene, app: &str) -> BTreeMap<String, Vec<String>> {
    let list = scene.kubectl(&["get", "pods", &format!("--selector=app={app}"), "--output=json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for pod in list["items"].as_array().unwrap() {
        if pod["metadata"]["deletionTimestamp"].is_null() {
            let image = pod["spec"]["containers"][0]["image"].as_str().unwrap();
            let tag = image.rsplit(':').next().unwrap().to_owned();
            found.entry(tag).or_default().push(pod["metadata"]["name"].as_str().unwrap().to_owned());
        }
    }
    found
}

/// The names of the pods of `web` of a version.
pub fn names(scene: &Scene, tag: &str) -> Vec<String> {
    pods(scene, "web").remove(tag).unwrap_or_default()
}

/// Waits until `web` has exactly so many pods of these versions.
#[track_caller]
pub fn wait_for_pods(scene: &Scene, what: &str, expected: &[(&str, usize)]) {
    let expected: Vec<_> = expected.iter().map(|(tag, count)| ((*tag).to_owned(), *count)).collect();
    until(what, || {
        let found: Vec<_> = pods(scene, "web").into_iter().map(|(tag, pods)| (tag, pods.len())).collect();
        if found == expected { Ok(()) } else { Err(format!("{found:?}: {}", told(scene))) }
    });
}

/// What the Application says of itself and of its rollouts.
pub fn told(scene: &Scene) -> String {
    let status = scene.read("shop").and_then(|app| app.status).unwrap_or_default();
    let ready = status.conditions.iter().find(|c| c.type_ == "Ready").map(|c| c.message.clone());
    let targets: Vec<_> = status.targets.iter().map(told_of).collect();
    format!("{ready:?} {targets:?}")
}

fn told_of(target: &TargetStatus) -> String {
    let rollout = target.rollout.as_ref();
    let rest = rollout.map(|r| {
        let failed = r.failed.as_ref().map(|failed| failed.message.as_str()).unwrap_or_default();
        format!("step {} weight {} pods {} {} {failed}", r.step, r.weight, r.pods, r.message)
    });
    format!("{} {:?} {}", target.name, target.phase, rest.unwrap_or_default())
}

/// The state of a workload, once it has one.
pub fn target(scene: &Scene, name: &str) -> Option<TargetStatus> {
    let status = scene.read("shop").and_then(|app| app.status).unwrap_or_default();
    status.targets.into_iter().find(|target| target.name == name)
}

/// Waits until the rollout of `web` is in a phase, with this share of the traffic.
#[track_caller]
pub fn wait_for_phase(scene: &Scene, phase: RolloutPhase, weight: u32) {
    until(&format!("{phase:?} at {weight} %"), || {
        let state = target(scene, "web");
        let there = state.is_some_and(|state| {
            state.phase == phase && state.rollout.is_some_and(|rollout| rollout.weight == weight)
        });
        if there { Ok(()) } else { Err(told(scene)) }
    });
}

/// Waits until nothing is left of a rollout: the route and the Service are Git's, nothing is held.
#[track_caller]
pub fn wait_for_rest(scene: &Scene, what: &str) {
    until(what, || {
        let idle = target(scene, "web").is_none_or(|state| state.rollout.is_none());
        let services = scene.kubectl(&["get", "services", "--output=name"]);
        let route = scene.get("httproute", "web").unwrap_or_default();
        let backends = route["spec"]["rules"][0]["backendRefs"].to_string();
        let selector = scene.get("service", "web").unwrap_or_default()["spec"]["selector"].clone();
        let web = scene.get("deployment", "web").unwrap_or_default();
        let plain = web["spec"]["progressDeadlineSeconds"] == 600
            && web["spec"]["minReadySeconds"].is_null()
            && web["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == "25%";
        let one = !backends.contains("web-") && backends.matches("\"name\"").count() == 1;
        if idle && services.trim() == "service/web" && one && selector == json!({"app": "web"}) && plain {
            return Ok(());
        }
        Err(format!("{services} {backends} {selector} {} {}", web["spec"]["strategy"], told(scene)))
    });
}

/// A scene with a gateway and `web` at version 1 behind a route, with a policy, at rest.
pub fn behind_a_route(scene: &Scene, policy: &str, spec: Value) -> String {
    let first = commit(
        scene,
        &[
            ("shop/web.yaml", &web("1", "")),
            ("shop/service.yaml", SERVICE),
            ("shop/route.yaml", ROUTE),
            ("shop/settings.yaml", &super::manifests::config_map("settings", "one")),
            ("shop/policy.yaml", policy),
        ],
    );
    scene.application("shop", spec);
    scene.ready_at("the first release", "shop", &first);
    wait_for_pods(scene, "four pods", &[("1", 4)]);
    first
}
