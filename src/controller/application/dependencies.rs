//! Before a new release is planned: are the Applications ready that this one depends on?
//!
//! Until they are, the release that is there goes on being applied and healed. Nothing is asked again in
//! between: what becomes ready wakes those that wait for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use windlass_core::api::{Action, AppKey, SyncMode};
use windlass_core::dependencies::{Dependency, Unready, cycle, named, tell_cycle, tell_unready, unready};
use windlass_core::release::Release;

use super::{Scope, Step};
use crate::controller::context::{Context, Memory};
use crate::failure::Failure;

/// How long it is no news that a dependency is just being looked at.
const MOMENT: Duration = Duration::from_secs(5);
/// A dependency's end wakes us; this is for what is never to happen.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Whether a release may be planned.
pub enum Gate {
    /// What to plan.
    Open(Step<Arc<Release>>),
    /// The answer comes in a moment, at the latest after this time.
    Moment(Duration),
}

/// Lets a new release through when everything is ready that it depends on.
pub fn gate(scope: &Scope<'_>, memory: &mut Memory, admitted: Step<Arc<Release>>) -> Gate {
    let all = &scope.ctx.dependencies;
    let named = named(scope.key, &scope.app.spec);
    if let Some(failure) = in_cycle(scope, &named) {
        all.wait(scope.key, BTreeSet::new());
        return Gate::Open(Step::Held(failure));
    }
    let release = match admitted {
        Step::Fresh(release) if !named.is_empty() && begins(scope, memory, &release) => release,
        other => {
            all.wait(scope.key, BTreeSet::new());
            memory.waits_since = None;
            return Gate::Open(other);
        }
    };
    // First, so that one that becomes ready in between is not missed.
    all.wait(scope.key, named.clone());
    let unready: Vec<_> = named
        .into_iter()
        .filter_map(|key| Some((unready_now(scope.ctx, &key)?, key)))
        .map(|(why, key)| (key, why))
        .collect();
    if unready.is_empty() {
        all.wait(scope.key, BTreeSet::new());
        memory.waits_since = None;
        return Gate::Open(Step::Fresh(release));
    }
    if unready.iter().all(|(_, why)| *why == Unready::Pending)
        && memory.waits_since.get_or_insert_with(Instant::now).elapsed() < MOMENT
    {
        return Gate::Moment(LOOK_AGAIN);
    }
    let lasting = unready.iter().any(|(_, why)| matches!(why, Unready::Never(_)));
    let message = format!("{} {}", release.revision(), tell_unready(scope.key, &unready));
    Gate::Open(Step::Held(Failure { reason: "DependencyNotReady".into(), message, transient: !lasting }))
}

/// Wakes those that wait for an Application whose reconcile ended, when it is ready or stands otherwise.
pub fn ended(ctx: &Context, key: &AppKey) {
    let unready = unready_now(ctx, key).map(|why| match why {
        Unready::Pending => String::new(),
        Unready::Because(why) | Unready::Never(why) => {
            why.split_once(':').map_or(why.clone(), |(reason, _)| reason.to_owned())
        }
    });
    ctx.dependencies.stands(key, unready.as_deref());
}

/// The Applications that depend on one.
pub fn dependents(ctx: &Context, key: &AppKey) -> Vec<AppKey> {
    let depends = |other: &AppKey| {
        ctx.apps.get(other).is_some_and(|app| other != key && named(other, &app.spec).contains(key))
    };
    ctx.apps.keys().into_iter().filter(depends).collect()
}

fn unready_now(ctx: &Context, key: &AppKey) -> Option<Unready> {
    let namespaces = &ctx.config.watch_namespaces;
    if !namespaces.is_empty() && !namespaces.contains(&key.namespace) {
        return unready(Dependency::Elsewhere);
    }
    let Some(app) = ctx.apps.get(key) else { return unready(Dependency::Missing) };
    // What was written last may not have come back by the watch yet.
    let view = ctx.views.get(key);
    let status = view.as_ref().map_or(&app, |view| &view.application).status.clone().unwrap_or_default();
    let pending = ctx.queue.is_pending(key);
    unready(Dependency::Known { app: &app, status: &status, pending })
}

fn in_cycle(scope: &Scope<'_>, own: &BTreeSet<AppKey>) -> Option<Failure> {
    let depends_on = |key: &AppKey| {
        if key == scope.key {
            return own.clone();
        }
        scope.ctx.apps.get(key).map(|app| named(key, &app.spec)).unwrap_or_default()
    };
    let path = cycle(scope.key, &depends_on);
    scope.ctx.dependencies.in_cycle(scope.key, path.iter().flatten().cloned().collect());
    path.map(|path| Failure::permanent("DependencyCycle", tell_cycle(&path)))
}

/// Whether `release` would begin now: it is neither there already, nor where a rollback leads, nor held for
/// another reason.
fn begins(scope: &Scope<'_>, memory: &Memory, release: &Release) -> bool {
    let digest = release.digest();
    let is_current = memory.current.as_ref().is_some_and(|current| current.digest() == digest);
    let status = memory.status.as_ref();
    let is_stable =
        status.and_then(|s| s.stable.as_ref()).is_some_and(|stable| stable.digest == digest.as_str());
    let asked = scope.request.as_ref().map(|request| request.action);
    let retried = asked == Some(Action::Retry);
    let wants_sync = matches!(asked, Some(Action::Sync | Action::AllowPrune | Action::Retry));
    let is_quarantined =
        status.is_some_and(|s| s.quarantined.iter().any(|entry| entry.digest == digest.as_str())) && !retried;
    let awaits_sync = scope.app.spec.sync.mode == SyncMode::Manual && !wants_sync;
    !(is_current || is_stable || is_quarantined || awaits_sync)
}
