//! Applies one object.

use kube::discovery::ApiResource;
use windlass_core::plan::{Action, Applied as AppliedRecord, Conflict, Scope as KindScope};
use windlass_core::release::{Release, ReleaseObject};

use super::fence::{self, Written};
use super::{ActionResult, count, failed};
use crate::cluster::watch::health_of;
use crate::controller::application::Scope;
use crate::controller::application::moving::is_application;
use crate::controller::applications;
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
    let target = (&action.id, action.verb);
    match fence::write(scope, memory, release, target, desired, &resource).await {
        Ok(Written::Stored(mut live)) => {
            if is_application(&action.id) {
                applications::seen(scope.ctx, (*live).clone());
            }
            let health = health_of(&mut live);
            let observed = scope.ctx.world.observation(&action.id, &live.metadata, health);
            let digest =
                release.object_digest(&action.id).cloned().unwrap_or_else(|| desired.object.digest());
            let applied = AppliedRecord { digest, fields: observed.fields.clone() };
            scope.ctx.world.record_applied(&action.id, applied, observed);
            count(scope, &action, "ok");
            ActionResult::Done(action)
        }
        Ok(Written::Nothing) => ActionResult::Forgotten(action),
        Ok(Written::Foreign(message)) => ActionResult::Conflict(Conflict { id: action.id, message }),
        Err(failure) => failed(scope, action, failure),
    }
}

/// The kind of an object as the API server serves it.
pub async fn resource(
    scope: &Scope<'_>,
    desired: &ReleaseObject,
) -> Result<(ApiResource, KindScope), Failure> {
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
