//! The release store: one Secret per Application in Windlass's own namespace, with the compressed snapshot
//! of its release and inventory.

use std::collections::BTreeMap;
use std::io::Read as _;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use windlass_core::api::AppKey;
use windlass_core::object::Digest;
use windlass_core::plan::Instance;
use windlass_core::release::Snapshot;

use super::error::ClusterError;

const INSTANCE_LABEL: &str = "windlass.dev/instance";
const APPLICATION_ANNOTATION: &str = "windlass.dev/application";
const SNAPSHOT_KEY: &str = "snapshot";
const SECRET_TYPE: &str = "windlass.dev/release";
/// Largest snapshot before compression: a bomb in the store must not exhaust the controller.
const MAX_SNAPSHOT: u64 = 256 << 20;
/// Largest compressed snapshot: the API server refuses Secrets above 1 MiB.
const MAX_SECRET: usize = 1 << 20;

/// Stores snapshots of releases.
pub struct Store {
    api: Api<Secret>,
    instance: Instance,
}

impl Store {
    /// A store in `namespace`.
    pub fn new(client: Client, namespace: &str, instance: Instance) -> Self {
        Self { api: Api::namespaced(client, namespace), instance }
    }

    /// Every stored snapshot, by one list request. One that cannot be read is left out and logged: its
    /// Application starts as if it were new and adopts its objects again.
    ///
    /// # Errors
    /// [`ClusterError::Request`] where the list fails.
    pub async fn load_all(&self) -> Result<BTreeMap<AppKey, Snapshot>, ClusterError> {
        let params = ListParams::default().labels(&format!("{INSTANCE_LABEL}={}", self.instance.as_str()));
        let mut snapshots = BTreeMap::new();
        for secret in self.api.list(&params).await?.items {
            let owner = secret.metadata.annotations.as_ref().and_then(|a| a.get(APPLICATION_ANNOTATION));
            let Some((namespace, name)) = owner.and_then(|owner| owner.split_once('/')) else { continue };
            match decode(&secret) {
                Ok(snapshot) => {
                    snapshots.insert(AppKey::new(namespace, name), snapshot);
                }
                Err(error) => {
                    tracing::error!(secret = secret.metadata.name, %error, "a stored release is unusable")
                }
            }
        }
        Ok(snapshots)
    }

    /// Stores the snapshot of an Application in place of its last one.
    ///
    /// # Errors
    /// [`ClusterError`] where it is too large or the API server refuses it.
    pub async fn save(&self, app: &AppKey, snapshot: &Snapshot) -> Result<(), ClusterError> {
        let plain = snapshot.encode().map_err(|error| ClusterError::Stored(error.to_string()))?;
        let bytes =
            zstd::bulk::compress(&plain, 3).map_err(|error| ClusterError::Stored(error.to_string()))?;
        if bytes.len() > MAX_SECRET {
            return Err(ClusterError::Stored(format!(
                "the release has {} bytes after compression, at most {MAX_SECRET} can be stored; split it over \
                 several Applications",
                bytes.len()
            )));
        }
        let mut secret = Secret {
            type_: Some(SECRET_TYPE.into()),
            data: Some(BTreeMap::from([(SNAPSHOT_KEY.to_owned(), ByteString(bytes))])),
            ..Secret::default()
        };
        secret.metadata.name = Some(self.name(app));
        secret.metadata.labels =
            Some(BTreeMap::from([(INSTANCE_LABEL.to_owned(), self.instance.as_str().to_owned())]));
        secret.metadata.annotations =
            Some(BTreeMap::from([(APPLICATION_ANNOTATION.to_owned(), app.to_string())]));
        let params = PatchParams::apply(&self.instance.field_manager()).force();
        self.api.patch(&self.name(app), &params, &Patch::Apply(&secret)).await?;
        Ok(())
    }

    /// Forgets an Application; one that was never stored is no error.
    ///
    /// # Errors
    /// [`ClusterError::Request`] where the API server refuses.
    pub async fn delete(&self, app: &AppKey) -> Result<(), ClusterError> {
        match self.api.delete(&self.name(app), &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            other => Ok(other.map(|_| ())?),
        }
    }

    fn name(&self, app: &AppKey) -> String {
        let hash = Digest::of_bytes(format!("{}/{app}", self.instance.as_str()).as_bytes());
        format!("windlass-release-{}", hash.short(20))
    }
}

fn decode(secret: &Secret) -> Result<Snapshot, ClusterError> {
    let stored = |error: &dyn std::fmt::Display| ClusterError::Stored(error.to_string());
    let bytes = secret.data.as_ref().and_then(|data| data.get(SNAPSHOT_KEY));
    let bytes = bytes.ok_or_else(|| stored(&"it has no snapshot"))?;
    let decoder = zstd::stream::read::Decoder::new(bytes.0.as_slice()).map_err(|e| stored(&e))?;
    let mut plain = Vec::new();
    decoder.take(MAX_SNAPSHOT).read_to_end(&mut plain).map_err(|e| stored(&e))?;
    Snapshot::decode(&plain).map_err(|e| stored(&e))
}
