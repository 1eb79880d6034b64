//! What every reconcile works with.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use windlass_core::api::{AppKey, Application, ApplicationStatus, Quarantined, TargetStatus};
use windlass_core::object::{Cluster, Digest, ObjectId};
use windlass_core::plan::{Action, Heals, Instance, may_take, moved_from};
use windlass_core::release::{Release, Releases, RenderRecord, Snapshot, compact};

use super::application::leave;
use super::application::resolve::Subscription;
use super::application::{Refused, Resting};
use super::causes::Causes;
use super::dependencies::Dependencies;
use super::fleet::Fleet;
use super::hearings::Hearings;
use super::mirrors::Mirrors;
pub use super::news::Put;
use super::queue::Queue;
use super::view::Views;
use super::vitals::Vitals;
use super::watches::Watches;
use super::world::World;
use crate::cluster::apply::Applier;
use crate::cluster::client::Clients;
use crate::cluster::discovery::Catalog;
use crate::cluster::events::Events;
use crate::cluster::store::{Store, Unreadable};
use crate::failure::Failure;
use crate::prometheus::Prometheus;
use crate::telemetry::Metrics;
use crate::worker::Pool;

/// How a controller is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Namespace of its own Secrets and Lease.
    pub namespace: String,
    /// Namespaces whose Applications it looks after; empty for all.
    pub watch_namespaces: Vec<String>,
    /// Name of this install; two installs in one cluster have different names.
    pub install: String,
    /// Time between two looks at a repository.
    pub poll_interval: Duration,
    /// Directory of mirrors; what is in it can be lost at any time.
    pub cache_dir: PathBuf,
    /// Where the status page is served; `None` for nowhere.
    pub web_address: Option<SocketAddr>,
    /// Serve the status page to anybody on an address that is not loopback.
    pub anonymous: bool,
    /// Where `/metrics`, `/healthz` and `/readyz` are served; `None` for nowhere.
    pub operations_address: Option<SocketAddr>,
    /// The Prometheus that gates ask where they name none.
    pub prometheus_address: Option<String>,
    /// Reconciles at the same time.
    pub concurrency: usize,
    /// How long the releases of an Application that is gone stay stored.
    pub keep_releases: Duration,
    /// Wait for the Lease before acting.
    pub leader_election: bool,
}

/// What every reconcile works with.
pub struct Context {
    /// How the controller is set up.
    pub config: Config,
    /// Connections to the API server.
    pub clients: Clients,
    /// Which install this is.
    pub instance: Instance,
    /// The cluster that objects go to.
    pub cluster: Cluster,
    /// What the API server serves.
    pub catalog: Arc<Catalog>,
    /// The way into the cluster.
    pub applier: Applier,
    /// Snapshots of releases.
    pub store: Store,
    /// What is known of the cluster.
    pub world: Arc<World>,
    /// Of which Applications it is known what they want.
    pub hearings: Hearings,
    /// The running watches.
    pub watches: Watches,
    /// Why workloads are not healthy.
    pub causes: Causes,
    /// The mirrors in use.
    pub mirrors: Mirrors,
    /// Asks for metrics.
    pub prometheus: Prometheus,
    /// Runs renders.
    pub pool: Arc<Pool>,
    /// Who waits for whom.
    pub dependencies: Dependencies,
    /// Whom to look at next.
    pub queue: Arc<Queue>,
    /// What people may see.
    pub views: Arc<Views>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Signs of life.
    pub vitals: Vitals,
    /// Writes Kubernetes Events.
    pub events: Events,
    /// Bounds requests that write objects, over all Applications.
    pub writes: Semaphore,
    /// How they fare together.
    pub fleet: Fleet,
    /// The Applications that this controller looks after.
    pub apps: Apps,
}

/// The Applications that this controller looks after, and what it remembers of each.
#[derive(Default)]
pub struct Apps {
    resources: Mutex<BTreeMap<AppKey, Arc<Application>>>,
    memories: Mutex<HashMap<AppKey, Arc<tokio::sync::Mutex<Memory>>>>,
    /// Those that are news.
    pub news: super::news::News,
    /// How many lists of Applications, a namespace each, were not read to their end yet.
    unlisted: watch::Sender<usize>,
}

impl Apps {
    /// The resource as last seen.
    pub fn get(&self, key: &AppKey) -> Option<Arc<Application>> {
        self.resources.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// All resources.
    pub fn all(&self) -> Vec<(AppKey, Arc<Application>)> {
        let resources = self.resources.lock().unwrap_or_else(PoisonError::into_inner);
        resources.iter().map(|(key, app)| (key.clone(), app.clone())).collect()
    }

    /// Keeps a resource unless a newer state of it is known.
    pub fn put(&self, key: AppKey, app: Arc<Application>) -> Put {
        let mut resources = self.resources.lock().unwrap_or_else(PoisonError::into_inner);
        let version = |app: &Application| {
            let version = app.metadata.resource_version.as_ref();
            version.and_then(|version| version.parse::<u64>().ok())
        };
        let older = |known: &Arc<Application>| {
            known.metadata.uid == app.metadata.uid && version(known) > version(&app)
        };
        if resources.get(&key).is_some_and(older) {
            return Put::Older;
        }
        resources.insert(key, app).map_or(Put::New, Put::InPlaceOf)
    }

    /// Notes how many lists of Applications, a namespace each, have to be read to know all of them.
    pub fn expect_lists(&self, lists: usize) {
        self.unlisted.send_replace(lists);
    }

    /// Notes that one of them was read to its end.
    pub fn note_listed(&self) {
        self.unlisted.send_modify(|lists| *lists = lists.saturating_sub(1));
    }

    /// Waits until all Applications are known, `deadline` at the most; whether they are.
    pub async fn listed(&self, deadline: Duration) -> bool {
        let mut unlisted = self.unlisted.subscribe();
        let listed = unlisted.wait_for(|lists| *lists == 0);
        tokio::time::timeout(deadline, listed).await.is_ok_and(|listed| listed.is_ok())
    }

    /// Forgets a resource.
    pub fn remove(&self, key: &AppKey) {
        self.resources.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// The keys of all resources.
    pub fn keys(&self) -> BTreeSet<AppKey> {
        self.resources.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// What is remembered of an Application; nothing at first.
    pub fn memory(&self, key: &AppKey) -> Arc<tokio::sync::Mutex<Memory>> {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default().clone()
    }

    /// What is remembered of an Application, if anything.
    pub fn memory_if_any(&self, key: &AppKey) -> Option<Arc<tokio::sync::Mutex<Memory>>> {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// The keys of all Applications of which something is remembered.
    pub fn remembered(&self) -> BTreeSet<AppKey> {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// The Application that takes the place of another one, if one does.
    pub fn taker_of(&self, from: &AppKey) -> Option<AppKey> {
        let resources = self.resources.lock().unwrap_or_else(PoisonError::into_inner);
        let old = resources.get(from).map(|app| &app.metadata);
        let takes = |(key, app): &(&AppKey, &Arc<Application>)| {
            app.metadata.deletion_timestamp.is_none()
                && moved_from(key, &app.metadata).as_ref() == Some(from)
                && may_take(key, from, old)
        };
        resources.iter().find(takes).map(|(key, _)| key.clone())
    }

    /// The Applications whose place another one takes.
    pub fn taken(&self) -> BTreeSet<AppKey> {
        let resources = self.resources.lock().unwrap_or_else(PoisonError::into_inner);
        let from = |(key, app): (&AppKey, &Arc<Application>)| {
            let from =
                moved_from(key, &app.metadata).filter(|_| app.metadata.deletion_timestamp.is_none())?;
            may_take(key, &from, resources.get(&from).map(|app| &app.metadata)).then_some(from)
        };
        resources.iter().filter_map(from).collect()
    }

    /// Forgets everything of an Application.
    pub fn forget(&self, key: &AppKey) {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Applications whose releases may be stored although no resource of theirs was seen.
    pub fn without_resource(&self) -> Vec<AppKey> {
        let keys = self.remembered();
        let resources = self.resources.lock().unwrap_or_else(PoisonError::into_inner);
        keys.into_iter().filter(|key| !resources.contains_key(key)).collect()
    }

    /// Has every Application that is not looked at just now take little memory.
    pub fn rest(&self) {
        let memories: Vec<_> =
            self.memories.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for memory in memories {
            if let Ok(mut memory) = memory.try_lock() {
                memory.rest();
            }
        }
    }

    /// Every object that some Application may have in the cluster.
    pub async fn inventories(&self) -> HashSet<ObjectId> {
        let memories: Vec<_> =
            self.memories.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let mut ids = HashSet::new();
        for memory in memories {
            ids.extend(memory.lock().await.inventory.iter().cloned());
        }
        ids
    }
}

/// What the controller remembers of an Application between two reconciles. All of it can be lost: it is
/// rebuilt from the stored snapshot, the status, the sources and the watches.
#[derive(Default)]
pub struct Memory {
    /// UID of the resource that all of this is about; another resource of the same name starts anew.
    pub uid: Option<String>,
    /// The release that the cluster should have.
    pub current: Option<Arc<Release>>,
    /// The releases that are kept whole, in their present roles.
    pub releases: Releases,
    /// The releases as stored.
    pub stored: Releases,
    /// The stored releases were given the roles that the status says.
    pub aligned: bool,
    /// The store has a rollback of which the status does not tell yet.
    pub ahead: bool,
    /// The release that the cluster had when this controller started, with the hash of its fields as the
    /// status has it: empty where it was not applied completely. Gone once it was compared.
    pub left: Option<(Arc<Release>, String)>,
    /// The release that was begun failed and is to be undone: its entry in the quarantine.
    pub undo: Option<Quarantined>,
    /// Since when the API server refuses objects of this release for good.
    pub refused_since: Option<(Digest, tokio::time::Instant)>,
    /// The request that was refused last, by its identifier, and why.
    pub refused_request: Option<(String, String)>,
    /// Why it is not known what is stored.
    pub unreadable: Option<Unreadable>,
    /// Everything that may exist because of this Application, as stored.
    pub inventory: BTreeSet<ObjectId>,
    /// What the last reconcile rendered was admitted.
    pub admitted: bool,
    /// Since when objects that this release no longer has wait to be pruned.
    pub prunes_since: Option<(Digest, tokio::time::Instant)>,
    /// Since when it waits for the Application whose place it takes.
    pub renaming_since: Option<tokio::time::Instant>,
    /// The Application that is gone and whose objects it took, until that is stored.
    pub heir_of: Option<AppKey>,
    /// Since when its deletion is known.
    pub deleting_since: Option<tokio::time::Instant>,
    /// What was done for a release whose last steps wait for a moment, to be told with them.
    pub untold: Vec<Action>,
    /// The last render that succeeded.
    pub render: Option<RenderCache>,
    /// The last render, if it failed.
    pub failed: Option<FailedRender>,
    /// The release that the API server refused, if it did.
    pub refused: Option<Refused>,
    /// Since when it waits for what only just began.
    pub waits_since: Option<tokio::time::Instant>,
    /// Those who depend on it were told that it is being deleted.
    pub parted: bool,
    /// The sources as subscribed.
    pub subscriptions: Vec<Subscription>,
    /// The status as last read or written.
    pub status: Option<ApplicationStatus>,
    /// How far each workload with a RolloutPolicy is, with what is only told; the status has the rest.
    pub targets: Option<Vec<TargetStatus>>,
    /// What the cluster should have of a release whose rollouts have ended.
    pub resting: Option<Resting>,
    /// Since when that status is not written: what the cluster's own controllers say about it is waited for.
    pub unwritten: Option<tokio::time::Instant>,
    /// Failed attempts in a row, for backing off.
    pub attempts: u32,
    /// Failed attempts in a row to commit a rollback to Git.
    pub write_back_attempts: u32,
    /// What of the last release is left to others.
    pub left_to_others: Option<leave::Known>,
    /// The autoscalers outside of the release that were asked about.
    pub autoscalers: leave::Seen,
    /// The heals of each object that came soon after each other, for backing off.
    pub heals: HashMap<ObjectId, Heals>,
    /// Objects that somebody else keeps changing back.
    pub contended: Option<Failure>,
    /// When this controller first looked at the Application.
    pub known_since: Option<tokio::time::Instant>,
    /// When the status was written last.
    pub status_written: Option<tokio::time::Instant>,
}

impl Memory {
    /// Forgets what was known of a resource that another one of the same name has taken the place of; what
    /// it left in the cluster is kept, to be taken over or pruned.
    pub fn about(&mut self, uid: Option<&String>) {
        if self.uid.as_ref() != uid {
            let (current, render) = (self.current.take(), self.render.take());
            let (stored, unreadable) = (std::mem::take(&mut self.stored), self.unreadable.take());
            let releases = stored.clone();
            let inventory = std::mem::take(&mut self.inventory);
            let uid = uid.cloned();
            *self = Self { uid, current, render, releases, stored, unreadable, inventory, ..Self::default() };
        }
    }

    /// Whether the store has something of it.
    pub fn is_stored(&self) -> bool {
        self.unreadable.is_some() || !self.inventory.is_empty() || self.releases.iter().next().is_some()
    }

    /// Takes little memory until somebody looks at an object of a release again.
    pub fn rest(&mut self) {
        let mut slots = self.releases.slots();
        slots.extend(self.stored.slots());
        slots.extend(&mut self.current);
        slots.extend(self.resting.iter_mut().flat_map(Resting::slots));
        slots.extend(self.render.as_mut().map(|cache| &mut cache.release));
        if let Err(error) = compact(slots) {
            tracing::warn!(%error, "releases take more memory than they should");
        }
    }

    /// What a stored snapshot tells.
    pub fn restore(&mut self, snapshot: Snapshot) {
        self.unreadable = None;
        self.inventory = snapshot.inventory.into_iter().collect();
        self.stored = snapshot.releases;
        self.releases = self.stored.clone();
        let Some(last) = self.releases.next.as_ref().or(self.releases.stable.as_ref()) else { return };
        let release = last.release.clone();
        self.render = last.render.clone().map(|record| RenderCache { record, release: release.clone() });
        self.current = Some(release);
    }
}

/// A render whose inputs are known, so that the same inputs need no other.
pub struct RenderCache {
    /// What it was made from.
    pub record: RenderRecord,
    /// What came of it.
    pub release: Arc<Release>,
}

/// A render that failed, which is not tried again before something changes or its time has come.
pub struct FailedRender {
    /// Digest of everything that the render depended on but the files.
    pub inputs: Digest,
    /// The commits of the sources.
    pub commits: Vec<String>,
    /// Why it failed.
    pub failure: Failure,
    /// When the same may be tried again; never by itself for a failure that lasts.
    pub again: Option<tokio::time::Instant>,
}
