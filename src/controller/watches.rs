//! The running watches: one for each kind in use.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use kube::Client;
use tokio::task::JoinHandle;
use windlass_core::object::Cluster;

use super::world::World;
use crate::cluster::discovery::Catalog;
use crate::cluster::watch::{self, GroupKind};

/// Starts and ends watches.
pub struct Watches {
    client: Client,
    cluster: Cluster,
    world: Arc<World>,
    running: Mutex<HashMap<GroupKind, JoinHandle<()>>>,
}

impl Watches {
    /// None runs yet.
    pub fn new(client: Client, cluster: Cluster, world: Arc<World>) -> Self {
        Self { client, cluster, world, running: Mutex::default() }
    }

    /// Starts the watches of `kinds` that do not run yet and gives the kinds that can be watched: those
    /// that the API server serves.
    pub fn ensure(&self, kinds: HashSet<GroupKind>, catalog: &Catalog) -> HashSet<GroupKind> {
        let served = catalog.served();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut watched = HashSet::new();
        for kind in kinds {
            if !running.contains_key(&kind) {
                let Some((resource, _)) = served.any_version(&kind.group, &kind.kind) else { continue };
                let observer: Arc<World> = self.world.clone();
                let task = watch::run(self.client.clone(), resource.clone(), self.cluster.clone(), observer);
                running.insert(kind.clone(), tokio::spawn(task));
            }
            watched.insert(kind);
        }
        watched
    }

    /// The kinds that are watched.
    pub fn kinds(&self) -> Vec<GroupKind> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Ends the watches of kinds that are no longer in use.
    pub fn retain(&self, used: &HashSet<GroupKind>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|kind, task| {
            let keep = used.contains(kind);
            if !keep {
                task.abort();
                self.world.drop_kind(kind);
            }
            keep
        });
    }
}
