//! The stage between select and plan, in the order of the controller's: look at every workload, take its rollout one
//! step on, put together what the cluster should have.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Sim;
use super::fixtures::{deployment, route};
use super::workload::{number, template_of};
use crate::api::{Action, RolloutFailure, RolloutPhase, TargetKind, TargetStatus};
use crate::gate::Verdict;
use crate::health::cause::FailureClass;
use crate::object::ObjectId;
use crate::plan::in_sync;
use crate::release::{Effective, Release};
use crate::rollout::route::{RouteState, ServiceNames};
use crate::rollout::{
    self, Ask, Policy, Seen, Situation, Trouble, Unit, Versioned, What, at_rest, compose, essential, failure,
    has_policies, is_held, parts, policies, step, units, versioned,
};

pub struct Rolled {
    pub base: Arc<Release>,
    pub targets: Vec<TargetStatus>,
    pub active: Vec<ObjectId>,
    pub failed: Option<(ObjectId, RolloutFailure)>,
    pub wake: Option<Duration>,
}

pub fn moment(millis: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_millis(1_700_000_000_000 + millis)
}

type Composed = Arc<(Release, BTreeMap<ObjectId, Vec<ObjectId>>)>;

thread_local! {
    /// Putting a release together is pure, so it is done once for the same input.
    static COMPOSED: RefCell<HashMap<String, Composed>> = RefCell::default();
    static VERSIONED: RefCell<HashMap<(String, String), Option<Versioned>>> = RefCell::default();
    static POLICIES: RefCell<HashMap<String, BTreeMap<ObjectId, Policy>>> = RefCell::default();
}

pub fn versioned_once(release: &Release, target: &ObjectId) -> Option<Versioned> {
    let key = (release.digest().as_str().to_owned(), target.name.clone());
    VERSIONED.with_borrow_mut(|known| known.entry(key).or_insert_with(|| versioned(release, target)).clone())
}

pub fn policies_once(release: &Release) -> BTreeMap<ObjectId, Policy> {
    let key = release.digest().as_str().to_owned();
    POLICIES.with_borrow_mut(|known| known.entry(key).or_insert_with(|| policies(release)).clone())
}

fn compose_once(release: &Release, stable: Option<&Release>, units: &[Unit]) -> Composed {
    let mut key = format!("{} {}", release.digest().as_str(), stable.map_or("", |s| s.digest().as_str()));
    for unit in units {
        let mut state = essential(&unit.state);
        if let Some(rollout) = &mut state.rollout {
            (rollout.phase_since, rollout.revision) = (rollout.since.clone(), String::new());
            rollout.since.0 = Timestamp::UNIX_EPOCH;
            rollout.phase_since.0 = Timestamp::UNIX_EPOCH;
            (rollout.paused, rollout.approved, rollout.skipped, rollout.promoted) = (None, None, None, None);
        }
        key.push_str(&format!("{state:?}{}", unit.policy.spec.suspend));
    }
    if let Some(known) = COMPOSED.with_borrow(|known| known.get(&key).cloned()) {
        return known;
    }
    let made = compose(release, stable, units).unwrap();
    let made = Arc::new((made.release, made.parts));
    COMPOSED.with_borrow_mut(|known| known.insert(key, made.clone()));
    made
}

/// What the cluster has of a release whose rollouts have ended.
pub fn rested(release: &Release, known: &[TargetStatus]) -> Release {
    at_rest(release, &units(release, None, known)).unwrap()
}

/// What the next step of a workload depends on.
struct Look {
    settled: bool,
    seen: Seen,
    verdict: Verdict,
    what: Option<What>,
    at_once: bool,
}

impl Look {
    fn step(&self, unit: &Unit, together: bool, revision: &str, now: Timestamp) -> rollout::Next {
        if self.settled {
            return rollout::Next { state: unit.state.clone(), wake: None, ask_template: false };
        }
        let situation = Situation {
            course: &unit.policy.course,
            traffic: unit.policy.spec.traffic.as_ref(),
            desired: &unit.wanted.template,
            revision,
            at_once: self.at_once,
            seen: &self.seen,
            verdict: &self.verdict,
            together,
            ask: self.what.map(|what| Ask { what, by: "jane" }),
            patience: Duration::from_secs(600),
            now,
        };
        let mut next = step(&unit.state, &situation);
        if next.ask_template && self.seen.same_template.is_none() {
            next.wake = Some(Duration::from_secs(5));
        }
        if matches!(unit.state.phase, RolloutPhase::Hold | RolloutPhase::Bake) {
            let again = Duration::from_secs(10);
            next.wake = Some(next.wake.map_or(again, |known| known.min(again)));
        }
        next
    }
}

impl Sim {
    pub fn advance(&mut self, chosen: Effective, release: Arc<Release>) -> (Arc<Release>, Option<Rolled>) {
        let memory = &self.memory;
        let known = memory.targets.clone().unwrap_or_else(|| memory.status.targets.clone());
        if known.is_empty() && !has_policies(&release) {
            return (release, None);
        }
        let stable = memory.releases.stable.as_ref().map(|kept| kept.release.clone());
        let stable = stable.filter(|stable| stable.digest() != release.digest());
        let mut units = units(&release, stable.as_deref(), &known);
        let before = compose_once(&release, stable.as_deref(), &units);
        let mut looks = Vec::new();
        for unit in &units {
            let applied = parts(&before.1, unit).iter().all(|id| self.is_applied(&before.0, id));
            looks.push(self.look(chosen, unit, applied));
        }
        let now = moment(self.cluster.now);
        let revision = release.revision().to_owned();
        let step_of = |unit: &Unit, look: &Look, together| look.step(unit, together, &revision, now);
        let ready: Vec<_> = units
            .iter()
            .zip(&looks)
            .map(|(unit, look)| unit.may_promote(&step_of(unit, look, true).state))
            .collect();
        let mut wake: Option<Duration> = None;
        let mut moved = false;
        for (index, look) in looks.iter().enumerate() {
            let others = ready.iter().enumerate().all(|(other, ready)| other == index || *ready);
            let next = step_of(&units[index], look, others);
            wake = [wake, next.wake].into_iter().flatten().min();
            if next.state.phase != units[index].state.phase {
                let (now, from, to) = (self.cluster.now, units[index].state.phase, &next.state);
                let weight = to.rollout.as_ref().map_or(0, |rollout| rollout.weight);
                let failed = to.rollout.as_ref().and_then(|rollout| rollout.failed.clone());
                self.cluster.trace.tell(now, || {
                    let failed = failed
                        .map_or(String::new(), |failed| format!(": {} {}", failed.reason, failed.message));
                    format!("{}: {from:?} -> {:?} {weight} %{failed}", to.name, to.phase)
                });
            }
            moved |= units[index].state != next.state;
            (units[index].state, units[index].known) = (next.state, true);
        }
        let after = if moved { compose_once(&release, stable.as_deref(), &units) } else { before };
        let rolled = Rolled {
            base: release,
            active: units.iter().filter(|unit| unit.is_active()).map(|u| u.policy.target.clone()).collect(),
            failed: failure(&units),
            targets: units.into_iter().map(|unit| unit.state).collect(),
            wake,
        };
        (Arc::new(after.0.clone()), Some(rolled))
    }

    pub fn is_applied(&self, release: &Release, id: &ObjectId) -> bool {
        let (observed, applied) = (self.memory.observed.get(id), self.memory.applied.get(id));
        in_sync(release, &self.policy, id, observed, applied)
    }

    fn look(&mut self, chosen: Effective, unit: &Unit, applied: bool) -> Look {
        let mut look = Look {
            settled: unit.is_settled(),
            seen: Seen::default(),
            verdict: Verdict::Open(String::new()),
            what: self.wish(&unit.state.name),
            at_once: matches!(chosen, Effective::Stable | Effective::Undone),
        };
        if look.settled {
            return look;
        }
        look.seen = self.seen(unit, applied);
        look.verdict = self.judged(&unit.policy, &unit.state);
        if look.step(unit, false, "", moment(self.cluster.now)).ask_template {
            let answers = self.cluster.calm || !self.cluster.random.happens(50);
            let live = self.cluster.template(&unit.state.name);
            let wanted = template_of(unit.wanted.object.object.body());
            look.seen.same_template = live.filter(|_| answers).map(|live| live == wanted);
        }
        look
    }

    /// What a person asks of the rollout of a workload.
    fn wish(&self, name: &str) -> Option<What> {
        let means = |target: &Option<String>| target.as_ref().is_none_or(|target| target == name);
        let (_, action, _) = self.request().filter(|(_, _, target)| means(target))?;
        match action {
            Action::Approve => Some(What::Approve),
            Action::Promote => Some(What::Promote),
            Action::PromoteFull => Some(What::PromoteFull),
            Action::Pause => Some(What::Pause),
            Action::Resume => Some(What::Resume),
            Action::Abort => Some(What::Abort),
            Action::Retry => Some(What::Retry),
            _ => None,
        }
    }

    /// What is seen of a workload, by reads of which each may be a little later than the one before.
    fn seen(&mut self, unit: &Unit, applied: bool) -> Seen {
        let Unit { policy, state, .. } = unit;
        let mut seen = Seen { applied, ..Seen::default() };
        let name = policy.target.name.clone();
        let Some(live) = self.read(&deployment(&name)) else { return seen };
        let generation = live.1;
        let workload = self.cluster.workloads.get(&name).cloned().unwrap_or_default();
        seen.exists = true;
        seen.observed = workload.observed_generation >= generation;
        seen.replicas = number(&live.0, "/spec/replicas", 1) as u32;
        seen.held = is_held(TargetKind::Deployment, &live.0, unit.wanted.object.object.body());
        let revision = workload.current().map(|set| set.revision);
        self.moments_pass();
        if !self.answers() {
            return Seen { observed: false, ..seen };
        }
        let sets = self.cluster.workloads.get(&name).cloned().unwrap_or_default();
        seen.current_hash = sets
            .sets
            .iter()
            .find(|set| Some(set.revision) == revision)
            .map(|s| s.hash.clone())
            .unwrap_or_default();
        seen.pods = sets.counts();
        let Some(rollout) = &state.rollout else { return seen };
        if unit.former.is_some() {
            let short = seen.of(&rollout.stable_hash).total < seen.replicas;
            if short || sets.is_poisoned(&rollout.stable_hash) {
                // Whoever is about to scale it changes one after the other.
                let again = self.read(&deployment(&name));
                seen.disturbed = again.is_some_and(|again| again.1 == generation);
            }
        }
        if let Some(traffic) = &rollout.traffic {
            let names = ServiceNames::of(&traffic.service);
            self.moments_pass();
            seen.stable_endpoints = self.endpoints(&names.stable);
            if !rollout.candidate_hash.is_empty() {
                seen.candidate_endpoints = self.endpoints(&names.candidate);
            }
            if let Some((_, router)) = traffic.router() {
                self.moments_pass();
                seen.route = match self.read(&route(router)) {
                    None => RouteState::Pending("it cannot be read".into()),
                    Some((_, generation)) => match self.cluster.routers.get(router) {
                        Some(router) if router.accepted >= generation => RouteState::Accepted,
                        _ => RouteState::Pending("the router has not answered".into()),
                    },
                };
            }
        }
        let judged =
            !matches!(state.phase, RolloutPhase::Prepare | RolloutPhase::Retreat | RolloutPhase::Clean);
        if judged
            && !rollout.candidate_hash.is_empty()
            && seen.of(&rollout.candidate_hash).ready < rollout.pods
        {
            let own = sets.current().map(|set| set.hash.clone()).unwrap_or_default();
            let stuck = sets.pods.iter().any(|pod| pod.hash == own && pod.crashing);
            seen.trouble = stuck.then(|| Trouble {
                class: FailureClass::Release,
                stuck: true,
                message: "exit code 1".into(),
            });
        }
        seen
    }

    fn answers(&mut self) -> bool {
        self.cluster.calm || !self.cluster.random.happens(self.faults)
    }

    fn read(&mut self, id: &ObjectId) -> Option<(Value, u64)> {
        let stored = self.cluster.objects.get(id).map(|stored| (stored.body.clone(), stored.generation));
        stored.filter(|_| self.answers())
    }

    fn endpoints(&mut self, name: &str) -> Option<u32> {
        if !self.answers() {
            return None;
        }
        // Of a Service that does not exist there are none.
        Some(self.cluster.endpoints.get(name).map_or(0, |known| known.pods.len() as u32))
    }

    /// What the gates say; nothing where nothing is judged in this phase.
    fn judged(&mut self, policy: &Policy, state: &TargetStatus) -> Verdict {
        let Some(rollout) = &state.rollout else { return Verdict::Open(String::new()) };
        if !matches!(state.phase, RolloutPhase::Hold | RolloutPhase::Bake) {
            return Verdict::Open(String::new());
        }
        let now = moment(self.cluster.now);
        let elapsed = Duration::try_from(now.duration_since(rollout.phase_since.0)).unwrap_or_default();
        let length = policy.course.steps.get(rollout.step as usize).map(|step| step.hold).unwrap_or_default();
        let nature = self.cluster.nature(&rollout.candidate);
        if !self.cluster.metrics {
            return if elapsed >= length {
                Verdict::NoData("no answer".into())
            } else {
                Verdict::Open("".into())
            };
        }
        if nature.bad && elapsed > Duration::from_secs(5) {
            self.rules.judged_bad.insert(state.name.clone());
            return Verdict::Fail("errors".into());
        }
        if elapsed >= length { Verdict::Pass } else { Verdict::Open("fine so far".into()) }
    }
}
