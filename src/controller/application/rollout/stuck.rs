//! Pods of a StatefulSet that stand in the way of the template that it has.
//!
//! Its controller waits for a pod that never gets ready before it replaces any, even where the template that made
//! it so is long gone (kubernetes#67250): somebody has to delete that pod.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, ResourceExt as _};
use serde_json::Value;
use windlass_core::health::cause::selector;
use windlass_core::object::ObjectId;

use super::Scope;

/// Label of a pod: the revision of its StatefulSet that made it.
pub const REVISION: &str = "controller-revision-hash";
/// Pods that are looked at.
const MOST: u32 = 500;

/// The pods of a StatefulSet; `None` where they cannot be listed.
pub async fn pods(scope: &Scope<'_>, id: &ObjectId, live: &Value) -> Option<Vec<Pod>> {
    let uid = live.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
    let api = Api::<Pod>::namespaced(scope.ctx.clients.requests.clone(), &id.namespace);
    let params = ListParams::default().labels(&selector(live)?).limit(MOST);
    let pods = api.list(&params).await.ok()?.items.into_iter();
    Some(pods.filter(|pod| pod.owner_references().iter().any(|owner| owner.uid == uid)).collect())
}

/// Whether a pod serves.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Deletes the pods that are not ready, are of another template than the one that the StatefulSet has, and are
/// to be replaced.
pub async fn delete(scope: &Scope<'_>, id: &ObjectId, live: &Value, pods: &[Pod]) {
    let wanted = live.pointer("/status/updateRevision").and_then(Value::as_str).unwrap_or_default();
    let partition = live.pointer("/spec/updateStrategy/rollingUpdate/partition").and_then(Value::as_u64);
    let api = Api::<Pod>::namespaced(scope.ctx.clients.requests.clone(), &id.namespace);
    for pod in pods {
        let name = pod.name_any();
        let ordinal = name.rsplit('-').next().and_then(|ordinal| ordinal.parse::<u64>().ok());
        let replaced = ordinal.is_some_and(|ordinal| ordinal >= partition.unwrap_or_default());
        let old = pod.labels().get(REVISION).is_some_and(|revision| revision != wanted);
        if wanted.is_empty()
            || !old
            || !replaced
            || is_ready(pod)
            || pod.metadata.deletion_timestamp.is_some()
        {
            continue;
        }
        let preconditions = Preconditions {
            uid: pod.metadata.uid.clone(),
            resource_version: pod.metadata.resource_version.clone(),
        };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match api.delete(&name, &params).await {
            Ok(_) => {
                tracing::info!(app = %scope.key, pod = name, "deleted: it kept others from being replaced")
            }
            Err(error) => tracing::debug!(app = %scope.key, pod = name, %error, "not deleted"),
        }
    }
}
