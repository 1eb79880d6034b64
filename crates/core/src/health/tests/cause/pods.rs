use rstest::rstest;
use serde_json::{Value, json};

use super::{cause, containers, crashing, environment, event, evidence, pod, release, stuck, workload};
use crate::health::cause::{Cause, FailureClass};

fn waiting(reason: &str, message: &str) -> Value {
    json!({"name": "app", "image": "registry.example/timeout:503", "ready": false, "restartCount": 0,
           "state": {"waiting": {"reason": reason, "message": message}}})
}

fn exited(restarts: i64, state: Value, last: Value) -> Value {
    json!({"name": "app", "ready": false, "restartCount": restarts, "state": state, "lastState": {"terminated": last}})
}

#[rstest]
#[case::crash_loop(containers(exited(5, json!({"waiting": {"reason": "CrashLoopBackOff"}}), json!({"exitCode": 1, "reason": "Error"}))),
    stuck("pod web: container app: CrashLoopBackOff, exit code 1"))]
#[case::crashed_once(containers(exited(1, json!({"running": {}}), json!({"exitCode": 3, "reason": "Error", "message": "cannot\tconnect\u{1b}[0m\n"}))),
    release(r#"pod web: container app: exit code 3: "cannot connect [0m""#))]
#[case::between_crashes(containers(exited(2, json!({"running": {}}), json!({"exitCode": 3}))),
    stuck("pod web: container app: CrashLoopBackOff, exit code 3"))]
#[case::out_of_memory(containers(exited(3, json!({"waiting": {"reason": "CrashLoopBackOff"}}), json!({"exitCode": 137, "reason": "OOMKilled"}))),
    stuck("pod web: container app: CrashLoopBackOff, OOMKilled, exit code 137 (SIGKILL)"))]
#[case::segmentation_fault(containers(exited(0, json!({"terminated": {"exitCode": 139, "reason": "Error"}}), json!(null))),
    release("pod web: container app: exit code 139 (SIGSEGV)"))]
#[case::ends_well_again_and_again(containers(exited(4, json!({"waiting": {"reason": "CrashLoopBackOff"}}), json!({"exitCode": 0, "reason": "Completed"}))),
    stuck("pod web: container app: CrashLoopBackOff, exit code 0"))]
#[case::init_container(json!({"phase": "Pending", "initContainerStatuses": [exited(3, json!({"waiting": {"reason": "CrashLoopBackOff"}}), json!({"exitCode": 2}))],
        "containerStatuses": [{"name": "web", "ready": false, "state": {"waiting": {"reason": "PodInitializing"}}}]}),
    stuck("pod web: container app: CrashLoopBackOff, exit code 2"))]
#[case::init_container_done(json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
        "initContainerStatuses": [exited(3, json!({"terminated": {"exitCode": 0}}), json!({"exitCode": 2}))]}), None)]
#[case::image_name(
    containers(waiting("InvalidImageName", "couldn't parse image name")),
    stuck("pod web: container app: InvalidImageName: registry.example/timeout:503")
)]
#[case::image_not_found(
    containers(waiting(
        "ErrImagePull",
        "rpc error: code = NotFound desc = failed to pull and unpack image \"registry.example/timeout:503\": failed to resolve reference \"registry.example/timeout:503\": registry.example/timeout:503: not found"
    )),
    release(
        "pod web: container app: ErrImagePull, image registry.example/timeout:503: failed to pull and unpack image \"registry.example/timeout:503\": failed to resolve reference \"registry.example/timeout:503\": registry.example/timeout:503: not found"
    )
)]
#[case::image_back_off(
    containers(waiting(
        "ImagePullBackOff",
        "Back-off pulling image \"registry.example/timeout:503\": ErrImagePull: pull access denied, repository does not exist or may require authorization"
    )),
    release(
        "pod web: container app: ErrImagePull, image registry.example/timeout:503: pull access denied, repository does not exist or may require authorization"
    )
)]
#[case::image_limit(
    containers(waiting(
        "ErrImagePull",
        "rpc error: code = Unknown desc = failed to copy: httpReadSeeker: failed open: unexpected status code https://registry.example/v2/blobs/x: 429 Too Many Requests - Server message: toomanyrequests: rate exceeded"
    )),
    environment(
        "pod web: container app: ErrImagePull, image registry.example/timeout:503: failed to copy: httpReadSeeker: failed open: unexpected status code https://registry.example/v2/blobs/x: 429 Too Many Requests - Server message: toomanyrequests: rate exceeded"
    )
)]
#[case::image_registry_down(
    containers(waiting(
        "ErrImagePull",
        "failed to do request: Head \"https://registry.example/v2/not-found\": dial tcp 10.0.0.1:443: connect: connection refused"
    )),
    environment(
        "pod web: container app: ErrImagePull, image registry.example/timeout:503: failed to do request: Head \"https://registry.example/v2/not-found\": dial tcp 10.0.0.1:443: connect: connection refused"
    )
)]
#[case::image_no_detail(
    containers(waiting("ImagePullBackOff", "Back-off pulling image \"registry.example/timeout:503\"")),
    environment("pod web: container app: ErrImagePull, image registry.example/timeout:503")
)]
#[case::missing_key(
    containers(waiting("CreateContainerConfigError", "couldn't find key TOKEN in ConfigMap shop/settings")),
    release(
        "pod web: container app: CreateContainerConfigError: couldn't find key TOKEN in ConfigMap shop/settings"
    )
)]
#[case::no_program(
    containers(waiting("RunContainerError", "exec: \"serve\": executable file not found in $PATH")),
    release(
        "pod web: container app: RunContainerError: exec: \"serve\": executable file not found in $PATH"
    )
)]
#[case::not_ready(containers(json!({"name": "app", "ready": false, "started": true, "state": {"running": {}}})),
    release("pod web: container app: running but not ready"))]
#[case::not_started(containers(json!({"name": "app", "ready": false, "started": false, "state": {"running": {}}})),
    release("pod web: container app: running but not started up"))]
#[case::init_runs(json!({"phase": "Pending", "initContainerStatuses": [{"name": "wait", "ready": false, "state": {"running": {}}}],
        "containerStatuses": [{"name": "app", "ready": false, "state": {"waiting": {"reason": "PodInitializing"}}}]}),
    release("pod web: container wait: the init container has not ended"))]
#[case::readiness_gate(json!({"phase": "Running", "containerStatuses": [{"name": "app", "ready": true, "state": {"running": {}}}],
        "conditions": [{"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady"}]}),
    environment("pod web: its containers are ready and it is not: ReadinessGatesNotReady"))]
#[case::unschedulable(json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available: 3 Insufficient cpu."}]}),
    environment("pod web: not scheduled: 0/3 nodes are available: 3 Insufficient cpu."))]
#[case::gated(json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "Scheduling is blocked due to non-empty scheduling gates"}]}),
    environment("pod web: not scheduled: SchedulingGated: Scheduling is blocked due to non-empty scheduling gates"))]
#[case::evicted(json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}),
    environment("pod web: Evicted: The node was low on resource: memory."))]
#[case::preempted(json!({"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "preempting to accommodate a higher priority pod"}]}),
    environment("pod web: disrupted: PreemptionByScheduler: preempting to accommodate a higher priority pod"))]
#[case::node_admission(json!({"phase": "Failed", "reason": "OutOfpods", "message": "Pod was rejected"}), environment("pod web: OutOfpods: Pod was rejected"))]
#[case::deadline(json!({"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active on the node longer than the specified deadline"}),
    release("pod web: DeadlineExceeded: Pod was active on the node longer than the specified deadline"))]
#[case::exited(json!({"phase": "Failed", "containerStatuses": [exited(0, json!({"terminated": {"exitCode": 7, "message": "bad migration"}}), json!(null))]}),
    release(r#"pod web: container app: exit code 7: "bad migration""#))]
#[case::node_gone(json!({"phase": "Unknown"}), environment("pod web: its node does not answer"))]
#[case::being_created(json!({"phase": "Pending", "containerStatuses": [waiting("ContainerCreating", "")]}),
    environment("pod web: its containers are being created"))]
#[case::succeeded(json!({"phase": "Succeeded"}), None)]
#[case::nothing_yet(json!({}), None)]
fn of_one_pod(#[case] status: Value, #[case] expected: Option<Cause>) {
    assert_eq!(cause(&workload("Deployment", json!({})), &[pod("web", "new", status)], &[]), expected);
}

#[rstest]
#[case::probe(containers(json!({"name": "app", "ready": false, "state": {"running": {}}})), "Unhealthy",
    "Readiness probe failed: HTTP probe failed with statuscode: 500",
    release("pod web: container app: running but not ready: Readiness probe failed: HTTP probe failed with statuscode: 500"))]
#[case::liveness(containers(exited(3, json!({"running": {}}), json!({"exitCode": 137, "reason": "Error"}))), "Unhealthy", "Liveness probe failed: timeout",
    stuck("pod web: container app: CrashLoopBackOff, exit code 137 (SIGKILL); Liveness probe failed: timeout"))]
#[case::pull(
    containers(waiting("ImagePullBackOff", "Back-off pulling image \"x\"")),
    "Failed",
    "Failed to pull image \"x\": rpc error: code = NotFound desc = x: not found",
    release("pod web: container app: ErrImagePull, image registry.example/timeout:503: x: not found")
)]
#[case::config_mount(json!({"phase": "Pending", "containerStatuses": [waiting("ContainerCreating", "")]}), "FailedMount",
    "MountVolume.SetUp failed for volume \"settings\" : configmap \"settings\" not found",
    release("pod web: FailedMount: MountVolume.SetUp failed for volume \"settings\" : configmap \"settings\" not found"))]
#[case::attach(json!({"phase": "Pending", "containerStatuses": [waiting("ContainerCreating", "")]}), "FailedAttachVolume", "Multi-Attach error for volume",
    environment("pod web: FailedAttachVolume: Multi-Attach error for volume"))]
fn asks_for_events_and_tells_them(
    #[case] status: Value,
    #[case] reason: &str,
    #[case] message: &str,
    #[case] expected: Option<Cause>,
) {
    let (workload, pods) = (workload("Deployment", json!({})), [pod("web", "new", status)]);
    assert_eq!(evidence(&workload, &pods, &[]).question().as_deref(), Some("uid-web"));
    let events = [event("other", reason, "of somebody else"), event("uid-web", reason, message)];
    assert_eq!(cause(&workload, &pods, &events), expected);
}

#[test]
fn asks_nothing_when_the_pod_says_it_all() {
    let (workload, pods) = (workload("Deployment", json!({})), [crashing("web", "new")]);
    assert_eq!(evidence(&workload, &pods, &[]).question(), None);
}

#[test]
fn the_newest_event_counts() {
    let running = containers(json!({"name": "app", "ready": false, "state": {"running": {}}}));
    let mut later = event("uid-web", "Unhealthy", "later");
    later["lastTimestamp"] = json!("2026-03-01T10:00:09Z");
    let events = [later, event("uid-web", "Unhealthy", "earlier")];
    let told = cause(&workload("Deployment", json!({})), &[pod("web", "new", running)], &events).unwrap();
    assert_eq!(told.message, "pod web: container app: running but not ready: later");
}

#[test]
fn a_long_termination_message_is_cut() {
    let status =
        containers(exited(1, json!({"running": {}}), json!({"exitCode": 1, "message": "x".repeat(5000)})));
    let told = cause(&workload("Deployment", json!({})), &[pod("web", "new", status)], &[]).unwrap();
    assert_eq!(told.class, FailureClass::Release);
    assert!(told.message.len() < 400, "{}", told.message.len());
}
