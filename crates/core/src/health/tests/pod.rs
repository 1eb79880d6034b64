use rstest::rstest;
use serde_json::{Value, json};

use super::{check, condition, object};
use crate::api::HealthStatus::{self, Degraded, Healthy, Progressing, Unknown};

fn running(container: Value) -> Value {
    json!({"phase": "Running", "containerStatuses": [container],
           "conditions": [condition("Ready", "False", "ContainersNotReady", "containers with unready status: [web]")]})
}

fn pending(container: Value) -> Value {
    json!({"phase": "Pending", "containerStatuses": [container]})
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({"name": "web", "ready": false, "restartCount": 0, "state": {"waiting": {"reason": reason, "message": message}}})
}

fn crashed(state: Value, restarts: i64, code: i64, reason: &str, message: &str) -> Value {
    json!({"name": "web", "ready": false, "started": false, "restartCount": restarts, "state": state,
           "lastState": {"terminated": {"exitCode": code, "reason": reason, "message": message}}})
}

#[rstest]
#[case::ready(json!({"phase": "Running", "conditions": [condition("Ready", "True", "", "")],
    "containerStatuses": [{"name": "web", "ready": true, "restartCount": 4, "state": {"running": {}},
        "lastState": {"terminated": {"exitCode": 1}}}]}), Healthy, "")]
#[case::succeeded(json!({"phase": "Succeeded"}), Healthy, "")]
#[case::not_seen(json!({}), Progressing, "not seen by the scheduler yet")]
#[case::unschedulable(json!({"phase": "Pending", "conditions": [condition("PodScheduled", "False", "Unschedulable",
    "0/3 nodes are available: 3 Insufficient cpu.")]}), Progressing,
    "not scheduled: Unschedulable: 0/3 nodes are available: 3 Insufficient cpu.")]
#[case::creating(
    pending(waiting("ContainerCreating", "")),
    Progressing,
    "container web is waiting: ContainerCreating"
)]
#[case::init_container_runs(json!({"phase": "Pending",
    "initContainerStatuses": [{"name": "migrate", "ready": false, "state": {"running": {}}}],
    "containerStatuses": [waiting("PodInitializing", "")]}), Progressing, "container migrate runs and is not ready")]
#[case::image(
    pending(waiting("ImagePullBackOff", "Back-off pulling image \"shop/web:2\"")),
    Degraded,
    "container web is waiting: ImagePullBackOff: Back-off pulling image \"shop/web:2\""
)]
#[case::config(
    pending(waiting("CreateContainerConfigError", "configmap \"web\" not found")),
    Degraded,
    "container web is waiting: CreateContainerConfigError: configmap \"web\" not found"
)]
#[case::crash_loop(running(crashed(json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}),
    5, 1, "Error", "panic:  no\n\tDATABASE_URL\n")), Degraded,
    "container web is waiting: CrashLoopBackOff; it last exited with code 1: panic: no DATABASE_URL; 5 restarts")]
#[case::out_of_memory(running(crashed(json!({"waiting": {"reason": "CrashLoopBackOff"}}), 1, 137, "OOMKilled", "")),
    Degraded, "container web is waiting: CrashLoopBackOff; it last exited with code 137 (OOMKilled); 1 restart")]
#[case::between_two_crashes(running(crashed(json!({"running": {}}), 3, 2, "Error", "")), Degraded,
    "container web is not ready; it last exited with code 2; 3 restarts")]
#[case::just_crashed(running(json!({"name": "web", "ready": false, "restartCount": 0,
    "state": {"terminated": {"exitCode": 1, "reason": "Error"}}})), Degraded, "container web exited with code 1")]
#[case::failed_probe(running(json!({"name": "web", "ready": false, "started": true, "state": {"running": {}}})),
    Progressing, "container web runs and is not ready")]
#[case::startup_probe(running(json!({"name": "web", "ready": false, "started": false, "state": {"running": {}}})),
    Progressing, "container web runs and has not started up")]
#[case::readiness_gate(json!({"phase": "Running", "containerStatuses": [{"name": "web", "ready": true}], "conditions":
    [condition("Ready", "False", "ReadinessGatesNotReady", "corresponding condition of pod readiness gate \"lb\" does not exist.")]}),
    Progressing,
    "ReadinessGatesNotReady: corresponding condition of pod readiness gate \"lb\" does not exist.")]
#[case::evicted(json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}),
    Degraded, "failed: Evicted: The node was low on resource: memory.")]
#[case::failed(json!({"phase": "Failed", "containerStatuses": [{"name": "web",
    "state": {"terminated": {"exitCode": 3, "message": "no such table"}}}]}), Degraded,
    "failed: container web exited with code 3: no such table")]
#[case::node_lost(json!({"phase": "Unknown", "reason": "NodeLost"}), Unknown, "its node does not answer: NodeLost")]
#[case::resized_and_not_seen(json!({"phase": "Running", "observedGeneration": 2}), Progressing,
    "its controller has not seen the latest change (generation 3, observed 2)")]
#[case::hostile(json!({"phase": "Running", "containerStatuses": [null, 1, [], {"name": 5, "state": "waiting"},
    {"state": {"waiting": {"reason": {}}}, "lastState": {"terminated": {"exitCode": "1"}}}], "conditions": "Ready"}),
    Progressing, "not ready")]
fn pod(#[case] status: Value, #[case] health: HealthStatus, #[case] message: &str) {
    check(&object("v1", "Pod", json!({"restartPolicy": "Always"}), status), health, message);
}

#[rstest]
fn a_pod_with_an_end_is_on_its_way_while_it_is_ready(#[values("Never", "OnFailure")] policy: &str) {
    let status = json!({"phase": "Running", "conditions": [condition("Ready", "True", "", "")]});
    check(&object("v1", "Pod", json!({"restartPolicy": policy}), status), Progressing, "running");
}
