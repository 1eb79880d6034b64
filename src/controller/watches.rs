//! The running watches: one for each kind in use.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use kube::discovery::ApiResource;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use windlass_core::object::Cluster;

use super::world::World;
use crate::cluster::discovery::Catalog;
use crate::cluster::watch::{self, GroupKind, Observer as _};

/// Pause before a kind is looked for that is not served; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Starts and ends watches.
pub struct Watches {
    client: Client,
    cluster: Cluster,
    world: Arc<World>,
    catalog: Arc<Catalog>,
    running: Mutex<HashMap<GroupKind, Running>>,
}

struct Running {
    task: JoinHandle<()>,
    /// The API server served the kind when it was looked for last.
    served: Arc<AtomicBool>,
    /// Whether it shows whole objects.
    bodies: bool,
}

impl Watches {
    /// None runs yet.
    pub fn new(client: Client, cluster: Cluster, world: Arc<World>, catalog: Arc<Catalog>) -> Self {
        Self { client, cluster, world, catalog, running: Mutex::default() }
    }

    /// Starts the watches of `kinds` that do not run yet and gives the kinds that can be watched: those
    /// that the API server serves. Of kinds for which `bodies` holds whole objects are wanted.
    pub fn ensure(
        &self,
        kinds: HashSet<GroupKind>,
        bodies: impl Fn(&GroupKind) -> bool,
    ) -> HashSet<GroupKind> {
        let served = self.catalog.served();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut watched = HashSet::new();
        for kind in kinds {
            let known = running.get(&kind);
            let bodies = bodies(&kind) || known.is_some_and(|known| known.bodies);
            let runs = known.is_some_and(|known| known.served.load(Ordering::Relaxed));
            if !runs || known.is_some_and(|known| known.bodies != bodies) {
                let Some((resource, _)) = served.any_version(&kind.group, &kind.kind) else { continue };
                let known = Arc::new(AtomicBool::new(true));
                let task = tokio::spawn(self.follow(kind.clone(), resource.clone(), known.clone(), bodies));
                let before = running.insert(kind.clone(), Running { task, served: known, bodies });
                if let Some(before) = before {
                    before.task.abort();
                }
            }
            watched.insert(kind);
        }
        watched
    }

    /// Watches a kind in whatever version is served: first that of `resource`, and another one when that is
    /// served no more.
    fn follow(
        &self,
        kind: GroupKind,
        mut resource: ApiResource,
        served: Arc<AtomicBool>,
        bodies: bool,
    ) -> impl Future<Output = ()> + use<> {
        let (client, cluster) = (self.client.clone(), self.cluster.clone());
        let (world, catalog) = (self.world.clone(), self.catalog.clone());
        async move {
            loop {
                watch::run(client.clone(), resource.clone(), cluster.clone(), world.clone(), bodies).await;
                let mut pause = PAUSE;
                let next = loop {
                    match catalog.refresh().await {
                        Ok(now) => match now.any_version(&kind.group, &kind.kind) {
                            Some((next, _)) => break next.clone(),
                            None if served.swap(false, Ordering::Relaxed) => world.unserved(&kind),
                            None => {}
                        },
                        Err(error) => tracing::warn!(%error, "cannot look at what is served"),
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                };
                served.store(true, Ordering::Relaxed);
                if next.version == resource.version {
                    // It still says so, or again.
                    sleep(PAUSE).await;
                }
                let (group, from, to) = (&kind.group, &resource.version, &next.version);
                tracing::info!(group, kind = kind.kind, from, to, "the watch goes on");
                resource = next;
                world.moved(&kind);
            }
        }
    }

    /// The kinds that are watched.
    pub fn kinds(&self) -> Vec<GroupKind> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Ends the watches of kinds that are no longer in use.
    pub fn retain(&self, used: &HashSet<GroupKind>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|kind, watch| {
            let keep = used.contains(kind);
            if !keep {
                watch.task.abort();
                self.world.drop_kind(kind);
            }
            keep
        });
    }
}
