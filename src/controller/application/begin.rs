//! Stage 5: what must be stored before the first write: the snapshot, then the status that names it.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use windlass_core::api::{FINALIZER, ReleaseRef};
use windlass_core::object::ObjectId;
use windlass_core::plan::{Conflict, Plan};
use windlass_core::release::{Release, Snapshot};

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
    let Planned { release, mut plan, failures, heal_later } = planned;
    let started = Timestamp::now();
    let Some(release) = release else {
        return Ok(Begun { release: None, plan, failures, new_release: false, heal_later, started });
    };
    let conflicting: BTreeSet<_> = plan.conflicts.iter().map(|c| c.id.clone()).collect();
    let wanted: Vec<_> = release.ids().iter().filter(|id| !conflicting.contains(id)).cloned().collect();
    let refused = scope.ctx.world.claim(scope.key, wanted.iter());
    scope.ctx.world.want(scope.key, conflicting.iter().chain(&refused).cloned().collect());
    refuse(&mut plan, refused);
    let stable = memory.status.as_ref().and_then(|status| status.stable.as_ref());
    let new_release = stable.is_none_or(|stable| stable.digest != release.digest().as_str());
    let inventory: BTreeSet<_> = memory.inventory.iter().cloned().chain(wanted).collect();
    let unstored =
        memory.stored.as_ref() != Some(release.digest()) || inventory.len() > memory.inventory.len();
    if !plan.is_empty() || unstored {
        ensure_finalizer(scope).await?;
        if unstored {
            let snapshot = Snapshot {
                release: Release::clone(&release),
                inventory: inventory.iter().cloned().collect(),
            };
            scope.ctx.store.save(scope.key, &snapshot).await?;
            memory.stored = Some(release.digest().clone());
            memory.inventory = inventory;
        }
        if new_release && !plan.is_empty() {
            announce(scope, memory, &release, started).await?;
        }
    }
    memory.current = Some(release.clone());
    Ok(Begun { release: Some(release), plan, failures, new_release, heal_later, started })
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
    });
    conditions::reconciling(
        &mut status,
        scope.app.metadata.generation,
        &format!("applying {}", release.revision()),
    );
    record::write(scope, memory, status).await
}
