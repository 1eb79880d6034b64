//! The release store: for each Application a Secret in Windlass's own namespace with the compressed snapshot
//! of its releases and its inventory; where that is too large for one Secret, the Secret names others that
//! have it in pieces. Pieces are written first and the head last, so that a crash leaves at most pieces that
//! nobody names, which are collected.

mod layout;
mod pack;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use windlass_core::api::AppKey;
use windlass_core::plan::Instance;
use windlass_core::release::Snapshot;

use super::error::ClusterError;
use layout::{Head, INSTANCE_LABEL, Part};

pub use pack::{pack, unpack};

/// Secrets in one answer of a list: bounds the memory for answers where releases are large.
const PAGE: u32 = 100;

/// A release that is stored but cannot be read: nobody knows what its Application has in the cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Secret {secret}: {message}")]
pub struct Unreadable {
    /// The Secret that should hold it.
    pub secret: String,
    /// What is wrong with it.
    pub message: String,
}

/// Stores snapshots of releases.
pub struct Store {
    api: Api<Secret>,
    instance: Instance,
    chunks: Mutex<BTreeMap<AppKey, Chunks>>,
    /// Held while chunks that nobody names are deleted, and shared by all who write some.
    collecting: tokio::sync::RwLock<()>,
}

/// The chunk Secrets of an Application that may exist.
#[derive(Debug, Default)]
struct Chunks {
    named: BTreeSet<String>,
    garbage: BTreeSet<String>,
}

impl Store {
    /// A store in `namespace`.
    pub fn new(client: Client, namespace: &str, instance: Instance) -> Self {
        let api = Api::namespaced(client, namespace);
        Self { api, instance, chunks: Mutex::default(), collecting: tokio::sync::RwLock::default() }
    }

    /// Every snapshot that is stored for the Applications that are `ours`, by one list request, in pages.
    ///
    /// # Errors
    /// [`ClusterError::Request`] where the list fails.
    pub async fn load_all(
        &self,
        ours: impl Fn(&AppKey) -> bool,
        mut each: impl FnMut(AppKey, Result<Snapshot, Unreadable>),
    ) -> Result<(), ClusterError> {
        let mut params =
            ListParams::default().labels(&format!("{INSTANCE_LABEL}={}", self.instance.as_str()));
        params = params.limit(PAGE);
        let mut chunked = Vec::new();
        let mut chunks: BTreeMap<AppKey, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
        loop {
            let page = self.api.list(&params).await?;
            for secret in page.items {
                let Some(app) = layout::owner(&secret).filter(&ours) else { continue };
                let name = secret.metadata.name.clone().unwrap_or_default();
                match layout::read(secret) {
                    Part::Chunk(bytes) => drop(chunks.entry(app).or_default().insert(name, bytes)),
                    // Chunks come after their head in the list.
                    Part::Head(head @ Head::Chunked(_)) => chunked.push((app, name, head)),
                    Part::Head(head) => each(app, decode(&name, head, &BTreeMap::new())),
                }
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => break,
            }
        }
        let mut known = BTreeMap::new();
        for (app, name, head) in chunked {
            let parts = chunks.remove(&app).unwrap_or_default();
            known.insert(app.clone(), Chunks::of(&head, parts.keys().cloned()));
            each(app, decode(&name, head, &parts));
        }
        for (app, parts) in chunks {
            known.insert(app, Chunks { named: BTreeSet::new(), garbage: parts.into_keys().collect() });
        }
        self.with(|chunks| *chunks = known);
        Ok(())
    }

    /// The snapshot of one Application; `None` where nothing is stored.
    ///
    /// # Errors
    /// [`ClusterError::Request`] where the API server refuses.
    pub async fn load(&self, app: &AppKey) -> Result<Option<Result<Snapshot, Unreadable>>, ClusterError> {
        let name = self.head_name(app);
        let Some(secret) = self.api.get_opt(&name).await? else { return Ok(None) };
        let Part::Head(head) = layout::read(secret) else { return Ok(None) };
        let mut parts = BTreeMap::new();
        if let Head::Chunked(chunks) = &head {
            for part in &chunks.names {
                if let Some(Part::Chunk(bytes)) = self.api.get_opt(part).await?.map(layout::read) {
                    parts.insert(part.clone(), bytes);
                }
            }
        }
        Ok(Some(decode(&name, head, &parts)))
    }

    /// Stores the snapshot of an Application in place of its last one. Gives how many former releases had to
    /// be left out because it was too large.
    ///
    /// # Errors
    /// [`ClusterError::Stored`] where it is too large even so, [`ClusterError::Request`] where the API server
    /// refuses it.
    pub async fn save(&self, app: &AppKey, snapshot: &Snapshot) -> Result<usize, ClusterError> {
        let packed = pack(snapshot, pack::MAX_PACKED).map_err(ClusterError::Stored)?;
        let layout = layout::lay_out(&self.instance, app, packed.bytes)
            .map_err(|error| ClusterError::Stored(error.to_string()))?;
        let names: BTreeSet<_> = layout.chunks.iter().filter_map(|c| c.metadata.name.clone()).collect();
        if names.is_empty() {
            self.write(&layout.head).await?;
        } else {
            let _writing = self.collecting.read().await;
            // Until the head is written those of the last head are named too.
            self.with(|chunks| chunks.entry(app.clone()).or_default().name(&names));
            for chunk in &layout.chunks {
                self.write(chunk).await?;
            }
            self.write(&layout.head).await?;
        }
        if self.with(|chunks| chunks.get_mut(app).is_some_and(|chunks| chunks.keep(names))) {
            self.collect(Some(app)).await;
        }
        Ok(packed.left_out)
    }

    /// Forgets an Application; one that was never stored is no error.
    ///
    /// # Errors
    /// [`ClusterError::Request`] where the API server refuses.
    pub async fn delete(&self, app: &AppKey) -> Result<(), ClusterError> {
        self.remove(&self.head_name(app)).await?;
        if self.with(|chunks| chunks.get_mut(app).is_some_and(|chunks| chunks.keep(BTreeSet::new()))) {
            self.collect(Some(app)).await;
        }
        Ok(())
    }

    /// Deletes chunks that no head names, of one Application or all. Those that cannot be deleted are tried
    /// again the next time.
    pub async fn collect(&self, app: Option<&AppKey>) {
        let _collecting = self.collecting.write().await;
        let garbage: Vec<_> = self.with(|chunks| {
            let wanted = chunks.iter().filter(|(key, _)| app.is_none_or(|app| app == *key));
            wanted
                .flat_map(|(key, chunks)| chunks.garbage.iter().map(|name| (key.clone(), name.clone())))
                .collect()
        });
        for (key, name) in garbage {
            match self.remove(&name).await {
                Ok(()) => self.with(|chunks| {
                    if let Some(known) = chunks.get_mut(&key) {
                        known.garbage.remove(&name);
                        if known.garbage.is_empty() && known.named.is_empty() {
                            chunks.remove(&key);
                        }
                    }
                }),
                Err(error) => {
                    tracing::warn!(secret = name, %error, "a part of an old release could not be deleted")
                }
            }
        }
    }

    async fn write(&self, secret: &Secret) -> Result<(), ClusterError> {
        let name = secret.metadata.name.as_deref().unwrap_or_default();
        let params = PatchParams::apply(&self.instance.field_manager()).force();
        self.api.patch(name, &params, &Patch::Apply(secret)).await?;
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<(), ClusterError> {
        match self.api.delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            other => Ok(other.map(|_| ())?),
        }
    }

    fn head_name(&self, app: &AppKey) -> String {
        layout::head_name(&self.instance, app)
    }

    fn with<T>(&self, f: impl FnOnce(&mut BTreeMap<AppKey, Chunks>) -> T) -> T {
        f(&mut self.chunks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Chunks {
    /// What a head names of those that exist, and the rest.
    fn of(head: &Head, existing: impl Iterator<Item = String>) -> Self {
        let names = match head {
            Head::Chunked(chunks) => chunks.names.as_slice(),
            _ => &[],
        };
        let (named, garbage) = existing.partition(|name| names.contains(name));
        Self { named, garbage }
    }

    /// Notes that these are named now, besides those that were.
    fn name(&mut self, names: &BTreeSet<String>) {
        self.garbage.retain(|name| !names.contains(name));
        self.named.extend(names.iter().cloned());
    }

    /// Notes that only these are named now; whether there are others.
    fn keep(&mut self, names: BTreeSet<String>) -> bool {
        let before = std::mem::replace(&mut self.named, names);
        self.garbage.extend(before);
        self.garbage.retain(|name| !self.named.contains(name));
        !self.garbage.is_empty()
    }
}

fn decode(name: &str, head: Head, parts: &BTreeMap<String, Vec<u8>>) -> Result<Snapshot, Unreadable> {
    let bytes = layout::assemble(head, |name| parts.get(name).map(Vec::as_slice));
    bytes.and_then(|bytes| unpack(&bytes)).map_err(|message| Unreadable { secret: name.to_owned(), message })
}
