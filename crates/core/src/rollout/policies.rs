use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde_json::Value;

use super::config::{template, versioned};
use super::course::Course;
use super::overlay::split;
use super::route::{Backends, Pods, ServiceNames, Split, merge, pinned};
use crate::api::{
    Capacity, GROUP, MAX_TARGETS, RolloutPhase, RolloutPolicySpec, RouterKind, TargetKind, TargetStatus,
    Traffic,
};
use crate::object::{Cluster, ObjectId};
use crate::release::Release;

/// A policy of a release.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The policy itself.
    pub id: ObjectId,
    /// The workload that it is about.
    pub target: ObjectId,
    /// What it says.
    pub spec: RolloutPolicySpec,
    /// In which steps.
    pub course: Course,
}

/// Whether an object is a policy.
pub fn is_policy(id: &ObjectId) -> bool {
    id.group == GROUP && id.kind == "RolloutPolicy"
}

/// Whether a release has any policy; it looks at no body.
pub fn has_policies(release: &Release) -> bool {
    release.ids().iter().any(is_policy)
}

/// The policies of a release that was admitted, by their workload.
pub fn policies(release: &Release) -> BTreeMap<ObjectId, Policy> {
    let found = release.ids().iter().filter(|id| is_policy(id)).filter_map(|id| read(release, id).ok());
    found.map(|policy| (policy.target.clone(), policy)).collect()
}

/// Everything that stands against the policies of a release, each with the file and the line.
pub fn policy_problems(release: &Release) -> Vec<String> {
    let mut problems = Vec::new();
    let mut seen: BTreeMap<ObjectId, ObjectId> = BTreeMap::new();
    let ids: Vec<_> = release.ids().iter().filter(|id| is_policy(id)).collect();
    for id in &ids {
        let at = release.get(id).map(|object| object.origin.to_string()).unwrap_or_default();
        match read(release, id) {
            Err(why) => problems.push(format!("{at}: {id}: {why}")),
            Ok(policy) => {
                if let Some(other) = seen.insert(policy.target.clone(), policy.id.clone()) {
                    problems.push(format!("{at}: {id}: {} has {other} already; remove one", policy.target));
                }
                problems
                    .extend(against(release, &policy).into_iter().map(|why| format!("{at}: {id}: {why}")));
            }
        }
    }
    if ids.len() > MAX_TARGETS {
        problems.push(format!(
            "the sources hold {} RolloutPolicies, at most {MAX_TARGETS} are allowed",
            ids.len()
        ));
    }
    problems
}

fn read(release: &Release, id: &ObjectId) -> Result<Policy, String> {
    let body = release.get(id).map(|object| object.object.body());
    let spec = body.and_then(|body| body.get("spec")).unwrap_or(&Value::Null);
    let spec = RolloutPolicySpec::deserialize(spec).map_err(|error| error.to_string())?;
    let target = ObjectId {
        cluster: release.cluster().clone(),
        group: "apps".into(),
        kind: kind(spec.target.kind).into(),
        namespace: id.namespace.clone(),
        name: spec.target.name.clone(),
    };
    let course = Course::of(&spec);
    Ok(Policy { id: id.clone(), target, spec, course })
}

/// What the release lacks for this policy, or has that stands against it.
fn against(release: &Release, policy: &Policy) -> Vec<String> {
    let mut why = Vec::new();
    let weights: Vec<_> = policy.course.steps.iter().map(|step| step.exposure.weight()).collect();
    if weights.windows(2).any(|pair| matches!(pair, [a, b] if a > b)) {
        why.push("the steps must not get lighter".to_owned());
    }
    if policy.course.capacity == Capacity::Shift {
        why.push(
            "canary.capacity Shift cannot be carried out by this version; leave it out, or set Surge"
                .to_owned(),
        );
    }
    if policy.course.steps.is_empty() {
        why.push("strategy has none of the members that Windlass knows".to_owned());
    }
    let Some(target) = release.get(&policy.target) else {
        why.push(format!("spec.target: the release has no {}", policy.target));
        return why;
    };
    workload(target.object.body(), policy, &mut why);
    if let Some(traffic) = &policy.spec.traffic {
        let services = [Some(traffic.service.as_str()), policy.course.preview.as_deref()];
        for service in services.into_iter().flatten() {
            if release.get(&service_id(&policy.target, service)).is_none() {
                why.push(format!("the release has no Service {service}"));
            }
        }
        why.extend(led(release, policy, traffic));
    }
    why
}

/// What the Service and the route of a policy don't allow for.
fn led(release: &Release, policy: &Policy, traffic: &Traffic) -> Vec<String> {
    let mut why = Vec::new();
    if let Some(service) = release.get(&service_id(&policy.target, &traffic.service))
        && let Err(error) = pinned(&service.object, &traffic.service, Pods::ReplicaSet("any"))
    {
        why.push(error.to_string());
    }
    let Some((router, id)) = route_id(&policy.target, traffic) else { return why };
    let Some(route) = release.get(&id) else {
        why.push(format!("the release has no {id}"));
        return why;
    };
    let names = ServiceNames::of(&traffic.service);
    let backends = Backends {
        namespace: &policy.target.namespace,
        service: &traffic.service,
        stable: &names.stable,
        candidate: &names.candidate,
    };
    let splits = policy.course.steps.iter().map(|step| split(&step.exposure));
    for split in std::iter::once(Split::Stable).chain(splits) {
        if let Err(error) = merge(router, &route.object, &backends, &split) {
            why.push(error.to_string());
            break;
        }
    }
    why
}

/// What of a workload rules out two versions side by side.
fn workload(body: &Value, policy: &Policy, why: &mut Vec<String>) {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    if policy.spec.target.kind == TargetKind::Deployment && text("/spec/strategy/type") == "Recreate" {
        why.push(format!("{} has strategy Recreate, so two versions never run side by side", policy.target));
    }
    if policy.spec.target.kind == TargetKind::StatefulSet && text("/spec/updateStrategy/type") == "OnDelete" {
        why.push(format!("{} has updateStrategy OnDelete, so nothing moves by itself", policy.target));
    }
    let replicas = body.pointer("/spec/replicas").and_then(Value::as_u64);
    if replicas == Some(1) && !policy.spec.allow_single {
        why.push(format!(
            "{} has one replica, so there is nothing between none and all; raise it or set allowSingle",
            policy.target
        ));
    }
    let items = |pointer: &str| body.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let ports = items("/spec/template/spec/containers")
        .flat_map(|container| container.get("ports").and_then(Value::as_array).into_iter().flatten());
    if ports.into_iter().any(|port| port.get("hostPort").is_some_and(|port| port.as_u64() != Some(0))) {
        why.push(format!("{} uses a hostPort, so two of its pods cannot share a node", policy.target));
    }
}

/// The Service of a name beside a workload.
pub fn service_id(target: &ObjectId, name: &str) -> ObjectId {
    ObjectId {
        cluster: target.cluster.clone(),
        group: String::new(),
        kind: "Service".into(),
        namespace: target.namespace.clone(),
        name: name.to_owned(),
    }
}

/// The route that leads traffic to a workload.
pub fn route_id(target: &ObjectId, traffic: &Traffic) -> Option<(RouterKind, ObjectId)> {
    let (router, name) = traffic.router()?;
    let (group, kind) = router.group_kind();
    let id = ObjectId {
        cluster: target.cluster.clone(),
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: target.namespace.clone(),
        name: name.to_owned(),
    };
    Some((router, id))
}

impl Policy {
    /// What a rollout goes on with whose policy is gone: to the end, without any step.
    pub fn gone(cluster: &Cluster, state: &TargetStatus) -> Self {
        let traffic = state.rollout.as_ref().and_then(|rollout| rollout.traffic.clone());
        let target = ObjectId {
            cluster: cluster.clone(),
            group: "apps".into(),
            kind: kind(state.kind).into(),
            namespace: state.namespace.clone(),
            name: state.name.clone(),
        };
        let spec = RolloutPolicySpec::without_steps(state.kind, &state.name, traffic);
        let id = ObjectId { group: GROUP.into(), kind: "RolloutPolicy".into(), ..target.clone() };
        Self { id, course: Course::of(&spec), target, spec }
    }

    /// Whether a state is of the workload of this policy.
    pub fn is_about(&self, state: &TargetStatus) -> bool {
        (kind(state.kind), &state.namespace, &state.name)
            == (self.target.kind.as_str(), &self.target.namespace, &self.target.name)
    }

    /// The state of a workload of which none is known: what the stable release has of it serves.
    pub fn unknown(&self, stable: Option<&Release>) -> TargetStatus {
        let serves = stable.and_then(|stable| match policies(stable).contains_key(&self.target) {
            true => versioned(stable, &self.target).map(|versioned| versioned.template),
            false => template(stable, &self.target),
        });
        TargetStatus {
            kind: self.spec.target.kind,
            namespace: self.target.namespace.clone(),
            name: self.target.name.clone(),
            phase: RolloutPhase::Idle,
            stable: serves.unwrap_or_default(),
            former: String::new(),
            rollout: None,
        }
    }
}

fn kind(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Deployment => "Deployment",
        TargetKind::StatefulSet => "StatefulSet",
    }
}
