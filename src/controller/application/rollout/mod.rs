//! Between the choice of a release and the plan: workloads with a RolloutPolicy get what their rollout calls for.
//!
//! What is to be in the cluster is the chosen release with the overlays of all rollouts in it. A rollout that is
//! aborted is nothing else than another release that was chosen: the machine leads from what is to what is wanted.

mod asked;
mod judged;
mod seen;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use windlass_core::api::{RolloutFailure, RolloutPhase, TargetStatus};
use windlass_core::gate::Verdict;
use windlass_core::object::ObjectId;
use windlass_core::plan::in_sync;
use windlass_core::release::{Effective, Release};
use windlass_core::rollout::{
    self, Ask, Policy, Seen, Situation, Target, Versioned, effective, has_policies, policies, step, versioned,
};

pub use asked::is_about_rollouts;

use super::Scope;
use super::select::Chosen;
use crate::controller::context::Memory;
use crate::failure::Failure;

/// What rollouts make of a release.
#[derive(Clone)]
pub struct Rolled {
    /// The release without them.
    pub base: Arc<Release>,
    /// What it is to be when all of them have ended.
    pub last: Arc<Release>,
    /// How far each workload is from now on; to be stored before anything is applied.
    pub targets: Vec<TargetStatus>,
    /// The workloads whose rollout is under way, and how it stands in words.
    pub active: BTreeMap<ObjectId, String>,
    /// Why one of them failed.
    pub failed: Option<(ObjectId, RolloutFailure)>,
    /// When to look again.
    pub wake: Option<Duration>,
}

impl Rolled {
    /// What is waited for, if anything is under way.
    pub fn waiting(&self) -> Option<String> {
        let (id, message) = self.active.iter().next()?;
        Some(format!("the rollout of {id}: {message}"))
    }

    /// Whether everything that a person may notice is as in `status`.
    pub fn is_known(&self, before: &[TargetStatus]) -> bool {
        let plain = |targets: &[TargetStatus]| targets.iter().map(essential).collect::<Vec<_>>();
        plain(&self.targets) == plain(before)
    }
}

/// The state without what is only told.
pub fn essential(state: &TargetStatus) -> TargetStatus {
    let mut state = state.clone();
    if let Some(rollout) = &mut state.rollout {
        rollout.message.clear();
        rollout.gates.clear();
        (rollout.seen_since, rollout.waiting_since, rollout.waited) = (None, None, 0);
    }
    state
}

/// A workload with everything that its next state depends on.
struct Unit {
    policy: Policy,
    wanted: Versioned,
    state: TargetStatus,
}

impl Unit {
    fn target(&self) -> Target<'_> {
        Target { policy: &self.policy, state: &self.state, wanted: &self.wanted }
    }
}

/// Takes every rollout one step on, and gives what the cluster should have then.
///
/// # Errors
/// Where a router cannot do what a rollout asks of it: then nothing may be applied.
pub async fn advance(
    scope: &Scope<'_>,
    memory: &mut Memory,
    chosen: &mut Chosen,
    release: Arc<Release>,
) -> Result<Arc<Release>, Failure> {
    let known = memory.targets.clone();
    let known = known
        .unwrap_or_else(|| memory.status.as_ref().map(|status| status.targets.clone()).unwrap_or_default());
    if known.is_empty() && !has_policies(&release) {
        asked::refuse(scope, memory, &[]);
        return Ok(release);
    }
    let stable = memory.releases.stable.as_ref().map(|kept| kept.release.clone());
    let stable = stable.filter(|stable| stable.digest() != release.digest());
    let mut units = units(&release, stable.as_deref(), &known);
    asked::refuse(scope, memory, &units);
    let before = compose(&release, stable.as_deref(), &units)?;
    let together: Vec<_> = units.iter().map(may_promote).collect();
    let mut wake: Option<Duration> = None;
    let mut moved = false;
    for index in 0..units.len() {
        let others = together.iter().enumerate().all(|(other, ready)| other == index || *ready);
        let Some(unit) = units.get(index) else { continue };
        let parts = before.parts.get(&unit.policy.target).map_or(&[][..], Vec::as_slice);
        let applied = parts.iter().all(|id| is_applied(scope, &before.release, id));
        let next = look(scope, chosen, unit, applied, others, release.revision()).await;
        wake = [wake, next.wake].into_iter().flatten().min();
        let Some(unit) = units.get_mut(index) else { continue };
        moved |= unit.state != next.state;
        unit.state = next.state;
    }
    let after = if moved { compose(&release, stable.as_deref(), &units)? } else { before };
    let last = last(&release, &units)?;
    chosen.rolled = Some(Rolled {
        base: release,
        last: Arc::new(last),
        active: active(&units),
        failed: failed(&units),
        targets: units.into_iter().map(|unit| unit.state).collect(),
        wake,
    });
    Ok(Arc::new(after.release))
}

/// What the cluster has of a release whose rollouts have ended.
///
/// # Errors
/// As [`advance`].
pub fn at_rest(memory: &Memory, release: Arc<Release>) -> Result<Arc<Release>, Failure> {
    if !has_policies(&release) {
        return Ok(release);
    }
    let known = memory.status.as_ref().map(|status| status.targets.clone()).unwrap_or_default();
    Ok(Arc::new(last(&release, &units(&release, None, &known))?))
}

fn compose(
    release: &Release,
    stable: Option<&Release>,
    units: &[Unit],
) -> Result<rollout::Effective, Failure> {
    let targets: Vec<_> = units.iter().map(Unit::target).collect();
    effective(release, stable, &targets)
        .map_err(|error| Failure::permanent("RouteUnsupported", error.to_string()))
}

/// What the cluster should have when every rollout has ended well.
fn last(release: &Release, units: &[Unit]) -> Result<Release, Failure> {
    let done = |unit: &Unit| Unit {
        policy: unit.policy.clone(),
        wanted: unit.wanted.clone(),
        state: TargetStatus {
            phase: RolloutPhase::Idle,
            stable: unit.wanted.template.clone(),
            rollout: None,
            ..unit.state.clone()
        },
    };
    let units: Vec<_> = units.iter().map(done).collect();
    Ok(compose(release, None, &units)?.release)
}

/// The workloads that have a policy, and those that had one when their rollout began.
fn units(release: &Release, stable: Option<&Release>, known: &[TargetStatus]) -> Vec<Unit> {
    let mut policies = policies(release);
    for state in known.iter().filter(|state| state.rollout.is_some()) {
        let policy = Policy::gone(release.cluster(), state);
        policies.entry(policy.target.clone()).or_insert(policy);
    }
    let unit = |(target, policy): (ObjectId, Policy)| {
        let wanted = versioned(release, &target)?;
        let state = known.iter().find(|state| policy.is_about(state)).cloned();
        let state = state.unwrap_or_else(|| policy.unknown(stable));
        Some(Unit { policy, wanted, state })
    };
    policies.into_iter().filter_map(unit).collect()
}

async fn look(
    scope: &Scope<'_>,
    chosen: &Chosen,
    unit: &Unit,
    applied: bool,
    together: bool,
    revision: &str,
) -> rollout::Next {
    let settled = unit.state.rollout.is_none() && unit.state.stable == unit.wanted.template;
    if settled {
        return rollout::Next { state: unit.state.clone(), wake: None, ask_template: false };
    }
    let mut seen = seen::of(scope, &unit.policy, &unit.state, applied).await;
    let judged = judged::gates(scope, &unit.policy, &unit.state).await;
    let mut state = unit.state.clone();
    let mut verdict = Verdict::Open(String::new());
    let mut again = None;
    if let (Some(judged), Some(rollout)) = (judged, &mut state.rollout) {
        rollout.gates = judged.gates;
        verdict = judged.verdict;
        again = judged.again;
    }
    let situation = |seen: &Seen| {
        let situation = Situation {
            course: &unit.policy.course,
            traffic: unit.policy.spec.traffic.as_ref(),
            desired: &unit.wanted.template,
            revision,
            at_once: matches!(chosen.effective, Effective::Stable | Effective::Undone),
            seen,
            verdict: &verdict,
            together,
            ask: None,
            patience: scope.app.spec.health.timeout.get(),
            now: Timestamp::now(),
        };
        let (what, by) = asked::of(scope, &unit.policy.target);
        let ask = what.map(|what| Ask { what, by: &by });
        step(&state, &Situation { ask, ..situation })
    };
    let mut next = situation(&seen);
    if next.ask_template {
        seen.same_template =
            seen::same_template(scope, &unit.wanted.object.object, &unit.policy.target).await;
        next = situation(&seen);
        if seen.same_template.is_none() {
            next.wake = Some(Duration::from_secs(5));
        }
    }
    next.wake = [next.wake, again].into_iter().flatten().min();
    next
}

/// Whether a workload stands in nobody's way any more: it bakes, is done, or has nothing to do.
fn may_promote(unit: &Unit) -> bool {
    let Some(rollout) = &unit.state.rollout else { return unit.state.stable == unit.wanted.template };
    let last = rollout.step as usize + 1 >= unit.policy.course.steps.len();
    rollout.failed.is_none()
        && match unit.state.phase {
            RolloutPhase::Hold | RolloutPhase::Bake => last,
            phase => matches!(phase, RolloutPhase::Promote | RolloutPhase::Restore | RolloutPhase::Clean),
        }
}

fn is_applied(scope: &Scope<'_>, release: &Release, id: &ObjectId) -> bool {
    let world = &scope.ctx.world;
    let (observed, applied) = (world.observed(id), world.applied(id));
    in_sync(release, &scope.app.spec.sync, id, observed.as_ref(), applied.as_ref())
}

fn active(units: &[Unit]) -> BTreeMap<ObjectId, String> {
    let active = units.iter().filter(|unit| rollout::is_active(&unit.target()));
    active.map(|unit| (unit.policy.target.clone(), told(unit))).collect()
}

/// `step 2 of 3 (quarter), 25 %: 2 of 3 pods of the candidate are ready`
fn told(unit: &Unit) -> String {
    let Some(rollout) = &unit.state.rollout else { return "about to begin".into() };
    let message = if rollout.message.is_empty() { String::new() } else { format!(": {}", rollout.message) };
    let phase = unit.state.phase;
    let place = match phase {
        RolloutPhase::Scale | RolloutPhase::Shift | RolloutPhase::Hold if rollout.step < rollout.steps => {
            let name = match rollout.step_name.as_str() {
                "" => String::new(),
                name => format!(" ({name})"),
            };
            format!("step {} of {}{name}, {} %", rollout.step + 1, rollout.steps, rollout.weight)
        }
        _ => format!("{phase:?}, {} %", rollout.weight),
    };
    format!("{place}{message}")
}

fn failed(units: &[Unit]) -> Option<(ObjectId, RolloutFailure)> {
    units.iter().find_map(|unit| {
        let rollout = unit.state.rollout.as_ref()?;
        let wanted = rollout.candidate == unit.wanted.template && unit.state.phase == RolloutPhase::Retreat;
        let failed = rollout.failed.clone().filter(|_| wanted)?;
        Some((unit.policy.target.clone(), failed))
    })
}
