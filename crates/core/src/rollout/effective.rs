use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::class::{Class, class, union};
use super::config::{Versioned, versioned};
use super::overlay::{Overlay, PodOverlay, Side, overlay};
use super::policies::{Policy, policies, route_id, service_id};
use super::route::{Backends, Pods, RouteError, ServiceError, ServiceNames, companions, merge, pin, pinned};
use crate::api::{RolloutPhase, RolloutState, TargetKind, TargetStatus, Traffic};
use crate::object::{Cluster, Object, ObjectId};
use crate::release::{Left, Release, ReleaseObject};

/// Seconds for which a held pod is not yet available: for ever. The API server wants it smaller than
/// [`HELD_DEADLINE`].
pub const HELD_READY: i64 = 2_147_483_646;
/// Seconds without progress after which a held Deployment would count as stuck: never.
const HELD_DEADLINE: i64 = 2_147_483_647;

/// Why traffic cannot be led as a rollout asks for it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrafficError {
    /// The router cannot do it.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The Service cannot be narrowed down to some pods.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// A workload of a release with its policy and its state.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// How far it is.
    pub state: &'a TargetStatus,
    /// The workload as the release wants it.
    pub wanted: &'a Versioned,
    /// The workload as the stable release has it, where that is what its state calls stable.
    pub former: Option<&'a Versioned>,
}

/// What the cluster should have while workloads are rolled out.
#[derive(Clone, Debug)]
pub struct Effective {
    /// It stands for the release that it was made of, and has that one's digest.
    pub release: Release,
    /// The objects that must be applied before a workload's rollout goes on.
    pub parts: BTreeMap<ObjectId, Vec<ObjectId>>,
}

/// Puts together what the cluster should have: what `release` says, with each target as its state wants it, and
/// with everything that the pods of `stable` depend on kept until all targets are promoted.
///
/// # Errors
/// Why a router cannot do what a rollout asks of it.
pub fn effective(
    release: &Release,
    stable: Option<&Release>,
    targets: &[Target<'_>],
) -> Result<Effective, TrafficError> {
    let active = targets.iter().any(is_active);
    let stable = stable.filter(|stable| active && stable.digest() != release.digest());
    let mut objects: BTreeMap<ObjectId, ReleaseObject> =
        release.iter().map(|(id, object)| (id.clone(), object.clone())).collect();
    if let Some(stable) = stable {
        contract(&mut objects, stable, targets);
    }
    let mut left = release.left().clone();
    let mut parts = BTreeMap::new();
    for target in targets {
        let overlay = overlay(target.state, &target.policy.course, &target.wanted.template);
        let mut own = Vec::new();
        workload(&mut objects, &mut left, target, &overlay, &mut own);
        if let (Some(rollout), true) = (&target.state.rollout, overlay.services)
            && let Some(traffic) = &rollout.traffic
        {
            let led = Led { target, rollout, traffic, overlay: &overlay };
            led.services(&mut objects, &mut own)?;
            led.route(&mut objects, &mut own)?;
        }
        parts.insert(target.policy.target.clone(), own);
    }
    let all = objects.into_values().chain(release.hooks().map(|hook| hook.object.clone())).collect();
    let made = Release::new(release.revision().to_owned(), release.cluster().clone(), all);
    Ok(Effective { release: made.standing_for(release).leaving(left), parts })
}

/// Whether something of a workload is under way, so that nothing that its pods need may go.
pub fn is_active(target: &Target<'_>) -> bool {
    target.state.rollout.is_some() || target.state.stable != target.wanted.template
}

/// Whether the candidate is the one that counts from now on.
fn is_promoted(target: &Target<'_>) -> bool {
    match &target.state.rollout {
        Some(rollout) => {
            rollout.candidate == target.wanted.template
                && rollout.failed.is_none()
                && matches!(target.state.phase, RolloutPhase::Restore | RolloutPhase::Clean)
        }
        None => target.state.stable == target.wanted.template,
    }
}

/// Keeps what stable pods depend on: updates wait for the promotion of all targets, and what is to be pruned
/// stays until all of them are done.
fn contract(objects: &mut BTreeMap<ObjectId, ReleaseObject>, stable: &Release, targets: &[Target<'_>]) {
    let promoted = targets.iter().all(is_promoted);
    let workloads: BTreeSet<_> = targets.iter().map(|target| &target.policy.target).collect();
    let of_stable = policies(stable);
    for (id, old) in stable.iter() {
        let Some(new) = objects.get_mut(id) else {
            // A workload stays as it is in the cluster, with configuration of its own.
            let versioned = of_stable.contains_key(id).then(|| versioned(stable, id)).flatten();
            objects.insert(id.clone(), versioned.map_or_else(|| old.clone(), |versioned| versioned.object));
            continue;
        };
        if workloads.contains(id) || new.object == old.object {
            continue;
        }
        match class(id, &new.object) {
            Class::WithPromotion if !promoted => *new = old.clone(),
            Class::Union if !promoted => union(&mut new.object, &old.object),
            Class::Before | Class::WithPromotion | Class::Union => {}
        }
    }
    // The configuration of the stable pods, for those of them that start anew.
    for id in of_stable.keys() {
        for copy in versioned(stable, id).into_iter().flat_map(|versioned| versioned.copies) {
            objects.entry(copy.object.id(stable.cluster())).or_insert(copy);
        }
    }
}

fn workload(
    objects: &mut BTreeMap<ObjectId, ReleaseObject>,
    left: &mut BTreeMap<ObjectId, Left>,
    target: &Target<'_>,
    overlay: &Overlay,
    own: &mut Vec<ObjectId>,
) {
    let id = &target.policy.target;
    let cluster = &id.cluster;
    for copy in &target.wanted.copies {
        let id = copy.object.id(cluster);
        own.push(id.clone());
        objects.entry(id).or_insert_with(|| copy.clone());
    }
    let mut wanted = target.wanted.object.clone();
    match overlay.pods {
        PodOverlay::Plain => own.push(id.clone()),
        PodOverlay::AsIs => {
            left.insert(id.clone(), Left::Everything);
        }
        PodOverlay::Former => match target.former {
            Some(former) => {
                wanted = former.object.clone();
                own.push(id.clone());
            }
            None => {
                left.insert(id.clone(), Left::Everything);
            }
        },
        PodOverlay::Held { pods } => {
            let replicas = target.state.rollout.as_ref().map_or(0, |rollout| rollout.replicas);
            let kind = target.policy.spec.target.kind;
            wanted.object = wanted.object.with(|body| hold(body, kind, pods, replicas));
            own.push(id.clone());
        }
    }
    objects.insert(id.clone(), wanted);
    if let Some(rollout) = &target.state.rollout {
        floor(objects, id, rollout.replicas);
    }
}

/// Holds a workload at `pods` pods of its new template.
fn hold(body: &mut Value, kind: TargetKind, pods: u32, replicas: u32) {
    let Some(spec) = body.get_mut("spec").and_then(Value::as_object_mut) else { return };
    match kind {
        TargetKind::Deployment => {
            spec.insert("minReadySeconds".into(), HELD_READY.into());
            spec.insert("progressDeadlineSeconds".into(), HELD_DEADLINE.into());
            let strategy =
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": pods, "maxUnavailable": 0}});
            spec.insert("strategy".into(), strategy);
            spec.remove("paused");
        }
        TargetKind::StatefulSet => {
            let own = spec.get("replicas").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
            let partition = own.unwrap_or(replicas).saturating_sub(pods);
            let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": partition}});
            spec.insert("updateStrategy".into(), strategy);
        }
    }
}

/// Whether a live workload is held as a rollout holds it, and not by what its release says.
pub fn is_held(kind: TargetKind, live: &Value, wanted: &Value) -> bool {
    let number = |body: &Value, pointer: &str| body.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    match kind {
        TargetKind::Deployment => {
            let ready = "/spec/minReadySeconds";
            number(live, ready) == HELD_READY && number(wanted, ready) != HELD_READY
        }
        TargetKind::StatefulSet => {
            let partition = "/spec/updateStrategy/rollingUpdate/partition";
            number(live, partition) > number(wanted, partition)
        }
    }
}

/// Autoscalers of the release don't go below what the workload had when its rollout began, so that the stable
/// pods can carry everything back.
fn floor(objects: &mut BTreeMap<ObjectId, ReleaseObject>, target: &ObjectId, replicas: u32) {
    for (id, object) in objects.iter_mut() {
        let (reference, field) = match (id.group.as_str(), id.kind.as_str()) {
            ("autoscaling", "HorizontalPodAutoscaler") => ("/spec/scaleTargetRef", "minReplicas"),
            ("keda.sh", "ScaledObject") => ("/spec/scaleTargetRef", "minReplicaCount"),
            _ => continue,
        };
        let text = |field: &str| {
            object.object.body().pointer(&format!("{reference}/{field}")).and_then(Value::as_str)
        };
        let kind = text("kind").unwrap_or("Deployment");
        if id.namespace != target.namespace
            || kind != target.kind
            || text("name") != Some(target.name.as_str())
        {
            continue;
        }
        object.object = object.object.clone().with(|body| {
            let Some(spec) = body.get_mut("spec").and_then(Value::as_object_mut) else { return };
            let own = spec.get(field).and_then(Value::as_u64).unwrap_or(1);
            let most = spec.get("maxReplicas").or(spec.get("maxReplicaCount")).and_then(Value::as_u64);
            let floor = u64::from(replicas).min(most.unwrap_or(u64::MAX)).max(own);
            spec.insert(field.into(), floor.into());
        });
    }
}

/// A workload whose traffic is led by name.
struct Led<'a> {
    target: &'a Target<'a>,
    rollout: &'a RolloutState,
    traffic: &'a Traffic,
    overlay: &'a Overlay,
}

impl Led<'_> {
    fn services(
        &self,
        objects: &mut BTreeMap<ObjectId, ReleaseObject>,
        own: &mut Vec<ObjectId>,
    ) -> Result<(), TrafficError> {
        let cluster = &self.target.policy.target.cluster;
        let id = service_id(&self.target.policy.target, &self.traffic.service);
        let Some(service) = objects.get(&id).cloned() else { return Ok(()) };
        let RolloutState { stable_hash, candidate_hash, .. } = self.rollout;
        let names = ServiceNames::of(&self.traffic.service);
        for (name, hash) in [(names.stable, stable_hash), (names.candidate, candidate_hash)] {
            if !hash.is_empty() {
                let only = pinned(&service.object, &name, Pods::ReplicaSet(hash))?;
                put(objects, own, cluster, &service, only);
            }
        }
        let hash = |side: Side| match side {
            Side::Stable => stable_hash,
            Side::Candidate => candidate_hash,
        };
        if let Some(side) = self.overlay.pin {
            put(objects, own, cluster, &service, pin(&service.object, Pods::ReplicaSet(hash(side)))?);
        } else {
            own.push(id);
        }
        let preview = self.target.policy.course.preview.as_ref();
        if let (Some(name), Some(side)) = (preview, self.overlay.preview) {
            let id = service_id(&self.target.policy.target, name);
            if let Some(service) = objects.get(&id).cloned() {
                put(objects, own, cluster, &service, pin(&service.object, Pods::ReplicaSet(hash(side)))?);
            }
        }
        Ok(())
    }

    fn route(
        &self,
        objects: &mut BTreeMap<ObjectId, ReleaseObject>,
        own: &mut Vec<ObjectId>,
    ) -> Result<(), TrafficError> {
        let Some((router, id)) = route_id(&self.target.policy.target, self.traffic) else { return Ok(()) };
        let Some(route) = objects.get(&id).cloned() else { return Ok(()) };
        let Some(split) = &self.overlay.split else {
            own.push(id);
            return Ok(());
        };
        let (cluster, service) = (&id.cluster.clone(), &self.traffic.service);
        let names = ServiceNames::of(service);
        let backends = Backends {
            namespace: &self.target.policy.target.namespace,
            service,
            stable: &names.stable,
            candidate: &names.candidate,
        };
        let known: Vec<_> = objects.values().map(|object| object.object.clone()).collect();
        for object in companions(router, &route.object, &known, &backends)? {
            put(objects, own, cluster, &route, object);
        }
        for object in merge(router, &route.object, &backends, split)? {
            put(objects, own, cluster, &route, object);
        }
        Ok(())
    }
}

/// Puts an object that was made of `from` in its place.
fn put(
    objects: &mut BTreeMap<ObjectId, ReleaseObject>,
    own: &mut Vec<ObjectId>,
    cluster: &Cluster,
    from: &ReleaseObject,
    mut object: Object,
) {
    object.own_like(&from.object);
    let id = object.id(cluster);
    own.push(id.clone());
    objects.insert(id, ReleaseObject { object, origin: from.origin.clone() });
}
