//! What one Application gets from another one whose place it takes.

use std::collections::BTreeSet;

use windlass_core::api::AppKey;
use windlass_core::object::ObjectId;
use windlass_core::release::Legacy;

use super::World;
use crate::controller::queue::Trigger;

impl World {
    /// Leaves releases to the Application that takes the place of the one they are of.
    pub fn bequeath(&self, taker: &AppKey, legacy: Legacy) {
        self.with(|state| state.legacies.insert(taker.clone(), legacy));
    }

    /// Takes what another Application left to `app`.
    pub fn legacy(&self, app: &AppKey) -> Option<Legacy> {
        self.with(|state| state.legacies.remove(app))
    }

    /// Makes everything that `from` claims of `ids` a claim of `taker`, which is told.
    pub fn hand_over(&self, from: &AppKey, taker: &AppKey, ids: BTreeSet<ObjectId>) {
        self.with(|state| {
            for id in &ids {
                if state.claims.get(id) == Some(from) {
                    state.claims.insert(id.clone(), taker.clone());
                }
            }
            if let Some(wanted) = state.wanting.get_mut(taker) {
                wanted.retain(|id| !ids.contains(id));
            }
        });
        self.inherit(taker, ids);
    }

    /// Notes that `taker` has to look after `ids` from now on, and tells it.
    pub fn inherit(&self, taker: &AppKey, ids: BTreeSet<ObjectId>) {
        self.with(|state| state.inherited.entry(taker.clone()).or_default().extend(ids));
        self.queue.trigger(taker.clone(), Trigger::Event);
    }

    /// What `app` got and nobody else claims.
    pub fn inherited(&self, app: &AppKey) -> BTreeSet<ObjectId> {
        self.with(|state| {
            let ids = state.inherited.get(app).into_iter().flatten();
            ids.filter(|id| state.claims.get(*id).is_none_or(|owner| owner == app)).cloned().collect()
        })
    }

    /// Whether `app` got something that is not stored as its own yet.
    pub fn inherits(&self, app: &AppKey) -> bool {
        self.with(|state| state.inherited.contains_key(app))
    }

    /// Notes that what `app` got is stored as its own; whether it got anything.
    pub fn end_inheritance(&self, app: &AppKey) -> bool {
        self.with(|state| state.inherited.remove(app).is_some())
    }
}
