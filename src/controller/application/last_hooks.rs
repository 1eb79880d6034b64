//! Hooks for when something went wrong: SyncFail when a release failed, Rollback before it is undone. Both run
//! once, are waited for no longer than `spec.health.timeout`, and stop nothing when they fail.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use windlass_core::api::{HookRun, HookState, bounded_message};
use windlass_core::health::cause::runs_pods;
use windlass_core::object::ObjectId;
use windlass_core::plan::{Progress, hook_actions, hooks_on, run_of};
use windlass_core::release::{Effective, Fate, Phase, Release};

use super::apply::prune_one;
use super::prove::Proved;
use super::select::Chosen;
use super::{Scope, blame, hooks};
use crate::cluster::error::ClusterError;
use crate::controller::context::Memory;

/// When to try again what failed for a reason that may pass.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// How the hooks of one occasion stand.
#[derive(Default)]
struct Occasion {
    /// What they wait for, as long as one of them has not ended.
    waiting: Option<String>,
    /// Those that failed, and why.
    failed: Vec<String>,
    /// When to look again.
    again: Option<Duration>,
}

/// Runs the SyncFail hooks of a release that failed. It is undone when they have ended.
///
/// # Errors
/// Where it cannot be recorded that they run: then none is created.
pub async fn after_failure(
    scope: &mut Scope<'_>,
    memory: &mut Memory,
    mut proved: Proved,
) -> Result<Proved, ClusterError> {
    let undone = matches!(proved.fate, Some(Fate::Undone { .. }));
    let release = proved.assessed.outcome.begun.chosen.release.clone();
    let Some(Fate::Undone { message, .. } | Fate::Held { message, excused: false, .. }) = &mut proved.fate
    else {
        return Ok(proved);
    };
    let Some(release) = release.filter(|release| is_awaited(release, Phase::SyncFail)) else {
        return Ok(proved);
    };
    let occasion = run(scope, memory, &release, Phase::SyncFail).await?;
    for failed in &occasion.failed {
        message.push_str(&format!("; {failed}"));
    }
    match (&occasion.waiting, &mut memory.undo) {
        (Some(waiting), Some(_)) => {
            message.push_str(&format!("; waiting for {waiting}"));
            memory.undo = None;
            proved.again = None;
        }
        (None, Some(entry)) => entry.message = bounded_message(message),
        _ => {}
    }
    debug_assert!(undone || memory.undo.is_none());
    proved.again = [proved.again, occasion.again].into_iter().flatten().min();
    Ok(proved)
}

/// Runs the Rollback hooks of a release that is undone, before anything is restored: gives what is waited for
/// and when to look again. Hooks of it that still run are ended.
///
/// # Errors
/// Where it cannot be recorded that they run: then none is created.
pub async fn before_undoing(
    scope: &mut Scope<'_>,
    memory: &mut Memory,
    chosen: &Chosen,
) -> Result<(Option<String>, Option<Duration>), ClusterError> {
    let undone = memory.releases.undone().map(|(undone, _)| undone.release.clone());
    let Some(undone) = undone.filter(|_| chosen.effective == Effective::Undone) else {
        return Ok((None, None));
    };
    end(scope, &undone).await;
    if !is_awaited(&undone, Phase::Rollback) {
        return Ok((None, None));
    }
    let occasion = run(scope, memory, &undone, Phase::Rollback).await?;
    let runs = hooks::runs_of(memory, &undone, Phase::Rollback).to_vec();
    let done =
        hook_actions(&undone, Progress { new: false, runs: &runs }, &|id| scope.ctx.world.observed(id));
    for action in done {
        remove(scope, &action.id).await;
    }
    Ok((occasion.waiting, occasion.again))
}

/// The Rollback hooks of the undone release that failed, for people.
pub fn failed_rollback_hooks(memory: &Memory) -> String {
    let Some((_, entry)) = memory.releases.undone() else { return String::new() };
    failed(&entry.hooks, Phase::Rollback).join("; ")
}

fn is_awaited(release: &Release, phase: Phase) -> bool {
    release.hooks().any(|hook| hook.hook.phases.contains(&phase))
}

async fn run(
    scope: &mut Scope<'_>,
    memory: &mut Memory,
    release: &Release,
    phase: Phase,
) -> Result<Occasion, ClusterError> {
    let mut occasion = Occasion::default();
    let timeout = scope.app.spec.health.timeout;
    loop {
        let due = hooks_on(release, phase, hooks::runs_of(memory, release, phase));
        let Some(first) = due.first() else { break };
        let ran = hooks::run(scope, memory, release, &due).await?;
        let mut ended = ran.refused;
        for action in &due {
            let runs = hooks::runs_of(memory, release, phase);
            let run = run_of(runs, &action.id, phase).filter(|run| run.state == HookState::Running);
            let left = run.map(|run| time_left(run, timeout.get()));
            if left == Some(Duration::ZERO) {
                remove(scope, &action.id).await;
                ended.push((action.id.clone(), format!("it did not end within {timeout}")));
            }
            occasion.again = [occasion.again, left].into_iter().flatten().min();
        }
        hooks::fail(scope, memory, release, phase, &ended).await?;
        if hooks_on(release, phase, hooks::runs_of(memory, release, phase)) != due {
            continue;
        }
        let retry = ran.errors.iter().any(|error| error.transient).then_some(TRY_AGAIN);
        occasion.again = [occasion.again, ran.again, retry].into_iter().flatten().min();
        let live = blame::explained(scope, release, &first.id).map(|live| live.health.message);
        let message = live.filter(|message| !message.is_empty()).unwrap_or_else(|| "it runs".into());
        occasion.waiting = Some(format!("{} hook {}: {message}", phase.as_str(), first.id));
        break;
    }
    occasion.failed = failed(hooks::runs_of(memory, release, phase), phase);
    Ok(occasion)
}

fn failed(runs: &[HookRun], phase: Phase) -> Vec<String> {
    let failed = runs.iter().filter(|run| run.phase == phase.as_str() && run.state == HookState::Failed);
    failed.map(|run| format!("{} hook {} failed: {}", run.phase, run.object, run.message)).collect()
}

/// How much longer a hook that runs is waited for.
fn time_left(run: &HookRun, timeout: Duration) -> Duration {
    let Some(since) = &run.since else { return Duration::ZERO };
    let ran = Duration::try_from(Timestamp::now().duration_since(since.0)).unwrap_or_default();
    timeout.saturating_sub(ran)
}

/// Ends the other hooks of an undone release that still run: a migration must not go on under what is restored.
async fn end(scope: &Scope<'_>, undone: &Release) {
    for hook in undone.hooks().filter(|hook| !hook.hook.phases.contains(&Phase::Rollback)) {
        let live = scope.ctx.world.observed(hook.id);
        let runs = live.is_some_and(|live| {
            use windlass_core::api::HealthStatus::{Degraded, Healthy};
            !live.deleting && !matches!(live.health.status, Healthy | Degraded)
        });
        if runs && runs_pods(&hook.id.group, &hook.id.kind) {
            remove(scope, hook.id).await;
        }
    }
}

async fn remove(scope: &Scope<'_>, id: &ObjectId) {
    if let Err(failure) = prune_one(scope, id).await {
        tracing::warn!(app = %scope.key, object = %id, %failure, "a hook could not be deleted");
    }
}
