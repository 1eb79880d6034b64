//! Stage 8: what the actions led to.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use windlass_core::api::{
    HealthState, HealthStatus, MAX_UNHEALTHY, Resources, SyncStatus, UnhealthyObject, bounded_message,
};
use windlass_core::health::cause::{Cause, runs_pods};
use windlass_core::health::{Health, aggregate};
use windlass_core::object::ObjectId;
use windlass_core::plan::{ended_health, in_sync, job_end, release_fields};
use windlass_core::release::Effective;

use super::apply::Outcome;
use super::moving::Waiting;
use super::select::Chosen;
use super::{Scope, blame, checks, hooks};
use crate::controller::causes::Unhealthy;
use crate::controller::context::Memory;
use crate::controller::view::ObjectView;
use crate::failure::Failure;

/// The Application as it stands after the actions.
pub struct Assessed {
    /// What was done.
    pub outcome: Outcome,
    /// Whether the cluster has what the sources say.
    pub sync: SyncStatus,
    /// Whether it works.
    pub health: HealthState,
    /// Nothing is wrong with it but that the controllers of its objects have yet to look at them.
    pub unseen: bool,
    /// Why it does not, as far as that is known: the worst cause of all objects. A [`Cause`] that is
    /// [`stuck`](Cause::stuck) makes the health Degraded at once.
    pub cause: Option<Cause>,
    /// The objects in numbers.
    pub resources: Resources,
    /// The objects for people to see.
    pub objects: Vec<ObjectView>,
    /// Hash over the fields that are ours in all objects.
    pub fields: String,
    /// Every object of the effective release is applied, but for prunes that wait for a person.
    pub complete: bool,
    /// The most important thing that is wrong, if anything is.
    pub failure: Option<Failure>,
    /// When health has to be looked at again, because it may take too long.
    pub health_deadline: Option<Duration>,
}

/// Judges sync and health of a release from what is known of the cluster.
pub fn judge(scope: &Scope<'_>, memory: &Memory, outcome: Outcome) -> Assessed {
    let (mut objects, fields) = objects(scope, memory, &outcome);
    let healthy = |health: &Health| matches!(health.status, HealthStatus::Healthy | HealthStatus::Suspended);
    let unseen = objects.iter().all(|object| healthy(&object.health) || object.health.is_unseen());
    let cause = explain(scope, memory, &outcome, &mut objects);
    let failure = first_failure(&outcome);
    let in_sync = objects.iter().all(|object| object.in_sync);
    let chosen = &outcome.begun.chosen;
    let complete = chosen.release.is_some()
        && in_sync
        && outcome.errors.is_empty()
        && outcome.waiting.is_none()
        && outcome.moving.is_none()
        && outcome.begun.plan.conflicts.is_empty()
        && outcome.begun.plan.drifted.is_empty();
    // What a rollback restored is not what the sources say.
    let synced = complete && failure.is_none() && chosen.quarantined.is_none();
    let sync = match (&chosen.release, synced) {
        (Some(_), true) => SyncStatus::Synced,
        (Some(_), false) => SyncStatus::OutOfSync,
        (None, _) => SyncStatus::Unknown,
    };
    // A fight does not say that anything differs at the moment.
    let failure = failure.or_else(|| memory.contended.clone());
    let wrong = || outcome.begun.chosen.release.as_ref().and_then(|release| checks::failure(scope, release));
    let failure = failure.or_else(wrong);
    let (status, message) = aggregate(objects.iter().map(|object| (&object.id, &object.health)));
    let mut health = HealthState { status, message: bounded_message(&message) };
    if outcome.begun.chosen.release.is_none() {
        health = HealthState { status: HealthStatus::Unknown, message: String::new() };
    }
    if let Some(waiting) = outcome.waiting.as_ref().filter(|_| health.status <= HealthStatus::Suspended) {
        health = HealthState { status: HealthStatus::Progressing, message: bounded_message(waiting) };
    }
    let rolls = outcome.begun.chosen.rolled.as_ref().is_some_and(|rolled| !rolled.active.is_empty());
    // A rollout has deadlines of its own.
    let health_deadline = if rolls { None } else { time_out(scope, memory, &outcome, &mut health) };
    let resources =
        Resources { total: u32::try_from(objects.len()).unwrap_or(u32::MAX), unhealthy: unhealthy(&objects) };
    Assessed {
        outcome,
        sync,
        health,
        unseen,
        cause,
        resources,
        objects,
        fields,
        complete,
        failure,
        health_deadline,
    }
}

fn objects(scope: &Scope<'_>, memory: &Memory, outcome: &Outcome) -> (Vec<ObjectView>, String) {
    let Some(release) = &outcome.begun.chosen.release else { return (Vec::new(), String::new()) };
    let world = &scope.ctx.world;
    let conflict = |id: &ObjectId| outcome.begun.plan.conflicts.iter().find(|conflict| conflict.id == *id);
    let runs = hooks::known(scope, memory, release);
    let ended = |id: &ObjectId| job_end(&runs, id, release.object_digest(id)?);
    let mut objects = Vec::with_capacity(release.len());
    for id in release.ids() {
        let observed = world.observed(id);
        let applied = world.applied(id);
        let same = in_sync(release, &scope.app.spec.sync, id, observed.as_ref(), applied.as_ref());
        let gone = observed.is_none().then(|| ended(id)).flatten();
        let same = same || gone.is_some();
        let health = match (conflict(id), &observed) {
            (Some(conflict), _) => {
                Health { status: HealthStatus::Unknown, message: conflict.message.clone() }
            }
            (None, Some(observed)) => observed.health.clone(),
            (None, None) if let Some(run) = gone => ended_health(run),
            (None, None) if outcome.waiting.is_some() => {
                Health { status: HealthStatus::Progressing, message: "waits for what comes before it".into() }
            }
            (None, None) => Health { status: HealthStatus::Missing, message: "it does not exist".into() },
        };
        let health = rolling(&outcome.begun.chosen, id).unwrap_or(health);
        objects.push(ObjectView { id: id.clone(), in_sync: same && conflict(id).is_none(), health });
    }
    let combined = release_fields(release, &|id| world.observed(id).and_then(|observed| observed.fields));
    (objects, combined)
}

/// The health of a workload whose rollout is under way: whether the newest pods are well is what that judges.
fn rolling(chosen: &Chosen, id: &ObjectId) -> Option<Health> {
    let rolled = chosen.rolled.as_ref()?;
    let message = rolled.active.get(id)?.clone();
    let failed = rolled.failed.as_ref().is_some_and(|(failed, _)| failed == id);
    let status = if failed { HealthStatus::Degraded } else { HealthStatus::Progressing };
    Some(Health { status, message })
}

/// Adds to the health of each object why it is so, as far as that is known, and gives the worst cause. Pods of
/// workloads that are not healthy are looked at from now on.
fn explain(
    scope: &Scope<'_>,
    memory: &Memory,
    outcome: &Outcome,
    objects: &mut [ObjectView],
) -> Option<Cause> {
    let mut worst: Option<(HealthStatus, Cause)> = None;
    let mut unhealthy = Vec::new();
    for object in objects {
        let conflict = outcome.begun.plan.conflicts.iter().any(|conflict| conflict.id == object.id);
        if conflict
            || outcome.begun.chosen.rolls(&object.id)
            || !matches!(object.health.status, HealthStatus::Progressing | HealthStatus::Degraded)
        {
            continue;
        }
        let unseen = object.health.is_unseen();
        let cause = if runs_pods(&object.id.group, &object.id.kind) {
            let desired = scope.ctx.world.applied(&object.id).map(|applied| applied.digest);
            let version =
                scope.ctx.world.observed(&object.id).map_or(0, |observed| observed.resource_version);
            let causes = &scope.ctx.causes;
            let cause = causes.of(&object.id, desired.as_ref());
            if !causes.is_known(&object.id, desired.as_ref())
                && let Some(health) = told_before(memory, outcome, object)
            {
                object.health = health;
            }
            unhealthy.push(Unhealthy { id: object.id.clone(), version, desired, unseen });
            cause
        } else {
            Cause::of_kind(&object.id, &object.health)
        };
        let Some(cause) = cause else { continue };
        object.health = object.health.clone().because(&object.id, &cause);
        let found = Some((object.health.status, cause));
        worst = worst.max(found);
    }
    if let Some(release) = &outcome.begun.chosen.release {
        let hooks = blame::running(scope, memory, release);
        let causes = hooks.iter().filter_map(|hook| blame::cause(scope, &hook.id));
        worst = causes.map(|cause| Some((HealthStatus::Progressing, cause))).fold(worst, Option::max);
        unhealthy.extend(hooks);
    }
    scope.ctx.causes.watch(scope.key, unhealthy);
    worst.map(|(_, cause)| cause)
}

/// What the controller before this one told of an object of the same release, if nothing speaks against it:
/// until its pods were looked at again the status stays as it is.
fn told_before(memory: &Memory, outcome: &Outcome, object: &ObjectView) -> Option<Health> {
    let status = memory.status.as_ref().filter(|_| memory.status_written.is_none())?;
    let told = status.next.as_ref().or(status.stable.as_ref())?;
    let release =
        outcome.begun.chosen.release.as_ref().filter(|release| release.digest().as_str() == told.digest)?;
    let id = release.ids().iter().find(|id| **id == object.id)?;
    let before = status.resources.unhealthy.iter().find(|one| {
        (&one.group, &one.kind, &one.namespace, &one.name) == (&id.group, &id.kind, &id.namespace, &id.name)
    })?;
    let said = object.health.message.split("; ").next().unwrap_or_default();
    let continues = before.message.starts_with(&format!("{said}: "));
    continues.then(|| Health { status: before.status, message: before.message.clone() })
}

fn first_failure(outcome: &Outcome) -> Option<Failure> {
    if let Some(failure) = outcome.begun.chosen.failures.first() {
        return Some(failure.clone());
    }
    if let Some(failure) = all_errors(&outcome.errors) {
        return Some(failure);
    }
    if let Some(failure) = outcome.moving.as_ref().and_then(Waiting::failure) {
        return Some(failure);
    }
    let plan = &outcome.begun.plan;
    if !plan.conflicts.is_empty() {
        return Some(joined("Conflict", plan.conflicts.iter().map(|c| c.message.as_str()), true));
    }
    if let Some(hold) = &plan.prune_hold {
        let release = outcome.begun.chosen.release.as_ref().map(|r| r.revision()).unwrap_or_default();
        return Some(Failure::permanent(
            "PruneLimitExceeded",
            format!(
                "{release} would prune {} of {} objects, more than {} %; allow it with \
                 `windlass sync --allow-prune {release}`",
                hold.count, hold.of, hold.limit
            ),
        ));
    }
    if !plan.drifted.is_empty() {
        let named = plan.drifted.iter().take(5).map(|id| match plan.changed_by.get(id) {
            Some(who) => format!("{id} ({who})"),
            None => id.to_string(),
        });
        let names: Vec<_> = named.collect();
        return Some(Failure::permanent(
            "Drifted",
            format!("changed by others, selfHeal is off: {}", names.join(", ")),
        ));
    }
    None
}

/// All errors of single objects as one, by the reason of the first.
pub fn all_errors(errors: &[Failure]) -> Option<Failure> {
    let first = errors.first()?;
    Some(joined(&first.reason, errors.iter().map(|error| error.message.as_str()), first.transient))
}

fn joined<'a>(reason: &str, messages: impl Iterator<Item = &'a str>, transient: bool) -> Failure {
    const TOLD: usize = 5;
    let all: Vec<_> = messages.collect();
    let mut text = all.iter().take(TOLD).copied().collect::<Vec<_>>().join("; ");
    if all.len() > TOLD {
        text.push_str(&format!("; and {} more", all.len() - TOLD));
    }
    Failure { reason: reason.to_owned(), message: text, transient }
}

/// Health that is on its way for too long has failed; gives the time that is left. The time runs since the
/// Application was ready last, since its release began or since the rollback to it, whichever is last, so a
/// restart changes nothing.
fn time_out(
    scope: &Scope<'_>,
    memory: &Memory,
    outcome: &Outcome,
    health: &mut HealthState,
) -> Option<Duration> {
    if !matches!(health.status, HealthStatus::Progressing | HealthStatus::Missing) {
        return None;
    }
    let timeout = scope.app.spec.health.timeout.get();
    let status = memory.status.as_ref();
    let chosen = &outcome.begun.chosen;
    let release = status.and_then(|status| chosen.pointer(status));
    // What was restored and healthy once is not ready all the time, for another reason.
    if chosen.quarantined.is_some() && release.is_some_and(|release| release.healthy_since.is_some()) {
        return None;
    }
    let unready =
        status.and_then(|s| s.conditions.iter().find(|c| c.type_ == "Ready" && c.status == "False"));
    let since = [
        unready.map(|c| c.last_transition_time.0),
        release.map(|release| release.since.0),
        chosen.quarantined.as_ref().map(|entry| entry.since.0),
        rollback_hooks(memory, chosen),
    ];
    let since = unready.and(since.into_iter().flatten().max());
    let waited = since.map_or(Duration::ZERO, |since| {
        Duration::try_from(Timestamp::now().duration_since(since)).unwrap_or_default()
    });
    if waited < timeout {
        return Some(timeout - waited);
    }
    health.status = HealthStatus::Degraded;
    health.message =
        bounded_message(&format!("not healthy after {}: {}", scope.app.spec.health.timeout, health.message));
    None
}

/// When the last Rollback hook of the undone release began or ended: what is restored begins after it.
fn rollback_hooks(memory: &Memory, chosen: &Chosen) -> Option<Timestamp> {
    let (_, entry) = memory.releases.undone().filter(|_| chosen.effective == Effective::Undone)?;
    entry.hooks.iter().filter_map(|run| Some(run.since.as_ref()?.0)).max()
}

fn unhealthy(objects: &[ObjectView]) -> Vec<UnhealthyObject> {
    let mut bad: Vec<_> = objects.iter().filter(|o| o.health.status != HealthStatus::Healthy).collect();
    bad.sort_by_key(|object| std::cmp::Reverse(object.health.status));
    bad.into_iter()
        .take(MAX_UNHEALTHY)
        .map(|object| UnhealthyObject {
            group: object.id.group.clone(),
            kind: object.id.kind.clone(),
            namespace: object.id.namespace.clone(),
            name: object.id.name.clone(),
            status: object.health.status,
            message: bounded_message(&object.health.message),
        })
        .collect()
}
