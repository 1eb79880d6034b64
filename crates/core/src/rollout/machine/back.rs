use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Run;
use crate::api::RolloutPhase;

impl Run<'_, '_> {
    /// The stable pods get all traffic back.
    pub(super) fn retreat(&mut self) {
        if self.rollout.traffic.is_some() && !self.wait_led_back() {
            return;
        }
        let look = self.look;
        if look.desired == self.next.state.stable || self.rollout.rewinds {
            return self.enter(RolloutPhase::Abort);
        }
        if look.desired == self.rollout.candidate
            && let Some(failed) = &self.rollout.failed
        {
            self.rollout.message = failed.message.clone();
            return;
        }
        // Without a router the pods are the exposure, and fewer of them are not to be had: what is held there
        // already stays.
        let mut first = 0;
        if self.rollout.traffic.is_none() && look.seen.held {
            let Some(same) = look.seen.same_template else {
                self.next.ask_template = true;
                return self.wait_for("waits for a word about its template");
            };
            let (course, seen) = (look.course, look.seen);
            let there = seen.of(&seen.current_hash).total;
            let enough = |step: &usize| course.pods(*step, seen.replicas) >= there;
            let last = course.steps.len().saturating_sub(1);
            first = if same { (0..course.steps.len()).find(enough).unwrap_or(last) } else { 0 };
        }
        self.rollout.failed = None;
        self.rollout.candidate = look.desired.to_owned();
        self.rollout.candidate_hash.clear();
        self.rollout.revision = look.revision.to_owned();
        self.rollout.since = Time(look.now);
        self.rollout.waited = 0;
        self.rollout.waiting_since = None;
        (self.rollout.promoted, self.rollout.paused) = (None, None);
        self.rollout.gates.clear();
        self.go_to_step(first);
        if self.rollout.traffic.is_some() && !self.rollout.led {
            self.enter(RolloutPhase::Prepare);
        }
    }

    /// Whether there is a candidate, and the stable pods beside it are not what they were.
    pub(super) fn is_disturbed(&self) -> bool {
        let seen = self.look.seen;
        !self.rollout.candidate_hash.is_empty() && seen.disturbed && seen.applied && seen.observed
    }

    /// The stable pods are restored, and it starts anew. Where none of them is left, the traffic stays where it is
    /// until one is back.
    pub(super) fn rewind(&mut self) {
        self.rollout.rewinds = true;
        let exposed = self.rollout.exposed;
        self.enter(RolloutPhase::Retreat);
        if self.look.seen.of(&self.rollout.stable_hash).ready == 0 {
            self.enter(RolloutPhase::Abort);
            self.rollout.exposed = exposed;
        }
    }

    /// The pods of the candidate go.
    pub(super) fn abort(&mut self) {
        let (look, seen) = (self.look, self.look.seen);
        if look.desired == self.next.state.stable {
            self.rollout.rewinds = false;
        } else if !self.rollout.rewinds {
            return self.enter(RolloutPhase::Retreat);
        }
        if seen.stable_endpoints.unwrap_or_default() > 0 {
            self.rollout.exposed = 0;
        }
        let hash = self.rollout.stable_hash.as_str();
        let settled = seen.applied && seen.observed;
        if settled && !seen.current_hash.is_empty() && seen.current_hash != hash {
            // Somebody has all pods made anew, which is up to the workload's controller now.
            self.rollout.candidate.clone_from(&self.next.state.stable);
            return self.close();
        }
        let gone = settled && seen.others(hash) == 0;
        if !gone || seen.of(hash).ready < seen.replicas {
            return self.wait_for("waits until the pods of the candidate are gone");
        }
        if self.rollout.rewinds {
            self.rollout.rewinds = false;
            return self.enter(RolloutPhase::Retreat);
        }
        self.rollout.candidate.clone_from(&self.next.state.stable);
        self.rollout.candidate_hash.clone_from(&self.rollout.stable_hash);
        self.close();
    }
}
