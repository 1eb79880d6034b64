//! Sends one object: what Git says of it, without what is left to others and without what others added.
//!
//! ```text
//! create ─────────────────────────────────▶ whole          then, where something of it is left to others:
//! update ─▶ [merge additions into ours] ─▶ [hand over] ─▶ apply ─▶ [take back]
//! ```
//! The steps in brackets are rare. Each names the version that the one before it led to, so a write of
//! somebody else in between is noticed and everything is decided again.

use kube::Error;
use kube::api::DynamicObject;
use kube::core::Status;
use kube::discovery::ApiResource;
use serde_json::{Value, json};
use windlass_core::api::{APPLICATION_LABEL, OWNER_ANNOTATION};
use windlass_core::fields::{Outgoing, StripRules, merged, outgoing, replicas, value, without};
use windlass_core::object::{Object, ObjectId};
use windlass_core::plan::{Observed, Ownership, Scope as KindScope, drift};
use windlass_core::release::{Release, ReleaseObject};

use crate::cluster::watch::version;
use crate::controller::application::Scope;

/// Which object to send and where.
pub struct Sending<'a> {
    /// Its identity.
    pub id: &'a ObjectId,
    /// The release that it is of.
    pub release: &'a Release,
    /// What Git says.
    pub desired: &'a ReleaseObject,
    /// Where it is served.
    pub resource: &'a (ApiResource, KindScope),
}

/// Sends an object; `live` is what was seen of it, if it exists.
///
/// # Errors
/// What the API server or the transport answers: 409 where something newer than `live` is stored.
pub async fn send(
    scope: &Scope<'_>,
    sending: &Sending<'_>,
    live: Option<&Observed>,
) -> Result<DynamicObject, Error> {
    let Sending { id, release, desired, resource } = *sending;
    let applier = &scope.ctx.applier;
    let left = release.left_fields(id);
    let Some(live) = live else {
        // Fields that are left to others have their first value from Git, and are nobody's then.
        let sets_some = left.iter().any(|path| value(desired.object.body(), path).is_some());
        let created = applier.apply(resource, &desired.object, None).await?;
        return if sets_some { careful(scope, sending, created, false).await } else { Ok(created) };
    };
    let adopting = live.ownership != Ownership::App(scope.key.clone());
    if !adopting && !needs_care(scope, sending, live) {
        let seen = Some(live.resource_version);
        if left.is_empty() {
            return applier.apply(resource, &desired.object, seen).await;
        }
        return applier.apply(resource, &object(without(desired.object.body(), left))?, seen).await;
    }
    match applier.get(resource, id).await? {
        None => applier.apply(resource, &desired.object, None).await,
        Some(body) if version(&body.metadata) == live.resource_version => {
            careful(scope, sending, body, adopting).await
        }
        Some(_) => Err(newer(id)),
    }
}

/// Whether who owns which fields must be known to send an object.
fn needs_care(scope: &Scope<'_>, sending: &Sending<'_>, live: &Observed) -> bool {
    let Sending { id, release, desired, .. } = *sending;
    let mut left = release.left_fields(id).iter();
    // Of the replicas it is known whether they are ours.
    live.managers.handed_over
        || drift(release, &scope.app.spec.sync, id, live)
            .any(|foreign| foreign.is_addition(desired.object.body()))
        || left.any(|path| *path != replicas() || live.managers.own_replicas)
}

/// Sends an object over `live`, by who owns which fields of it.
async fn careful(
    scope: &Scope<'_>,
    sending: &Sending<'_>,
    mut live: DynamicObject,
    adopting: bool,
) -> Result<DynamicObject, Error> {
    let Sending { id, release, desired, resource } = *sending;
    let applier = &scope.ctx.applier;
    let names = scope.ctx.instance.managers();
    if release.is_left_alone(id) {
        let mark = object(marked(&desired.object))?;
        return applier.apply(resource, &mark, Some(version(&live.metadata))).await;
    }
    let left = release.left_fields(id);
    let rules = StripRules { id, strip: scope.app.spec.sync.strip.as_deref(), left };
    let entries = live.metadata.managed_fields.clone().unwrap_or_default();
    if let Some(entries) = merged(&names, &entries, &rules, desired.object.body(), adopting) {
        live = applier.set_managed_fields(resource, id, &entries, version(&live.metadata)).await?;
    }
    let entries = live.metadata.managed_fields.clone().unwrap_or_default();
    let body = serde_json::to_value(&live).map_err(Error::SerdeError)?;
    let Outgoing { hand_over, body, take_back } =
        outgoing(&names, desired.object.body(), left, &body, &entries);
    let holder = applier.as_manager(&names.hand_over);
    if let Some(hand_over) = hand_over {
        live = holder.apply(resource, &object(hand_over)?, Some(version(&live.metadata))).await?;
    }
    live = applier.apply(resource, &object(body)?, Some(version(&live.metadata))).await?;
    if let Some(take_back) = take_back {
        live = holder.apply(resource, &object(take_back)?, Some(version(&live.metadata))).await?;
    }
    Ok(live)
}

/// Only what says whose an object is.
fn marked(desired: &Object) -> Value {
    let text = |value: Option<&str>| value.map_or(Value::Null, Value::from);
    json!({
        "apiVersion": desired.gvk().api_version(),
        "kind": desired.gvk().kind,
        "metadata": {
            "name": desired.name(),
            "namespace": desired.namespace(),
            "labels": {APPLICATION_LABEL: text(desired.label(APPLICATION_LABEL))},
            "annotations": {OWNER_ANNOTATION: text(desired.annotation(OWNER_ANNOTATION))}
        }
    })
}

fn object(body: Value) -> Result<Object, Error> {
    Object::new(body).map_err(|error| Error::SerdeError(serde::de::Error::custom(error)))
}

/// As the API server would say it.
fn newer(id: &ObjectId) -> Error {
    let status = Status::failure(&format!("{id} was changed meanwhile"), "Conflict").with_code(409);
    Error::Api(Box::new(status))
}
