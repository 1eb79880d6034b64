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
    let known = |id: &&ObjectId| {
        release.get(id).is_some() || undone.release.get(id).is_some() && !existed.contains(*id)
    };
    Some(memory.inventory.iter().filter(known).cloned().collect())
}

/// The objects of the undone release that are not of `release`, which is restored, and that existed before
/// it: it took them over, so they stay as they are. They belong to no release until one has them again.
pub fn existed(scope: &Scope<'_>, memory: &Memory, release: &Release) -> BTreeSet<ObjectId> {
    let (Some((undone, _)), Some(stable)) = (memory.releases.undone(), &memory.releases.stable) else {
        return BTreeSet::new();
    };
    let history = memory.status.as_ref().map_or(&[][..], |status| &status.history);
    let digest = |release: &Release| release.digest().as_str().to_owned();
    let since = began(history, &digest(&undone.release), &digest(&stable.release));
    let existed = |id: &&ObjectId| {
        let Some(observed) = scope.ctx.world.observed(id) else { return false };
        let own = observed.ownership == Ownership::App(scope.key.clone());
        // Where nobody knows when it began, nothing is taken away.
        own && since.is_none_or(|since| observed.created < since.as_second())
    };
    let surplus = undone.release.ids().iter().filter(|id| release.get(id).is_none());
    surplus.filter(existed).cloned().collect()
}
