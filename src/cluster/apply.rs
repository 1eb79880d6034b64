//! The one way by which anything reaches the cluster: server-side apply (KEP-555), and deletion of what was
//! applied.
//!
//! A write to an object that exists names the `metadata.resourceVersion` it was decided by. Where something
//! newer is stored the API server answers 409 and the write is for nothing: look again and decide again. So
//! a write that comes late never overwrites something newer. A creation names a version that no object ever has:
//! where there is none the API server ignores it, and where there is one it answers 409.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::core::ObjectMeta;
use kube::discovery::ApiResource;
use kube::{Client, Error};
use serde_json::{Value, json};
use windlass_core::api::{APPLICATION_LABEL, OWNER_ANNOTATION};
use windlass_core::object::{Object, ObjectId};
use windlass_core::plan::{Observed, Scope};

use super::discovery::dynamic_api;

/// A version that no object has: etcd counts from it, and the first write has the next one.
const NONE: u64 = 1;

/// Applies and deletes objects as one field manager.
#[derive(Clone)]
pub struct Applier {
    client: Client,
    manager: String,
}

impl Applier {
    /// For field manager `manager`.
    pub fn new(client: Client, manager: String) -> Self {
        Self { client, manager }
    }

    /// The field manager.
    pub fn manager(&self) -> &str {
        &self.manager
    }

    /// Applies `object`, taking fields from other managers, and gives the stored object. `seen` is the
    /// resourceVersion last seen of an object that exists; `None` creates it.
    ///
    /// # Errors
    /// What the API server or the transport answers: 409 where something newer than `seen` is stored, or
    /// anything at all and `seen` is `None`.
    pub async fn apply(
        &self,
        (resource, scope): &(ApiResource, Scope),
        object: &Object,
        seen: Option<u64>,
    ) -> Result<DynamicObject, Error> {
        let api = dynamic_api(&self.client, resource, *scope, object.namespace().unwrap_or_default());
        let params = PatchParams::apply(&self.manager).force();
        let mut body = object.body().clone();
        body["metadata"]["resourceVersion"] = seen.unwrap_or(NONE).to_string().into();
        api.patch(object.name(), &params, &Patch::Apply(body)).await
    }

    /// Gives the object that [`Self::apply`] would store: the server checks and defaults it and stores
    /// nothing.
    ///
    /// # Errors
    /// What the API server or the transport answers.
    pub async fn dry_run(
        &self,
        (resource, scope): &(ApiResource, Scope),
        object: &Object,
    ) -> Result<DynamicObject, Error> {
        let api = dynamic_api(&self.client, resource, *scope, object.namespace().unwrap_or_default());
        let params = PatchParams::apply(&self.manager).force().dry_run();
        api.patch(object.name(), &params, &Patch::Apply(object.body())).await
    }

    /// The same way into the cluster as another field manager.
    pub fn as_manager(&self, manager: &str) -> Self {
        Self { client: self.client.clone(), manager: manager.to_owned() }
    }

    /// Sets who owns which fields of the object as it was looked at, and nothing else of it.
    ///
    /// # Errors
    /// What the API server or the transport answers: 409 where something newer than `seen` is stored.
    pub async fn set_managed_fields(
        &self,
        (resource, scope): &(ApiResource, Scope),
        id: &ObjectId,
        entries: &[ManagedFieldsEntry],
        seen: u64,
    ) -> Result<DynamicObject, Error> {
        let api = dynamic_api(&self.client, resource, *scope, &id.namespace);
        let patch = json!({"metadata": {"managedFields": entries, "resourceVersion": seen.to_string()}});
        let params = PatchParams { field_manager: Some(self.manager.clone()), ..PatchParams::default() };
        api.patch(&id.name, &params, &Patch::Merge(&patch)).await
    }

    /// Only the metadata of a live object; `None` where there is none.
    ///
    /// # Errors
    /// What the API server or the transport answers.
    pub async fn metadata(
        &self,
        (resource, scope): &(ApiResource, Scope),
        id: &ObjectId,
    ) -> Result<Option<ObjectMeta>, Error> {
        let api = dynamic_api(&self.client, resource, *scope, &id.namespace);
        Ok(api.get_metadata_opt(&id.name).await?.map(|object| object.metadata))
    }

    /// A live object as it is; `None` where there is none.
    ///
    /// # Errors
    /// What the API server or the transport answers.
    pub async fn get(
        &self,
        (resource, scope): &(ApiResource, Scope),
        id: &ObjectId,
    ) -> Result<Option<DynamicObject>, Error> {
        dynamic_api(&self.client, resource, *scope, &id.namespace).get_opt(&id.name).await
    }

    /// Deletes the object exactly as it was looked at, its dependents in the background; but a Job goes after
    /// its pods, so that another one never runs beside them. An object that is gone already is no error.
    ///
    /// # Errors
    /// What the API server or the transport answers: 409 where something newer than `looked_at` is stored.
    pub async fn delete(
        &self,
        (resource, scope): &(ApiResource, Scope),
        id: &ObjectId,
        looked_at: &Observed,
    ) -> Result<(), Error> {
        let api = dynamic_api(&self.client, resource, *scope, &id.namespace);
        let preconditions = Preconditions {
            uid: Some(looked_at.uid.clone()),
            resource_version: Some(looked_at.resource_version.to_string()),
        };
        let is_job = id.group == "batch" && id.kind == "Job";
        let propagation = if is_job { PropagationPolicy::Foreground } else { PropagationPolicy::Background };
        let params = DeleteParams {
            propagation_policy: Some(propagation),
            preconditions: Some(preconditions),
            ..DeleteParams::default()
        };
        match api.delete(&id.name, &params).await {
            Err(Error::Api(status)) if status.code == 404 => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// Takes Windlass's label and annotation off the object as it was looked at and leaves everything else
    /// as it is.
    ///
    /// # Errors
    /// What the API server or the transport answers: 409 where something newer than `looked_at` is stored.
    pub async fn release(
        &self,
        (resource, scope): &(ApiResource, Scope),
        id: &ObjectId,
        looked_at: &Observed,
    ) -> Result<(), Error> {
        let api = dynamic_api(&self.client, resource, *scope, &id.namespace);
        let patch = json!({"metadata": {
            "resourceVersion": looked_at.resource_version.to_string(),
            "labels": {APPLICATION_LABEL: Value::Null},
            "annotations": {OWNER_ANNOTATION: Value::Null}
        }});
        let params = PatchParams { field_manager: Some(self.manager.clone()), ..PatchParams::default() };
        match api.patch_metadata(&id.name, &params, &Patch::Merge(&patch)).await {
            Err(Error::Api(status)) if status.code == 404 => Ok(()),
            other => other.map(|_| ()),
        }
    }
}
