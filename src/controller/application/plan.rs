//! Stage 4: what to do.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use windlass_core::api::{Action, SyncMode};
use windlass_core::plan::{Applied, Input, Plan, Progress, decide, release_fields};
use windlass_core::release::Release;

use super::{Scope, Step, leave, moving};
use crate::cluster::watch::GroupKind;
use crate::controller::context::Memory;
use crate::failure::Failure;

/// Longest wait for a watch to show what exists.
const WATCH_DEADLINE: Duration = Duration::from_secs(20);

/// A release and what to do about it.
pub struct Planned {
    /// What the cluster should have; `None` where nothing was ever admitted.
    pub release: Option<Arc<Release>>,
    /// What to do.
    pub plan: Plan,
    /// Why something is held back.
    pub failures: Vec<Failure>,
    /// When something that was put off is due: a heal, or another look at a refused release.
    pub heal_later: Option<Duration>,
}

/// Holds the effective release against the cluster.
pub async fn actions(scope: &Scope<'_>, memory: &mut Memory, admitted: Step<Arc<Release>>) -> Planned {
    let mut failures = Vec::new();
    if let Step::Fresh(release) = &admitted {
        moving::want(scope, release);
    }
    let release = match admitted {
        Step::Fresh(release) => effective(scope, memory, release, &mut failures),
        Step::Held(failure) => {
            failures.push(failure);
            memory.current.clone()
        }
    };
    let Some(release) = release else {
        return Planned { release: None, plan: Plan::default(), failures, heal_later: None };
    };
    if let Err(failure) = watch_kinds(scope, memory, &release).await {
        failures.push(failure);
        return Planned { release: Some(release), plan: Plan::default(), failures, heal_later: None };
    }
    let release = match leave(scope, memory, release.clone()).await {
        Ok(left) => left,
        Err(failure) => {
            failures.push(failure);
            return Planned { release: Some(release), plan: Plan::default(), failures, heal_later: None };
        }
    };
    compare_after_restart(scope, memory, &release);
    let world = &scope.ctx.world;
    // What another Application waits for is handed over, not pruned: it counts for no limit.
    let wanted = world.wanted(memory.inventory.iter().filter(|id| release.get(id).is_none()));
    let inventory = match wanted.is_empty() {
        true => Cow::Borrowed(&memory.inventory),
        false => Cow::Owned(memory.inventory.difference(&wanted).cloned().collect()),
    };
    let plan = decide(&Input {
        app: scope.key,
        release: &release,
        inventory: &inventory,
        policy: &scope.app.spec.sync,
        prune_approved: prune_approved(scope, &release),
        observed: &|id| world.observed(id),
        applied: &|id| world.applied(id),
        claimed: &|id| world.claimed_by_other(id, scope.key),
        elsewhere: &|key| {
            let namespaces = &scope.ctx.config.watch_namespaces;
            !namespaces.is_empty() && !namespaces.contains(&key.namespace)
        },
        progress: Progress::of(memory.status.as_ref(), release.digest()),
    });
    Planned { release: Some(release), plan, failures, heal_later: None }
}

/// What is stored and what is to be applied, knowing what of them is left to others.
async fn leave(
    scope: &Scope<'_>,
    memory: &mut Memory,
    release: Arc<Release>,
) -> Result<Arc<Release>, Failure> {
    if !memory.compared
        && let Some(stored) = memory.current.clone()
    {
        memory.current = Some(leave::fields(scope, memory, stored).await?);
    }
    leave::fields(scope, memory, release).await
}

/// What should be in the cluster: the admitted release, unless it waits for a person.
fn effective(
    scope: &Scope<'_>,
    memory: &Memory,
    admitted: Arc<Release>,
    failures: &mut Vec<Failure>,
) -> Option<Arc<Release>> {
    let same = memory.current.as_ref().is_some_and(|current| current.digest() == admitted.digest());
    if scope.app.spec.sync.mode == SyncMode::Auto || same || scope.wants_sync() {
        return Some(admitted);
    }
    failures.push(Failure::permanent(
        "AwaitingSync",
        format!("{} waits for `windlass sync {}`", admitted.revision(), scope.key.name),
    ));
    memory.current.clone()
}

pub(super) fn prune_approved(scope: &Scope<'_>, release: &Release) -> bool {
    scope.request.as_ref().is_some_and(|request| {
        let named = request.revision.as_deref().unwrap_or_default();
        request.action == Action::AllowPrune
            && (named == release.revision() || release.revision().split([',', '@']).any(|part| part == named))
    })
}

/// Has every kind of the release and the inventory watched and known.
async fn watch_kinds(scope: &Scope<'_>, memory: &Memory, release: &Release) -> Result<(), Failure> {
    let kinds: HashSet<_> = release.ids().iter().chain(&memory.inventory).map(GroupKind::of).collect();
    let watched = scope.ctx.watches.ensure(kinds, &scope.ctx.catalog);
    let synced = scope.ctx.world.wait_synced(&watched);
    tokio::time::timeout(WATCH_DEADLINE, synced).await.map_err(|_| {
        Failure::transient(
            "WatchTimeout",
            "the API server does not list the objects of this release; is Windlass allowed to list and \
             watch every kind in it?",
        )
    })
}

/// After a restart nothing is known of what was applied. Where the fields that are ours are the same in all
/// objects as when the status was written, nothing drifted meanwhile and nothing needs to be applied.
fn compare_after_restart(scope: &Scope<'_>, memory: &mut Memory, release: &Release) {
    if std::mem::replace(&mut memory.compared, true) {
        return;
    }
    let world = &scope.ctx.world;
    let Some(stable) = memory.status.as_ref().and_then(|status| status.stable.as_ref()) else { return };
    let Some(stored) = memory.current.clone().filter(|stored| stored.digest().as_str() == stable.digest)
    else {
        return;
    };
    let observed: Vec<_> =
        stored.ids().iter().map(|id| (id, world.observed(id).and_then(|o| o.fields))).collect();
    let as_left = release_fields(&stored, &|id| world.observed(id).and_then(|o| o.fields)) == stable.fields;
    for (id, fields) in observed {
        if let Some(digest) = stored.object_digest(id) {
            // No fields differ from whatever is observed: then each is healed, or told where that is off.
            let fields = if as_left { fields } else { None };
            world.trust(id, Applied { digest: digest.clone(), fields });
        }
    }
    tracing::debug!(app = %scope.key, objects = release.len(), as_left, "compared with what was left");
}
