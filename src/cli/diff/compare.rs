use kube::api::DynamicObject;
use serde_json::Value;
use windlass_core::api::AppKey;
use windlass_core::fields::{Path, replicas, with_live};
use windlass_core::object::{Object, ObjectId};
use windlass_core::plan::{Instance, Ownership, ownership};
use windlass_core::release::{Release, ReleaseObject};

use super::present::{self, Side};
use super::{Action, Change, Moment};
use crate::cluster::apply::Applier;
use crate::cluster::discovery::Served;
use crate::cluster::error::object_failure;

/// As whom objects are compared.
pub(super) struct Scene {
    /// Applies as the controller would.
    pub(super) applier: Applier,
    /// The install.
    pub(super) instance: Instance,
    /// The Application.
    pub(super) key: AppKey,
}

/// What became of one object.
pub(super) struct Compared {
    /// The change; none where nothing would change; else why that cannot be told.
    pub(super) outcome: Result<Option<Change>, String>,
    /// What people should know about it.
    pub(super) note: Option<String>,
}

/// Compares a live object with what a dry run of the apply makes of it.
pub(super) async fn one(
    scene: &Scene,
    served: &Served,
    release: &Release,
    id: &ObjectId,
    wanted: &ReleaseObject,
) -> Compared {
    let origin = wanted.origin.to_string();
    let revision = release.revision();
    let from = Side { title: format!("live/{id}"), object: None };
    let to = Side { title: format!("{revision} {origin}"), object: Some(wanted.object.body().clone()) };
    let Some(resource) = served.resource(wanted.object.gvk()) else {
        // The release defines the kind, so nothing of it can exist.
        return Compared { outcome: Ok(change(release, id, wanted, from, to)), note: None };
    };
    let failed = |error: &kube::Error| {
        // Refusals of the API server can quote what a Secret holds.
        let quoted =
            present::is_secret(id) && matches!(error, kube::Error::Api(status) if status.code != 403);
        let why = if quoted {
            format!("{origin}: {id}: the API server refuses this Secret (what it says may quote the Secret)")
        } else {
            object_failure(id, &origin, error).message
        };
        Compared { outcome: Err(why), note: None }
    };
    let live = match scene.applier.get(resource, id).await {
        Ok(live) => live,
        Err(error) => return failed(&error),
    };
    let note = live.as_ref().and_then(|live| conflict(scene, id, live));
    if live.is_some() && release.is_left_alone(id) {
        return Compared { outcome: Ok(None), note };
    }
    let whole = match live.as_ref().map(|live| whole(&wanted.object, release.left_fields(id), live)) {
        Some(Some(whole)) => whole,
        _ => wanted.object.clone(),
    };
    let after = match scene.applier.dry_run(resource, &whole).await {
        Ok(after) => after,
        Err(error) => {
            let failure = object_failure(id, &origin, &error);
            if failure.reason == "NamespaceNotFound" {
                let note =
                    Some(format!("{id} was not checked: namespace {} does not exist yet", id.namespace));
                return Compared { outcome: Ok(change(release, id, wanted, from, to)), note };
            }
            return failed(&error);
        }
    };
    let from = Side { object: live.and_then(body), ..from };
    let to = Side { object: body(after), ..to };
    Compared { outcome: Ok(change(release, id, wanted, from, to)), note }
}

/// What an object will be: what is left to others stays as it is. The replicas are, too, where an autoscaler
/// set them.
fn whole(wanted: &Object, left: &[Path], live: &DynamicObject) -> Option<Object> {
    let entries = live.metadata.managed_fields.as_deref().unwrap_or_default();
    let scaled = entries.iter().any(|entry| {
        entry.subresource.as_deref() == Some("scale")
            && entry.manager.as_deref() == Some("kube-controller-manager")
    });
    let left: Vec<_> = left.iter().cloned().chain(scaled.then(replicas)).collect();
    let live = serde_json::to_value(live).ok()?;
    Object::new(with_live(wanted.body(), &left, &live)).ok()
}

fn body(object: DynamicObject) -> Option<Value> {
    serde_json::to_value(object).ok()
}

fn change(release: &Release, id: &ObjectId, wanted: &ReleaseObject, from: Side, to: Side) -> Option<Change> {
    let action = if from.object.is_some() { Action::Update } else { Action::Create };
    let diff = present::unified(id, from, to);
    (!diff.is_empty()).then(|| Change {
        api_version: wanted.object.gvk().api_version(),
        kind: id.kind.clone(),
        namespace: id.namespace.clone(),
        name: id.name.clone(),
        action,
        origin: wanted.origin.to_string(),
        diff,
        rollout: Moment::of(release, id, Some(&wanted.object), action),
    })
}

/// What stands against taking a live object.
fn conflict(scene: &Scene, id: &ObjectId, live: &DynamicObject) -> Option<String> {
    match ownership(&scene.instance, id, &live.metadata) {
        Ownership::App(owner) if owner == scene.key => None,
        Ownership::Unowned => None,
        Ownership::App(owner) => Some(format!("{id} belongs to the Application {owner}: a conflict")),
        Ownership::OtherInstance(owner) => {
            Some(format!("{id} belongs to another Windlass ({owner}): a conflict"))
        }
        Ownership::Tracked(tool) => {
            Some(format!("{id} is tracked by {tool}; only sync.adopt: Force takes it"))
        }
        Ownership::Controlled(owner) => Some(format!("{id} was made by a controller for {owner}")),
    }
}
