use rstest::rstest;
use serde_json::{Value, json};

use super::{cause, crashing, pod, ready, workload};
use crate::health::cause::{FailureClass, Selection, selection};

fn deleted(mut pod: Value) -> Value {
    pod["metadata"]["deletionTimestamp"] = json!("2026-03-01T10:00:00Z");
    pod
}

fn unscheduled(name: &str, hash: &str) -> Value {
    pod(
        name,
        hash,
        json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": "0/1 nodes are available"}]}),
    )
}

fn foreign(mut pod: Value) -> Value {
    pod["metadata"]["ownerReferences"] = json!([{"uid": "somebody"}]);
    pod
}

#[rstest]
#[case::no_older_pods(&[crashing("a", "new")], FailureClass::Release)]
#[case::older_pods_well(&[crashing("a", "new"), ready("b", "old"), ready("c", "old")], FailureClass::Release)]
#[case::one_of_three_older_pods_fails(&[crashing("a", "new"), crashing("b", "old"), ready("c", "old"), ready("d", "old")], FailureClass::Release)]
#[case::older_pods_fail_too(&[crashing("a", "new"), crashing("b", "old"), ready("c", "old")], FailureClass::Environment)]
#[case::only_a_release_between_fails(&[crashing("a", "new"), crashing("b", "between"), ready("c", "old")], FailureClass::Release)]
#[case::older_pods_that_go_do_not_count(&[crashing("a", "new"), deleted(crashing("b", "old"))], FailureClass::Release)]
#[case::pods_of_others_do_not_count(&[crashing("a", "new"), foreign(crashing("b", "old"))], FailureClass::Release)]
#[case::cluster_full(&[unscheduled("a", "new"), ready("b", "old")], FailureClass::Environment)]
#[case::crash_says_more_than_a_full_cluster(&[unscheduled("a", "new"), crashing("b", "new")], FailureClass::Release)]
fn whose_fault(#[case] pods: &[Value], #[case] expected: FailureClass) {
    let told = cause(&workload("Deployment", json!({})), pods, &[]).unwrap();
    assert_eq!(told.class, expected, "{}", told.message);
}

#[test]
fn older_pods_that_fail_are_told() {
    let pods = [crashing("new-a", "new"), crashing("old-b", "old"), crashing("old-a", "old")];
    assert_eq!(
        cause(&workload("Deployment", json!({})), &pods, &[]).unwrap().message,
        "pod new-a: container app: CrashLoopBackOff, exit code 1: \"panic: no such table\"; older pods fail \
         too: pod old-a: container app: CrashLoopBackOff, exit code 1: \"panic: no such table\""
    );
}

#[test]
fn older_pods_alone_give_no_cause() {
    let pods = [ready("a", "new"), crashing("b", "old")];
    assert_eq!(cause(&workload("Deployment", json!({})), &pods, &[]), None);
}

#[test]
fn the_first_of_equals_is_told() {
    let pods = [crashing("b", "new"), crashing("a", "new"), crashing("c", "new")];
    let told = cause(&workload("Deployment", json!({})), &pods, &[]).unwrap();
    assert!(told.message.starts_with("pod a: "), "{}", told.message);
}

fn replica_set(uid: &str, revision: &str, hash: &str, owner: &str) -> Value {
    json!({"metadata": {"uid": uid, "annotations": {"deployment.kubernetes.io/revision": revision},
        "labels": {"pod-template-hash": hash}, "ownerReferences": [{"uid": owner}]}})
}

#[test]
fn the_pods_of_a_deployment() {
    let mut deployment = workload("Deployment", json!({"observedGeneration": 1}));
    deployment["spec"]["selector"] = json!({"matchLabels": {"app": "web", "tier": "front"},
        "matchExpressions": [{"key": "track", "operator": "NotIn", "values": ["a", "b"]}, {"key": "old", "operator": "DoesNotExist"}]});
    let sets = [
        replica_set("r9", "9", "h9", "w"),
        replica_set("r10", "10", "h10", "w"),
        replica_set("r11", "11", "h11", "x"),
    ];
    assert_eq!(
        selection(&deployment, &sets),
        Some(Selection {
            selector: "app=web,tier=front,track notin (a,b),!old".into(),
            newest: Some(("pod-template-hash".into(), "h10".into())),
            owners: vec!["r9".into(), "r10".into()],
        })
    );
}

#[rstest]
#[case::not_seen("Deployment", json!({"observedGeneration": 0}), json!({"matchLabels": {"app": "web"}}))]
#[case::no_replica_set("Deployment", json!({"observedGeneration": 1}), json!({"matchLabels": {"app": "web"}}))]
#[case::selects_everything("StatefulSet", json!({}), json!({}))]
#[case::unknown_operator("StatefulSet", json!({}), json!({"matchExpressions": [{"key": "a", "operator": "Near"}]}))]
fn selects_nothing(#[case] kind: &str, #[case] status: Value, #[case] selector: Value) {
    let mut workload = workload(kind, status);
    workload["spec"]["selector"] = selector;
    assert_eq!(selection(&workload, &[]), None);
}

#[rstest]
#[case::stateful_set("StatefulSet", json!({"matchLabels": {"app": "db"}}), "app=db", Some(("controller-revision-hash", "db-7f")))]
#[case::daemon_set("DaemonSet", json!({"matchLabels": {"app": "db"}}), "app=db", Some(("pod-template-generation", "4")))]
#[case::job("Job", json!({"matchLabels": {"batch.kubernetes.io/controller-uid": "w"}}), "batch.kubernetes.io/controller-uid=w", None)]
#[case::replication_controller("ReplicationController", json!({"app": "db"}), "app=db", None)]
fn the_pods_of_others(
    #[case] kind: &str,
    #[case] selector: Value,
    #[case] text: &str,
    #[case] newest: Option<(&str, &str)>,
) {
    let mut workload = workload(kind, json!({"updateRevision": "db-7f"}));
    workload["spec"]["selector"] = selector;
    workload["metadata"]["annotations"] = json!({"deprecated.daemonset.template.generation": "4"});
    let found = selection(&workload, &[]).unwrap();
    assert_eq!(found.selector, text);
    assert_eq!(found.owners, ["w"]);
    assert_eq!(found.newest.as_ref().map(|(label, value)| (label.as_str(), value.as_str())), newest);
}
