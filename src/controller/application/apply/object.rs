//! Applies one object.

use kube::discovery::ApiResource;
use windlass_core::health::Health;
use windlass_core::object::ObjectId;
use windlass_core::plan::{
    Action, Applied as AppliedRecord, Conflict, Input, Progress, Scope as KindScope, Verb, foreign,
};
use windlass_core::release::{Release, ReleaseObject};

use super::{ActionResult, count, failed};
use crate::cluster::error::object_failure;
use crate::cluster::watch::health_of;
use crate::controller::application::Scope;
use crate::controller::context::Memory;
use crate::failure::Failure;

/// Applies what the release says of an object, if it is ours to apply.
pub async fn apply(scope: &Scope<'_>, memory: &Memory, release: &Release, action: Action) -> ActionResult {
    let Some(desired) = release.get(&action.id) else { return ActionResult::Forgotten(action) };
    let Ok(_permit) = scope.ctx.writes.acquire().await else { return ActionResult::Forgotten(action) };
    let resource = match resource(scope, desired).await {
        Ok(resource) => resource,
        Err(failure) => return failed(scope, action, failure),
    };
    if action.verb == Verb::Create {
        match owner_conflict(scope, memory, release, &action.id, &resource).await {
            Ok(None) => {}
            Ok(Some(message)) => return ActionResult::Conflict(Conflict { id: action.id, message }),
            Err(error) => {
                let failure = object_failure(&action.id, &desired.origin.to_string(), &error);
                return failed(scope, action, failure);
            }
        }
    }
    match scope.ctx.applier.apply(&resource, &desired.object, false).await {
        Ok(mut live) => {
            let health = health_of(&mut live);
            let observed = scope.ctx.world.observation(&action.id, &live.metadata, health);
            let digest =
                release.object_digest(&action.id).cloned().unwrap_or_else(|| desired.object.digest());
            let applied = AppliedRecord { digest, fields: observed.fields.clone() };
            scope.ctx.world.record_applied(&action.id, applied, observed);
            count(scope, &action, "ok");
            ActionResult::Done(action)
        }
        Err(error) => {
            let failure = object_failure(&action.id, &desired.origin.to_string(), &error);
            failed(scope, action, failure)
        }
    }
}

/// An object that the watch does not show may still exist without our label: who owns it?
async fn owner_conflict(
    scope: &Scope<'_>,
    memory: &Memory,
    release: &Release,
    id: &ObjectId,
    resource: &(ApiResource, KindScope),
) -> Result<Option<String>, kube::Error> {
    let Some(meta) = scope.ctx.applier.metadata(resource, id).await? else { return Ok(None) };
    let ownership = scope.ctx.world.observation(id, &meta, Health::missing()).ownership;
    let namespaces = &scope.ctx.config.watch_namespaces;
    let input = Input {
        app: scope.key,
        release,
        inventory: &memory.inventory,
        policy: &scope.app.spec.sync,
        prune_approved: false,
        observed: &|_| None,
        applied: &|_| None,
        claimed: &|_| None,
        elsewhere: &|key| !namespaces.is_empty() && !namespaces.contains(&key.namespace),
        progress: Progress::default(),
    };
    Ok(foreign(&input, id, &ownership))
}

async fn resource(scope: &Scope<'_>, desired: &ReleaseObject) -> Result<(ApiResource, KindScope), Failure> {
    let gvk = desired.object.gvk();
    match scope.ctx.catalog.resource(gvk).await {
        Ok(Some(resource)) => Ok(resource),
        Ok(None) => Err(Failure::transient(
            "KindNotServed",
            format!("{}: the API server does not serve {} {}", desired.origin, gvk.api_version(), gvk.kind),
        )),
        Err(error) => Err(Failure::transient("ApiServerUnavailable", error.to_string())),
    }
}
