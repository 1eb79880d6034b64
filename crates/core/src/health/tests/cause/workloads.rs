use rstest::rstest;
use serde_json::{Value, json};

use super::{cause, crashing, environment, event, evidence, pod, ready, release, stuck, workload};
use crate::api::HealthStatus::{Degraded, Healthy, Progressing};
use crate::health::Health;
use crate::health::cause::{Cause, FailureClass};
use crate::object::{Cluster, ObjectId};

fn id(group: &str, kind: &str) -> ObjectId {
    ObjectId {
        cluster: Cluster::default(),
        group: group.into(),
        kind: kind.into(),
        namespace: "shop".into(),
        name: "web".into(),
    }
}

fn refused(message: &str) -> Value {
    json!({"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}]})
}

#[rstest]
#[case::quota(
    refused("pods \"web-1\" is forbidden: exceeded quota: small"),
    environment("pods cannot be created: pods \"web-1\" is forbidden: exceeded quota: small")
)]
#[case::webhook(
    refused("Internal error occurred: failed calling webhook \"x\": connection refused"),
    environment(
        "pods cannot be created: Internal error occurred: failed calling webhook \"x\": connection refused"
    )
)]
#[case::pod_security(
    refused("pods \"web-1\" is forbidden: violates PodSecurity \"restricted:latest\""),
    release(
        "pods cannot be created: pods \"web-1\" is forbidden: violates PodSecurity \"restricted:latest\""
    )
)]
#[case::service_account(
    refused(
        "pods \"web-1\" is forbidden: error looking up service account shop/web: serviceaccount \"web\" not found"
    ),
    release(
        "pods cannot be created: pods \"web-1\" is forbidden: error looking up service account shop/web: serviceaccount \"web\" not found"
    )
)]
fn pods_refused(#[case] status: Value, #[case] expected: Option<Cause>) {
    assert_eq!(cause(&workload("Deployment", status), &[ready("a", "new")], &[]), expected);
}

#[rstest]
#[case::stateful_set("StatefulSet", json!({"replicas": 1}),
    "create Pod web-1 in StatefulSet web failed error: pods \"web-1\" is forbidden: exceeded quota: small")]
#[case::daemon_set("DaemonSet", json!({"desiredNumberScheduled": 2}), "Error creating: pods \"web-1\" is forbidden: exceeded quota: small")]
#[case::job("Job", json!({}), "Error creating: pods \"web-1\" is forbidden: exceeded quota: small")]
fn pods_refused_in_events(#[case] kind: &str, #[case] status: Value, #[case] message: &str) {
    let workload = workload(kind, status);
    assert_eq!(evidence(&workload, &[], &[]).question().as_deref(), Some("w"));
    assert_eq!(
        cause(&workload, &[], &[event("w", "FailedCreate", message)]),
        environment("pods cannot be created: pods \"web-1\" is forbidden: exceeded quota: small")
    );
    assert_eq!(cause(&workload, &[], &[event("w", "SuccessfulCreate", "x")]), None);
}

#[test]
fn a_crash_says_more_than_a_quota() {
    let told = cause(&workload("Deployment", refused("exceeded quota")), &[crashing("a", "new")], &[]);
    assert_eq!(told, stuck("pod a: container app: CrashLoopBackOff, exit code 1: \"panic: no such table\""));
}

fn job(reason: &str, message: &str) -> Value {
    json!({"conditions": [{"type": "Failed", "status": "True", "reason": reason, "message": message}]})
}

#[test]
fn a_failed_job_and_its_pods() {
    let failed = workload("Job", job("BackoffLimitExceeded", "Job has reached the specified backoff limit"));
    let gone = release("BackoffLimitExceeded: Job has reached the specified backoff limit");
    assert_eq!(cause(&failed, &[], &[]), gone);
    assert_eq!(evidence(&failed, &[], &[]).question(), None);
    let pods = [pod(
        "migrate-x",
        "new",
        json!({"phase": "Failed", "containerStatuses": [
        {"name": "app", "state": {"terminated": {"exitCode": 1, "reason": "Error", "message": "no such table"}}}]}),
    )];
    assert_eq!(
        cause(&failed, &pods, &[]),
        release("pod migrate-x: container app: exit code 1: \"no such table\"")
    );
}

#[test]
fn the_cause_follows_what_the_object_says() {
    let told = Health {
        status: Progressing,
        message: "1 of 3 pods ready; waiting for rollout: 1 of 3 pods updated".into(),
    };
    let crash = stuck("pod a: container app: CrashLoopBackOff, exit code 1").unwrap();
    let because = told.clone().because(&id("apps", "Deployment"), &crash);
    assert_eq!(because.status, Degraded);
    assert_eq!(because.message, "1 of 3 pods ready: pod a: container app: CrashLoopBackOff, exit code 1");
    let full = environment("pod a: not scheduled: 0/3 nodes are available").unwrap();
    assert_eq!(told.clone().because(&id("apps", "Deployment"), &full).status, Progressing);
    // A pod's own message has it all.
    assert_eq!(told.clone().because(&id("", "Pod"), &full), told);
}

#[test]
fn some_kinds_have_their_cause_by_kind() {
    let pending = Health { status: Progressing, message: "waiting for a volume".into() };
    let claim = Cause::of_kind(&id("", "PersistentVolumeClaim"), &pending).unwrap();
    assert_eq!((claim.class, claim.message.as_str()), (FailureClass::Environment, "waiting for a volume"));
    assert_eq!(Cause::of_kind(&id("example.com", "Widget"), &pending), None);
    let healthy = Health { status: Healthy, message: String::new() };
    assert_eq!(Cause::of_kind(&id("", "PersistentVolumeClaim"), &healthy), None);
}

#[test]
fn causes_are_ordered_by_what_they_mean_for_a_release() {
    let mut all = [release("b").unwrap(), environment("a").unwrap(), stuck("c").unwrap()];
    all.sort();
    assert_eq!(all.map(|cause| cause.message), ["a", "b", "c"]);
}
