//! Deletes one object.

use kube::core::ObjectMeta;
use kube::discovery::ApiResource;
use windlass_core::health::Health;
use windlass_core::object::ObjectId;
use windlass_core::plan::{Action, Scope as KindScope};

use super::fence::until_settled;
use super::{ActionResult, count, failed};
use crate::cluster::error::{ClusterError, object_failure};
use crate::controller::application::{Scope, renaming};
use crate::failure::Failure;

/// Prunes an object that the release no longer has.
pub async fn prune(scope: &Scope<'_>, action: Action) -> ActionResult {
    let Ok(_permit) = scope.ctx.writes.acquire().await else { return ActionResult::Forgotten(action) };
    match prune_one(scope, &action.id).await {
        Ok(true) => {
            count(scope, &action, "ok");
            ActionResult::Done(action)
        }
        Ok(false) => ActionResult::Forgotten(action),
        Err(failure) => failed(scope, action, failure),
    }
}

/// Deletes a live object that still carries our annotation; whether it did. An object that is gone, that
/// asks to be kept, that belongs to somebody else now or that another Application waits for is left alone.
pub async fn prune_one(scope: &Scope<'_>, id: &ObjectId) -> Result<bool, Failure> {
    until_settled(|| try_prune(scope, id)).await
}

async fn try_prune(scope: &Scope<'_>, id: &ObjectId) -> Result<bool, Failure> {
    if scope.ctx.world.is_wanted(id) {
        return Ok(false);
    }
    let Some((resource, meta)) = find(scope, id).await? else { return Ok(false) };
    let failure = |error: kube::Error| object_failure(id, "", &error);
    let live = scope.ctx.world.observation(id, &meta, Health::missing());
    let ending = scope.app.metadata.deletion_timestamp.is_some();
    let keep = if ending { live.keep.on_delete } else { live.keep.on_prune };
    if !renaming::owns(scope, id, &live.ownership) || keep {
        return Ok(false);
    }
    // The look took a moment.
    if scope.ctx.world.is_wanted(id) {
        return Ok(false);
    }
    if !live.deleting {
        scope.ctx.applier.delete(&resource, id, &live).await.map_err(failure)?;
    }
    Ok(true)
}

/// The metadata of a live object, in any version of its kind. What is of a kind that is not served any more
/// does not exist.
pub async fn find(
    scope: &Scope<'_>,
    id: &ObjectId,
) -> Result<Option<((ApiResource, KindScope), ObjectMeta)>, Failure> {
    let unavailable = |error: ClusterError| Failure::transient("ApiServerUnavailable", error.to_string());
    let found = scope.ctx.catalog.any_version(&id.group, &id.kind).await.map_err(unavailable)?;
    let Some(resource) = found else { return Ok(None) };
    match scope.ctx.applier.metadata(&resource, id).await {
        Ok(meta) => Ok(meta.map(|meta| (resource, meta))),
        // A missing object is no error, so the path is what is missing: the kind went since the last look.
        Err(kube::Error::Api(status)) if status.code == 404 => {
            let served = scope.ctx.catalog.refresh().await.map_err(unavailable)?;
            match served.any_version(&id.group, &id.kind) {
                Some(_) => Err(object_failure(id, "", &kube::Error::Api(status))),
                None => Ok(None),
            }
        }
        Err(error) => Err(object_failure(id, "", &error)),
    }
}
