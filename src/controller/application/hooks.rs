//! Hooks: objects of a release that are created once, each recorded in the status before.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::DynamicObject;
use kube::discovery::ApiResource;
use windlass_core::api::{Action, ApplicationStatus, HookRun, HookState, ReleaseRef, bounded_message};
use windlass_core::health::Health;
use windlass_core::object::ObjectId;
use windlass_core::plan::{
    Applied, Conflict, HookAction, HookStep, Ownership, Progress, Scope as KindScope, Verb, failed_hook,
    hook_actions, hook_step, known_runs, run_of,
};
use windlass_core::release::{Phase, Release, ReleaseHook};

use super::apply::{Written, find, prune_one, resource, until_settled, write};
use super::{Scope, blame, record};
use crate::cluster::error::{ClusterError, object_failure};
use crate::cluster::watch::health_of;
use crate::controller::context::Memory;
use crate::failure::Failure;

/// A hook is removed, recorded, created and judged: more rounds than these change nothing.
const ROUNDS: usize = 4;
/// How often the end of a Pod is looked for: readiness and success are equally healthy to a watch.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What came of the hooks of one step.
#[derive(Default)]
pub struct Ran {
    /// What went wrong with creating or deleting them.
    pub errors: Vec<Failure>,
    /// Hooks that belong to somebody else.
    pub conflicts: Vec<Conflict>,
    /// Hooks that cannot be created, and why.
    pub refused: Vec<(ObjectId, String)>,
    /// When to look at them again.
    pub again: Option<Duration>,
}

/// What is recorded of the hooks of a release for a phase: as long as it is the next one, and of Rollback hooks
/// as long as it is in quarantine.
pub fn runs_of<'a>(memory: &'a Memory, release: &Release, phase: Phase) -> &'a [HookRun] {
    if phase != Phase::Rollback {
        return runs(memory, release);
    }
    memory.releases.quarantine_of(release.digest()).map_or(&[], |entry| &entry.hooks)
}

/// What is recorded of the hooks of a release, as long as it is the next one.
pub fn runs<'a>(memory: &'a Memory, release: &Release) -> &'a [HookRun] {
    let next = memory.status.as_ref().and_then(|status| status.next.as_ref());
    next.filter(|next| next.digest == release.digest().as_str()).map_or(&[], |next| &next.hooks)
}

/// What is recorded of the hooks and Jobs of a release, and what is known since.
pub fn known(scope: &Scope<'_>, memory: &Memory, release: &Release) -> Vec<HookRun> {
    let world = &scope.ctx.world;
    known_runs(memory.status.as_ref(), release, &|id| {
        let applied = world.applied(id)?;
        world.ended(id).filter(|_| Some(&applied.digest) == release.object_digest(id))
    })
}

/// Why the release failed, if one of its hooks did, and whether the cluster is to blame.
pub fn failure(memory: &Memory, release: &Release) -> Option<(Failure, bool)> {
    let run = failed_hook(runs(memory, release))?;
    let message = format!("{} hook {} failed: {}", run.phase, run.object, run.message);
    Some((Failure::permanent("HookFailed", message), run.environment))
}

/// A person who asks for a sync wants hooks that failed to run again.
///
/// # Errors
/// Where that cannot be stored.
pub async fn try_again(scope: &mut Scope<'_>, memory: &mut Memory) -> Result<(), ClusterError> {
    let wanted = scope
        .request
        .as_ref()
        .is_some_and(|r| matches!(r.action, Action::Sync | Action::AllowPrune | Action::Retry));
    let mut status = memory.status.clone().unwrap_or_default();
    // Hooks for failed releases run once, unless all of it is tried again.
    let again = scope.request.as_ref().is_some_and(|request| request.action == Action::Retry);
    let open = |next: &&mut ReleaseRef| again || failed_hook(&next.hooks).is_some();
    let Some(next) = status.next.as_mut().filter(|_| wanted).filter(open) else { return Ok(()) };
    let fail = Phase::SyncFail.as_str();
    next.hooks.retain(|run| run.state != HookState::Failed && run.phase != fail);
    record::write(scope, memory, status).await
}

/// Brings the hooks of one step as far as they get now.
///
/// # Errors
/// Where their records cannot be stored: then none is created.
pub async fn run(
    scope: &mut Scope<'_>,
    memory: &mut Memory,
    release: &Release,
    actions: &[HookAction],
) -> Result<Ran, ClusterError> {
    let mut ran = Ran::default();
    for _ in 0..ROUNDS {
        let mut status = memory.status.clone().unwrap_or_default();
        let mut new = Vec::new();
        let mut moved = false;
        for action in actions {
            let Some(hook) = release.hook(&action.id) else { continue };
            let step = next_step(scope, memory, release, action, &hook, &mut ran).await;
            moved |= !matches!(step, HookStep::Wait(_) | HookStep::Succeeded | HookStep::Failed(_));
            let recorded = run_of(runs_of(memory, release, action.phase), hook.id, action.phase);
            let open = recorded.is_none_or(|run| run.state == HookState::Running);
            match step {
                HookStep::Remove => remove(scope, hook.id, &mut ran).await,
                HookStep::Begin | HookStep::Create => match resource(scope, hook.object).await {
                    Ok(resource) => {
                        let first = step == HookStep::Begin;
                        if first {
                            note(&mut status, release, record_of(&hook, action.phase, HookState::Running));
                        }
                        new.push((hook, resource, first));
                    }
                    Err(failure) => ran.failed(hook.id, failure),
                },
                HookStep::Succeeded if open => {
                    moved = true;
                    note(&mut status, release, record_of(&hook, action.phase, HookState::Succeeded));
                }
                HookStep::Failed(why) if open => {
                    moved = true;
                    let (message, environment) = blame::failed(scope, hook.id, &why).await;
                    let run = record_of(&hook, action.phase, HookState::Failed);
                    note(&mut status, release, HookRun { message, environment, ..run });
                }
                HookStep::Wait(_) | HookStep::Succeeded | HookStep::Failed(_) => {}
            }
        }
        store(scope, memory, status).await?;
        for (hook, resource, first) in new {
            if first {
                // What was seen of an earlier run says nothing of this one.
                scope.ctx.world.forget(hook.id);
            }
            create(scope, memory, release, &hook, &resource, &mut ran).await;
        }
        if !moved || !ran.errors.is_empty() {
            break;
        }
    }
    Ok(ran)
}

/// Records that hooks failed which cannot be created, or did not end in time.
///
/// # Errors
/// Where that cannot be stored.
pub async fn fail(
    scope: &mut Scope<'_>,
    memory: &mut Memory,
    release: &Release,
    phase: Phase,
    failed: &[(ObjectId, String)],
) -> Result<(), ClusterError> {
    let mut status = memory.status.clone().unwrap_or_default();
    for (id, why) in failed {
        let Some(hook) = release.hook(id) else { continue };
        let run = record_of(&hook, phase, HookState::Failed);
        note(&mut status, release, HookRun { message: bounded_message(why), ..run });
    }
    store(scope, memory, status).await
}

/// Writes the records of hooks. Those of Rollback hooks are part of what is quarantined.
async fn store(
    scope: &mut Scope<'_>,
    memory: &mut Memory,
    status: ApplicationStatus,
) -> Result<(), ClusterError> {
    record::write(scope, memory, status).await?;
    let told = memory.status.iter().flat_map(|status| &status.quarantined);
    for told in told {
        let known = memory.releases.quarantined.iter_mut().find(|known| known.digest == told.digest);
        if let Some(known) = known {
            known.hooks.clone_from(&told.hooks);
        }
    }
    Ok(())
}

/// The hooks that have something to be done about them now.
fn actions(scope: &Scope<'_>, memory: &Memory, release: &Release) -> Vec<HookAction> {
    let progress = Progress::of(memory.status.as_ref(), release.digest());
    hook_actions(release, progress, &|id| scope.ctx.world.observed(id))
}

/// Deletes hooks that ended, where their policy says so.
pub async fn clean(scope: &Scope<'_>, memory: &Memory, release: &Release) -> Vec<Failure> {
    let mut errors = Vec::new();
    for action in actions(scope, memory, release).into_iter().filter(|action| action.clean) {
        if let Err(failure) = prune_one(scope, &action.id).await {
            errors.push(failure);
        }
    }
    errors
}

async fn next_step(
    scope: &Scope<'_>,
    memory: &Memory,
    release: &Release,
    action: &HookAction,
    hook: &ReleaseHook<'_>,
    ran: &mut Ran,
) -> HookStep {
    let world = &scope.ctx.world;
    let run = run_of(runs_of(memory, release, action.phase), hook.id, action.phase);
    let step = hook_step(hook, run, world.observed(hook.id).as_ref(), world.ended(hook.id).as_ref());
    let is_pod = hook.id.group.is_empty() && hook.id.kind == "Pod";
    if !is_pod || step != HookStep::Succeeded || run.is_some_and(|run| run.state != HookState::Running) {
        return step;
    }
    let found = match resource(scope, hook.object).await {
        Ok(resource) => scope.ctx.applier.get(&resource, hook.id).await.unwrap_or_default(),
        Err(_) => None,
    };
    let phase = found.as_ref().and_then(|pod| pod.data.pointer("/status/phase")?.as_str());
    if phase == Some("Succeeded") {
        return HookStep::Succeeded;
    }
    ran.again = Some(LOOK_AGAIN);
    HookStep::Wait("it runs".into())
}

/// Deletes what an earlier run left, if it is ours. Its end is an event, and then the hook begins.
async fn remove(scope: &Scope<'_>, id: &ObjectId, ran: &mut Ran) {
    let removed = until_settled(|| async move {
        let Some((resource, meta)) = find(scope, id).await? else {
            scope.ctx.world.forget(id);
            return Ok(true);
        };
        let live = scope.ctx.world.observation(id, &meta, Health::missing());
        if live.ownership != Ownership::App(scope.key.clone()) {
            return Ok(false);
        }
        let failure = |error: kube::Error| object_failure(id, "", &error);
        scope.ctx.applier.delete(&resource, id, &live).await.map_err(failure)?;
        Ok(true)
    });
    match removed.await {
        Ok(true) => {}
        Ok(false) => {
            let message = format!("{id} is not this Application's; give the hook another name");
            ran.foreign(id, message);
        }
        Err(failure) => ran.failed(id, failure),
    }
}

impl Ran {
    fn failed(&mut self, id: &ObjectId, failure: Failure) {
        if !failure.transient {
            self.refused.push((id.clone(), failure.message.clone()));
        }
        self.errors.push(failure);
    }

    fn foreign(&mut self, id: &ObjectId, message: String) {
        self.refused.push((id.clone(), message.clone()));
        self.conflicts.push(Conflict { id: id.clone(), message });
    }
}

async fn create(
    scope: &Scope<'_>,
    memory: &Memory,
    release: &Release,
    hook: &ReleaseHook<'_>,
    resource: &(ApiResource, KindScope),
    ran: &mut Ran,
) {
    let Ok(_permit) = scope.ctx.writes.acquire().await else { return };
    match write(scope, memory, release, (hook.id, Verb::Create), hook.object, resource).await {
        Ok(Written::Stored(live)) => seen(scope, hook, *live),
        Ok(Written::Nothing) => {}
        Ok(Written::Foreign(message)) => ran.foreign(hook.id, message),
        Err(failure) => ran.failed(hook.id, failure),
    }
}

fn seen(scope: &Scope<'_>, hook: &ReleaseHook<'_>, mut live: DynamicObject) {
    let health: Health = health_of(&mut live);
    let observed = scope.ctx.world.observation(hook.id, &live.metadata, health);
    let applied = Applied { digest: hook.digest.clone(), fields: observed.fields.clone() };
    scope.ctx.world.record_applied(hook.id, applied, observed);
}

/// How far a hook is since just now.
fn record_of(hook: &ReleaseHook<'_>, phase: Phase, state: HookState) -> HookRun {
    HookRun {
        object: hook.id.to_string(),
        phase: phase.as_str().to_owned(),
        message: String::new(),
        state,
        digest: hook.digest.as_str().to_owned(),
        environment: false,
        since: Some(Time(Timestamp::now())),
    }
}

/// Records how far a hook is.
fn note(status: &mut ApplicationStatus, release: &Release, run: HookRun) {
    let digest = release.digest().as_str();
    let runs = if run.phase == Phase::Rollback.as_str() {
        let entry = status.quarantined.iter_mut().find(|entry| entry.digest == digest);
        entry.map(|entry| &mut entry.hooks)
    } else {
        status.next.as_mut().filter(|next| next.digest == digest).map(|next| &mut next.hooks)
    };
    let Some(runs) = runs else { return };
    match runs.iter_mut().find(|known| known.object == run.object && known.phase == run.phase) {
        Some(known) => *known = run,
        None => runs.push(run),
    }
}
