//! Health of claims and volumes.

use serde_json::Value;

use super::Health;
use super::body::{Body, Truth, one_line};
use crate::api::HealthStatus;

/// PersistentVolumeClaim.
///
/// A claim of a class that nothing provisions yet is Healthy: with `volumeBindingMode:
/// WaitForFirstConsumer`, which is in the class and not in the claim, it stays Pending until a pod uses it,
/// so that waiting for it before the pod is applied would never end. If the volume can't be had, the pod
/// says so.
pub(super) fn claim(body: Body) -> Health {
    match body.text("/status/phase") {
        "Bound" => resize(body),
        "Lost" => Health::degraded(format!(
            "its volume {} is gone, and the data with it",
            body.text("/spec/volumeName")
        )),
        _ => unbound(body),
    }
}

fn unbound(body: Body) -> Health {
    let volume = body.text("/spec/volumeName");
    if !volume.is_empty() {
        return Health::progressing(format!("waiting to be bound to volume {volume}"));
    }
    let provisioner =
        ["volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner"]
            .iter()
            .filter_map(|key| body.0.pointer("/metadata/annotations")?.get(key)?.as_str())
            .find(|provisioner| !provisioner.is_empty());
    match (provisioner, body.text("/spec/storageClassName")) {
        (Some(provisioner), _) => Health::progressing(format!("waiting for a volume from {provisioner}")),
        (None, "") if body.has("/spec/storageClassName") => {
            Health::progressing("waiting for an existing volume that fits: its storageClassName is empty")
        }
        (None, "") => {
            Health::progressing("waiting for a volume: it names no storage class and there is no default")
        }
        (None, _) => Health::healthy(),
    }
}

fn resize(body: Body) -> Health {
    let state = body.text("/status/allocatedResourceStatuses/storage");
    if state.ends_with("Infeasible") {
        return Health::degraded(format!("cannot be resized: {state}{}", asked(body)));
    }
    for condition in body.conditions("/status").filter(|condition| condition.truth == Truth::True) {
        match condition.kind {
            "ControllerResizeError" | "NodeResizeError" => {
                return Health::progressing(format!("resize fails: {}{}", condition.cause(), asked(body)));
            }
            "FileSystemResizePending" => {
                return Health::progressing(format!(
                    "resized; its file system grows when a pod mounts it{}",
                    asked(body)
                ));
            }
            "Resizing" => return Health::progressing(format!("being resized{}", asked(body))),
            "ModifyVolumeError" => {
                return Health::degraded(format!("cannot be modified: {}", condition.cause()));
            }
            _ => {}
        }
    }
    Health::healthy()
}

fn asked(body: Body) -> String {
    let quantity = |path| body.0.pointer(path).and_then(Value::as_str);
    match (quantity("/status/capacity/storage"), quantity("/spec/resources/requests/storage")) {
        (Some(has), Some(asked)) => format!(" ({has} now, {asked} asked for)"),
        _ => String::new(),
    }
}

/// PersistentVolume.
pub(super) fn volume(body: Body) -> Health {
    let message = one_line(body.text("/status/message"));
    match body.text("/status/phase") {
        "Available" | "Bound" | "Released" => Health::healthy(),
        "Failed" if message.is_empty() => Health::degraded("its reclamation failed"),
        "Failed" => Health::degraded(format!("its reclamation failed: {message}")),
        "" | "Pending" => Health::progressing("not available yet"),
        phase => Health::new(HealthStatus::Unknown, format!("unknown phase {}", one_line(phase))),
    }
}
