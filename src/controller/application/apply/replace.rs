//! A change that the API server refuses because the field cannot change: explained, or the object is made
//! anew where it asks for that.

use std::time::Duration;

use kube::Error;
use kube::api::DynamicObject;
use kube::discovery::ApiResource;
use windlass_core::health::Health;
use windlass_core::object::ObjectId;
use windlass_core::plan::{RefusalCause, Scope as KindScope, explain, is_immutable, may_replace};
use windlass_core::release::ReleaseObject;

use super::send::Sending;
use crate::cluster::error::object_failure;
use crate::controller::application::Scope;
use crate::failure::Failure;

/// How long an object may take to go before another reconcile makes it anew.
const GONE_DEADLINE: Duration = Duration::from_secs(20);
/// How often it is looked whether it is gone.
const LOOK: Duration = Duration::from_millis(100);

/// What the API server refuses to change, and what can be done.
struct Refused {
    live: DynamicObject,
    fields: String,
    /// What a user can do, where the object may not be made anew.
    instead: Option<String>,
}

/// Answers a refusal: with the object made anew, or with what a user is told.
pub async fn refused(
    scope: &Scope<'_>,
    sending: &Sending<'_>,
    error: Error,
) -> Result<DynamicObject, Failure> {
    let Sending { id, desired, resource, .. } = *sending;
    let at = desired.origin.to_string();
    let failure = |error: &Error| object_failure(id, &at, error);
    let refused = look(scope, (id, desired, resource), &error).await;
    let Some(Refused { live, fields, instead: None }) = refused else {
        return Err(told(id, desired, refused, &error));
    };
    let looked_at = scope.ctx.world.observation(id, &live.metadata, Health::missing());
    let applier = &scope.ctx.applier;
    tracing::info!(app = %scope.key, object = %id, fields, "deleted to be made anew, as it asks for");
    applier.delete(resource, id, &looked_at).await.map_err(|error| failure(&error))?;
    let gone = async {
        loop {
            match applier.metadata(resource, id).await {
                Ok(Some(meta)) if meta.uid.as_deref() == Some(&looked_at.uid) => {
                    tokio::time::sleep(LOOK).await;
                }
                other => return other.map(|_| ()),
            }
        }
    };
    match tokio::time::timeout(GONE_DEADLINE, gone).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(failure(&error)),
        Err(_) => {
            let message = format!("{at}: {id} is being deleted to be made anew; something holds it back");
            return Err(Failure::transient("ObjectTerminating", message));
        }
    }
    applier.apply(resource, &desired.object, None).await.map_err(|error| failure(&error))
}

/// What a user is told of a refusal.
pub async fn explained(
    scope: &Scope<'_>,
    id: &ObjectId,
    desired: &ReleaseObject,
    resource: &(ApiResource, KindScope),
    error: &Error,
) -> Failure {
    told(id, desired, look(scope, (id, desired, resource), error).await, error)
}

fn told(id: &ObjectId, desired: &ReleaseObject, refused: Option<Refused>, error: &Error) -> Failure {
    let at = desired.origin.to_string();
    match refused {
        Some(Refused { fields, instead: Some(instead), .. }) => Failure::permanent(
            "ImmutableField",
            format!("{at}: {id}: the API server lets nobody change {fields}; {instead}"),
        ),
        _ => object_failure(id, &at, error),
    }
}

/// What stands behind a refusal, if it is because a field cannot change.
async fn look(
    scope: &Scope<'_>,
    (id, desired, resource): (&ObjectId, &ReleaseObject, &(ApiResource, KindScope)),
    error: &Error,
) -> Option<Refused> {
    let Error::Api(status) = error else { return None };
    if status.code != 422 || !is_immutable(&status.message) {
        return None;
    }
    let live = scope.ctx.applier.get(resource, id).await.ok()??;
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let causes: Vec<_> =
        causes.map(|cause| RefusalCause { field: &cause.field, message: &cause.message }).collect();
    let fields = explain(&desired.object, &live.data, &causes);
    let instead = may_replace(&desired.object, &live.data).err();
    Some(Refused { live, fields, instead })
}
