//! What the gates of a rollout say.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use serde_json::json;
use windlass_core::api::{GateState, RolloutPhase, RolloutState, TargetKind, TargetStatus};
use windlass_core::gate::ratio::pods_regex;
use windlass_core::gate::{Hold, Names, Verdict, judge};
use windlass_core::rollout::route::ServiceNames;
use windlass_core::rollout::{Policy, Unit};

use super::{Scope, seen, stuck};
use crate::controller::application::gates::{Parties, Workload, looks, since};

/// Longest beginning of the name of a pod that its ReplicaSet makes; the rest is chosen by the API server.
const GENERATED: usize = 58;
/// Time span of queries that ask for one.
const WINDOW: &str = "60s";

/// What the gates of a rollout say now.
pub struct Judged {
    /// What each has seen.
    pub gates: Vec<GateState>,
    /// What they say together.
    pub verdict: Verdict,
    /// When the next look is due.
    pub again: Option<Duration>,
}

/// Asks the gates of a policy whose time has come; `None` where nothing is judged in this phase.
pub async fn gates(scope: &Scope<'_>, unit: &Unit) -> Option<Judged> {
    let Unit { policy, state, .. } = unit;
    let rollout = state.rollout.as_ref()?;
    if !matches!(state.phase, RolloutPhase::Hold | RolloutPhase::Bake) {
        return None;
    }
    let now = Timestamp::now();
    let gates = &policy.spec.gates;
    let parties = if gates.is_empty() {
        Parties::alone(scope, rollout.since.0, "")
    } else {
        parties(scope, policy, state, rollout).await
    };
    let (states, again) = looks(scope, gates, &rollout.gates, &parties, now).await;
    let length = policy.course.steps.get(rollout.step as usize).map(|step| step.hold).unwrap_or_default();
    let elapsed = since(rollout.phase_since.0, now);
    let verdict = judge(gates, &states, &Hold { elapsed, length, ratios: parties.ratios });
    Some(Judged { gates: states, verdict, again: (!gates.is_empty()).then_some(again) })
}

async fn parties(
    scope: &Scope<'_>,
    policy: &Policy,
    state: &TargetStatus,
    rollout: &RolloutState,
) -> Parties {
    let services = rollout.traffic.as_ref().map(|traffic| ServiceNames::of(&traffic.service));
    let (stable, candidate) = services.map_or_else(Default::default, |names| (names.stable, names.candidate));
    let names = |service: String, pods: String| Names {
        namespace: policy.target.namespace.clone(),
        service,
        workload: policy.target.name.clone(),
        pods,
        window: WINDOW.into(),
    };
    let candidate_pods = pods(scope, policy, &rollout.candidate_hash).await;
    let stable_pods = pods(scope, policy, &rollout.stable_hash).await;
    Parties {
        candidate: names(candidate, candidate_pods),
        stable: Some(names(stable, stable_pods)),
        workload: Some(Workload {
            id: policy.target.clone(),
            label: match policy.spec.target.kind {
                TargetKind::Deployment => "pod-template-hash",
                TargetKind::StatefulSet => stuck::REVISION,
            },
            candidate: rollout.candidate_hash.clone(),
            stable: rollout.stable_hash.clone(),
        }),
        since: rollout.since.0,
        ratios: policy.spec.gates.iter().filter(|gate| gate.ratio.is_some()).count(),
        hold: format!("{} {} {}", rollout.candidate, rollout.step, rollout.phase_since.0),
        told: json!({
            "application": {"namespace": scope.key.namespace, "name": scope.key.name},
            "namespace": policy.target.namespace,
            "workload": {"kind": policy.target.kind, "name": policy.target.name},
            "revision": rollout.revision,
            "phase": state.phase,
            "step": rollout.step,
            "stepName": rollout.step_name,
            "weight": rollout.weight,
        }),
    }
}

/// A regular expression for the names of the pods of one version.
async fn pods(scope: &Scope<'_>, policy: &Policy, hash: &str) -> String {
    match policy.spec.target.kind {
        TargetKind::Deployment => {
            let begin = format!("{}-{hash}-", policy.target.name);
            let begin: String = begin.chars().take(GENERATED).collect();
            format!("{}.*", begin.replace('.', "[.]"))
        }
        TargetKind::StatefulSet => {
            let Some(live) = seen::live(scope, &policy.target).await else { return String::new() };
            let pods = stuck::pods(scope, &policy.target, &live).await.unwrap_or_default();
            let own = pods.iter().filter(|pod| {
                let labels = pod.metadata.labels.as_ref();
                labels.and_then(|labels| labels.get(stuck::REVISION)).is_some_and(|known| known == hash)
            });
            pods_regex(own.filter_map(|pod| pod.metadata.name.as_deref()))
        }
    }
}
