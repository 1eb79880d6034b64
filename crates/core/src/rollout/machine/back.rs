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
        if look.desired == self.next.state.stable {
            return self.enter(RolloutPhase::Abort);
        }
        if look.desired == self.rollout.candidate
            && let Some(failed) = &self.rollout.failed
        {
            self.rollout.message = failed.message.clone();
            return;
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
        self.go_to_step(0);
    }

    /// The pods of the candidate go.
    pub(super) fn abort(&mut self) {
        let (look, seen) = (self.look, self.look.seen);
        if look.desired != self.next.state.stable {
            return self.enter(RolloutPhase::Retreat);
        }
        let hash = self.rollout.stable_hash.as_str();
        let gone = seen.applied && seen.observed && seen.others(hash) == 0;
        if !gone || seen.of(hash).ready < seen.replicas {
            return self.wait_for("waits until the pods of the candidate are gone");
        }
        self.rollout.candidate.clone_from(&self.next.state.stable);
        self.rollout.candidate_hash.clone_from(&self.rollout.stable_hash);
        self.close();
    }
}
