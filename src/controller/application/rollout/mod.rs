//! Between the choice of a release and the plan: workloads with a RolloutPolicy get what their rollout calls for.
//!
//! What is to be in the cluster is the chosen release with the overlays of all rollouts in it. A rollout that is
//! aborted is nothing else than another release that was chosen: the machine leads from what is to what is wanted.

mod asked;
mod judged;
pub mod leave;
mod seen;
mod stuck;
mod units;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use windlass_core::api::{RolloutFailure, TargetStatus};
use windlass_core::gate::Verdict;
use windlass_core::object::ObjectId;
use windlass_core::plan::in_sync;
use windlass_core::release::{Effective, Release};
use windlass_core::rollout::{
    self, Ask, Seen, Situation, Unit, What, failure, has_policies, parts, step, units,
};

pub use asked::is_about_rollouts;
pub use windlass_core::rollout::essential;

use self::units::{active, compose, last, unchanged};
use super::Scope;
use super::select::Chosen;
use crate::controller::context::Memory;
use crate::controller::view::RolloutFacts;
use crate::failure::Failure;

/// How long it is waited where the API server does not say what a template would be.
const UNANSWERED: Duration = Duration::from_secs(5);

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
    /// What people want to know of each workload beside its state.
    pub facts: Vec<RolloutFacts>,
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

/// Counts the rollouts that ended between two states of all workloads.
pub fn count_ended(scope: &Scope<'_>, before: &[TargetStatus], after: &[TargetStatus]) {
    let id = |state: &TargetStatus| (state.kind, state.namespace.clone(), state.name.clone());
    for new in after {
        let old = before.iter().find(|old| id(old) == id(new));
        if let Some(result) = old.and_then(|old| rollout::ended(old, new)) {
            scope.ctx.metrics.rollouts_ended.with_label_values(&[result]).inc();
        }
    }
}

/// A release whose rollouts have all ended, as the cluster should have it: put together once.
pub struct Resting {
    /// What it was made of, and the states of its workloads.
    rolled: Rolled,
    /// What came of it.
    release: Arc<Release>,
}

impl Resting {
    fn is_of(&self, base: &Release, targets: &[TargetStatus]) -> bool {
        let known = &self.rolled.base;
        known.digest() == base.digest()
            && known.revision() == base.revision()
            && known.left() == base.left()
            && self.rolled.targets == targets
    }

    /// The places where it keeps releases.
    pub fn slots(&mut self) -> [&mut Arc<Release>; 3] {
        [&mut self.rolled.base, &mut self.rolled.last, &mut self.release]
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
        memory.resting = None;
        return Ok(release);
    }
    if let Some(resting) =
        memory.resting.take_if(|resting| scope.request.is_none() && resting.is_of(&release, &known))
    {
        let made = resting.release.clone();
        chosen.rolled = Some(resting.rolled.clone());
        memory.resting = Some(resting);
        return Ok(made);
    }
    let stable = memory.releases.stable.as_ref().map(|kept| kept.release.clone());
    let stable = stable.filter(|stable| stable.digest() != release.digest());
    let mut units = units(&release, stable.as_deref(), &known);
    asked::refuse(scope, memory, &units);
    let before = compose(&release, stable.as_deref(), &units)?;
    let looks = units.iter().map(|unit| {
        let applied = parts(&before.parts, unit).iter().all(|id| is_applied(scope, &before.release, id));
        look(scope, chosen, unit, applied, release.revision())
    });
    let looks = futures::future::join_all(looks).await;
    let ready: Vec<_> = units.iter().zip(&looks).map(|(unit, look)| look.may_promote(unit)).collect();
    let mut wake: Option<Duration> = None;
    let mut moved = false;
    let mut facts = Vec::new();
    for (index, (unit, look)) in units.iter_mut().zip(looks).enumerate() {
        let together = ready.iter().enumerate().all(|(other, ready)| other == index || *ready);
        let next = look.step(unit, together);
        wake = [wake, next.wake].into_iter().flatten().min();
        moved |= unit.state != next.state;
        (unit.state, unit.known) = (next.state, true);
        facts.push(RolloutFacts {
            namespace: unit.policy.target.namespace.clone(),
            policy: Arc::new(unit.policy.spec.clone()),
            pods: (!look.settled).then_some(look.seen.pods),
        });
    }
    let after = if moved { compose(&release, stable.as_deref(), &units)? } else { before };
    let active = active(&units);
    let rests = wake.is_none() && units.iter().all(Unit::is_settled);
    let made = Arc::new(after.release);
    let last = if rests && stable.is_none() { made.clone() } else { Arc::new(last(&release, &units)?) };
    let failed = failure(&units);
    let targets = units.into_iter().map(|unit| unit.state).collect();
    let rolled = Rolled { base: release, last, targets, active, failed, wake, facts };
    memory.resting = rests.then(|| Resting { rolled: rolled.clone(), release: made.clone() });
    chosen.rolled = Some(rolled);
    Ok(made)
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

/// What the next step of a workload depends on.
struct Look {
    /// Nothing is to be done.
    settled: bool,
    state: TargetStatus,
    seen: Seen,
    verdict: Verdict,
    /// When the gates have to be asked again.
    again: Option<Duration>,
    ask: (Option<What>, String),
    revision: String,
    at_once: bool,
    patience: Duration,
}

impl Look {
    fn step(&self, unit: &Unit, together: bool) -> rollout::Next {
        if self.settled {
            return unchanged(unit);
        }
        let (what, by) = &self.ask;
        let situation = Situation {
            course: &unit.policy.course,
            traffic: unit.policy.spec.traffic.as_ref(),
            desired: &unit.wanted.template,
            revision: &self.revision,
            at_once: self.at_once,
            seen: &self.seen,
            verdict: &self.verdict,
            together,
            ask: what.map(|what| Ask { what, by }),
            patience: self.patience,
            now: Timestamp::now(),
        };
        let mut next = step(&self.state, &situation);
        if next.ask_template && self.seen.same_template.is_none() {
            next.wake = Some(UNANSWERED);
        }
        next.wake = [next.wake, self.again].into_iter().flatten().min();
        next
    }

    /// Whether a workload stands in nobody's way any more: it would be promoted now, is, or has nothing to do.
    fn may_promote(&self, unit: &Unit) -> bool {
        unit.may_promote(&self.step(unit, true).state)
    }
}

async fn look(scope: &Scope<'_>, chosen: &Chosen, unit: &Unit, applied: bool, revision: &str) -> Look {
    let mut look = Look {
        settled: unit.is_settled(),
        state: unit.state.clone(),
        seen: Seen::default(),
        verdict: Verdict::Open(String::new()),
        again: None,
        ask: asked::of(scope, &unit.policy.target),
        revision: revision.to_owned(),
        at_once: matches!(chosen.effective, Effective::Stable | Effective::Undone),
        patience: scope.app.spec.health.timeout.get(),
    };
    if look.settled {
        return look;
    }
    look.seen = seen::of(scope, unit, applied).await;
    if let (Some(judged), Some(rollout)) = (judged::gates(scope, unit).await, &mut look.state.rollout) {
        rollout.gates = judged.gates;
        look.verdict = judged.verdict;
        look.again = judged.again;
    }
    if look.step(unit, false).ask_template {
        let wanted = &unit.wanted.object.object;
        look.seen.same_template = seen::same_template(scope, wanted, &unit.policy.target).await;
    }
    look
}

fn is_applied(scope: &Scope<'_>, release: &Release, id: &ObjectId) -> bool {
    let world = &scope.ctx.world;
    let (observed, applied) = (world.observed(id), world.applied(id));
    in_sync(release, &scope.app.spec.sync, id, observed.as_ref(), applied.as_ref())
}
