//! Stage 6: what must be stored before the first write: the snapshot, then the status that names it.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use windlass_core::api::{ApplicationStatus, FINALIZER, ReleaseRef, UnhealthyObject};
use windlass_core::object::ObjectId;
use windlass_core::plan::{Conflict, Plan};
use windlass_core::release::{Effective, Kept, Release, Releases, Snapshot};

use super::plan::Planned;
use super::select::{Chosen, there_was};
use super::{Scope, conditions, history, hooks, record, renaming, rollout};
use crate::cluster::error::ClusterError;
use crate::controller::context::Memory;
use crate::failure::Failure;

/// A plan that may be carried out.
pub struct Begun {
    /// What the cluster should have, and why.
    pub chosen: Chosen,
    /// What to do.
    pub plan: Plan,
    /// It was never applied completely.
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
    let Planned { chosen, plan, heal_later, .. } = planned;
    let mut begun = Begun { chosen, plan, new_release: false, heal_later, started: Timestamp::now() };
    let Some(release) = begun.chosen.release.clone() else { return Ok(begun) };
    let inventory = claim(scope, memory, &release, &mut begun.plan);
    let status = memory.status.clone().unwrap_or_default();
    begun.new_release = begun.chosen.pointer(&status).is_none_or(|pointer| pointer.fields.is_empty());
    let base = begun.chosen.base().cloned().unwrap_or_else(|| release.clone());
    let mut releases = memory.releases.clone();
    if !is_known(&releases, &begun.chosen, &release) {
        let render = memory.render.as_ref().filter(|cache| cache.release.digest() == release.digest());
        let render = render.map(|cache| cache.record.clone());
        let kept = Kept { release: base.clone(), render, number: history::next_number(memory, &status) };
        let proved = status.next.is_none() && status.stable.as_ref().is_some_and(|s| is(s, &release));
        if proved && releases.next.is_none() {
            releases.stable = Some(kept);
        } else {
            releases.begin(kept);
        }
    }
    let unstored = !holds(&memory.stored, &releases) || inventory.len() > memory.inventory.len();
    let prepared = if unstored || !begun.plan.is_empty() {
        prepare(scope, memory, releases, &inventory, unstored).await
    } else {
        Ok(releases)
    };
    let error = match prepared {
        Ok(releases) => {
            memory.releases = releases;
            None
        }
        Err(error) => Some(error),
    };
    if let Some(error) = error {
        let unborn: Vec<_> = inventory.difference(&memory.inventory).cloned().collect();
        scope.ctx.world.unclaim(scope.key, unborn.iter());
        let ClusterError::Stored(message) = error else { return Err(error) };
        // Nothing may be applied that is not stored.
        begun.plan = Plan::default();
        begun.chosen = there_was(memory, vec![Failure::permanent("ReleaseNotStored", message)]);
        return Ok(begun);
    }
    renaming::inherited(scope, memory).await;
    memory.current = Some(base);
    announce(scope, memory, &begun, &release, status).await?;
    if let Some(rolled) = &begun.chosen.rolled {
        rollout::count_ended(scope, memory.targets.as_deref().unwrap_or_default(), &rolled.targets);
        memory.targets = Some(rolled.targets.clone());
    }
    Ok(begun)
}

fn is(reference: &ReleaseRef, release: &Release) -> bool {
    reference.digest == release.digest().as_str()
}

/// Whether the effective release has its role already.
fn is_known(releases: &Releases, chosen: &Chosen, release: &Release) -> bool {
    let same = |kept: &Kept| kept.release.digest() == release.digest();
    match chosen.effective {
        Effective::Admitted | Effective::Next => match &releases.next {
            Some(next) => same(next),
            None => releases.stable.as_ref().is_some_and(same),
        },
        Effective::Stable | Effective::Undone | Effective::Nothing => true,
    }
}

/// Whether the store has what a restart needs to come to these releases again: the roles of stable and next
/// follow from the status, what is forgotten does no harm, but all that failed must be there.
fn holds(stored: &Releases, releases: &Releases) -> bool {
    let has = |kept: &Kept| stored.find(kept.release.digest().as_str()).is_some();
    let digests = |releases: &Releases| -> Vec<_> {
        releases.quarantined.iter().map(|entry| entry.digest.clone()).collect()
    };
    releases.stable.iter().chain(&releases.next).all(has) && digests(stored) == digests(releases)
}

/// Claims what the release wants, leaves out of the plan what others have, and gives the inventory: what
/// there was and what is new.
fn claim(scope: &Scope<'_>, memory: &mut Memory, release: &Release, plan: &mut Plan) -> BTreeSet<ObjectId> {
    let world = &scope.ctx.world;
    let conflicting: BTreeSet<_> = plan.conflicts.iter().map(|c| c.id.clone()).collect();
    let mut wanted: BTreeSet<_> =
        wanted_ids(release).filter(|id| !conflicting.contains(id)).cloned().collect();
    let refused = world.claim(scope.key, wanted.iter());
    wanted.retain(|id| !refused.contains(id));
    refuse(plan, refused);
    // What another Application waits for is handed over at once, whatever else is held back.
    let given = world.wanted(memory.inventory.iter().filter(|id| !release.contains(id)));
    for id in &given {
        memory.inventory.remove(id);
    }
    world.unclaim(scope.key, given.iter());
    for tier in &mut plan.prunes {
        tier.retain(|action| !given.contains(&action.id));
    }
    plan.prunes.retain(|tier| !tier.is_empty());
    memory.inventory.iter().cloned().chain(wanted).chain(world.inherited(scope.key)).collect()
}

/// Everything that may exist because of a release.
fn wanted_ids(release: &Release) -> impl Iterator<Item = &ObjectId> {
    release.ids().iter().chain(release.hooks().map(|hook| hook.id))
}

/// Stores what must be stored before the first write.
async fn prepare(
    scope: &mut Scope<'_>,
    memory: &mut Memory,
    releases: Releases,
    inventory: &BTreeSet<ObjectId>,
    unstored: bool,
) -> Result<Releases, ClusterError> {
    ensure_finalizer(scope).await?;
    if !unstored {
        return Ok(releases);
    }
    let releases = store(scope, releases, inventory).await?;
    memory.stored = releases.clone();
    memory.inventory.clone_from(inventory);
    Ok(releases)
}

/// Stores releases with an inventory, and gives those that are stored then: of large ones fewer former ones
/// are kept.
pub(super) async fn store(
    scope: &Scope<'_>,
    mut releases: Releases,
    inventory: &BTreeSet<ObjectId>,
) -> Result<Releases, ClusterError> {
    let inventory = inventory.iter().cloned().collect();
    let snapshot = Snapshot { releases, inventory };
    let left_out = scope.ctx.store.save(scope.key, &snapshot).await?;
    releases = snapshot.releases;
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
    plan.hooks.retain(|hook| !refused.contains(&hook.id));
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

/// Writes the status that justifies the effects that follow: which release is next, and which are
/// quarantined.
async fn announce(
    scope: &mut Scope<'_>,
    memory: &mut Memory,
    begun: &Begun,
    release: &Release,
    before: ApplicationStatus,
) -> Result<(), ClusterError> {
    let chosen = &begun.chosen;
    let mut status = before.clone();
    let digests = |status: &ApplicationStatus| -> Vec<_> {
        status.quarantined.iter().map(|entry| entry.digest.clone()).collect()
    };
    status.quarantined.clone_from(&memory.releases.quarantined);
    let judged = digests(&before) != digests(&status);
    let stable = memory.releases.stable.as_ref().map(|kept| kept.release.as_ref());
    let moved = stable.filter(|stable| status.stable.as_ref().is_none_or(|known| !is(known, stable)));
    let mut begins = false;
    match chosen.effective {
        Effective::Undone if judged || moved.is_some() => {
            begins = true;
            let by = if scope.request.is_some() { "person" } else { "auto" };
            scope.ctx.metrics.rollbacks.with_label_values(&[by]).inc();
            undo(&mut status, stable, begun.started);
            for entry in
                memory.releases.quarantined.iter().filter(|entry| !before.quarantined.contains(entry))
            {
                history::undone(&mut status, &entry.digest, &entry.message);
            }
            history::begin(scope, memory, &mut status, chosen, release, begun.started);
            record::handled(scope, record::refused(scope, memory), &mut status);
        }
        Effective::Admitted | Effective::Next
            if chosen.retried || begun.new_release && !begun.plan.is_empty() =>
        {
            begins = true;
            if chosen.retried || status.next.as_ref().is_none_or(|next| !is(next, release)) {
                begin(&mut status, memory, release, begun.started);
                if let Some(next) = &mut status.next {
                    next.hooks = hooks::known(scope, memory, release);
                }
                scope.ctx.fleet.moved(scope.key);
            }
            history::begin(scope, memory, &mut status, chosen, release, begun.started);
            history::stands(&mut status, release.digest().as_str(), history::APPLYING, "");
        }
        _ => {}
    }
    if let Some(rolled) = chosen.rolled.as_ref().filter(|rolled| !rolled.is_known(&before.targets)) {
        status.targets.clone_from(&rolled.targets);
        // Carried out with this write: after a crash it must not be carried out again.
        if scope.request.as_ref().is_some_and(|request| rollout::is_about_rollouts(request.action)) {
            record::handled(scope, record::refused(scope, memory), &mut status);
        }
    } else if !begins && !judged {
        return Ok(());
    }
    if status == before {
        return Ok(());
    }
    let generation = scope.app.metadata.generation;
    match &chosen.quarantined {
        Some(entry) => conditions::rolling_back(&mut status, generation, entry, release),
        None => conditions::reconciling(&mut status, generation, &format!("applying {}", release.revision())),
    }
    record::write(scope, memory, status).await
}

/// The status when a release begins.
pub(super) fn begin(status: &mut ApplicationStatus, memory: &Memory, release: &Release, started: Timestamp) {
    let stable = memory.releases.stable.as_ref().map(|kept| kept.release.as_ref());
    if status.stable.is_none() {
        // The status was lost.
        let stable = stable.filter(|stable| stable.digest() != release.digest());
        status.stable = stable.map(|stable| reference(stable, started));
    }
    // What is not healthy while another release is under way may be that one's fault.
    let unhealthy_before = match (&status.next, &status.stable) {
        (None, Some(_)) => status.resources.unhealthy.iter().map(|o| named(release, o)).collect(),
        _ => Vec::new(),
    };
    status.next = Some(ReleaseRef { unhealthy_before, ..reference(release, started) });
}

fn named(release: &Release, object: &UnhealthyObject) -> String {
    let UnhealthyObject { group, kind, namespace, name, .. } = object.clone();
    ObjectId { cluster: release.cluster().clone(), group, kind, namespace, name }.to_annotation()
}

/// The status when a rollback begins: nothing is known to be complete.
fn undo(status: &mut ApplicationStatus, stable: Option<&Release>, started: Timestamp) {
    status.next = None;
    let Some(stable) = stable else { return };
    let known = status.stable.take().filter(|known| is(known, stable));
    let known = known.unwrap_or_else(|| reference(stable, started));
    status.stable = Some(ReleaseRef { fields: String::new(), healthy_since: None, ..known });
}

fn reference(release: &Release, since: Timestamp) -> ReleaseRef {
    ReleaseRef {
        digest: release.digest().as_str().to_owned(),
        revision: release.revision().to_owned(),
        since: Time(since),
        fields: String::new(),
        hooks: Vec::new(),
        healthy_since: None,
        gates: Vec::new(),
        unhealthy_before: Vec::new(),
    }
}
