//! What people may see of the controller's state: a read-only picture per Application, and a signal when
//! one changes. The web server and tests read it; the controller alone writes it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use k8s_openapi::jiff::Timestamp;
use tokio::sync::broadcast;
use windlass_core::api::{AppKey, Application, RolloutPolicySpec, TargetStatus};
use windlass_core::health::Health;
use windlass_core::object::ObjectId;
use windlass_core::rollout::{Known, PodCounts, TargetView};

/// One Application as it stands.
#[derive(Clone, Debug)]
pub struct AppView {
    /// The resource with its status, as last read or written.
    pub application: Arc<Application>,
    /// The objects of its last admitted release, ordered by identity.
    pub objects: Vec<ObjectView>,
    /// The workloads that are rolled out by a policy.
    pub rollouts: Vec<RolloutFacts>,
}

/// What is known of a workload with a RolloutPolicy beside the status.
#[derive(Clone, Debug)]
pub struct RolloutFacts {
    /// Its namespace.
    pub namespace: String,
    /// Its policy.
    pub policy: Arc<RolloutPolicySpec>,
    /// Its pods by revision, as seen last while a rollout was under way.
    pub pods: Option<BTreeMap<String, PodCounts>>,
}

impl AppView {
    /// The rollouts as they stand at `now`.
    pub fn rollouts(&self, now: Timestamp) -> Vec<TargetView> {
        let view = |state: &TargetStatus| {
            let about = |facts: &&RolloutFacts| {
                let target = &facts.policy.target;
                (facts.namespace.as_str(), target.kind, target.name.as_str())
                    == (state.namespace.as_str(), state.kind, state.name.as_str())
            };
            let facts = self.rollouts.iter().find(about);
            let policy = facts.map(|facts| facts.policy.as_ref());
            let pods = facts.and_then(|facts| facts.pods.as_ref());
            TargetView::new(state, &Known { policy, pods }, now)
        };
        self.application.status.iter().flat_map(|status| &status.targets).map(view).collect()
    }
}

/// Whether two copies of a resource are of the same moment.
pub fn same_moment(one: &Application, other: &Application) -> bool {
    let (one, other) = (&one.metadata, &other.metadata);
    one.resource_version == other.resource_version
        && one.generation == other.generation
        && one.uid == other.uid
}

/// One object of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectView {
    /// Which object.
    pub id: ObjectId,
    /// Whether the live object is what the release says.
    pub in_sync: bool,
    /// Its health.
    pub health: Health,
}

/// All Applications that this controller owns.
pub struct Views {
    apps: RwLock<BTreeMap<AppKey, Arc<AppView>>>,
    changes: broadcast::Sender<AppKey>,
}

impl Default for Views {
    fn default() -> Self {
        Self { apps: RwLock::default(), changes: broadcast::channel(1024).0 }
    }
}

impl Views {
    /// All of them, by namespace and name.
    pub fn all(&self) -> BTreeMap<AppKey, Arc<AppView>> {
        self.apps.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One of them.
    pub fn get(&self, key: &AppKey) -> Option<Arc<AppView>> {
        self.apps.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// A stream of the keys that changed or went; a reader that lags is told so and starts over.
    pub fn subscribe(&self) -> broadcast::Receiver<AppKey> {
        self.changes.subscribe()
    }

    /// Replaces the picture of an Application.
    pub fn put(&self, key: AppKey, view: AppView) {
        self.apps.write().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), Arc::new(view));
        // Nobody listening is no error.
        let _ = self.changes.send(key);
    }

    /// Forgets an Application.
    pub fn remove(&self, key: &AppKey) {
        if self.apps.write().unwrap_or_else(PoisonError::into_inner).remove(key).is_some() {
            let _ = self.changes.send(key.clone());
        }
    }
}
