//! Why hooks do not get on, and whose fault it is that one failed: what their pods say.

use windlass_core::api::HookState;
use windlass_core::health::cause::{Cause, runs_pods};
use windlass_core::object::ObjectId;
use windlass_core::plan::{Observed, hook_failure};
use windlass_core::release::Release;

use super::{Scope, hooks};
use crate::cluster::evidence;
use crate::controller::causes::Unhealthy;
use crate::controller::context::Memory;

/// The hooks of a release that run, so that their pods are looked at.
pub fn running(scope: &Scope<'_>, memory: &Memory, release: &Release) -> Vec<Unhealthy> {
    let world = &scope.ctx.world;
    let runs = hooks::runs(memory, release);
    let running = runs.iter().filter(|run| run.state == HookState::Running);
    let objects: Vec<_> = running.map(|run| run.object.as_str()).collect();
    let hooks = release.hooks().map(|hook| hook.id);
    let hooks =
        hooks.filter(|id| runs_pods(&id.group, &id.kind) && objects.contains(&id.to_string().as_str()));
    let unhealthy = hooks.filter_map(|id| {
        let live = world.observed(id).filter(|live| !live.deleting && !live.health.status.is_good())?;
        let desired = world.applied(id).map(|applied| applied.digest);
        let unseen = live.health.is_unseen();
        Some(Unhealthy { id: id.clone(), version: live.resource_version, desired, unseen })
    });
    unhealthy.collect()
}

/// Why a hook does not get on, as far as that is known.
pub fn cause(scope: &Scope<'_>, id: &ObjectId) -> Option<Cause> {
    let desired = scope.ctx.world.applied(id).map(|applied| applied.digest);
    scope.ctx.causes.of(id, desired.as_ref())
}

/// A live hook with what is known of why it does not get on.
pub fn explained(scope: &Scope<'_>, release: &Release, id: &ObjectId) -> Option<Observed> {
    let live = scope.ctx.world.observed(id)?;
    let cause = release.hook(id).filter(|_| !live.health.status.is_good()).and_then(|_| cause(scope, id));
    let Some(cause) = cause else { return Some(live) };
    Some(Observed { health: live.health.clone().because(id, &cause), ..live })
}

/// Why a hook failed that failed just now, in words, and whether the cluster is to blame.
pub async fn failed(scope: &Scope<'_>, id: &ObjectId, why: &str) -> (String, bool) {
    if !runs_pods(&id.group, &id.kind) {
        return hook_failure(id, why, None, None);
    }
    let served = scope.ctx.catalog.served();
    let now = match served.any_version(&id.group, &id.kind) {
        Some((resource, _)) => evidence::cause(&scope.ctx.clients.requests, resource, id).await,
        None => Ok(None),
    };
    // What cannot be read now may have been read before.
    hook_failure(id, why, cause(scope, id).as_ref(), now.unwrap_or_default().as_ref())
}
