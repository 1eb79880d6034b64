//! Stage 5: what to do.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use windlass_core::api::Action;
use windlass_core::plan::{Input, Plan, Progress, decide};
use windlass_core::release::Release;

use super::select::Chosen;
use super::{Scope, hooks, leave, left, rollout, undone};
use crate::cluster::watch::GroupKind;
use crate::controller::context::Memory;
use crate::failure::Failure;

/// Longest wait for a watch to show what exists.
const WATCH_DEADLINE: Duration = Duration::from_secs(20);

/// A release and what to do about it.
pub struct Planned {
    /// What the cluster should have, and why.
    pub chosen: Chosen,
    /// What to do.
    pub plan: Plan,
    /// The release as it is to be once its rollouts have ended, and what that takes; where any is under way.
    pub last: Option<(Arc<Release>, Plan)>,
    /// When something that was put off is due: a heal, or another look at a refused release.
    pub heal_later: Option<Duration>,
}

/// Holds the effective release against the cluster.
pub async fn actions(scope: &Scope<'_>, memory: &mut Memory, mut chosen: Chosen) -> Planned {
    let Some(release) = chosen.release.clone() else {
        return Planned { chosen, plan: Plan::default(), last: None, heal_later: None };
    };
    if let Err(failure) = watch_kinds(scope, memory, &release).await {
        chosen.failures.push(failure);
        return Planned { chosen, plan: Plan::default(), last: None, heal_later: None };
    }
    let release = match leave(scope, memory, release).await {
        Ok(left) => left,
        Err(failure) => {
            chosen.failures.push(failure);
            return Planned { chosen, plan: Plan::default(), last: None, heal_later: None };
        }
    };
    let release = match rollout::advance(scope, memory, &mut chosen, release).await {
        Ok(release) => release,
        Err(failure) => {
            chosen.failures.push(failure);
            return Planned { chosen, plan: Plan::default(), last: None, heal_later: None };
        }
    };
    chosen.release = Some(release.clone());
    left::compare(scope, memory).await;
    let world = &scope.ctx.world;
    let undone = undone::inventory(scope, memory, &chosen, &release);
    let mut inventory = undone.as_ref().map_or(Cow::Borrowed(&memory.inventory), Cow::Borrowed);
    // What another Application waits for is handed over, not pruned: it counts for no limit.
    let wanted = world.wanted(memory.inventory.iter().filter(|id| release.get(id).is_none()));
    if !wanted.is_empty() {
        inventory.to_mut().retain(|id| !wanted.contains(id));
    }
    let runs = hooks::known(scope, memory, &release);
    let plan_for = |release: &Release| {
        decide(&Input {
            app: scope.key,
            release,
            inventory: &inventory,
            policy: &scope.app.spec.sync,
            prune_approved: undone.is_some() || prune_approved(scope, release),
            observed: &|id| world.observed(id),
            applied: &|id| world.applied(id),
            claimed: &|id| world.claimed_by_other(id, scope.key),
            elsewhere: &|key| {
                let namespaces = &scope.ctx.config.watch_namespaces;
                !namespaces.is_empty() && !namespaces.contains(&key.namespace)
            },
            progress: Progress { runs: &runs, ..chosen.progress(memory.status.as_ref()) },
        })
    };
    let mut plan = plan_for(&release);
    if undone.is_some() {
        let existed = undone::existed(scope, memory, &release);
        plan.kept.extend(existed.into_iter().filter(|id| memory.inventory.contains(id)));
    }
    let rolled = chosen.rolled.as_ref();
    let last = rolled.filter(|rolled| !rolled.active.is_empty()).map(|rolled| rolled.last.clone());
    let last = last.map(|last| (plan_for(&last), last)).map(|(plan, last)| (last, plan));
    let heal_later = rolled.and_then(|rolled| rolled.wake);
    Planned { chosen, plan, last, heal_later }
}

/// What is stored and what is to be applied, knowing what of them is left to others.
async fn leave(
    scope: &Scope<'_>,
    memory: &mut Memory,
    release: Arc<Release>,
) -> Result<Arc<Release>, Failure> {
    if let Some((left, fields)) = memory.left.clone() {
        let left = leave::fields(scope, memory, left).await?;
        memory.left = Some((rollout::at_rest(memory, left)?, fields));
    }
    leave::fields(scope, memory, release).await
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
    let hooks = release.hooks().map(|hook| hook.id);
    let undone = memory.releases.undone().map_or(&[][..], |(undone, _)| undone.release.ids());
    let ids = release.ids().iter().chain(hooks).chain(&memory.inventory).chain(undone);
    let kinds: HashSet<_> = ids.map(GroupKind::of).collect();
    let checks = &scope.app.spec.health.checks;
    let checked = |kind: &GroupKind| checks.iter().any(|check| check.fits(&kind.group, &kind.kind));
    let watched = scope.ctx.watches.ensure(kinds, checked);
    let synced = scope.ctx.world.wait_synced(&watched);
    tokio::time::timeout(WATCH_DEADLINE, synced).await.map_err(|_| {
        Failure::transient(
            "WatchTimeout",
            "the API server does not list the objects of this release; is Windlass allowed to list and \
             watch every kind in it?",
        )
    })
}
