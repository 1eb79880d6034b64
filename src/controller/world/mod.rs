//! What is known of the cluster: live objects as last seen, what was applied to them, and which Application
//! claims them. Plain state behind one lock; no reads, no writes, no clock.

mod checked;
mod inherited;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use kube::core::ObjectMeta;
use serde_json::Value;
use windlass_core::api::{AppKey, HealthStatus};
use windlass_core::fields::{ManagerNames, Managers};
use windlass_core::health::Health;
use windlass_core::object::ObjectId;
use windlass_core::plan::{Applied, Instance, Keep, Observed, Ownership, own_fields, ownership};
use windlass_core::release::{Legacy, wave};

use super::queue::{Queue, Trigger};
use crate::cluster::watch::{GroupKind, Observer, version};

pub use checked::Verdict;

/// What is known of the cluster.
pub struct World {
    instance: Instance,
    managers: ManagerNames,
    queue: Arc<Queue>,
    state: Mutex<State>,
    synced: tokio::sync::watch::Sender<HashSet<GroupKind>>,
}

#[derive(Default)]
struct State {
    observed: HashMap<ObjectId, Observed>,
    /// Version at which an object left, so that a late answer to an older apply does not bring it back.
    left: HashMap<ObjectId, u64>,
    applied: HashMap<ObjectId, Applied>,
    /// UID and health of Jobs when they ended: the cluster may delete them at any moment after.
    ended: HashMap<ObjectId, (String, Health)>,
    claims: HashMap<ObjectId, AppKey>,
    /// What each Application wants although another one claims it.
    wanting: HashMap<AppKey, BTreeSet<ObjectId>>,
    /// What each Application got from one whose place it takes, until that is stored as its own.
    inherited: HashMap<AppKey, BTreeSet<ObjectId>>,
    /// What Applications left to those that take their places, until it is taken.
    legacies: HashMap<AppKey, Legacy>,
    relisting: HashMap<GroupKind, HashSet<ObjectId>>,
    /// Whole objects, and their versions, of kinds for which there are health checks.
    bodies: HashMap<ObjectId, (u64, Arc<Value>)>,
    verdicts: HashMap<ObjectId, Verdict>,
}

impl World {
    /// Knows nothing yet; tells `queue` which Application to look at.
    pub fn new(instance: Instance, queue: Arc<Queue>) -> Self {
        let managers = instance.managers();
        let synced = tokio::sync::watch::Sender::new(HashSet::new());
        Self { instance, managers, queue, state: Mutex::default(), synced }
    }

    /// A live object as the plan needs it.
    pub fn observation(&self, id: &ObjectId, meta: &ObjectMeta, health: Health) -> Observed {
        let entries = meta.managed_fields.as_deref().unwrap_or_default();
        Observed {
            uid: meta.uid.clone().unwrap_or_default(),
            created: meta.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second()),
            resource_version: version(meta),
            ownership: ownership(&self.instance, id, meta),
            fields: own_fields(&self.managers.main, entries),
            managers: Managers::read(&self.managers, entries),
            deleting: meta.deletion_timestamp.is_some(),
            keep: Keep::of(meta.annotations.as_ref()),
            wave: wave(|key| meta.annotations.as_ref()?.get(key).map(String::as_str)).unwrap_or_default(),
            health,
        }
    }

    /// The object as last seen.
    pub fn observed(&self, id: &ObjectId) -> Option<Observed> {
        self.with(|state| state.judged(id))
    }

    /// What was applied last.
    pub fn applied(&self, id: &ObjectId) -> Option<Applied> {
        self.with(|state| state.applied.get(id).cloned())
    }

    /// How a Job ended that may be gone since.
    pub fn ended(&self, id: &ObjectId) -> Option<Health> {
        self.with(|state| state.ended.get(id).map(|(_, health)| health.clone()))
    }

    /// Notes that nothing is known to differ: a restarted controller found everything as it was left.
    pub fn trust(&self, id: &ObjectId, applied: Applied) {
        self.with(|state| state.applied.insert(id.clone(), applied));
    }

    /// Notes what an apply led to.
    pub fn record_applied(&self, id: &ObjectId, applied: Applied, observed: Observed) {
        self.with(|state| {
            state.applied.insert(id.clone(), applied);
            state.newer(id, observed);
        });
    }

    /// Notes that an object was deleted by us or does not exist.
    pub fn forget(&self, id: &ObjectId) {
        self.with(|state| {
            state.applied.remove(id);
            state.observed.remove(id);
            state.bodies.remove(id);
            state.verdicts.remove(id);
            state.ended.remove(id);
        });
    }

    /// Who claims an object, if it is not `app`.
    pub fn claimed_by_other(&self, id: &ObjectId, app: &AppKey) -> Option<AppKey> {
        self.with(|state| state.claims.get(id).filter(|owner| *owner != app).cloned())
    }

    /// Claims objects for `app`; those that others have already are left to them and given back.
    pub fn claim<'a>(&self, app: &AppKey, ids: impl Iterator<Item = &'a ObjectId>) -> BTreeSet<ObjectId> {
        self.with(|state| {
            ids.filter(|id| state.claims.entry((*id).clone()).or_insert_with(|| app.clone()) != app)
                .cloned()
                .collect()
        })
    }

    /// Notes all objects of `ids` that others claim as wanted by `app`. Who claims something that is news is
    /// looked at, since it may not need it any more; `app` is told when the claim ends.
    pub fn want<'a>(&self, app: &AppKey, ids: impl Iterator<Item = &'a ObjectId>) {
        let claiming = self.with(|state| {
            let other = |id: &&ObjectId| state.claims.get(*id).is_some_and(|owner| owner != app);
            let wanted: BTreeSet<_> = ids.filter(other).cloned().collect();
            let known = state.wanting.get(app);
            let news = wanted.iter().filter(|id| known.is_none_or(|known| !known.contains(id)));
            let claiming: BTreeSet<_> = news.filter_map(|id| state.claims.get(id).cloned()).collect();
            if wanted.is_empty() {
                state.wanting.remove(app);
            } else {
                state.wanting.insert(app.clone(), wanted);
            }
            claiming
        });
        for key in claiming {
            self.queue.trigger(key, Trigger::Event);
        }
    }

    /// Those of `ids` that an Application waits for: they are handed over, not deleted.
    pub fn wanted<'a>(&self, ids: impl Iterator<Item = &'a ObjectId>) -> BTreeSet<ObjectId> {
        self.with(|state| {
            if state.wanting.is_empty() {
                return BTreeSet::new();
            }
            ids.filter(|id| state.wanting.values().any(|wanted| wanted.contains(*id))).cloned().collect()
        })
    }

    /// Whether an Application waits for an object.
    pub fn is_wanted(&self, id: &ObjectId) -> bool {
        !self.wanted(std::iter::once(id)).is_empty()
    }

    /// Whether `app` wants something that `other` claims.
    pub fn waits_for(&self, app: &AppKey, other: &AppKey) -> bool {
        self.with(|state| {
            let wanted = state.wanting.get(app).into_iter().flatten();
            wanted.into_iter().any(|id| state.claims.get(id) == Some(other))
        })
    }

    /// Ends claims of `app`; Applications that want the objects are looked at.
    pub fn unclaim<'a>(&self, app: &AppKey, ids: impl Iterator<Item = &'a ObjectId>) {
        let wanting = self.with(|state| {
            let mut wanting = BTreeSet::new();
            for id in ids {
                if state.claims.get(id) == Some(app) {
                    state.claims.remove(id);
                    state.applied.remove(id);
                    state.ended.remove(id);
                    state.left.remove(id);
                    let waiting = state.wanting.iter().filter(|(_, ids)| ids.contains(id));
                    wanting.extend(waiting.map(|(key, _)| key.clone()));
                }
            }
            wanting
        });
        for key in wanting {
            self.queue.trigger(key, Trigger::Event);
        }
    }

    /// Ends every claim of `app`.
    pub fn unclaim_all(&self, app: &AppKey) {
        let claimed = |state: &mut State| {
            let ids = state.claims.iter().filter(|(_, owner)| *owner == app);
            ids.map(|(id, _)| id.clone()).collect::<Vec<_>>()
        };
        self.unclaim(app, self.with(claimed).iter());
    }

    /// Whether the watches of all these kinds have shown everything that exists.
    pub async fn wait_synced(&self, kinds: &HashSet<GroupKind>) {
        // The sender lives as long as this, so waiting cannot fail.
        let _ = self.synced.subscribe().wait_for(|synced| kinds.is_subset(synced)).await;
    }

    /// Forgets a kind whose watch ended.
    pub fn drop_kind(&self, kind: &GroupKind) {
        self.synced.send_modify(|synced| {
            synced.remove(kind);
        });
        self.with(|state| {
            state.observed.retain(|id, _| GroupKind::of(id) != *kind);
            state.bodies.retain(|id, _| GroupKind::of(id) != *kind);
            state.verdicts.retain(|id, _| GroupKind::of(id) != *kind);
        });
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// Keeps `observed` unless something newer is known; whether it was news.
    fn newer(&mut self, id: &ObjectId, observed: Observed) -> bool {
        if self.left.get(id).is_some_and(|left| *left >= observed.resource_version) {
            return false;
        }
        self.left.remove(id);
        match self.observed.get(id) {
            Some(known) if known.resource_version >= observed.resource_version => false,
            _ => {
                let end = matches!(observed.health.status, HealthStatus::Healthy | HealthStatus::Degraded);
                if is_job(id) && end {
                    self.ended.insert(id.clone(), (observed.uid.clone(), observed.health.clone()));
                } else if self.ended.get(id).is_some_and(|(uid, _)| *uid != observed.uid) {
                    self.ended.remove(id);
                }
                self.observed.insert(id.clone(), observed);
                true
            }
        }
    }

    /// Whom to tell of an object, if anybody: who claims it, else whom its annotation names.
    fn owner(&self, id: &ObjectId, observed: Option<&Observed>) -> Option<AppKey> {
        self.claims.get(id).cloned().or_else(|| match &observed?.ownership {
            Ownership::App(key) => Some(key.clone()),
            _ => None,
        })
    }

    fn leave(&mut self, id: &ObjectId, version: u64) -> Option<AppKey> {
        let known = self.observed.get(id).map(|o| o.resource_version);
        if known.is_some_and(|known| known > version) {
            return None;
        }
        let gone = self.observed.remove(id);
        self.bodies.remove(id);
        self.verdicts.remove(id);
        if self.claims.contains_key(id) {
            self.left.insert(id.clone(), version);
        }
        self.owner(id, gone.as_ref())
    }
}

fn is_job(id: &ObjectId) -> bool {
    id.group == "batch" && id.kind == "Job"
}

impl Observer for World {
    fn body(&self, id: &ObjectId, resource_version: u64, body: Value) {
        let key = self.with(|state| {
            let kept = (resource_version, Arc::new(body));
            let before = state.bodies.insert(id.clone(), kept);
            let news = before.is_none_or(|(before, _)| before != resource_version);
            news.then(|| state.owner(id, state.observed.get(id))).flatten()
        });
        if let Some(key) = key {
            self.queue.trigger(key, Trigger::Event);
        }
    }

    fn restarted(&self, kind: &GroupKind) {
        self.with(|state| state.relisting.insert(kind.clone(), HashSet::new()));
    }

    fn seen(&self, id: ObjectId, meta: ObjectMeta, health: Health) {
        let observed = self.observation(&id, &meta, health);
        drop(meta);
        let key = self.with(|state| {
            if let Some(listed) = state.relisting.get_mut(&GroupKind::of(&id)) {
                listed.insert(id.clone());
            }
            let looks = |o: &Observed| (o.health.clone(), o.deleting, o.keep, o.managers.clone());
            let before = state.observed.get(&id).map(looks);
            let now = Some(looks(&observed));
            let expected = state.applied.get(&id).is_some_and(|a| a.fields == observed.fields);
            if !state.newer(&id, observed.clone()) || (expected && before == now) {
                return None;
            }
            state.owner(&id, Some(&observed))
        });
        if let Some(key) = key {
            self.queue.trigger(key, Trigger::Event);
        }
    }

    fn left(&self, id: ObjectId, resource_version: u64) {
        if let Some(key) = self.with(|state| state.leave(&id, resource_version)) {
            self.queue.trigger(key, Trigger::Event);
        }
    }

    fn synced(&self, kind: &GroupKind) {
        let keys = self.with(|state| {
            let Some(listed) = state.relisting.remove(kind) else { return Vec::new() };
            let missing: Vec<_> = state
                .observed
                .keys()
                .filter(|id| GroupKind::of(id) == *kind && !listed.contains(id))
                .cloned()
                .collect();
            // Only forgotten, not noted as left: one that was created after the list was made shows up next.
            let forgotten = |id| {
                let observed = state.observed.remove(&id);
                state.bodies.remove(&id);
                state.verdicts.remove(&id);
                state.owner(&id, observed.as_ref())
            };
            missing.into_iter().filter_map(forgotten).collect()
        });
        for key in keys {
            self.queue.trigger(key, Trigger::Event);
        }
        self.synced.send_modify(|synced| {
            synced.insert(kind.clone());
        });
    }

    fn moved(&self, kind: &GroupKind) {
        let claiming = |state: &mut State| {
            let claims = state.claims.iter().filter(|(id, _)| GroupKind::of(id) == *kind);
            claims.map(|(_, key)| key.clone()).collect::<BTreeSet<_>>()
        };
        for key in self.with(claiming) {
            self.queue.trigger(key, Trigger::Event);
        }
    }

    fn unserved(&self, kind: &GroupKind) {
        self.drop_kind(kind);
        self.moved(kind);
    }
}

#[cfg(test)]
mod tests;
