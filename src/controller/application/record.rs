//! Stage 10: tells what was found and done: status, Events, metrics, the picture for people. Writes only
//! what changed.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::time::Instant;
use windlass_core::api::{
    Action, Application, ApplicationStatus, HealthStatus, ReleaseRef, SourceState, SyncStatus,
    bounded_message,
};
use windlass_core::release::{Fate, MAX_PREVIOUS, Release};

use super::assess::Assessed;
use super::prove::Proved;
use super::{Scope, back_off, begin, conditions, events, history, hooks, moving, rollout};
use crate::cluster::error::ClusterError;
use crate::controller::context::Memory;
use crate::controller::view::{AppView, same_moment};

/// Display fields (messages, counts) are written at most once in this time; state never waits.
const DISPLAY_PAUSE: Duration = Duration::from_secs(1);

/// How long the answer of the cluster's own controllers to what was applied is waited for with the status, and
/// how long where they have yet to look at it, as in a cluster that is busy.
const ANSWER: Duration = Duration::from_secs(1);
const BUSY: Duration = Duration::from_secs(10);

/// Tells how the Application stands and gives the time after which to look again.
pub async fn status(
    scope: &mut Scope<'_>,
    memory: &mut Memory,
    proved: Proved,
) -> Result<Option<Duration>, ClusterError> {
    let before = memory.status.clone().unwrap_or_default();
    let status = next_status(scope, memory, &before, &proved);
    let assessed = &proved.assessed;
    let moving = assessed.outcome.moving.as_ref().map(|_| moving::ASK_AGAIN);
    let outcome = &assessed.outcome;
    let mut again =
        vec![assessed.health_deadline, outcome.begun.heal_later, outcome.again, proved.again, moving];
    memory.attempts = match &assessed.failure {
        Some(_) => memory.attempts.saturating_add(1),
        None => 0,
    };
    if assessed.failure.as_ref().is_some_and(|failure| failure.transient) {
        again.push(Some(back_off(memory.attempts.saturating_sub(1))));
    }
    let too_soon = memory.status_written.is_some_and(|at| at.elapsed() < DISPLAY_PAUSE);
    let news = status != before || memory.unwritten.is_some();
    if let Some(since) = settling(memory, assessed).filter(|_| news) {
        events::publish(scope, &before, &status, &proved).await;
        (memory.status, memory.unwritten) = (Some(status), Some(since));
        again.push(Some(ANSWER));
    } else if news && too_soon && memory.unwritten.is_none() && only_display_differs(&before, &status) {
        again.push(Some(DISPLAY_PAUSE));
    } else {
        events::publish(scope, &before, &status, &proved).await;
        write(scope, memory, status).await?;
        if proved.fate == Some(Fate::Proved) {
            memory.releases.prove();
        }
    }
    let rolled = proved.assessed.outcome.begun.chosen.rolled;
    let rollouts = rolled.map(|rolled| rolled.facts).unwrap_or_default();
    scope.ctx.views.put(
        scope.key.clone(),
        AppView { application: shown(scope, memory), objects: proved.assessed.objects, rollouts },
    );
    Ok(again.into_iter().flatten().min())
}

/// Since when everything is applied and the cluster's own controllers are about to answer: then their answer is
/// written with it. `None` where nothing is waited for, or not any more. A controller that ends before that
/// applies the release once more, which changes nothing.
fn settling(memory: &Memory, assessed: &Assessed) -> Option<Instant> {
    let applied = assessed.failure.is_none()
        && assessed.sync == SyncStatus::Synced
        && assessed.health.status == HealthStatus::Progressing;
    let since = memory.unwritten.or_else(|| (!assessed.outcome.done.is_empty()).then(Instant::now));
    let patience = if assessed.unseen { BUSY } else { ANSWER };
    since.filter(|since| applied && since.elapsed() < patience)
}

/// Tells that nothing is done for a suspended Application.
pub async fn suspended(scope: &mut Scope<'_>, memory: &mut Memory) -> Result<Option<Duration>, ClusterError> {
    let mut status = memory.status.clone().unwrap_or_default();
    scope.ctx.causes.watch(scope.key, Vec::new());
    conditions::suspended(&mut status, scope.app.metadata.generation);
    handled(scope, Some(conditions::SUSPENDED), &mut status);
    write(scope, memory, status).await?;
    show(scope, memory);
    Ok(None)
}

/// Shows the status to people, with the objects as they were seen last.
pub fn show(scope: &Scope<'_>, memory: &Memory) {
    let known = scope.ctx.views.get(scope.key);
    let (objects, rollouts) =
        known.map(|view| (view.objects.clone(), view.rollouts.clone())).unwrap_or_default();
    scope.ctx.views.put(scope.key.clone(), AppView { application: shown(scope, memory), objects, rollouts });
}

/// The resource with the status as it is now, which is there once however many hold it.
fn shown(scope: &Scope<'_>, memory: &Memory) -> Arc<Application> {
    let now = |app: &Arc<Application>| app.status == memory.status && same_moment(app, &scope.app);
    if let Some(known) = scope.ctx.apps.get(scope.key).filter(now) {
        return known;
    }
    if scope.app.status == memory.status {
        return scope.app.clone();
    }
    Arc::new(Application { status: memory.status.clone(), ..Application::clone(&scope.app) })
}

fn next_status(
    scope: &Scope<'_>,
    memory: &Memory,
    before: &ApplicationStatus,
    proved: &Proved,
) -> ApplicationStatus {
    let mut status = before.clone();
    let assessed = &proved.assessed;
    let outcome = &assessed.outcome;
    if let Some(release) = &outcome.begun.chosen.release {
        stands(scope, memory, &mut status, proved, release);
        if outcome.errors.is_empty() && outcome.begun.plan.conflicts.is_empty() && outcome.moving.is_none() {
            status.sync.revision = release.revision().to_owned();
        }
    }
    if let (Some(_), Some(targets)) = (&outcome.begun.chosen.rolled, &memory.targets) {
        status.targets.clone_from(targets);
    } else if outcome.begun.chosen.release.is_some() {
        status.targets.clear();
    }
    status.sync.status = assessed.sync;
    status.health = assessed.health.clone();
    status.resources = assessed.resources.clone();
    if let Some(cache) = &memory.render {
        let sources = scope.app.spec.sources.iter().zip(&cache.record.sources);
        status.sources = sources
            .map(|(source, record)| SourceState {
                name: source.name.clone(),
                revision: record.revision.clone(),
                renderer: record.renderer.clone(),
            })
            .collect();
    }
    let will_be_stable = proved.fate == Some(Fate::Proved);
    for entry in &mut status.history {
        let former = memory.releases.previous.len() < MAX_PREVIOUS || !will_be_stable;
        entry.kept = memory
            .releases
            .find(&entry.digest)
            .is_some_and(|kept| former || memory.releases.previous.last() != Some(kept));
    }
    for entry in &mut status.quarantined {
        if let Some(known) = memory.releases.quarantined.iter().find(|known| known.digest == entry.digest) {
            entry.write_back.clone_from(&known.write_back);
        }
    }
    handled(scope, refused(scope, memory), &mut status);
    conditions::settled(&mut status, scope.app.metadata.generation, proved);
    status
}

/// How the effective release stands: under way, complete, proved or failed.
fn stands(
    scope: &Scope<'_>,
    memory: &Memory,
    status: &mut ApplicationStatus,
    proved: &Proved,
    release: &Release,
) {
    let assessed = &proved.assessed;
    let begun = &assessed.outcome.begun;
    let digest = release.digest().as_str();
    let now = || Time(Timestamp::now());
    let healthy = assessed.health.status.is_good();
    if begun.chosen.on_trial(status) {
        if status.next.as_ref().is_none_or(|next| next.digest != digest) {
            begin::begin(status, memory, release, begun.started);
            history::begin(scope, memory, status, &begun.chosen, release, begun.started);
        }
        let Some(next) = &mut status.next else { return };
        next.hooks = hooks::known(scope, memory, release);
        if assessed.complete {
            next.fields.clone_from(&assessed.fields);
        }
        if assessed.complete && healthy && next.healthy_since.is_none() {
            next.healthy_since = Some(now());
        }
        if let Some(gates) = &proved.gates {
            next.gates.clone_from(gates);
        }
        match (&proved.fate, assessed.outcome.errors.first()) {
            (Some(Fate::Proved), _) => {
                history::stands(status, digest, history::SYNCED, &history::summary(assessed));
                status.stable = status.next.take().map(|next| ReleaseRef { since: now(), ..next.proved() });
            }
            (Some(Fate::Held { message, .. } | Fate::Undone { message, .. }), _) => {
                history::stands(status, digest, history::FAILED, message);
            }
            (_, Some(error)) => history::stands(status, digest, history::FAILED, &error.message),
            _ if assessed.complete => {
                history::stands(status, digest, history::APPLIED, &history::summary(assessed));
            }
            _ => {}
        }
        return;
    }
    let Some(stable) = &mut status.stable else { return };
    if assessed.complete {
        stable.fields.clone_from(&assessed.fields);
    }
    if stable.digest == digest {
        stable.hooks = hooks::known(scope, memory, release);
    }
    let digest = stable.digest.clone();
    if assessed.complete && healthy && stable.healthy_since.is_none() {
        stable.healthy_since = Some(now());
        history::stands(status, &digest, history::SYNCED, &history::summary(assessed));
    } else if proved.rollback_failed {
        history::stands(status, &digest, history::FAILED, &assessed.health.message);
    }
}

/// Notes that a request was carried out, or why it was not: but for a look, nothing was done.
pub fn handled(scope: &Scope<'_>, problem: Option<&str>, status: &mut ApplicationStatus) {
    let Some(request) = &scope.request else { return };
    let problem = problem.filter(|_| request.action != Action::Refresh);
    status.handled_request = Some(request.id.clone());
    status.request_problem = problem.map(bounded_message).unwrap_or_default();
}

/// Why the request that is to be carried out was refused, if it was.
pub fn refused<'a>(scope: &Scope<'_>, memory: &'a Memory) -> Option<&'a str> {
    let request = scope.request.as_ref()?;
    memory.refused_request.as_ref().filter(|(id, _)| *id == request.id).map(|(_, why)| why.as_str())
}

fn only_display_differs(before: &ApplicationStatus, after: &ApplicationStatus) -> bool {
    let state = |status: &ApplicationStatus| {
        let mut status = status.clone();
        status.resources = Default::default();
        status.health.message.clear();
        status.targets = status.targets.iter().map(rollout::essential).collect();
        for condition in &mut status.conditions {
            condition.message.clear();
        }
        status
    };
    state(before) == state(after)
}

/// Writes a status, unless it is the one that is stored. Only the leader writes it, so a version conflict
/// comes from a change of the specification or the annotations: the status is then put on the newer object.
pub async fn write(
    scope: &mut Scope<'_>,
    memory: &mut Memory,
    status: ApplicationStatus,
) -> Result<(), ClusterError> {
    if memory.status.as_ref() == Some(&status) && scope.app.status.is_some() && memory.unwritten.is_none() {
        return Ok(());
    }
    let api = Api::<Application>::namespaced(scope.ctx.clients.requests.clone(), &scope.key.namespace);
    let mut app = Application::clone(&scope.app);
    for _ in 0..5 {
        app.status = Some(status.clone());
        let params = PostParams {
            field_manager: Some(scope.ctx.applier.manager().to_owned()),
            ..PostParams::default()
        };
        match api.replace_status(&scope.key.name, &params, &app).await.map_err(ClusterError::from) {
            Ok(stored) => {
                scope.ctx.metrics.status_writes.with_label_values(&["ok"]).inc();
                (memory.status, memory.unwritten) = (Some(status), None);
                memory.status_written = Some(Instant::now());
                // The specification that this reconcile is about stays the one it began with.
                let mut seen = Application::clone(&scope.app);
                seen.metadata = stored.metadata;
                seen.metadata.managed_fields = None;
                seen.metadata.generation = scope.app.metadata.generation;
                seen.status = stored.status;
                scope.app = Arc::new(seen);
                return Ok(());
            }
            Err(error) if error.is_conflict() => {
                scope.ctx.metrics.status_writes.with_label_values(&["conflict"]).inc();
                let current = api.get(&scope.key.name).await?;
                if current.metadata.uid != scope.app.metadata.uid {
                    return Ok(());
                }
                app = current;
            }
            // Deleted meanwhile: there is nobody to tell.
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Err(ClusterError::Stored(format!("the status of {} keeps changing under us", scope.key)))
}

/// Replaces the finalizers of the Application.
pub async fn patch_finalizers(
    scope: &Scope<'_>,
    finalizers: &[String],
) -> Result<Arc<Application>, ClusterError> {
    let api = Api::<Application>::namespaced(scope.ctx.clients.requests.clone(), &scope.key.namespace);
    let patch = json!({"metadata": {"finalizers": finalizers, "resourceVersion": scope.app.metadata.resource_version}});
    let params =
        PatchParams { field_manager: Some(scope.ctx.applier.manager().to_owned()), ..PatchParams::default() };
    Ok(Arc::new(api.patch(&scope.key.name, &params, &Patch::Merge(&patch)).await?))
}
