//! Stage 8: tells what was found and done: status, Events, metrics, the picture for people. Writes only
//! what changed.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use windlass_core::api::{Application, ApplicationStatus, ReleaseRef, Request, SourceState, SyncStatus};

use super::assess::Assessed;
use super::{Scope, back_off, conditions, events, history, moving};
use crate::cluster::error::ClusterError;
use crate::controller::context::Memory;
use crate::controller::view::{AppView, same_moment};

/// Display fields (messages, counts) are written at most once in this time; state never waits.
const DISPLAY_PAUSE: Duration = Duration::from_secs(1);

/// Tells how the Application stands and gives the time after which to look again.
pub async fn status(
    scope: &mut Scope<'_>,
    memory: &mut Memory,
    assessed: Assessed,
) -> Result<Option<Duration>, ClusterError> {
    let before = memory.status.clone().unwrap_or_default();
    let status = next_status(scope, memory, &before, &assessed);
    let moving = assessed.outcome.moving.as_ref().map(|_| moving::ASK_AGAIN);
    let mut again = vec![assessed.health_deadline, assessed.outcome.begun.heal_later, moving];
    memory.attempts = match &assessed.failure {
        Some(_) => memory.attempts.saturating_add(1),
        None => 0,
    };
    if assessed.failure.as_ref().is_some_and(|failure| failure.transient) {
        again.push(Some(back_off(memory.attempts.saturating_sub(1))));
    }
    let too_soon = memory.status_written.is_some_and(|at| at.elapsed() < DISPLAY_PAUSE);
    if status != before && only_display_differs(&before, &status) && too_soon {
        again.push(Some(DISPLAY_PAUSE));
    } else {
        events::publish(scope, &before, &assessed).await;
        write(scope, memory, status).await?;
    }
    scope
        .ctx
        .views
        .put(scope.key.clone(), AppView { application: shown(scope, memory), objects: assessed.objects });
    Ok(again.into_iter().flatten().min())
}

/// Tells that nothing is done for a suspended Application.
pub async fn suspended(scope: &mut Scope<'_>, memory: &mut Memory) -> Result<Option<Duration>, ClusterError> {
    let mut status = memory.status.clone().unwrap_or_default();
    scope.ctx.causes.watch(scope.key, Vec::new());
    conditions::suspended(&mut status, scope.app.metadata.generation);
    handled(scope.request.as_ref(), &mut status);
    write(scope, memory, status).await?;
    show(scope, memory);
    Ok(None)
}

/// Shows the status to people, with the objects as they were seen last.
pub fn show(scope: &Scope<'_>, memory: &Memory) {
    let objects = scope.ctx.views.get(scope.key).map(|view| view.objects.clone()).unwrap_or_default();
    scope.ctx.views.put(scope.key.clone(), AppView { application: shown(scope, memory), objects });
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
    assessed: &Assessed,
) -> ApplicationStatus {
    let mut status = before.clone();
    let begun = &assessed.outcome.begun;
    if let Some(release) = &begun.release {
        let digest = release.digest().as_str();
        let waiting = assessed.outcome.moving.is_some();
        let applied = assessed.outcome.errors.is_empty() && begun.plan.conflicts.is_empty() && !waiting;
        let complete = applied && (assessed.sync == SyncStatus::Synced || begun.plan.prune_hold.is_some());
        if complete {
            let known = status.stable.clone().filter(|stable| stable.digest == digest);
            status.stable = Some(ReleaseRef {
                digest: digest.to_owned(),
                revision: release.revision().to_owned(),
                since: known.map_or_else(|| Time(Timestamp::now()), |stable| stable.since),
                fields: assessed.fields.clone(),
                hooks: Vec::new(),
                healthy_since: None,
                gates: Vec::new(),
            });
            status.next = None;
        }
        if applied {
            status.sync.revision = release.revision().to_owned();
        }
        history::remember(scope, &mut status, assessed, complete);
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
    handled(scope.request.as_ref(), &mut status);
    conditions::settled(&mut status, scope.app.metadata.generation, assessed);
    status
}

/// Notes that a request was carried out.
pub fn handled(request: Option<&Request>, status: &mut ApplicationStatus) {
    if let Some(request) = request {
        status.handled_request = Some(request.id.clone());
    }
}

fn only_display_differs(before: &ApplicationStatus, after: &ApplicationStatus) -> bool {
    let state = |status: &ApplicationStatus| {
        let mut status = status.clone();
        status.resources = Default::default();
        status.health.message.clear();
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
    if memory.status.as_ref() == Some(&status) && scope.app.status.is_some() {
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
                memory.status = Some(status);
                memory.status_written = Some(tokio::time::Instant::now());
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
