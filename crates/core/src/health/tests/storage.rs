use rstest::rstest;
use serde_json::{Value, json};

use super::{check, condition, object};
use crate::api::HealthStatus::{self, Degraded, Healthy, Progressing, Unknown};

fn sized(request: &str, spec: Value) -> Value {
    let mut spec = spec;
    spec["resources"] = json!({"requests": {"storage": request}});
    spec
}

fn bound(conditions: Value) -> Value {
    json!({"phase": "Bound", "capacity": {"storage": "1Gi"}, "conditions": conditions})
}

#[rstest]
#[case::bound(json!({"volumeName": "pv-1"}), bound(json!([])), Healthy, "")]
#[case::waits_for_first_consumer(json!({"storageClassName": "local"}), json!({"phase": "Pending"}), Healthy, "")]
#[case::static_volume(json!({"storageClassName": ""}), json!({"phase": "Pending"}), Progressing,
    "waiting for an existing volume that fits: its storageClassName is empty")]
#[case::no_class(json!({}), json!({"phase": "Pending"}), Progressing,
    "waiting for a volume: it names no storage class and there is no default")]
#[case::pre_bound(json!({"volumeName": "pv-1", "storageClassName": "x"}), json!({"phase": "Pending"}), Progressing,
    "waiting to be bound to volume pv-1")]
#[case::lost(json!({"volumeName": "pv-1"}), json!({"phase": "Lost"}), Degraded,
    "its volume pv-1 is gone, and the data with it")]
#[case::resizing(json!({}), bound(json!([condition("Resizing", "True", "", "")])), Progressing,
    "being resized (1Gi now, 2Gi asked for)")]
#[case::resize_wants_a_pod(json!({}), bound(json!([condition("FileSystemResizePending", "True", "", "")])), Progressing,
    "resized; its file system grows when a pod mounts it (1Gi now, 2Gi asked for)")]
#[case::resize_error(json!({}), bound(json!([condition("ControllerResizeError", "True", "", "quota exceeded")])),
    Progressing, "resize fails: quota exceeded (1Gi now, 2Gi asked for)")]
#[case::resize_infeasible(json!({}), json!({"phase": "Bound", "capacity": {"storage": "1Gi"},
    "allocatedResourceStatuses": {"storage": "ControllerResizeInfeasible"}}), Degraded,
    "cannot be resized: ControllerResizeInfeasible (1Gi now, 2Gi asked for)")]
#[case::hostile(json!({"volumeName": 1, "storageClassName": {}}), json!({"phase": ["Bound"]}), Progressing,
    "waiting for an existing volume that fits: its storageClassName is empty")]
fn claim(#[case] spec: Value, #[case] status: Value, #[case] health: HealthStatus, #[case] message: &str) {
    check(&object("v1", "PersistentVolumeClaim", sized("2Gi", spec), status), health, message);
}

#[test]
fn a_claim_that_is_being_provisioned_names_who_does_it() {
    let mut body = object(
        "v1",
        "PersistentVolumeClaim",
        json!({"storageClassName": "fast"}),
        json!({"phase": "Pending"}),
    );
    body["metadata"]["annotations"] = json!({"volume.kubernetes.io/storage-provisioner": "csi.example"});
    check(&body, Progressing, "waiting for a volume from csi.example");
}

#[rstest]
#[case::bound(json!({"phase": "Bound"}), Healthy, "")]
#[case::released(json!({"phase": "Released"}), Healthy, "")]
#[case::pending(json!({"phase": "Pending"}), Progressing, "not available yet")]
#[case::failed(json!({"phase": "Failed", "message": "no plugin"}), Degraded, "its reclamation failed: no plugin")]
#[case::unknown(json!({"phase": "Melted"}), Unknown, "unknown phase Melted")]
#[case::hostile(json!([1]), Progressing, "not available yet")]
fn volume(#[case] status: Value, #[case] health: HealthStatus, #[case] message: &str) {
    check(&object("v1", "PersistentVolume", json!({}), status), health, message);
}
