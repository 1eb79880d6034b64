//! What the rollouts of an Application are like in the cluster, beside its status.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use windlass_core::api::{Application, RolloutPolicy, RolloutPolicySpec, TargetKind, TargetStatus};
use windlass_core::rollout::{Known, PodCounts, TargetView};

use super::super::connection::Connection;

/// ReplicaSets and pods that are looked at.
const MOST: u32 = 500;

/// The rollouts of an Application. What may not be read is left out: the status says most of it.
pub(super) async fn targets(connection: &Connection, application: &Application) -> Vec<TargetView> {
    let mut views = Vec::new();
    for state in application.status.iter().flat_map(|status| &status.targets) {
        let policy = policy(connection, state).await;
        let pods = pods(connection, state).await;
        let known = Known { policy: policy.as_ref(), pods: pods.as_ref() };
        views.push(TargetView::new(state, &known, Timestamp::now()));
    }
    views
}

/// The policy of a workload, as the cluster has it.
async fn policy(connection: &Connection, state: &TargetStatus) -> Option<RolloutPolicySpec> {
    let api = Api::<RolloutPolicy>::namespaced(connection.client.clone(), &state.namespace);
    let all = connection.answer(api.list(&ListParams::default().limit(MOST))).await.ok()?;
    let specs = all.items.into_iter().map(|policy| policy.spec);
    specs.into_iter().find(|spec| spec.target.kind == state.kind && spec.target.name == state.name)
}

/// The pods of a workload by revision, while a rollout of it is under way.
async fn pods(connection: &Connection, state: &TargetStatus) -> Option<BTreeMap<String, PodCounts>> {
    let rollout = state.rollout.as_ref()?;
    let client = connection.client.clone();
    let label = match state.kind {
        TargetKind::Deployment => "pod-template-hash",
        TargetKind::StatefulSet => "controller-revision-hash",
    };
    let hashes = [&rollout.stable_hash, &rollout.candidate_hash];
    let hashes: Vec<_> = hashes.into_iter().filter(|hash| !hash.is_empty()).map(String::as_str).collect();
    let params = ListParams::default().labels(&format!("{label} in ({})", hashes.join(","))).limit(MOST);
    let mut counts: BTreeMap<String, PodCounts> = BTreeMap::new();
    match state.kind {
        TargetKind::Deployment => {
            let api = Api::<ReplicaSet>::namespaced(client, &state.namespace);
            for set in connection.answer(api.list(&params)).await.ok()?.items {
                let owners = set.metadata.owner_references.unwrap_or_default();
                if !owners.iter().any(|owner| owner.kind == "Deployment" && owner.name == state.name) {
                    continue;
                }
                let hash = set.metadata.labels.and_then(|mut labels| labels.remove(label));
                let status = set.status.unwrap_or_default();
                let count = |n: Option<i32>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
                let found =
                    PodCounts { total: count(Some(status.replicas)), ready: count(status.ready_replicas) };
                counts.insert(hash.unwrap_or_default(), found);
            }
        }
        TargetKind::StatefulSet => {
            let api = Api::<Pod>::namespaced(client, &state.namespace);
            for pod in connection.answer(api.list(&params)).await.ok()?.items {
                let owners = pod.metadata.owner_references.unwrap_or_default();
                if !owners.iter().any(|owner| owner.kind == "StatefulSet" && owner.name == state.name) {
                    continue;
                }
                let hash = pod.metadata.labels.and_then(|mut labels| labels.remove(label));
                let mut conditions = pod.status.into_iter().flat_map(|status| status.conditions).flatten();
                let ready = conditions.any(|c| c.type_ == "Ready" && c.status == "True");
                let known = counts.entry(hash.unwrap_or_default()).or_default();
                known.total += 1;
                known.ready += u32::from(ready);
            }
        }
    }
    Some(counts)
}
