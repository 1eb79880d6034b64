//! The one way by which anything reaches the cluster: server-side apply (KEP-555), and deletion of what was
//! applied.

use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::core::ObjectMeta;
use kube::discovery::ApiResource;
use kube::{Client, Error};
use serde_json::{Value, json};
use windlass_core::api::{APPLICATION_LABEL, OWNER_ANNOTATION};
use windlass_core::object::{Object, ObjectId};
use windlass_core::plan::Scope;

use super::discovery::dynamic_api;

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

    /// Applies `object`, taking fields from other managers, and gives the stored object. With `dry_run` the
    /// server checks and defaults it but stores nothing.
    ///
    /// # Errors
    /// What the API server or the transport answers.
    pub async fn apply(
        &self,
        (resource, scope): &(ApiResource, Scope),
        object: &Object,
        dry_run: bool,
    ) -> Result<DynamicObject, Error> {
        let api = dynamic_api(&self.client, resource, *scope, object.namespace().unwrap_or_default());
        let mut params = PatchParams::apply(&self.manager).force();
        if dry_run {
            params = params.dry_run();
        }
        api.patch(object.name(), &params, &Patch::Apply(object.body())).await
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

    /// Deletes exactly the object with this UID, its dependents in the background. An object that is gone
    /// already is no error.
    ///
    /// # Errors
    /// What the API server or the transport answers.
    pub async fn delete(
        &self,
        (resource, scope): &(ApiResource, Scope),
        id: &ObjectId,
        uid: Option<String>,
    ) -> Result<(), Error> {
        let api = dynamic_api(&self.client, resource, *scope, &id.namespace);
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            preconditions: Some(Preconditions { uid, resource_version: None }),
            ..DeleteParams::default()
        };
        match api.delete(&id.name, &params).await {
            Err(Error::Api(status)) if status.code == 404 => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// Takes Windlass's label and annotation off an object and leaves everything else as it is.
    ///
    /// # Errors
    /// What the API server or the transport answers.
    pub async fn release(
        &self,
        (resource, scope): &(ApiResource, Scope),
        id: &ObjectId,
    ) -> Result<(), Error> {
        let api = dynamic_api(&self.client, resource, *scope, &id.namespace);
        let patch = json!({"metadata": {
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
