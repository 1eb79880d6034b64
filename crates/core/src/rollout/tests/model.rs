//! A model of one workload in a cluster: what a rollout calls for becomes true some time later.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::api::{RolloutPhase, RolloutPolicySpec, TargetKind, TargetStatus};
use crate::gate::Verdict;
use crate::health::cause::FailureClass;
use crate::rollout::route::{RouteState, Split};
use crate::rollout::{
    Ask, Course, Overlay, PodCounts, PodOverlay, Seen, Side, Situation, Trouble, What, overlay, step,
};

pub struct Model {
    pub spec: RolloutPolicySpec,
    pub course: Course,
    pub state: TargetStatus,
    pub desired: String,
    pub at_once: bool,
    pub verdict: Verdict,
    pub route: RouteState,
    pub crash: Option<String>,
    pub together: bool,
    /// Somebody else changes what is there.
    pub disturbed: bool,
    pub now: Timestamp,
    pub replicas: u32,
    /// PodCounts by template.
    pub pods: BTreeMap<String, u32>,
    /// The live template and how it is held.
    pub live: (String, PodOverlay),
    pub split: Option<Split>,
    pub pin: Option<Side>,
    pub services: bool,
    pub applied: Option<Overlay>,
    /// Phases and weights that were gone through.
    pub history: Vec<String>,
}

pub fn policy(strategy: Value, traffic: Value) -> RolloutPolicySpec {
    serde_json::from_value(json!({
        "target": {"kind": "Deployment", "name": "web"},
        "strategy": strategy,
        "traffic": traffic,
        "deadline": "1h",
    }))
    .unwrap()
}

pub fn canary() -> RolloutPolicySpec {
    policy(
        json!({"canary": {"steps": [
            {"name": "smoke", "weight": 5, "hold": "1m"},
            {"weight": 50, "hold": "1m"},
        ], "bake": "30s"}}),
        json!({"service": "web", "httpRoute": {"name": "web"}}),
    )
}

impl Model {
    pub fn new(spec: RolloutPolicySpec) -> Self {
        let course = Course::of(&spec);
        Self {
            course,
            spec,
            state: TargetStatus {
                kind: TargetKind::Deployment,
                namespace: "shop".into(),
                name: "web".into(),
                phase: RolloutPhase::Idle,
                stable: "v1".into(),
                former: String::new(),
                rollout: None,
            },
            desired: "v1".into(),
            at_once: false,
            verdict: Verdict::Pass,
            route: RouteState::Accepted,
            crash: None,
            together: true,
            disturbed: false,
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            replicas: 10,
            pods: [("v1".to_owned(), 10)].into(),
            live: ("v1".into(), PodOverlay::Plain),
            split: None,
            pin: None,
            services: false,
            applied: None,
            history: Vec::new(),
        }
    }

    fn overlay(&self) -> Overlay {
        overlay(&self.state, &self.course, &self.desired)
    }

    fn hash(&self, template: &str) -> String {
        format!("hash-{template}")
    }

    pub fn seen(&self) -> Seen {
        let rollout = self.state.rollout.as_ref();
        let pods = |template: &str| self.pods.get(template).copied().unwrap_or_default();
        let ready = |template: &str| if self.crash.as_deref() == Some(template) { 0 } else { pods(template) };
        let endpoints = |hash: &str| {
            let template = hash.strip_prefix("hash-").filter(|_| self.services)?;
            Some(ready(template))
        };
        let stuck = rollout.is_some_and(|rollout| self.crash.as_ref() == Some(&rollout.candidate));
        Seen {
            exists: true,
            applied: self.applied.as_ref() == Some(&self.overlay()),
            observed: true,
            replicas: self.replicas,
            held: matches!(self.live.1, PodOverlay::Held { .. }),
            disturbed: rollout.is_some_and(|rollout| !rollout.candidate_hash.is_empty())
                && pods(&self.state.stable) < self.replicas,
            current_hash: self.hash(&self.live.0),
            pods: self
                .pods
                .iter()
                .map(|(template, total)| {
                    (self.hash(template), PodCounts { total: *total, ready: ready(template) })
                })
                .collect(),
            candidate_endpoints: rollout.and_then(|rollout| endpoints(&rollout.candidate_hash)),
            stable_endpoints: rollout.and_then(|rollout| endpoints(&rollout.stable_hash)),
            route: self.route.clone(),
            same_template: Some(self.desired == self.live.0),
            trouble: (stuck && pods(&self.desired) > 0).then(|| Trouble {
                class: FailureClass::Release,
                stuck: true,
                message: "exit code 1".into(),
            }),
        }
    }

    /// One look of the controller; the cluster then does what is called for.
    pub fn look(&mut self, ask: Option<What>) -> Option<Duration> {
        let seen = self.seen();
        let next = step(
            &self.state,
            &Situation {
                course: &self.course,
                traffic: self.spec.traffic.as_ref(),
                desired: &self.desired,
                revision: "main@1234567",
                at_once: self.at_once,
                seen: &seen,
                verdict: &self.verdict,
                together: self.together,
                ask: ask.map(|what| Ask { what, by: "jane" }),
                patience: Duration::from_secs(600),
                now: self.now,
            },
        );
        if next.state.phase != self.state.phase {
            let weight = next.state.rollout.as_ref().map_or(0, |rollout| rollout.weight);
            self.history.push(format!("{:?} {weight}", next.state.phase));
        }
        self.state = next.state;
        self.apply();
        next.wake
    }

    /// As [`Self::look`], where the stable pods are gone.
    pub fn look_at_disturbed(&mut self) {
        self.disturbed = true;
        self.look(None);
        self.disturbed = false;
    }

    fn apply(&mut self) {
        let overlay = self.overlay();
        match overlay.pods {
            PodOverlay::AsIs => {}
            PodOverlay::Former => {
                self.live = (self.state.stable.clone(), PodOverlay::Plain);
                // One after the other.
                if self.pods.contains_key(&self.state.stable) {
                    self.pods.retain(|template, _| *template == self.state.stable);
                }
                self.pods.insert(self.state.stable.clone(), self.replicas);
            }
            PodOverlay::Plain => {
                self.live = (self.desired.clone(), overlay.pods);
                self.pods = [(self.desired.clone(), self.replicas)].into();
            }
            PodOverlay::Held { pods } => {
                self.live = (self.desired.clone(), overlay.pods);
                let kept = [&self.state.stable, &self.desired];
                self.pods.retain(|template, _| kept.contains(&template));
                let known = self.pods.entry(self.desired.clone()).or_default();
                *known = pods.max(*known);
            }
        }
        (self.split, self.pin, self.services) = (overlay.split.clone(), overlay.pin, overlay.services);
        self.applied = Some(overlay);
        self.is_safe();
    }

    /// What must hold at any moment.
    fn is_safe(&self) {
        let Some(rollout) = &self.state.rollout else { return };
        let exposed = matches!(self.split, Some(Split::Weight(1..) | Split::Match(_) | Split::Mirror(1..)));
        let pods = |template: &String| self.pods.get(template).copied().unwrap_or_default();
        let crashed = self.crash.as_ref() == Some(&rollout.candidate);
        assert!(
            !exposed || pods(&rollout.candidate) > 0 && !crashed,
            "traffic without pods: {:?}",
            self.state
        );
        if rollout.failed.is_some() {
            assert!(!exposed, "traffic after a failure: {:?}", self.state);
        }
        let stable_needed = !matches!(self.state.phase, RolloutPhase::Restore | RolloutPhase::Clean);
        assert!(
            !stable_needed || self.disturbed || pods(&self.state.stable) >= self.replicas,
            "stable is not whole: {:?}",
            self.state
        );
    }

    /// Looks until `done`, each time when the machine asks for it.
    pub fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        for _ in 0..2000 {
            if done(self) {
                return;
            }
            let wake = self.look(None).unwrap_or(Duration::from_secs(1));
            let millis = i64::try_from(wake.as_millis()).unwrap().clamp(100, 60_000);
            self.now = self.now.checked_add(millis.milliseconds()).unwrap();
        }
        panic!("never {what}: {:?} {:?}", self.state, self.history);
    }

    pub fn phase(&self) -> RolloutPhase {
        self.state.phase
    }

    pub fn commit(&mut self, template: &str) {
        self.desired = template.into();
    }
}
