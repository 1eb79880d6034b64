use rstest::rstest;
use serde_json::{Value, json};

use super::{check, condition, object};
use crate::api::HealthStatus::{self, Degraded, Healthy, Progressing, Suspended};

fn available() -> Value {
    condition(
        "Progressing",
        "True",
        "NewReplicaSetAvailable",
        "ReplicaSet \"web-1\" has successfully progressed.",
    )
}

/// Counts in the order in which `kubectl get` has them: total, updated, ready, available.
fn deployment_status(counts: [i64; 4], conditions: Value) -> Value {
    let [total, updated, ready, available] = counts;
    json!({
        "observedGeneration": 3, "replicas": total, "updatedReplicas": updated, "readyReplicas": ready,
        "availableReplicas": available, "unavailableReplicas": total - available, "conditions": conditions,
    })
}

#[rstest]
#[case::good([3, 3, 3, 3], json!([available()]), Healthy, "")]
#[case::first_install_no_pods([0, 0, 0, 0], json!([]), Progressing,
    "0 of 3 pods ready; waiting for rollout: 0 of 3 pods updated, 3 pods not created yet")]
#[case::first_install_starting([3, 3, 1, 1], json!([]), Progressing, "1 of 3 pods ready")]
#[case::rolling_new_pod_not_ready([4, 1, 3, 3], json!([]), Progressing,
    "3 of 3 pods ready; waiting for rollout: 1 of 3 pods updated, 1 new pod not ready")]
#[case::last_old_pod([4, 3, 4, 4], json!([]), Progressing,
    "3 of 3 pods ready; waiting for rollout: 1 old pod still running")]
#[case::old_pod_while_new_starts([4, 3, 3, 3], json!([]), Progressing,
    "3 of 3 pods ready; waiting for rollout: 1 new pod not ready, 1 old pod still running")]
#[case::min_ready_seconds([3, 3, 3, 1], json!([]), Progressing,
    "3 of 3 pods ready; 2 pods ready for less than minReadySeconds")]
#[case::lost_a_pod_after_rollout([3, 3, 2, 2], json!([available()]), Progressing, "2 of 3 pods ready")]
#[case::scaling_down([5, 5, 5, 5], json!([available()]), Progressing,
    "3 of 3 pods ready; 2 surplus pods still running")]
#[case::deadline([4, 1, 3, 3],
    json!([condition("Progressing", "False", "ProgressDeadlineExceeded", "ReplicaSet \"web-2\" has timed out progressing.")]),
    Degraded,
    "3 of 3 pods ready; waiting for rollout: 1 of 3 pods updated, 1 new pod not ready; \
     ProgressDeadlineExceeded: ReplicaSet \"web-2\" has timed out progressing.")]
#[case::quota_for_now([3, 1, 3, 3],
    json!([condition("ReplicaFailure", "True", "FailedCreate", "pods \"web-2-x\" is forbidden: exceeded quota: pods")]),
    Progressing,
    "3 of 3 pods ready; pods cannot be created: FailedCreate: pods \"web-2-x\" is forbidden: exceeded quota: pods")]
#[case::refused_before_and_complete_now([3, 3, 3, 3],
    json!([condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota")]), Healthy, "")]
#[case::quota_for_good([3, 0, 3, 3],
    json!([condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota"),
           condition("Progressing", "False", "ProgressDeadlineExceeded", "")]),
    Degraded,
    "3 of 3 pods ready; pods cannot be created: FailedCreate: exceeded quota; ProgressDeadlineExceeded")]
fn deployment(
    #[case] counts: [i64; 4],
    #[case] conditions: Value,
    #[case] status: HealthStatus,
    #[case] message: &str,
) {
    let spec = json!({"replicas": 3});
    check(&object("apps/v1", "Deployment", spec, deployment_status(counts, conditions)), status, message);
}

#[rstest]
#[case::scaled_to_zero(json!({"replicas": 0}), json!({"observedGeneration": 3}), Healthy, "")]
#[case::default_is_one_pod(json!({}), deployment_status([1, 1, 1, 1], json!([])), Healthy, "")]
#[case::old_generation(json!({"replicas": 1}), json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1,
    "readyReplicas": 1, "availableReplicas": 1}), Progressing,
    "its controller has not seen the latest change (generation 3, observed 2)")]
#[case::not_seen(json!({"replicas": 1}), json!({}), Progressing, "its controller has not seen it yet")]
#[case::paused(json!({"replicas": 2, "paused": true}), deployment_status([2, 0, 1, 1], json!([])), Suspended,
    "paused by spec.paused; 1 of 2 pods ready")]
#[case::hostile(json!({"replicas": "3", "paused": "yes"}), json!({"observedGeneration": 3, "replicas": [],
    "updatedReplicas": 1, "readyReplicas": {}, "conditions": {"type": "Progressing", "status": "False"}}), Progressing,
    "0 of 1 pod ready; 1 pod not created yet")]
fn deployment_of_another_spec(
    #[case] spec: Value,
    #[case] status: Value,
    #[case] health: HealthStatus,
    #[case] message: &str,
) {
    check(&object("apps/v1", "Deployment", spec, status), health, message);
}

fn set_status(total: i64, ready: i64, current: i64, updated: i64, revisions: [&str; 2]) -> Value {
    json!({
        "observedGeneration": 3, "replicas": total, "readyReplicas": ready, "availableReplicas": ready,
        "currentReplicas": current, "updatedReplicas": updated,
        "currentRevision": revisions[0], "updateRevision": revisions[1],
    })
}

#[rstest]
#[case::good(json!({"replicas": 3}), set_status(3, 3, 3, 3, ["a", "a"]), Healthy, "")]
#[case::counted_as_current_only(json!({"replicas": 3}), set_status(3, 3, 3, 0, ["a", "a"]), Healthy, "")]
#[case::starting_in_order(json!({"replicas": 3}), set_status(2, 1, 2, 2, ["a", "a"]), Progressing,
    "1 of 3 pods ready; waiting for rollout: 2 of 3 pods updated, 1 pod not created yet, 1 new pod not ready")]
#[case::rolling(json!({"replicas": 3}), set_status(3, 2, 2, 1, ["a", "b"]), Progressing,
    "2 of 3 pods ready; waiting for rollout: 1 of 3 pods updated, 1 new pod not ready")]
#[case::rolled_out_and_one_lost(json!({"replicas": 3}), set_status(3, 2, 3, 3, ["a", "a"]), Progressing,
    "2 of 3 pods ready")]
#[case::below_partition_stays_old(json!({"replicas": 3, "updateStrategy": {"type": "RollingUpdate",
    "rollingUpdate": {"partition": 2}}}), set_status(3, 3, 2, 1, ["a", "b"]), Healthy, "")]
#[case::above_partition_is_awaited(json!({"replicas": 3, "updateStrategy": {"type": "RollingUpdate",
    "rollingUpdate": {"partition": 1}}}), set_status(3, 3, 2, 1, ["a", "b"]), Progressing,
    "3 of 3 pods ready; waiting for rollout: 1 of 2 pods updated")]
#[case::on_delete_does_not_wait(json!({"replicas": 3, "updateStrategy": {"type": "OnDelete"}}),
    set_status(3, 3, 3, 0, ["a", "b"]), Healthy, "")]
#[case::on_delete_still_wants_ready_pods(json!({"replicas": 3, "updateStrategy": {"type": "OnDelete"}}),
    set_status(3, 1, 3, 0, ["a", "b"]), Progressing, "1 of 3 pods ready")]
#[case::scaling_down(json!({"replicas": 1}), set_status(3, 3, 3, 3, ["a", "a"]), Progressing,
    "1 of 1 pod ready; 2 surplus pods still running")]
#[case::old_generation(json!({"replicas": 1}), json!({"observedGeneration": 1}), Progressing,
    "its controller has not seen the latest change (generation 3, observed 1)")]
#[case::not_seen(json!({"replicas": 1}), Value::Null, Progressing, "its controller has not seen it yet")]
#[case::hostile(json!([]), json!({"observedGeneration": 3, "replicas": -7, "readyReplicas": "all"}), Progressing,
    "0 of 1 pod ready; waiting for rollout: 0 of 1 pod updated, 1 pod not created yet")]
fn stateful_set(
    #[case] spec: Value,
    #[case] status: Value,
    #[case] health: HealthStatus,
    #[case] message: &str,
) {
    check(&object("apps/v1", "StatefulSet", spec, status), health, message);
}

fn daemon_status(desired: i64, current: i64, updated: i64, ready: i64, available: i64) -> Value {
    json!({
        "observedGeneration": 3, "desiredNumberScheduled": desired, "currentNumberScheduled": current,
        "updatedNumberScheduled": updated, "numberReady": ready, "numberAvailable": available,
        "numberMisscheduled": 1,
    })
}

#[rstest]
#[case::good(json!({}), daemon_status(5, 5, 5, 5, 5), Healthy, "")]
#[case::no_node_wants_it(json!({}), daemon_status(0, 0, 0, 0, 0), Healthy, "")]
#[case::rolling(json!({}), daemon_status(5, 5, 2, 4, 4), Progressing,
    "4 of 5 pods ready; waiting for rollout: 2 of 5 pods updated, 1 new pod not ready")]
#[case::new_node(json!({}), daemon_status(6, 5, 5, 5, 5), Progressing,
    "5 of 6 pods ready; waiting for rollout: 5 of 6 pods updated, 1 pod not created yet")]
#[case::not_ready(json!({}), daemon_status(5, 5, 5, 3, 3), Progressing, "3 of 5 pods ready")]
#[case::on_delete(json!({"updateStrategy": {"type": "OnDelete"}}), daemon_status(5, 5, 0, 5, 5), Healthy, "")]
#[case::not_counted(json!({}), json!({"observedGeneration": 3}), Progressing,
    "its controller has not counted the nodes yet")]
#[case::not_seen(json!({}), json!({"desiredNumberScheduled": 0}), Progressing, "its controller has not seen it yet")]
#[case::old_generation(json!({}), json!({"observedGeneration": 2, "desiredNumberScheduled": 0}), Progressing,
    "its controller has not seen the latest change (generation 3, observed 2)")]
#[case::hostile(json!("x"), json!({"observedGeneration": 3, "desiredNumberScheduled": 2, "numberReady": true}),
    Progressing, "0 of 2 pods ready; waiting for rollout: 0 of 2 pods updated, 2 pods not created yet")]
fn daemon_set(
    #[case] spec: Value,
    #[case] status: Value,
    #[case] health: HealthStatus,
    #[case] message: &str,
) {
    check(&object("apps/v1", "DaemonSet", spec, status), health, message);
}

#[rstest]
#[case::good(json!({"observedGeneration": 3, "replicas": 2, "readyReplicas": 2, "availableReplicas": 2}), Healthy, "")]
#[case::starting(json!({"observedGeneration": 3, "replicas": 2, "readyReplicas": 1, "availableReplicas": 1}),
    Progressing, "1 of 2 pods ready")]
#[case::scaling_down(json!({"observedGeneration": 3, "replicas": 3, "readyReplicas": 3, "availableReplicas": 3}),
    Progressing, "2 of 2 pods ready; 1 surplus pod still running")]
#[case::refused(json!({"observedGeneration": 3, "replicas": 0, "conditions": [
    condition("ReplicaFailure", "True", "FailedCreate", "admission webhook \"x\" denied the request")]}), Degraded,
    "0 of 2 pods ready; pods cannot be created: FailedCreate: admission webhook \"x\" denied the request")]
#[case::old_generation(json!({"observedGeneration": 2}), Progressing,
    "its controller has not seen the latest change (generation 3, observed 2)")]
#[case::hostile(json!({"observedGeneration": 3, "replicas": i64::MIN, "readyReplicas": i64::MAX, "availableReplicas": 1.5}),
    Progressing, "2 of 2 pods ready; 2 pods not created yet, 9223372036854775807 pods ready for less than minReadySeconds")]
fn replica_set(#[case] status: Value, #[case] health: HealthStatus, #[case] message: &str) {
    let spec = json!({"replicas": 2});
    check(&object("apps/v1", "ReplicaSet", spec.clone(), status.clone()), health, message);
    check(&object("v1", "ReplicationController", spec, status), health, message);
}
