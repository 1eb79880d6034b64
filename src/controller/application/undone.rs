//! What a rollback may take away: what the undone release made, and nothing that was there before it.

use std::collections::BTreeSet;

use windlass_core::object::ObjectId;
use windlass_core::plan::Ownership;
use windlass_core::release::{Effective, Release, began};

use super::Scope;
use super::select::Chosen;
use crate::controller::context::Memory;

/// What a rollback may prune of the inventory, whatever the limit; `None` where nothing is undone.
pub fn inventory(
    scope: &Scope<'_>,
    memory: &Memory,
    chosen: &Chosen,
    release: &Release,
) -> Option<BTreeSet<ObjectId>> {
    let (undone, _) = memory.releases.undone().filter(|_| chosen.effective == Effective::Undone)?;
    let existed = existed(scope, memory, release);
    let began = began_at(memory);
    // What a rollout adds is of neither release.
    let added = |id: &ObjectId| {
        let created = scope.ctx.world.observed(id).map(|observed| observed.created);
        !undone.release.contains(id) && created.zip(began).is_some_and(|(created, began)| created >= began)
    };
    let known = |id: &&ObjectId| {
        let made = undone.release.get(id).is_some() && !existed.contains(*id);
        release.get(id).is_some() || made || added(id)
    };
    Some(memory.inventory.iter().filter(known).cloned().collect())
}

/// The objects of the undone release that are not of `release`, which is restored, and that existed before
/// it: it took them over, so they stay as they are. They belong to no release until one has them again.
pub fn existed(scope: &Scope<'_>, memory: &Memory, release: &Release) -> BTreeSet<ObjectId> {
    let Some((undone, _)) = memory.releases.undone().filter(|_| memory.releases.stable.is_some()) else {
        return BTreeSet::new();
    };
    let since = began_at(memory);
    let existed = |id: &&ObjectId| {
        let Some(observed) = scope.ctx.world.observed(id) else { return false };
        let own = observed.ownership == Ownership::App(scope.key.clone());
        // Where nobody knows when it began, nothing is taken away.
        own && since.is_none_or(|since| observed.created < since)
    };
    let surplus = undone.release.ids().iter().filter(|id| release.get(id).is_none());
    surplus.filter(existed).cloned().collect()
}

/// When the undone release began, in seconds since 1970; `None` where the history does not tell.
fn began_at(memory: &Memory) -> Option<i64> {
    let (undone, _) = memory.releases.undone()?;
    let stable = memory.releases.stable.as_ref()?;
    let history = memory.status.as_ref().map_or(&[][..], |status| &status.history);
    let digest = |release: &Release| release.digest().as_str().to_owned();
    began(history, &digest(&undone.release), &digest(&stable.release)).map(|began| began.as_second())
}
