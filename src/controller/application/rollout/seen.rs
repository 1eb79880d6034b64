//! What is seen of a workload whose rollout is under way: a few reads, and only then.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::Value;
use windlass_core::api::{RolloutPhase, TargetKind};
use windlass_core::health::cause::selector;
use windlass_core::object::{Gvk, Object, ObjectId};
use windlass_core::rollout::route::{RouteState, ServiceNames, observed};
use windlass_core::rollout::{HELD_READY, PodCounts, Seen, Trouble, Unit, is_held, route_id};

use super::{Scope, stuck};
use crate::cluster::error::words;
use crate::cluster::evidence;

/// ReplicaSets and pods that are looked at.
const MOST: u32 = 500;
/// Annotation of a ReplicaSet: which revision of its Deployment it is.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// What is seen of a workload. What cannot be read counts as not there yet: a rollout waits for it.
pub async fn of(scope: &Scope<'_>, unit: &Unit, applied: bool) -> Seen {
    let Unit { policy, state, wanted, .. } = unit;
    let mut seen = Seen { applied, ..Seen::default() };
    let target = &policy.target;
    let Some(live) = live(scope, target).await else { return seen };
    let number = |pointer: &str| live.pointer(pointer).and_then(Value::as_i64);
    seen.exists = live.pointer("/metadata/deletionTimestamp").is_none();
    seen.observed = number("/status/observedGeneration") >= number("/metadata/generation");
    seen.replicas = number("/spec/replicas").and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
    seen.held = is_held(policy.spec.target.kind, &live, wanted.object.object.body());
    let mut poisoned = BTreeSet::new();
    let found = match policy.spec.target.kind {
        TargetKind::Deployment => replica_sets(scope, target, &live, &mut poisoned).await,
        TargetKind::StatefulSet => match stuck::pods(scope, target, &live).await {
            Some(pods) => {
                if applied && seen.observed && state.rollout.is_some() {
                    stuck::delete(scope, target, &live, &pods).await;
                }
                Some(stateful_pods(&live, &pods))
            }
            None => None,
        },
    };
    let Some((current, pods)) = found else { return Seen { observed: false, ..seen } };
    (seen.current_hash, seen.pods) = (current, pods);
    let Some(rollout) = &state.rollout else { return seen };
    if unit.former.is_some() && policy.spec.target.kind == TargetKind::Deployment {
        let short = seen.of(&rollout.stable_hash).total < seen.replicas;
        if short || poisoned.contains(&rollout.stable_hash) {
            // Whoever is about to scale it changes one after the other.
            let again = self::live(scope, target).await;
            let generation = |live: &Value| live.pointer("/metadata/generation").cloned();
            seen.disturbed = again.is_some_and(|again| generation(&again) == generation(&live));
        }
    }
    if let Some(traffic) = &rollout.traffic {
        let names = ServiceNames::of(&traffic.service);
        seen.stable_endpoints = endpoints(scope, target, &names.stable).await;
        if !rollout.candidate_hash.is_empty() {
            seen.candidate_endpoints = endpoints(scope, target, &names.candidate).await;
        }
        if let Some((router, id)) = route_id(target, traffic) {
            seen.route = match self::live(scope, &id).await {
                None => RouteState::Pending(format!("{id} cannot be read")),
                Some(route) => {
                    let generation = route.pointer("/metadata/generation").and_then(Value::as_i64);
                    observed(router, &route, generation.unwrap_or_default())
                }
            };
        }
    }
    let judged = !matches!(state.phase, RolloutPhase::Prepare | RolloutPhase::Retreat | RolloutPhase::Clean);
    if judged && !rollout.candidate_hash.is_empty() && seen.of(&rollout.candidate_hash).ready < rollout.pods {
        seen.trouble = trouble(scope, target).await;
    }
    seen
}

/// Whether the API server would store the pod template of `wanted` just as the live one; `None` where it does not
/// answer.
pub async fn same_template(scope: &Scope<'_>, wanted: &Object, id: &ObjectId) -> Option<bool> {
    let resource = scope.ctx.catalog.resource(wanted.gvk()).await.ok()??;
    let dry = scope.ctx.applier.dry_run(&resource, wanted).await;
    let dry =
        dry.inspect_err(|error| tracing::debug!(object = %id, error = words(error), "no dry run")).ok()?;
    let live = live(scope, id).await?;
    let template = |body: &Value| body.pointer("/spec/template").cloned();
    Some(dry.data.pointer("/spec/template").cloned() == template(&live))
}

/// A live object as the API server has it; `None` where it cannot be read.
pub async fn live(scope: &Scope<'_>, id: &ObjectId) -> Option<Value> {
    let served = scope.ctx.catalog.served();
    let (resource, kind) = served.any_version(&id.group, &id.kind)?;
    let gvk = Gvk::new(&resource.api_version, &id.kind);
    debug_assert_eq!(gvk.kind, id.kind);
    let object = scope.ctx.applier.get(&(resource.clone(), *kind), id).await.ok()??;
    serde_json::to_value(object).ok()
}

/// The pods of a Deployment by `pod-template-hash`, and the hash of its live template. Of which ReplicaSets the
/// pods never count as available goes into `held`: one has that of the template that it was made for last.
async fn replica_sets(
    scope: &Scope<'_>,
    id: &ObjectId,
    live: &Value,
    held: &mut BTreeSet<String>,
) -> Option<(String, BTreeMap<String, PodCounts>)> {
    let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let revision =
        live.pointer("/metadata/annotations").and_then(|all| all.get(REVISION)).and_then(Value::as_str);
    let api = Api::<ReplicaSet>::namespaced(scope.ctx.clients.requests.clone(), &id.namespace);
    let params = ListParams::default().labels(&selector(live)?).limit(MOST);
    let sets = api.list(&params).await.ok()?.items;
    let (mut current, mut pods) = (String::new(), BTreeMap::new());
    for set in sets {
        let owned = set.owner_references().iter().any(|owner| owner.uid == text("/metadata/uid"));
        let Some(hash) = set.labels().get("pod-template-hash").filter(|_| owned).cloned() else { continue };
        let status = set.status.clone().unwrap_or_default();
        let count = |n: Option<i32>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
        let wanted = count(set.spec.as_ref().and_then(|spec| spec.replicas));
        let total = count(Some(status.replicas)).max(wanted);
        if set
            .spec
            .as_ref()
            .and_then(|spec| spec.min_ready_seconds)
            .is_some_and(|n| i64::from(n) == HELD_READY)
        {
            held.insert(hash.clone());
        }
        if set.annotations().get(REVISION).map(String::as_str) == revision {
            current.clone_from(&hash);
        }
        pods.insert(hash, PodCounts { total, ready: count(status.ready_replicas) });
    }
    Some((current, pods))
}

/// The pods of a StatefulSet by revision, and the revision of its live template.
fn stateful_pods(live: &Value, pods: &[Pod]) -> (String, BTreeMap<String, PodCounts>) {
    let current = live.pointer("/status/updateRevision").and_then(Value::as_str).unwrap_or_default();
    let mut counts: BTreeMap<String, PodCounts> = BTreeMap::new();
    for pod in pods {
        let Some(hash) = pod.labels().get(stuck::REVISION) else { continue };
        let known = counts.entry(hash.clone()).or_default();
        known.total += 1;
        known.ready += u32::from(stuck::is_ready(pod) && pod.metadata.deletion_timestamp.is_none());
    }
    (current.to_owned(), counts)
}

/// Ready endpoints of a Service; `None` where they cannot be read.
async fn endpoints(scope: &Scope<'_>, target: &ObjectId, service: &str) -> Option<u32> {
    let api = Api::<EndpointSlice>::namespaced(scope.ctx.clients.requests.clone(), &target.namespace);
    let params = ListParams::default().labels(&format!("kubernetes.io/service-name={service}")).limit(MOST);
    let slices = api.list(&params).await.ok()?.items;
    let endpoints = slices.into_iter().flat_map(|slice| slice.endpoints);
    let ready = endpoints.filter(|endpoint| {
        let conditions = endpoint.conditions.as_ref();
        conditions.is_none_or(|conditions| conditions.ready.unwrap_or(true))
    });
    let mut addresses: Vec<_> = ready.flat_map(|endpoint| endpoint.addresses).collect();
    addresses.sort_unstable();
    addresses.dedup();
    u32::try_from(addresses.len()).ok()
}

/// Why the pods of the newest template are not ready.
async fn trouble(scope: &Scope<'_>, id: &ObjectId) -> Option<Trouble> {
    let served = scope.ctx.catalog.served();
    let (resource, _) = served.any_version(&id.group, &id.kind)?;
    let cause = evidence::cause(&scope.ctx.clients.requests, resource, id).await.ok()??;
    Some(Trouble { class: cause.class, stuck: cause.stuck, message: cause.message })
}
