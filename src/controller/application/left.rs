//! What a restarted controller finds against what the one before it left.

use windlass_core::fields::without;
use windlass_core::object::{Object, ObjectId};
use windlass_core::plan::{Applied, FieldsHash, own_fields, release_fields};
use windlass_core::release::Release;

use super::Scope;
use super::apply::resource;
use crate::controller::context::Memory;

/// After a restart nothing is known of what was applied. Where the fields that are ours are the same in all
/// objects of the release that the cluster had as when the status was written, nothing drifted meanwhile and
/// nothing needs to be applied. Where they are not, each object is healed, which changes nothing of most; but
/// where healing is off the API server is asked which of them differ. A release that was applied in part says
/// nothing of any object.
pub async fn compare(scope: &Scope<'_>, memory: &mut Memory) {
    let Some((left, fields)) = memory.left.take().filter(|(_, fields)| !fields.is_empty()) else { return };
    let world = &scope.ctx.world;
    let observed = |id: &ObjectId| world.observed(id).and_then(|observed| observed.fields);
    let ids = left.ids();
    let found: Vec<_> = ids.iter().map(observed).collect();
    let as_left = release_fields(&left, &observed) == fields;
    let known: Vec<_> = if as_left {
        found
    } else if scope.app.spec.sync.self_heal {
        // No fields differ from whatever is observed.
        vec![None; ids.len()]
    } else {
        let asked: Vec<_> = ids.iter().map(|id| ours_after_an_apply(scope, &left, id)).collect();
        futures::future::join_all(asked).await
    };
    for (id, fields) in ids.iter().zip(known) {
        if let Some(digest) = left.object_digest(id) {
            world.trust(id, Applied { digest: digest.clone(), fields });
        }
    }
    tracing::debug!(app = %scope.key, objects = left.len(), as_left, "compared with what was left");
}

/// The fields that would be ours if the object were applied, as a dry run of that tells: they are ours now,
/// unless somebody changed some of them. `None` where the server does not tell.
async fn ours_after_an_apply(scope: &Scope<'_>, release: &Release, id: &ObjectId) -> Option<FieldsHash> {
    // What does not exist is told as that, and what is left alone is as it likes.
    if scope.ctx.world.observed(id).is_none() || release.is_left_alone(id) {
        return None;
    }
    let desired = release.get(id)?;
    let resource = resource(scope, desired).await.ok()?;
    let _permit = scope.ctx.writes.acquire().await.ok()?;
    let body = without(desired.object.body(), release.left_fields(id));
    let answer = scope.ctx.applier.dry_run(&resource, &Object::new(body).ok()?).await.ok()?;
    own_fields(scope.ctx.applier.manager(), answer.metadata.managed_fields.as_deref()?)
}
