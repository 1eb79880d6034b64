//! Stage 8: tells what was found and done: status, Events, metrics, the picture for people. Writes only
//! what changed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Resource as _};
use serde_json::json;
use windlass_core::api::{
    Application, ApplicationStatus, HistoryEntry, MAX_HISTORY, ReleaseRef, Request, SourceState, SyncStatus,
    bounded_message,
};
use windlass_core::plan::Verb;

use super::assess::Assessed;
use super::{Scope, back_off, conditions};
use crate::cluster::error::ClusterError;
use crate::controller::context::Memory;
use crate::controller::view::AppView;

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
    let mut again = vec![assessed.health_deadline, assessed.outcome.begun.heal_later];
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
        publish_events(scope, &before, &assessed).await;
        write(scope, memory, status).await?;
    }
    let mut shown = Application::clone(&scope.app);
    shown.status.clone_from(&memory.status);
    scope
        .ctx
        .views
        .put(scope.key.clone(), AppView { application: Arc::new(shown), objects: assessed.objects });
    Ok(again.into_iter().flatten().min())
}

/// Tells that nothing is done for a suspended Application.
pub async fn suspended(scope: &mut Scope<'_>, memory: &mut Memory) -> Result<Option<Duration>, ClusterError> {
    let mut status = memory.status.clone().unwrap_or_default();
    scope.ctx.world.want(scope.key, BTreeSet::new());
    conditions::suspended(&mut status, scope.app.metadata.generation);
    handled(scope.request.as_ref(), &mut status);
    write(scope, memory, status).await?;
    let mut shown = Application::clone(&scope.app);
    shown.status.clone_from(&memory.status);
    let objects = scope.ctx.views.get(scope.key).map(|view| view.objects.clone()).unwrap_or_default();
    scope.ctx.views.put(scope.key.clone(), AppView { application: Arc::new(shown), objects });
    Ok(None)
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
        let applied = assessed.outcome.errors.is_empty() && begun.plan.conflicts.is_empty();
        let complete = applied && (assessed.sync == SyncStatus::Synced || begun.plan.prune_hold.is_some());
        if complete {
            let known = status.stable.clone().filter(|stable| stable.digest == digest);
            status.stable = Some(ReleaseRef {
                digest: digest.to_owned(),
                revision: release.revision().to_owned(),
                since: known.map_or_else(|| Time(Timestamp::now()), |stable| stable.since),
                fields: assessed.fields.clone(),
            });
            status.next = None;
        }
        if applied {
            status.sync.revision = release.revision().to_owned();
        }
        remember(scope, &mut status, assessed, complete);
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

fn handled(request: Option<&Request>, status: &mut ApplicationStatus) {
    if let Some(request) = request {
        status.handled_request = Some(request.id.clone());
    }
}

/// Adds a release to the history when its first attempt ends, and mends the entry when a later one does.
fn remember(scope: &Scope<'_>, status: &mut ApplicationStatus, assessed: &Assessed, complete: bool) {
    let begun = &assessed.outcome.begun;
    let Some(release) = begun.release.as_ref().filter(|_| begun.new_release) else { return };
    if !complete && assessed.outcome.errors.is_empty() && assessed.outcome.done.is_empty() {
        return;
    }
    let failure = assessed.failure.as_ref().filter(|_| !complete);
    let entry = HistoryEntry {
        digest: release.digest().as_str().to_owned(),
        revision: release.revision().to_owned(),
        started_at: Time(begun.started),
        finished_at: complete.then(|| Time(Timestamp::now())),
        trigger: trigger(scope),
        result: if complete { "Synced" } else { "Failed" }.to_owned(),
        message: bounded_message(&failure.map_or_else(|| summary(assessed), |f| f.message.clone())),
    };
    match status.history.first_mut() {
        Some(last) if last.digest == entry.digest && last.finished_at.is_none() => {
            *last =
                HistoryEntry { started_at: last.started_at.clone(), trigger: last.trigger.clone(), ..entry };
        }
        _ => status.history.insert(0, entry),
    }
    status.history.truncate(MAX_HISTORY);
}

fn trigger(scope: &Scope<'_>) -> String {
    let Some(request) = &scope.request else { return "commit".into() };
    let action = serde_json::to_value(request.action).unwrap_or_default();
    let action = action.as_str().unwrap_or("request");
    let by: String = request.by.chars().filter(|c| !c.is_control()).take(100).collect();
    if by.is_empty() {
        format!("{action} requested")
    } else {
        format!("{action} requested by {by} (claimed)")
    }
}

/// `2 created, 1 updated, 3 pruned`
fn summary(assessed: &Assessed) -> String {
    let count = |verb: Verb| assessed.outcome.done.iter().filter(|action| action.verb == verb).count();
    let parts = [
        (Verb::Create, "created"),
        (Verb::Update, "updated"),
        (Verb::Heal, "healed"),
        (Verb::Restore, "restored"),
        (Verb::Prune, "pruned"),
    ];
    let words: Vec<_> = parts
        .into_iter()
        .filter_map(|(verb, word)| Some(count(verb)).filter(|n| *n > 0).map(|n| format!("{n} {word}")))
        .collect();
    if words.is_empty() { "nothing to change".into() } else { words.join(", ") }
}

async fn publish_events(scope: &Scope<'_>, before: &ApplicationStatus, assessed: &Assessed) {
    let begun = &assessed.outcome.begun;
    let revision = begun.release.as_ref().map(|r| r.revision().to_owned()).unwrap_or_default();
    let old = before.conditions.iter().find(|condition| condition.type_ == "Ready");
    let event = if let Some(failure) = &assessed.failure {
        // The condition may have been cut; its beginning tells as well.
        let told: String = failure.message.chars().take(200).collect();
        if old.is_some_and(|c| c.reason == failure.reason && c.message.starts_with(&told)) {
            return;
        }
        (EventType::Warning, failure.reason.clone(), failure.message.clone())
    } else if !assessed.outcome.done.is_empty() {
        let healed: Vec<_> = assessed
            .outcome
            .done
            .iter()
            .filter(|a| matches!(a.verb, Verb::Heal | Verb::Restore))
            .map(|a| a.id.to_string())
            .collect();
        let mut note = format!("{revision}: {}", summary(assessed));
        if !healed.is_empty() {
            note = format!("{note} ({})", healed.join(", "));
        }
        let reason = if begun.new_release { "Synced" } else { "Healed" };
        (EventType::Normal, reason.to_owned(), note)
    } else {
        return;
    };
    let (type_, reason, note) = event;
    tracing::info!(app = %scope.key, reason, "{note}");
    let event =
        Event { type_, reason, note: Some(bounded_message(&note)), action: "Sync".into(), secondary: None };
    if let Err(error) = scope.ctx.recorder.publish(&event, &scope.app.object_ref(&())).await {
        tracing::warn!(app = %scope.key, %error, "an Event could not be written");
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
