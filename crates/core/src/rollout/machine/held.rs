use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{ABORTED, Ask, Next, Situation, What, act};
use crate::api::{RolloutFailure, RolloutPhase, RolloutState, TargetStatus};

/// Nothing is under way: does the release want another template?
pub(super) fn idle(next: &mut Next, look: &Situation<'_>) {
    let state = &mut next.state;
    state.phase = RolloutPhase::Idle;
    let seen = look.seen;
    if seen.held && recover(next, look) {
        return;
    }
    let state = &mut next.state;
    if look.desired == state.stable {
        return;
    }
    let serves = seen.exists && seen.of(&seen.current_hash).ready > 0;
    let fast = look.at_once || look.desired == state.former || state.stable.is_empty() || !serves;
    if fast || seen.same_template == Some(true) || look.course.steps.is_empty() {
        let former = std::mem::replace(&mut state.stable, look.desired.to_owned());
        if seen.same_template != Some(true) {
            state.former = former;
        }
        return;
    }
    if seen.same_template.is_none() {
        next.ask_template = true;
        return;
    }
    if look.course.suspended {
        return;
    }
    if seen.observed && seen.others(&seen.current_hash) == 0 {
        state.phase = RolloutPhase::Prepare;
    }
    state.rollout = Some(begun(look, seen.current_hash.clone(), String::new()));
    next.wake = Some(Duration::ZERO);
}

/// What was known of a rollout is lost, and the workload is still held: the traffic goes back to the pods that
/// are not of the held template. Then it is left, or starts anew. Whether there are such pods.
fn recover(next: &mut Next, look: &Situation<'_>) -> bool {
    let seen = look.seen;
    let others = seen.pods.iter().filter(|(hash, pods)| **hash != seen.current_hash && pods.ready > 0);
    let Some((stable, _)) = others.max_by_key(|(_, pods)| pods.ready) else { return false };
    let state = &mut next.state;
    if look.at_once {
        look.desired.clone_into(&mut state.stable);
    }
    let mut rollout = begun(look, stable.clone(), seen.current_hash.clone());
    if look.desired == state.stable {
        rollout.candidate.clear();
    }
    state.phase = RolloutPhase::Retreat;
    state.rollout = Some(rollout);
    next.wake = Some(Duration::ZERO);
    true
}

fn begun(look: &Situation<'_>, stable_hash: String, candidate_hash: String) -> RolloutState {
    let now = Time(look.now);
    let first = look.course.steps.first();
    RolloutState {
        candidate: look.desired.to_owned(),
        revision: look.revision.to_owned(),
        stable_hash,
        replicas: look.seen.replicas,
        pods: look.course.pods(0, look.seen.replicas),
        step: 0,
        step_name: first.map(|step| step.name.clone()).unwrap_or_default(),
        steps: u32::try_from(look.course.listed()).unwrap_or(u32::MAX),
        step_weight: first.map_or(0, |step| u32::from(step.exposure.weight())),
        // A rollout of which nothing is known has had its route led before.
        led: !candidate_hash.is_empty(),
        candidate_hash,
        exposed: 0,
        rewinds: false,
        weight: 0,
        since: now.clone(),
        phase_since: now,
        seen_since: None,
        waiting_since: None,
        waited: 0,
        paused: None,
        approved: None,
        skipped: None,
        promoted: None,
        failed: None,
        message: String::new(),
        gates: Vec::new(),
        traffic: look.traffic.cloned(),
    }
}

/// Carries out what a person asks, as far as it makes sense now.
pub(super) fn ask(state: &mut TargetStatus, rollout: &mut RolloutState, look: &Situation<'_>) {
    let Some(ask) = look.ask else { return };
    let forward = rollout.failed.is_none() && state.phase < RolloutPhase::Restore;
    let act = act(ask, look.now);
    match ask.what {
        What::Approve if forward => rollout.approved = Some(act),
        What::Promote if forward => {
            rollout.paused = None;
            rollout.approved = Some(act.clone());
            rollout.skipped = Some(act);
        }
        What::PromoteFull if forward => {
            rollout.paused = None;
            rollout.promoted = Some(act);
        }
        What::Pause if forward => rollout.paused = Some(act),
        What::Resume => rollout.paused = None,
        What::Abort if forward => {
            let by = by(ask);
            rollout.failed = Some(RolloutFailure { reason: ABORTED.into(), message: format!("aborted{by}") });
            state.phase = RolloutPhase::Retreat;
            rollout.phase_since = Time(look.now);
            rollout.seen_since = None;
            rollout.exposed = 0;
        }
        What::Retry => rollout.failed = None,
        What::Approve | What::Promote | What::PromoteFull | What::Pause | What::Abort => {}
    }
}

fn by(ask: Ask<'_>) -> String {
    if ask.by.is_empty() { String::new() } else { format!(" by {}", ask.by) }
}
