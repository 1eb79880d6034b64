use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{LOOK_AGAIN, Routed, Run, UNDECIDED, since};
use crate::api::{OnNoVerdict, RolloutPhase};
use crate::gate::Verdict;
use crate::health::cause::FailureClass;
use crate::rollout::course::Exposure;

impl Run<'_, '_> {
    /// Pods of an earlier template may still serve: only once they are gone the stable ones can be told by name.
    pub(super) fn await_whole(&mut self) {
        let (look, seen) = (self.look, self.look.seen);
        let hash = self.rollout.stable_hash.as_str();
        let whole = seen.exists && seen.observed && seen.others(hash) == 0;
        if whole || self.in_phase() >= look.patience {
            return self.enter(RolloutPhase::Prepare);
        }
        self.wait_for("waits until the pods of an earlier template are gone");
    }

    /// All traffic is to go to the stable pods by name, before there are any others.
    pub(super) fn prepare(&mut self) {
        if self.rollout.traffic.is_none() {
            return self.go_to_step(0);
        }
        let seen = self.look.seen;
        if !self.rollout.led {
            let ready = seen.of(&self.rollout.stable_hash).ready.max(1);
            if seen.applied && seen.stable_endpoints.unwrap_or_default() >= ready {
                self.rollout.led = true;
                self.rollout.phase_since = Time(self.look.now);
            }
            return self.wait_for("waits for endpoints of the stable pods");
        }
        if self.wait_routed() {
            self.go_to_step(0);
        }
    }

    /// The candidate gets its pods.
    pub(super) fn scale(&mut self) {
        let (look, seen) = (self.look, self.look.seen);
        let pods = look.course.pods(self.index(), self.replicas());
        // A number of replicas that is about to be changed back counts for nothing.
        if pods != self.rollout.pods && (seen.applied || self.rollout.pods == 0) {
            self.rollout.pods = pods;
            return self.wait_for("waits until it is applied");
        }
        let fresh = seen.applied && seen.observed;
        // Where somebody has the held pods made anew, others stand for them.
        let gone = seen.of(&self.rollout.candidate_hash).total == 0;
        if gone
            && fresh
            && !seen.current_hash.is_empty()
            && seen.current_hash != self.rollout.stable_hash
            && seen.current_hash != self.rollout.candidate_hash
        {
            self.rollout.candidate_hash.clone_from(&seen.current_hash);
            return self.wait_for("waits for pods of the candidate");
        }
        let pods = self.rollout.pods;
        let ready = seen.of(&self.rollout.candidate_hash).ready;
        let led_to = self.rollout.traffic.is_none() || seen.candidate_endpoints.unwrap_or_default() >= pods;
        if fresh && !self.rollout.candidate_hash.is_empty() && ready >= pods && led_to {
            self.rollout.exposed = self.rollout.step + 1;
            return self.enter(RolloutPhase::Shift);
        }
        if self.crashed() {
            return;
        }
        let trouble = seen.trouble.as_ref();
        let why = trouble.map_or(String::new(), |trouble| format!(": {}", trouble.message));
        let waiting = format!("{ready} of {pods} pods of the candidate are ready{why}");
        let excused = trouble.is_some_and(|trouble| trouble.class == FailureClass::Environment);
        if self.in_phase() >= look.patience && !excused {
            return self.fail("CandidateNotReady", &waiting);
        }
        self.wait_for(waiting);
    }

    /// The candidate gets its traffic.
    pub(super) fn shift(&mut self) {
        if self.crashed() || self.lost() || !self.wait_routed() {
            return;
        }
        let bake = self.look.course.is_bake(self.index());
        self.enter(if bake { RolloutPhase::Bake } else { RolloutPhase::Hold });
        let now = || Time(self.look.now);
        let gates = std::mem::take(&mut self.rollout.gates);
        self.rollout.gates = gates.into_iter().map(|gate| gate.next_hold(now())).collect();
    }

    /// The step is judged until its time is over.
    pub(super) fn hold(&mut self) {
        let look = self.look;
        if self.crashed() || self.lost() {
            return;
        }
        if let Verdict::Fail(why) = look.verdict {
            return self.fail("GateFailed", why);
        }
        self.grow();
        let Some(step) = look.course.steps.get(self.index()) else { return self.go_on() };
        if look.course.suspended || self.rollout.paused.is_some() {
            let by = self.rollout.paused.as_ref().map(|act| act.by.as_str()).unwrap_or_default();
            let by = if by.is_empty() { String::new() } else { format!(" by {by}") };
            return self.wait_for_person(format!("paused{by}"));
        }
        if self.rollout.promoted.is_some() {
            return self.go_on();
        }
        let skipped = self.rollout.skipped.is_some();
        let held = self.in_phase();
        if held < step.hold && !skipped {
            self.nobody_waits();
            let told = match look.verdict {
                Verdict::Open(looks) | Verdict::LowTraffic(looks) => looks.clone(),
                Verdict::NoData(why) => format!("no data: {why}"),
                Verdict::Pass | Verdict::Fail(_) => String::new(),
            };
            return self.wait(told, step.hold - held);
        }
        if step.approval && self.rollout.approved.is_none() {
            return self.wait_for_person("waits for approval".into());
        }
        self.nobody_waits();
        match look.verdict {
            Verdict::Pass | Verdict::Fail(_) => self.go_on(),
            _ if skipped => self.go_on(),
            Verdict::Open(why) | Verdict::LowTraffic(why) => self.no_verdict(&why.clone()),
            Verdict::NoData(why) => self.no_verdict(&format!("no data: {why}")),
        }
    }

    /// There is no verdict yet; at the deadline the policy says what that means.
    fn no_verdict(&mut self, why: &str) {
        let look = self.look;
        let waited = Duration::from_secs(self.rollout.waited.into());
        let under_way = since(&self.rollout.since, look.now).saturating_sub(waited);
        let deadline = look.course.deadline.get();
        if under_way < deadline {
            return self.wait(why.to_owned(), deadline - under_way);
        }
        match look.course.on_no_verdict {
            OnNoVerdict::Continue => self.go_on(),
            OnNoVerdict::Rollback => {
                self.fail("NoVerdict", &format!("no verdict after {}: {why}", look.course.deadline));
            }
            OnNoVerdict::Hold => {
                let message = format!("no verdict after {}, {UNDECIDED}: {why}", look.course.deadline);
                self.wait(message, Duration::from_secs(30));
            }
        }
    }

    /// The step is done: to the next one.
    fn go_on(&mut self) {
        let look = self.look;
        let last = look.course.steps.len().saturating_sub(1);
        if self.index() < last {
            let next = if self.rollout.promoted.is_some() { last } else { self.index() + 1 };
            return self.go_to_step(next);
        }
        if !look.together {
            return self.wait_for("waits for the other workloads of the release");
        }
        self.enter(if self.rollout.traffic.is_some() {
            RolloutPhase::Promote
        } else {
            RolloutPhase::Restore
        });
    }

    /// Clients inside of the cluster go to the candidate, which has all other traffic already.
    pub(super) fn promote(&mut self) {
        if !self.crashed() && !self.lost() && self.wait_routed() {
            self.enter(RolloutPhase::Restore);
        }
    }

    /// The old pods go.
    pub(super) fn restore(&mut self) {
        let (look, seen) = (self.look, self.look.seen);
        let settled = seen.applied && seen.observed;
        if settled && !seen.current_hash.is_empty() && seen.current_hash != self.rollout.candidate_hash {
            // Somebody has all pods made anew, which is up to the workload's controller now.
            return self.close();
        }
        let gone = settled && seen.others(&self.rollout.candidate_hash) == 0;
        let ready = seen.of(&self.rollout.candidate_hash).ready >= seen.replicas;
        // What does not get well now is for the health of the release to judge: nothing is to be held up by it.
        let stuck =
            seen.trouble.as_ref().is_some_and(|trouble| trouble.stuck) || self.in_phase() >= look.patience;
        if gone && (ready || stuck) || stuck && seen.applied || look.desired != self.rollout.candidate {
            return self.close();
        }
        self.wait_for("waits until the old pods are gone");
    }

    /// The routes are as the release says.
    pub(super) fn clean(mut self) {
        if !self.wait_routed() {
            self.next.state.rollout = Some(self.rollout);
            return;
        }
        self.done();
    }

    /// The workload is done; what leads traffic to it is put back.
    pub(super) fn close(&mut self) {
        self.enter(RolloutPhase::Clean);
    }

    fn done(self) {
        let state = &mut self.next.state;
        state.phase = RolloutPhase::Idle;
        if state.stable != self.rollout.candidate {
            state.former = std::mem::replace(&mut state.stable, self.rollout.candidate);
        }
        self.next.wake = Some(Duration::ZERO);
    }

    pub(super) fn go_to_step(&mut self, step: usize) {
        let course = self.look.course;
        self.rollout.step = u32::try_from(step).unwrap_or(u32::MAX);
        self.rollout.step_name = course.steps.get(step).map(|step| step.name.clone()).unwrap_or_default();
        self.rollout.pods = course.pods(step, self.replicas());
        (self.rollout.approved, self.rollout.skipped) = (None, None);
        self.rollout.step_weight = u32::from(course.steps.get(step).map_or(0, |step| step.exposure.weight()));
        self.enter(RolloutPhase::Scale);
    }

    /// Replicas of the workload now; those at the start where it cannot be read.
    fn replicas(&self) -> u32 {
        if self.look.seen.exists { self.look.seen.replicas } else { self.rollout.replicas }
    }

    /// A workload that an autoscaler makes larger needs a larger candidate.
    fn grow(&mut self) {
        if !self.look.seen.applied {
            return;
        }
        let pods = self.look.course.pods(self.index(), self.replicas());
        self.rollout.pods = self.rollout.pods.max(pods);
    }

    /// The containers of the candidate end again and again: no metrics are needed.
    fn crashed(&mut self) -> bool {
        let stuck =
            |trouble: &&crate::rollout::Trouble| trouble.stuck && trouble.class == FailureClass::Release;
        let Some(trouble) = self.look.seen.trouble.as_ref().filter(stuck) else { return false };
        self.fail("CandidateFailed", &trouble.message.clone());
        true
    }

    /// No pod of the candidate is ready any more: it gets no traffic until one is.
    fn lost(&mut self) -> bool {
        let exposure = self.look.course.steps.get(self.index()).map(|step| &step.exposure);
        let routed = self.rollout.traffic.is_some() && !matches!(exposure, Some(Exposure::Nothing) | None);
        let seen = self.look.seen;
        // What cannot be read says nothing.
        let gone = seen.exists && seen.observed && seen.of(&self.rollout.candidate_hash).ready == 0;
        if !routed || !gone && seen.candidate_endpoints != Some(0) {
            return false;
        }
        self.rollout.exposed = 0;
        self.enter(RolloutPhase::Scale);
        true
    }

    /// Whether traffic goes as it should; fails where the router never takes it.
    fn wait_routed(&mut self) -> bool {
        match self.is_routed() {
            Routed::Yes => true,
            Routed::Settles(left) => {
                self.wake(left);
                false
            }
            Routed::Not(why) => {
                let forward = self.next.state.phase < RolloutPhase::Restore;
                if forward && self.look.seen.applied && self.in_phase() >= self.router_patience() {
                    self.fail("RouteNotAccepted", &why);
                } else {
                    self.wait_for(why);
                }
                false
            }
        }
    }

    fn router_patience(&self) -> Duration {
        self.rollout.traffic.as_ref().map_or(Duration::ZERO, |traffic| traffic.deadline.get())
    }

    fn wait_for_person(&mut self, message: String) {
        self.rollout.waiting_since.get_or_insert(Time(self.look.now));
        self.wait(message, Duration::from_secs(60));
    }

    fn nobody_waits(&mut self) {
        if let Some(began) = self.rollout.waiting_since.take() {
            let waited = since(&began, self.look.now).as_secs();
            let waited = u32::try_from(waited).unwrap_or(u32::MAX);
            self.rollout.waited = self.rollout.waited.saturating_add(waited);
        }
    }

    /// As [`Self::wait_routed`], for the way back: it never gives up.
    pub(super) fn wait_led_back(&mut self) -> bool {
        match self.is_routed() {
            Routed::Yes => true,
            Routed::Settles(left) => {
                self.wake(left);
                false
            }
            Routed::Not(why) => {
                self.wait(why, LOOK_AGAIN);
                false
            }
        }
    }
}
