//! Stage 5: what must be stored before the first write: the snapshot, then the status that names it.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use windlass_core::api::{FINALIZER, ReleaseRef};
use windlass_core::object::ObjectId;
use windlass_core::plan::{Conflict, Plan};
use windlass_core::release::{Kept, Release, Releases, Snapshot};

use super::plan::Planned;
use super::{Scope, conditions, record};
use crate::cluster::error::ClusterError;
use crate::controller::context::Memory;
use crate::failure::Failure;

/// A plan that may be carried out.
pub struct Begun {
    /// What the cluster should have.
    pub release: Option<Arc<Release>>,
    /// What to do.
    pub plan: Plan,
    /// Why something is held back.
    pub failures: Vec<Failure>,
    /// This reconcile brings a release that the cluster did not have.
    pub new_release: bool,
    /// When a heal that was put off is due.
    pub heal_later: Option<std::time::Duration>,
    /// When it began.
    pub started: Timestamp,
}

/// Stores the snapshot of a new release and names it in the status. Does nothing when nothing is new.
///
/// # Errors
/// Where the API server does not take what must be stored: then nothing may be applied.
pub async fn release(
    scope: &mut Scope<'_>,
    memory: &mut Memory,
    planned: Planned,
) -> Result<Begun, ClusterError> {
    let Planned { release, plan, failures, heal_later } = planned;
    let started = Timestamp::now();
    let mut begun = Begun { release, plan, failures, new_release: false, heal_later, started };
    let Some(release) = begun.release.clone() else { return Ok(begun) };
    let inventory = claim(scope, memory, &release, &mut begun.plan);
    let stable = memory.status.as_ref().and_then(|status| status.stable.as_ref());
    begun.new_release = stable.is_none_or(|stable| stable.digest != release.digest().as_str());
    let stored = memory.releases.stable.as_ref().map(|kept| kept.release.digest());
    let unstored = stored != Some(release.digest()) || inventory.len() > memory.inventory.len();
    if begun.plan.is_empty() && !unstored {
        memory.current = Some(release);
        return Ok(begun);
    }
    if let Err(error) = prepare(scope, memory, &release, &inventory, unstored).await {
        let unborn: Vec<_> = inventory.difference(&memory.inventory).cloned().collect();
        scope.ctx.world.unclaim(scope.key, unborn.iter());
        let ClusterError::Stored(message) = error else { return Err(error) };
        // Nothing may be applied that is not stored.
        begun.plan = Plan::default();
        begun.release.clone_from(&memory.current);
        begun.failures.insert(0, Failure::permanent("ReleaseNotStored", message));
        return Ok(begun);
    }
    memory.current = Some(release.clone());
    if begun.new_release && !begun.plan.is_empty() {
        announce(scope, memory, &release, started).await?;
    }
    Ok(begun)
}

/// Claims what the release wants, leaves out of the plan what others have, and gives the inventory: what
/// there was and what is new.
fn claim(scope: &Scope<'_>, memory: &mut Memory, release: &Release, plan: &mut Plan) -> BTreeSet<ObjectId> {
    let world = &scope.ctx.world;
    let conflicting: BTreeSet<_> = plan.conflicts.iter().map(|c| c.id.clone()).collect();
    let mut wanted: BTreeSet<_> =
        release.ids().iter().filter(|id| !conflicting.contains(id)).cloned().collect();
    let refused = world.claim(scope.key, wanted.iter());
    wanted.retain(|id| !refused.contains(id));
    refuse(plan, refused);
    // What another Application waits for is handed over at once, whatever else is held back.
    let given = world.wanted(memory.inventory.iter().filter(|id| release.get(id).is_none()));
    for id in &given {
        memory.inventory.remove(id);
    }
    world.unclaim(scope.key, given.iter());
    for tier in &mut plan.prunes {
        tier.retain(|action| !given.contains(&action.id));
    }
    plan.prunes.retain(|tier| !tier.is_empty());
    memory.inventory.iter().cloned().chain(wanted).collect()
}

/// Stores what must be stored before the first write.
async fn prepare(
    scope: &mut Scope<'_>,
    memory: &mut Memory,
    release: &Arc<Release>,
    inventory: &BTreeSet<ObjectId>,
    unstored: bool,
) -> Result<(), ClusterError> {
    ensure_finalizer(scope).await?;
    if unstored {
        memory.releases = store(scope, memory, release, inventory).await?;
        memory.inventory.clone_from(inventory);
    }
    Ok(())
}

/// Stores the snapshot of a release and gives the releases that are stored then.
pub(super) async fn store(
    scope: &Scope<'_>,
    memory: &Memory,
    release: &Arc<Release>,
    inventory: &BTreeSet<ObjectId>,
) -> Result<Releases, ClusterError> {
    let rendered = memory.render.as_ref().filter(|cache| cache.release.digest() == release.digest());
    let render = rendered.map(|cache| cache.record.clone());
    let stable = Some(Kept { release: release.clone(), render, number: 0 });
    let releases = Releases { stable, ..memory.releases.clone() };
    let snapshot = Snapshot { releases, inventory: inventory.iter().cloned().collect() };
    let left_out = scope.ctx.store.save(scope.key, &snapshot).await?;
    let mut releases = snapshot.releases;
    releases.previous.truncate(releases.previous.len().saturating_sub(left_out));
    Ok(releases)
}

/// Takes objects out of the plan that another Application claimed since it was made.
fn refuse(plan: &mut Plan, refused: BTreeSet<ObjectId>) {
    if refused.is_empty() {
        return;
    }
    for tier in &mut plan.applies {
        tier.retain(|action| !refused.contains(&action.id));
    }
    plan.applies.retain(|tier| !tier.is_empty());
    plan.conflicts.extend(refused.into_iter().map(|id| {
        let message = format!("{id} was just taken by another Application; remove it from one of the two");
        Conflict { id, message }
    }));
}

/// An Application that has objects must not vanish before they are dealt with.
async fn ensure_finalizer(scope: &mut Scope<'_>) -> Result<(), ClusterError> {
    let finalizers = scope.app.metadata.finalizers.clone().unwrap_or_default();
    if finalizers.iter().any(|f| f == FINALIZER) {
        return Ok(());
    }
    let finalizers: Vec<_> = finalizers.into_iter().chain([FINALIZER.to_owned()]).collect();
    scope.app = record::patch_finalizers(scope, &finalizers).await?;
    Ok(())
}

async fn announce(
    scope: &mut Scope<'_>,
    memory: &mut Memory,
    release: &Release,
    started: Timestamp,
) -> Result<(), ClusterError> {
    let mut status = memory.status.clone().unwrap_or_default();
    if status.next.as_ref().is_some_and(|next| next.digest == release.digest().as_str()) {
        return Ok(());
    }
    status.next = Some(ReleaseRef {
        digest: release.digest().as_str().to_owned(),
        revision: release.revision().to_owned(),
        since: Time(started),
        fields: String::new(),
        hooks: Vec::new(),
        healthy_since: None,
        gates: Vec::new(),
    });
    conditions::reconciling(
        &mut status,
        scope.app.metadata.generation,
        &format!("applying {}", release.revision()),
    );
    record::write(scope, memory, status).await
}
