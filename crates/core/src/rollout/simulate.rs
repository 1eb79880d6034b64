//! What a policy would do and when: the machine itself, with a cluster in which everything that a rollout calls
//! for becomes true at once, so that all times are the earliest ones.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use super::machine::{Ask, Situation, What, step};
use super::overlay::{Overlay, PodOverlay, overlay};
use super::route::RouteState;
use super::seen::{PodCounts, Seen};
use super::view::{Standing, standing};
use super::{Course, exposure};
use crate::api::{RolloutPhase, RolloutPolicySpec, TargetStatus};
use crate::gate::Verdict;

/// Longest time that is simulated.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// Most looks, against a machine that turns in circles.
const LOOKS: usize = 100_000;
/// The template that serves at first.
const OLD: &str = "stable";
/// The new one.
const NEW: &str = "candidate";

/// What is assumed.
#[derive(Clone, Copy, Debug)]
pub struct Assumed {
    /// Replicas of the workload.
    pub replicas: u32,
    /// How long a pod takes to become ready.
    pub startup: Duration,
    /// The step, counted from 1, in which the gates fail.
    pub fail_at: Option<usize>,
    /// The gates never have any data.
    pub no_verdict: bool,
}

/// A moment at which something changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// Seconds since the commit.
    pub at: u64,
    /// What is begun.
    pub phase: RolloutPhase,
    /// The step, counted from 1; 0 where there is none.
    pub step: u32,
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What the candidate gets from then on.
    pub exposure: String,
    /// Pods of the candidate.
    pub candidate: u32,
    /// Stable pods.
    pub stable: u32,
    /// What happens, in words.
    pub note: String,
}

/// How a simulated rollout ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Simulated {
    /// What happens and when.
    pub timeline: Vec<Moment>,
    /// How it ends.
    pub end: End,
}

/// How a simulated rollout ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum End {
    /// The candidate is the stable one.
    Promoted,
    /// The stable pods have everything again.
    Undone,
    /// It is held until a person says.
    Held,
    /// There is nothing that could be rolled out in steps.
    Nothing,
}

/// Rolls a new template out after a policy, in a cluster of which this is assumed.
pub fn simulate(spec: &RolloutPolicySpec, assumed: &Assumed) -> Simulated {
    let mut world = World::new(spec, *assumed);
    let mut timeline: Vec<Moment> = Vec::new();
    for _ in 0..LOOKS {
        let before = (world.state.clone(), world.ready_at, world.applied.clone());
        let (wake, note) = world.look();
        let moment = world.moment(note);
        let same = |last: &Moment| {
            let plain = |moment: &Moment| Moment { at: 0, note: String::new(), ..moment.clone() };
            plain(last) == plain(&moment) && (moment.note.is_empty() || last.note == moment.note)
        };
        match timeline.last_mut() {
            Some(last) if same(last) => {}
            Some(last) if last.phase == moment.phase && last.step == moment.step && last.at == moment.at => {
                let note = [&moment.note, &last.note].into_iter().find(|note| !note.is_empty()).cloned();
                *last = Moment { note: note.unwrap_or_default(), ..moment };
            }
            _ => timeline.push(moment),
        }
        if let Some(end) = world.ended() {
            return Simulated { timeline, end };
        }
        if before == (world.state.clone(), world.ready_at, world.applied.clone()) {
            world.pass(wake);
        }
        if world.elapsed() > LONGEST {
            break;
        }
    }
    Simulated { timeline, end: End::Held }
}

struct World<'a> {
    spec: &'a RolloutPolicySpec,
    assumed: Assumed,
    course: Course,
    state: TargetStatus,
    desired: &'static str,
    live: &'static str,
    held: bool,
    stable: u32,
    candidate: u32,
    /// When the last pods of the candidate are ready.
    ready_at: Timestamp,
    applied: Option<Overlay>,
    now: Timestamp,
}

impl<'a> World<'a> {
    fn new(spec: &'a RolloutPolicySpec, assumed: Assumed) -> Self {
        let now = Timestamp::UNIX_EPOCH;
        let state = TargetStatus {
            kind: spec.target.kind,
            namespace: "default".into(),
            name: spec.target.name.clone(),
            phase: RolloutPhase::Idle,
            stable: OLD.into(),
            former: String::new(),
            rollout: None,
        };
        Self {
            spec,
            assumed,
            course: Course { suspended: false, ..Course::of(spec) },
            state,
            desired: NEW,
            live: OLD,
            held: false,
            stable: assumed.replicas,
            candidate: 0,
            ready_at: now,
            applied: None,
            now,
        }
    }

    /// One look of the controller; the cluster then does what is called for.
    fn look(&mut self) -> (Option<Duration>, String) {
        let seen = self.seen();
        let verdict = self.verdict();
        // People are quick here: what waits for them goes on at once.
        let approval = standing(&self.state, None) == Standing::AwaitingApproval;
        let next = step(
            &self.state,
            &Situation {
                course: &self.course,
                traffic: self.spec.traffic.as_ref(),
                desired: self.desired,
                revision: "",
                at_once: false,
                seen: &seen,
                verdict: &verdict,
                together: true,
                ask: approval.then_some(Ask { what: What::Approve, by: "" }),
                patience: LONGEST,
                now: self.now,
            },
        );
        self.state = next.state;
        self.apply();
        (next.wake, if approval { "approved by a person".into() } else { self.note() })
    }

    fn note(&mut self) -> String {
        let Some(rollout) = &self.state.rollout else { return String::new() };
        if let Some(failed) = rollout.failed.as_ref().filter(|_| self.desired == NEW) {
            let note = failed.message.clone();
            // The release is undone as a whole.
            self.desired = OLD;
            return note;
        }
        match standing(&self.state, None) {
            Standing::NoVerdict => rollout.message.clone(),
            _ => String::new(),
        }
    }

    fn verdict(&self) -> Verdict {
        let step = self.state.rollout.as_ref().map_or(0, |rollout| rollout.step as usize + 1);
        match self.assumed {
            Assumed { fail_at: Some(fails), .. } if step >= fails => Verdict::Fail("a gate fails".into()),
            Assumed { no_verdict: true, .. } => Verdict::NoData("the gates get no data".into()),
            _ => Verdict::Pass,
        }
    }

    fn seen(&self) -> Seen {
        let ready = if self.now >= self.ready_at { self.candidate } else { 0 };
        let hash = |template: &str| format!("hash-{template}");
        let pods = [
            (hash(OLD), PodCounts { total: self.stable, ready: self.stable }),
            (hash(NEW), PodCounts { total: self.candidate, ready }),
        ];
        let pods: BTreeMap<_, _> = pods.into_iter().filter(|(_, pods)| pods.total > 0).collect();
        let services = self.applied.as_ref().is_some_and(|applied| applied.services);
        Seen {
            exists: true,
            applied: self.applied.as_ref() == Some(&self.overlay()),
            observed: true,
            replicas: self.assumed.replicas,
            held: self.held,
            disturbed: false,
            current_hash: hash(self.live),
            pods,
            candidate_endpoints: services.then_some(ready),
            stable_endpoints: services.then_some(self.stable),
            route: RouteState::Accepted,
            same_template: Some(self.desired == self.live),
            trouble: None,
        }
    }

    fn overlay(&self) -> Overlay {
        overlay(&self.state, &self.course, self.desired)
    }

    fn apply(&mut self) {
        let overlay = self.overlay();
        match overlay.pods {
            // Nobody disturbs anything here.
            PodOverlay::AsIs | PodOverlay::Former => {}
            PodOverlay::Plain => {
                let grown = self.desired == NEW && self.candidate < self.assumed.replicas;
                (self.live, self.held) = (self.desired, false);
                let all = self.assumed.replicas;
                (self.stable, self.candidate) = if self.desired == NEW { (0, all) } else { (all, 0) };
                if grown {
                    self.start_pods();
                }
            }
            PodOverlay::Held { pods } => {
                (self.live, self.held) = (self.desired, true);
                if pods > self.candidate {
                    self.candidate = pods;
                    self.start_pods();
                }
                if self.spec.target.kind == crate::api::TargetKind::StatefulSet {
                    self.stable = self.assumed.replicas.saturating_sub(self.candidate);
                }
            }
        }
        self.applied = Some(overlay);
    }

    fn start_pods(&mut self) {
        self.ready_at = self.now.checked_add(self.assumed.startup).unwrap_or(self.now);
    }

    fn pass(&mut self, wake: Option<Duration>) {
        let starting = Duration::try_from(self.ready_at.duration_since(self.now)).unwrap_or_default();
        let wake = wake.unwrap_or(Duration::from_secs(1)).max(Duration::from_millis(100));
        let next = if starting.is_zero() { wake } else { wake.min(starting) };
        self.now = self.now.checked_add(next).unwrap_or(self.now);
    }

    fn elapsed(&self) -> Duration {
        Duration::try_from(self.now.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default()
    }

    fn moment(&self, note: String) -> Moment {
        let rollout = self.state.rollout.as_ref();
        let judged = matches!(
            self.state.phase,
            RolloutPhase::Scale | RolloutPhase::Shift | RolloutPhase::Hold | RolloutPhase::Bake
        );
        let present =
            rollout.filter(|_| judged).and_then(|rollout| self.course.steps.get(rollout.step as usize));
        let exposed =
            rollout.and_then(|rollout| self.course.steps.get((rollout.exposed as usize).checked_sub(1)?));
        let promoted = self.desired == NEW
            && (rollout.is_none() && self.state.stable == NEW || self.state.phase >= RolloutPhase::Promote);
        let gets = match exposed {
            _ if promoted => "100 %".to_owned(),
            Some(step) => exposure(&step.exposure),
            None => "nothing".to_owned(),
        };
        Moment {
            at: self.elapsed().as_secs(),
            phase: self.state.phase,
            step: present.and(rollout).map_or(0, |rollout| rollout.step + 1),
            name: present.map(|step| step.name.clone()).unwrap_or_default(),
            exposure: gets,
            candidate: self.candidate,
            stable: self.stable,
            note,
        }
    }

    fn ended(&self) -> Option<End> {
        let held = standing(&self.state, None) == Standing::NoVerdict;
        match (&self.state.rollout, self.state.stable.as_str() == self.desired) {
            (None, true) if self.course.steps.is_empty() => Some(End::Nothing),
            (None, true) if self.desired == NEW => Some(End::Promoted),
            (None, true) => Some(End::Undone),
            _ if held => Some(End::Held),
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "tests/simulate.rs"]
mod tests;
