//! One Application that takes the place of another: all objects of the old one become its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use windlass_core::api::AppKey;
use windlass_core::object::ObjectId;
use windlass_core::plan::{Ownership, may_take, moved_from};
use windlass_core::release::{Legacy, Release, Releases};

use super::moving::{self, ASK_AGAIN};
use super::{Scope, Step, conditions, record};
use crate::cluster::error::ClusterError;
use crate::controller::context::Memory;
use crate::controller::queue::Trigger;

/// How long the new one waits for the old one before it says that it has a conflict.
const BRIEF: Duration = Duration::from_secs(5);

/// What the reconcile of an old one is about.
pub enum Place {
    /// Its own affairs: nobody takes its place, or not yet.
    Own,
    /// Another one has everything; look again after this time, if at all.
    Taken(Option<Duration>),
}

/// Hands everything over to the Application that takes this one's place, once that one wants it.
///
/// # Errors
/// Where our own bookkeeping fails.
pub async fn give(scope: &mut Scope<'_>, memory: &mut Memory) -> Result<Place, ClusterError> {
    let Some(taker) = scope.ctx.apps.taker_of(scope.key) else { return Ok(Place::Own) };
    let world = &scope.ctx.world;
    let deleting = scope.app.metadata.deletion_timestamp.is_some();
    if world.waits_for(&taker, scope.key) {
        tracing::info!(app = %scope.key, %taker, objects = memory.inventory.len(), "another one takes its place");
        world.want(scope.key, std::iter::empty());
        world.bequeath(&taker, legacy(memory));
        world.hand_over(scope.key, &taker, std::mem::take(&mut memory.inventory));
        (memory.current, memory.render) = (None, None);
        // Should the other one let go, it has to be asked again.
        scope.ctx.hearings.forget(scope.key);
    } else if !memory.inventory.is_empty() {
        if !deleting {
            return Ok(Place::Own);
        }
        let message = format!("waits for Application {taker} to take its objects over");
        return tell(scope, memory, "Deleting", &message, Some(Duration::from_secs(2))).await;
    }
    // What is known of the objects must be stored by the other one before it is forgotten here.
    if world.inherits(&taker) {
        return Ok(Place::Taken(Some(ASK_AGAIN)));
    }
    if deleting {
        return Ok(Place::Own);
    }
    if memory.releases != Releases::default() {
        scope.ctx.store.delete(scope.key).await?;
        (memory.releases, memory.stored) = (Releases::default(), Releases::default());
    }
    let message = format!("its objects belong to Application {taker} now; delete this one");
    tell(scope, memory, "Moved", &message, None).await
}

async fn tell(
    scope: &mut Scope<'_>,
    memory: &mut Memory,
    reason: &str,
    message: &str,
    again: Option<Duration>,
) -> Result<Place, ClusterError> {
    let mut status = memory.status.clone().unwrap_or_default();
    conditions::moved(&mut status, scope.app.metadata.generation, reason, message);
    record::handled(scope, Some(message), &mut status);
    record::write(scope, memory, status).await?;
    record::show(scope, memory);
    Ok(Place::Taken(again))
}

/// Has the Application whose place this one takes asked for its objects, or takes what it left where it is
/// gone. Gives the time after which to look again while that is under way.
pub async fn take(scope: &Scope<'_>, memory: &mut Memory, admitted: &Step<Arc<Release>>) -> Option<Duration> {
    let Step::Fresh(release) = admitted else { return None };
    let from = moved_from(scope.key, &scope.app.metadata)?;
    let world = &scope.ctx.world;
    let Some(old) = scope.ctx.apps.get(&from) else {
        if may_take(scope.key, &from, None) && scope.ctx.apps.listed(BRIEF).await {
            inherit(scope, memory, &from);
            accept(scope, memory);
        }
        return None;
    };
    if !may_take(scope.key, &from, Some(&old.metadata)) {
        return None;
    }
    moving::want(scope, release);
    if !world.waits_for(scope.key, &from) {
        memory.renaming_since = None;
        accept(scope, memory);
        return None;
    }
    scope.ctx.queue.trigger(from, Trigger::Event);
    let since = *memory.renaming_since.get_or_insert_with(Instant::now);
    (since.elapsed() < BRIEF).then_some(ASK_AGAIN)
}

/// Takes what is remembered of an Application that is gone: its finalizer was taken off by force.
fn inherit(scope: &Scope<'_>, memory: &mut Memory, from: &AppKey) {
    let left = scope.ctx.apps.memory_if_any(from);
    let Some(mut left) = left.as_ref().and_then(|left| left.try_lock().ok()) else { return };
    if !left.inventory.is_empty() {
        scope.ctx.world.bequeath(scope.key, legacy(&left));
        scope.ctx.world.inherit(scope.key, std::mem::take(&mut left.inventory));
        memory.heir_of = Some(from.clone());
    }
}

fn legacy(memory: &Memory) -> Legacy {
    Legacy { releases: memory.releases.clone(), status: memory.status.clone().unwrap_or_default() }
}

/// Makes the releases of the one whose place is taken, and what is known of them, its own: what failed there
/// has failed here, and what worked there can be gone back to. Not where something worked here already.
fn accept(scope: &Scope<'_>, memory: &mut Memory) {
    let Some(legacy) = scope.ctx.world.legacy(scope.key) else { return };
    if memory.releases.stable.is_some() {
        return;
    }
    let legacy = legacy.renamed(&|id, object| scope.ctx.instance.stamp(scope.key, id, object));
    let status = memory.status.get_or_insert_default();
    (status.stable, status.next) = (legacy.status.stable, legacy.status.next);
    (status.history, status.quarantined) = (legacy.status.history, legacy.status.quarantined);
    memory.releases = legacy.releases;
    // It is given its roles, and told, as after a start.
    (memory.aligned, memory.unwritten) = (false, Some(Instant::now()));
}

/// Whether a live object is the Application's own: it carries its mark, or still that of the one whose place
/// it takes.
pub fn owns(scope: &Scope<'_>, id: &ObjectId, ownership: &Ownership) -> bool {
    let Ownership::App(owner) = ownership else { return false };
    let old = scope.ctx.apps.get(owner);
    owner == scope.key
        || (moved_from(scope.key, &scope.app.metadata).as_ref() == Some(owner)
            && may_take(scope.key, owner, old.as_ref().map(|old| &old.metadata))
            && scope.ctx.world.claimed_by_other(id, scope.key).is_none())
}

/// What the Application inherited is stored as its own: those that it came from may forget it.
pub async fn inherited(scope: &Scope<'_>, memory: &mut Memory) {
    if !scope.ctx.world.end_inheritance(scope.key) {
        return;
    }
    // What the release does not have is pruned by the next reconcile.
    scope.ctx.queue.trigger(scope.key.clone(), Trigger::Event);
    let Some(from) = memory.heir_of.take() else { return };
    if scope.ctx.apps.get(&from).is_some() {
        return;
    }
    if let Err(error) = scope.ctx.store.delete(&from).await {
        tracing::warn!(app = %from, %error, "what is stored of an Application that is gone stays for now");
        return;
    }
    scope.ctx.apps.forget(&from);
}
