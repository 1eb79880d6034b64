//! Watches of managed objects: one per kind, selected by our label. Bodies are read only for kinds whose
//! health is in them, judged on arrival and dropped; of all others only the metadata comes over the wire.

use std::fmt::Debug;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{DynamicObject, PartialObjectMeta};
use kube::core::ObjectMeta;
use kube::discovery::ApiResource;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::Value;
use windlass_core::api::{APPLICATION_LABEL, HealthStatus};
use windlass_core::health::{Health, assess, has_body_rule};
use windlass_core::object::{Cluster, ObjectId};

use super::error::watch_words;

/// Objects in one answer of a first list. All of an answer are in memory at the same time, and what is kept
/// of them lies between what is not.
pub const PAGE: u32 = 50;

/// A kind without regard to its version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKind {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
}

impl GroupKind {
    /// The kind of an object.
    pub fn of(id: &ObjectId) -> Self {
        Self { group: id.group.clone(), kind: id.kind.clone() }
    }
}

/// Who is told what a watch sees. Called from the watch's task: must not block.
pub trait Observer: Send + Sync + 'static {
    /// The watch starts over: everything that exists is shown again, then [`Self::synced`].
    fn restarted(&self, kind: &GroupKind);
    /// The body of an object as it is now, of a kind whose bodies are kept; [`Self::seen`] follows.
    fn body(&self, id: &ObjectId, resource_version: u64, body: Value);
    /// An object as it is now.
    fn seen(&self, id: ObjectId, meta: ObjectMeta, health: Health);
    /// An object left the selection: deleted, or without our label.
    fn left(&self, id: ObjectId, resource_version: u64);
    /// Everything that exists was shown.
    fn synced(&self, kind: &GroupKind);
    /// The kind is served in another version than it was watched in.
    fn moved(&self, kind: &GroupKind);
    /// The kind is not served any more, in no version.
    fn unserved(&self, kind: &GroupKind);
}

/// Watches one kind in one version until it is dropped, or until the API server serves that version no more.
/// With `bodies` the observer gets the whole objects too.
///
/// With `--watch-namespace` the watch still spans the cluster, because objects may go to any namespace.
pub async fn run(
    client: Client,
    resource: ApiResource,
    cluster: Cluster,
    observer: Arc<dyn Observer>,
    bodies: bool,
) {
    let kind = GroupKind { group: resource.group.clone(), kind: resource.kind.clone() };
    let types = (resource.api_version.clone(), resource.kind.clone());
    if bodies || has_body_rule(&kind.group, &kind.kind) {
        let api = Api::<DynamicObject>::all_with(client, &resource);
        let keeper = observer.clone();
        drive(api, &kind, cluster, observer, move |id, object| {
            let meta = std::mem::take(&mut object.metadata);
            let body = whole(&types, &meta, std::mem::take(&mut object.data));
            let health = assess(&body);
            if bodies {
                keeper.body(id, version(&meta), body);
            }
            (meta, health)
        })
        .await;
    } else {
        let api = Api::<PartialObjectMeta<DynamicObject>>::all_with(client, &resource);
        drive(api, &kind, cluster, observer, |_, object| {
            let meta = std::mem::take(&mut object.metadata);
            let health = existence(&meta);
            (meta, health)
        })
        .await;
    }
}

/// Health of an object that came back from an apply or a read.
pub fn health_of(object: &mut DynamicObject) -> Health {
    let types = object.types.clone().unwrap_or_default();
    let group = types.api_version.rsplit_once('/').map_or("", |(group, _)| group);
    if has_body_rule(group, &types.kind) {
        let types = (types.api_version, types.kind);
        assess(&whole(&types, &object.metadata, std::mem::take(&mut object.data)))
    } else {
        existence(&object.metadata)
    }
}

fn existence(meta: &ObjectMeta) -> Health {
    if meta.deletion_timestamp.is_some() {
        Health { status: HealthStatus::Progressing, message: "being deleted".into() }
    } else {
        Health { status: HealthStatus::Healthy, message: String::new() }
    }
}

/// An object as one value. What is secret in it stays out: nothing judges it by that.
fn whole((api_version, kind): &(String, String), meta: &ObjectMeta, mut body: Value) -> Value {
    let short = ObjectMeta { managed_fields: None, ..meta.clone() };
    if let Some(map) = body.as_object_mut() {
        if kind == "Secret" && api_version == "v1" {
            map.remove("data");
        }
        map.insert("apiVersion".into(), api_version.as_str().into());
        map.insert("kind".into(), kind.as_str().into());
        // Metadata that was just parsed can be written again.
        map.insert("metadata".into(), serde_json::to_value(short).unwrap_or_default());
    }
    body
}

async fn drive<K>(
    api: Api<K>,
    kind: &GroupKind,
    cluster: Cluster,
    observer: Arc<dyn Observer>,
    mut split: impl FnMut(&ObjectId, &mut K) -> (ObjectMeta, Health),
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = watcher::Config::default().labels(APPLICATION_LABEL).timeout(230).page_size(PAGE);
    let mut events = watcher(api, config).default_backoff().boxed();
    let id = |object: &K| ObjectId {
        cluster: cluster.clone(),
        group: kind.group.clone(),
        kind: kind.kind.clone(),
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
    };
    loop {
        match events.try_next().await {
            Ok(Some(Event::Init)) => observer.restarted(kind),
            Ok(Some(Event::InitApply(mut object) | Event::Apply(mut object))) => {
                let id = id(&object);
                let (meta, health) = split(&id, &mut object);
                observer.seen(id, meta, health);
            }
            Ok(Some(Event::Delete(object))) => {
                let version = version(object.meta());
                observer.left(id(&object), version);
            }
            Ok(Some(Event::InitDone)) => observer.synced(kind),
            Ok(None) => return,
            // The stream backs off and starts over by itself.
            Err(error) => {
                let gone = is_gone(&error);
                let error = watch_words(&error);
                tracing::warn!(
                    group = kind.group,
                    kind = kind.kind,
                    error,
                    "the watch broke and starts over"
                );
                if gone {
                    return;
                }
            }
        }
    }
}

/// Whether the path itself is unknown: the kind is not served in this version.
fn is_gone(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status.code == 404,
        _ => false,
    }
}

/// `metadata.resourceVersion` as a number, by which versions of one object are ordered (KEP-5504); 0 where
/// there is none.
pub fn version(meta: &ObjectMeta) -> u64 {
    meta.resource_version.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0)
}
