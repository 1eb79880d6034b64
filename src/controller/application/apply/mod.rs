//! Stage 6: carries the plan out, step by step and tier by tier, with bounded concurrency.

mod fence;
mod namespace;
mod object;
mod prune;
mod replace;
mod send;
mod served;
mod settle;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use windlass_core::health::Health;
use windlass_core::object::ObjectId;
use windlass_core::plan::{
    Action, CRD_TIER, Conflict, HookAction, Observed, Order, Plan, Stage, Steps, Verb, tier,
};
use windlass_core::release::Release;

use super::begin::{Begun, store};
use super::moving::{self, Waiting};
use super::plan::prune_approved;
use super::rollout::Rolled;
use super::select::Chosen;
use super::{Scope, blame, hooks, last_hooks};
use crate::cluster::error::ClusterError;
use crate::controller::context::Memory;
use crate::failure::Failure;

pub use fence::{Written, until_settled, write};
pub use object::resource;
pub use prune::{find, prune_one};
pub use replace::explained;
pub use settle::settled;

/// What came of a plan.
pub struct Outcome {
    /// What was begun, with conflicts that showed up on the way.
    pub begun: Begun,
    /// What was done, in no particular order.
    pub done: Vec<Action>,
    /// What went wrong, an object each.
    pub errors: Vec<Failure>,
    /// What the next step of the release waits for, such as `wave 0: Deployment shop/web: 1 of 2 pods ready`.
    pub waiting: Option<String>,
    /// Prunes that wait for other Applications.
    pub moving: Option<Waiting>,
    /// When hooks have to be looked at again, besides the events of the watches.
    pub again: Option<Duration>,
}

/// What came of one action.
enum ActionResult {
    /// It was carried out.
    Done(Action),
    /// The object was not ours to prune; it is only forgotten.
    Forgotten(Action),
    /// The object belongs to somebody else.
    Conflict(Conflict),
    /// It could not be carried out.
    Failed(Action, Failure),
}

/// Carries a plan out, as far as its steps may begin: the watches tell when the next one may. Errors of single objects do not stop the others, so that one pass tells all of them;
/// but nothing is pruned after an error.
///
/// # Errors
/// Where what has to be recorded before it is done cannot be.
pub async fn carry_out(
    scope: &mut Scope<'_>,
    memory: &mut Memory,
    mut begun: Begun,
) -> Result<Outcome, ClusterError> {
    let mut done = Vec::new();
    let mut errors = Vec::new();
    moving::heard(scope, memory, None);
    let Some(release) = begun.chosen.release.clone() else {
        return Ok(Outcome { begun, done, errors, waiting: None, again: None, moving: None });
    };
    if !(begun.plan.applies.is_empty() && begun.plan.hooks.is_empty())
        && scope.app.spec.sync.create_namespace
        && let Err(failure) = namespace::create(scope).await
    {
        errors.push(failure);
        return Ok(Outcome { begun, done, errors, waiting: None, again: None, moving: None });
    }
    let (mut waiting, mut again) = last_hooks::before_undoing(scope, memory, &begun.chosen).await?;
    let is_new = begun.chosen.progress(memory.status.as_ref()).new;
    let order = Order::of(&release);
    let rolling = begun.chosen.rolled.as_ref().and_then(Rolled::waiting);
    for (stage, work) in by_stage(&mut begun.plan, &order) {
        if waiting.is_none() && stage.is_some_and(|stage| stage >= AFTER) {
            waiting = rolling.clone();
        }
        if is_new && waiting.is_none() {
            settle::settled(scope, &done).await;
            waiting =
                stage.and_then(|stage| held(scope, memory, &begun.chosen, &release, &order, Some(stage)));
        }
        for mut actions in work.tiers {
            if waiting.is_some() {
                // What was as the release says already and was changed by others waits for nothing.
                actions.retain(|action| matches!(action.verb, Verb::Heal | Verb::Restore));
            }
            let crds = actions.first().is_some_and(|a| tier(&a.id.group, &a.id.kind) == CRD_TIER);
            let results = run(actions, |action| object::apply(scope, memory, &release, action)).await;
            sort(results, &mut begun, &mut done, &mut errors);
            if crds && let Err(failure) = served::established(scope, &release).await {
                errors.push(failure);
            }
        }
        if waiting.is_none() && errors.is_empty() && !work.hooks.is_empty() {
            let ran = hooks::run(scope, memory, &release, &work.hooks).await?;
            errors.extend(ran.errors);
            begun.plan.conflicts.extend(ran.conflicts);
            again = ran.again.or(again);
        }
    }
    if is_new && let Some((failure, _)) = hooks::failure(memory, &release) {
        errors.insert(0, failure);
    }
    errors.extend(hooks::clean(scope, memory, &release).await);
    if is_new {
        waiting = waiting.or_else(|| held(scope, memory, &begun.chosen, &release, &order, None));
    }
    // Nothing is pruned that some pod of either version may need.
    waiting = waiting.or(rolling);
    let mut moving = None;
    if errors.is_empty() {
        if waiting.is_none() {
            moving::heard(scope, memory, Some(&release));
        }
        let approved = prune_approved(scope, &release);
        moving = moving::hold_back(scope, memory, &release, approved, &mut begun.plan).await;
    }
    if errors.is_empty() && begun.plan.conflicts.is_empty() && waiting.is_none() {
        let mut forgotten = Vec::new();
        for actions in std::mem::take(&mut begun.plan.prunes) {
            let results = run(actions, |action| prune::prune(scope, action)).await;
            for result in &results {
                if let ActionResult::Done(action) | ActionResult::Forgotten(action) = result {
                    forgotten.push(action.id.clone());
                }
            }
            sort(results, &mut begun, &mut done, &mut errors);
        }
        forgotten.iter().for_each(|id| scope.ctx.world.forget(id));
        // What stays is still there to be seen.
        forgotten.extend(begun.plan.kept.iter().filter(|_| scope.app.spec.sync.prune).cloned());
        for id in &forgotten {
            memory.inventory.remove(id);
        }
        scope.ctx.world.unclaim(scope.key, forgotten.iter());
        // A claim that outlived its object would stand in another Application's way after a restart. If this
        // fails, the next release stores the inventory again.
        if !forgotten.is_empty() {
            match store(scope, memory.releases.clone(), &memory.inventory).await {
                Ok(releases) => memory.stored = releases,
                Err(error) => {
                    tracing::warn!(app = %scope.key, %error, "the inventory could not be stored after pruning");
                }
            }
        }
    }
    done.splice(0..0, std::mem::take(&mut memory.untold));
    Ok(Outcome { begun, done, errors, waiting, again, moving })
}

/// The first of the steps that come once all rollouts have ended.
const AFTER: Stage = Stage::PostSync(i32::MIN);

/// What is to be done in one step.
#[derive(Default)]
struct Work {
    tiers: Vec<Vec<Action>>,
    hooks: Vec<HookAction>,
}

/// Takes applies and the hooks of a release that has not failed out of the plan, step by step.
fn by_stage(plan: &mut Plan, order: &Order) -> BTreeMap<Option<Stage>, Work> {
    let mut stages: BTreeMap<_, Work> = BTreeMap::new();
    for actions in std::mem::take(&mut plan.applies) {
        let stage = actions.first().and_then(|first| order.stage(&first.id));
        stages.entry(stage).or_default().tiers.push(actions);
    }
    for hook in std::mem::take(&mut plan.hooks) {
        if !hook.clean {
            stages.entry(Some(hook.stage)).or_default().hooks.push(hook);
        }
    }
    stages
}

/// What a step of the release waits for; without one, the hooks that the release as a whole waits for.
fn held(
    scope: &Scope<'_>,
    memory: &Memory,
    chosen: &Chosen,
    release: &Release,
    order: &Order,
    stage: Option<Stage>,
) -> Option<String> {
    let world = &scope.ctx.world;
    // A workload that is being rolled out is well as long as that goes on: what comes after it may be the route
    // that the rollout needs.
    let observed = |id: &ObjectId| {
        let observed = blame::explained(scope, release, id)?;
        let healthy = chosen.rolls(id);
        Some(if healthy { Observed { health: Health::healthy(), ..observed } } else { observed })
    };
    let applied = |id: &ObjectId| world.applied(id);
    let runs = hooks::known(scope, memory, release);
    let steps = Steps { release, order, observed: &observed, applied: &applied, runs: &runs };
    match stage {
        Some(stage) => steps.held(stage),
        None => steps.held_by_hooks(),
    }
}

/// A wait for other Applications that began only just is not worth telling; gives the time after which to
/// look again. What was done is told then.
pub fn untold(memory: &mut Memory, outcome: &Outcome) -> Option<Duration> {
    let nothing_wrong = outcome.errors.is_empty()
        && outcome.begun.chosen.failures.is_empty()
        && outcome.begun.plan.conflicts.is_empty()
        && outcome.waiting.is_none();
    let brief = outcome.moving.as_ref().is_some_and(|waiting| waiting.brief);
    if !(nothing_wrong && brief) {
        return None;
    }
    memory.untold.clone_from(&outcome.done);
    Some(moving::ASK_AGAIN)
}

async fn run<F>(actions: Vec<Action>, f: impl Fn(Action) -> F) -> Vec<ActionResult>
where
    F: Future<Output = ActionResult>,
{
    actions.into_iter().map(f).collect::<FuturesUnordered<_>>().collect().await
}

fn sort(results: Vec<ActionResult>, begun: &mut Begun, done: &mut Vec<Action>, errors: &mut Vec<Failure>) {
    for result in results {
        match result {
            ActionResult::Done(action) => done.push(action),
            ActionResult::Forgotten(_) => {}
            ActionResult::Conflict(conflict) => begun.plan.conflicts.push(conflict),
            ActionResult::Failed(action, failure) => {
                tracing::debug!(object = %action.id, verb = ?action.verb, %failure, "an action failed");
                errors.push(failure);
            }
        }
    }
}

fn failed(scope: &Scope<'_>, action: Action, failure: Failure) -> ActionResult {
    count(scope, &action, &failure.reason);
    ActionResult::Failed(action, failure)
}

fn count(scope: &Scope<'_>, action: &Action, result: &str) {
    scope.ctx.metrics.actions.with_label_values(&[&format!("{:?}", action.verb), result]).inc();
}
