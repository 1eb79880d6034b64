//! The end of an Application: its objects are pruned, or let go, before its finalizer is taken off.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use windlass_core::api::{Action, DeletionPolicy, FINALIZER};
use windlass_core::health::Health;
use windlass_core::object::ObjectId;
use windlass_core::plan::prune_place;

use super::apply::{find, prune_one, until_settled};
use super::dependencies::dependents;
use super::{Scope, back_off, conditions, events, moving, record, renaming};
use crate::cluster::error::{ClusterError, object_failure};
use crate::controller::context::Memory;
use crate::failure::Failure;

/// How often the end of terminating objects is looked for, besides the events of the watch.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Deletes or lets go what the Application has, in the reverse of the order of applying: a tier of a
/// wave begins when the one before it is gone.
pub async fn objects(scope: &Scope<'_>, memory: &mut Memory) -> Result<Option<Duration>, ClusterError> {
    memory.subscriptions.clear();
    scope.ctx.world.want(scope.key, std::iter::empty());
    let finalizers = scope.app.metadata.finalizers.clone().unwrap_or_default();
    if !finalizers.iter().any(|f| f == FINALIZER) {
        return Ok(None);
    }
    if !std::mem::replace(&mut memory.parted, true) {
        events::depended_on(scope, &dependents(scope.ctx, scope.key)).await;
    }
    let result = match scope.app.spec.deletion_policy {
        DeletionPolicy::Prune => prune(scope, memory).await,
        DeletionPolicy::Orphan => orphan(scope, memory).await,
    };
    match result {
        Ok(None) => {}
        Ok(Some(Pending { brief: true, .. })) => return Ok(Some(moving::ASK_AGAIN)),
        Ok(Some(Pending { message, .. })) => {
            tell(scope, memory, "Deleting", &message).await?;
            return Ok(Some(LOOK_AGAIN));
        }
        Err(failure) => {
            memory.attempts = memory.attempts.saturating_add(1);
            tell(scope, memory, &failure.reason, &failure.message).await?;
            return Ok(Some(back_off(memory.attempts)));
        }
    }
    scope.ctx.store.delete(scope.key).await?;
    let rest: Vec<_> = finalizers.into_iter().filter(|f| f != FINALIZER).collect();
    match record::patch_finalizers(scope, &rest).await {
        Err(error) if error.is_not_found() => {}
        Err(error) if error.is_conflict() => return Ok(Some(Duration::from_millis(100))),
        other => drop(other?),
    }
    scope.ctx.world.unclaim_all(scope.key);
    tracing::info!(app = %scope.key, objects = memory.inventory.len(), "deleted");
    *memory = Memory::default();
    Ok(None)
}

async fn tell(
    scope: &Scope<'_>,
    memory: &mut Memory,
    reason: &str,
    message: &str,
) -> Result<(), ClusterError> {
    let mut status = memory.status.clone().unwrap_or_default();
    conditions::deleting(&mut status, scope.app.metadata.generation, reason, message);
    let mut scope = Scope { app: scope.app.clone(), request: None, ..*scope };
    record::write(&mut scope, memory, status).await
}

/// What a deletion waits for.
struct Pending {
    message: String,
    /// It is not worth telling yet.
    brief: bool,
}

/// Prunes one tier of one wave; says what is still there.
async fn prune(scope: &Scope<'_>, memory: &mut Memory) -> Result<Option<Pending>, Failure> {
    let approved = scope.request.as_ref().is_some_and(|request| request.action == Action::AllowPrune);
    let (held, waiting) = moving::hold_back_deletion(scope, memory, approved).await;
    let world = &scope.ctx.world;
    let mut places: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for id in memory.inventory.iter().filter(|id| !held.contains(*id)) {
        places.entry(prune_place(id, world.observed(id).as_ref())).or_default().push(id);
    }
    for ids in places.into_values() {
        let waiting = each(scope, ids, |id| async move { prune_one(scope, id).await }).await?;
        if !waiting.is_empty() {
            let mut names = Vec::new();
            for id in waiting.iter().take(5) {
                names.push(stuck(scope, id).await.unwrap_or_else(|| id.to_string()));
            }
            let message = format!("waiting for {} objects to go: {}", waiting.len(), names.join("; "));
            return Ok(Some(Pending { message, brief: false }));
        }
    }
    Ok(waiting.map(|waiting| Pending { message: waiting.message, brief: waiting.brief }))
}

/// What an object that is being deleted waits for itself, by name.
async fn stuck(scope: &Scope<'_>, id: &ObjectId) -> Option<String> {
    let (_, meta) = find(scope, id).await.ok()??;
    meta.deletion_timestamp.as_ref()?;
    let finalizers = meta.finalizers.filter(|finalizers| !finalizers.is_empty())?;
    Some(format!("{id} (its finalizer {} is not taken off by whoever set it)", finalizers.join(", ")))
}

async fn orphan(scope: &Scope<'_>, memory: &Memory) -> Result<Option<Pending>, Failure> {
    let let_go = |id| async move {
        until_settled(|| release(scope, id)).await?;
        Ok(false)
    };
    each(scope, memory.inventory.iter().collect(), let_go).await?;
    Ok(None)
}

async fn release(scope: &Scope<'_>, id: &ObjectId) -> Result<(), Failure> {
    // Who waits for it takes it over with its marks.
    if scope.ctx.world.is_wanted(id) {
        return Ok(());
    }
    let Some((resource, meta)) = find(scope, id).await? else { return Ok(()) };
    let live = scope.ctx.world.observation(id, &meta, Health::missing());
    if !renaming::owns(scope, id, &live.ownership) {
        return Ok(());
    }
    let failure = |error: kube::Error| object_failure(id, "", &error);
    scope.ctx.applier.release(&resource, id, &live).await.map_err(failure)
}

/// Runs `f` for every object side by side and gives those for which it says true.
async fn each<'a, F>(
    scope: &Scope<'_>,
    ids: Vec<&'a ObjectId>,
    f: impl Fn(&'a ObjectId) -> F,
) -> Result<Vec<&'a ObjectId>, Failure>
where
    F: Future<Output = Result<bool, Failure>>,
{
    let f = &f;
    let mut results = ids
        .into_iter()
        .map(|id| async move {
            let _permit = scope.ctx.writes.acquire().await;
            (id, f(id).await)
        })
        .collect::<FuturesUnordered<_>>();
    let mut yes = Vec::new();
    while let Some((id, result)) = results.next().await {
        if result? {
            yes.push(id);
        }
    }
    Ok(yes)
}
