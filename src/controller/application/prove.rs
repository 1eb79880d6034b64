//! Stage 9: whether the release that was begun proved itself, and what becomes of it where it did not.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use tokio::time::Instant;
use windlass_core::api::{GateState, HealthStatus, OnFailure, OnNoVerdict, ReleaseRef};
use windlass_core::gate::Verdict;
use windlass_core::health::cause::FailureClass;
use windlass_core::object::ObjectId;
use windlass_core::release::{Effective, Failed, Fate, Gates, Release, Trial, WayBack, fate, undo};
use windlass_core::rollout::ABORTED;

use super::assess::{Assessed, all_errors};
use super::select::entry;
use super::verify::{self, Verified};
use super::{Scope, hooks, last_hooks, undone};
use crate::controller::context::Memory;
use crate::failure::Failure;

/// How often it is looked whether something else than the release still stands in its way.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How long objects are refused until that counts as lasting.
const REFUSED_FOR: Duration = Duration::from_secs(5);
/// Why a release is not undone for what the cluster did.
const NO_FAULT: &str = "that is no fault of the release";
/// Most objects that one message names.
const TOLD: usize = 5;

/// An Application with the fate of its release.
pub struct Proved {
    /// How it stands.
    pub assessed: Assessed,
    /// What its gates have seen, where they are judged.
    pub gates: Option<Vec<GateState>>,
    /// What they say so far, as long as they are judged.
    pub judging: Option<String>,
    /// What becomes of the release on trial; `None` where there is none.
    pub fate: Option<Fate>,
    /// What a rollback restored does not work either.
    pub rollback_failed: bool,
    /// Rollback hooks of the undone release that failed, and why.
    pub failed_hooks: String,
    /// Objects that the rollback left as the undone release made them.
    pub left: String,
    /// Objects that existed before the undone release, which took them over.
    pub existed: String,
    /// When to look again.
    pub again: Option<Duration>,
}

/// Judges the release on trial. One that is to be undone is noted: the next reconcile, which follows at
/// once, chooses another one because of that.
pub async fn release(scope: &Scope<'_>, memory: &mut Memory, assessed: Assessed) -> Proved {
    let verified = verify::gates(scope, memory, &assessed).await;
    let status = memory.status.clone().unwrap_or_default();
    let chosen = &assessed.outcome.begun.chosen;
    let pointer = chosen.pointer(&status).cloned();
    let on_trial = chosen.on_trial(&status);
    let mut proved = Proved {
        assessed,
        gates: None,
        judging: None,
        fate: None,
        rollback_failed: false,
        failed_hooks: String::new(),
        left: String::new(),
        existed: String::new(),
        again: None,
    };
    let chosen = &proved.assessed.outcome.begun.chosen;
    let degraded = proved.assessed.health.status == HealthStatus::Degraded;
    if chosen.effective == Effective::Undone {
        let never_healthy = pointer.is_none_or(|pointer| pointer.healthy_since.is_none());
        proved.rollback_failed = degraded && never_healthy;
        proved.failed_hooks = last_hooks::failed_rollback_hooks(memory);
        proved.left = left(memory);
        if let Some(release) = &chosen.release {
            let existed: Vec<_> = undone::existed(scope, memory, release).into_iter().collect();
            proved.existed = names(&existed);
        }
        return proved;
    }
    let Some(release) = chosen.base().cloned().filter(|_| on_trial) else { return proved };
    let excuse = excuse(&proved.assessed, pointer.as_ref());
    let verify = scope.app.spec.verify.as_ref();
    let stable = memory.releases.stable.as_ref().map(|kept| kept.release.clone());
    let stable = stable.filter(|stable| stable.digest() != release.digest());
    let hook = hooks::failure(memory, &release);
    let hook_failed = hook.is_some();
    let (refused, look) = refused(memory, &release, &proved.assessed.outcome.errors, hook_failed);
    proved.again = look;
    let rolled = chosen.rolled.as_ref();
    let rollout = rolled.and_then(|rolled| rolled.failed.as_ref());
    let aborted = rollout.is_some_and(|(_, failure)| failure.reason == ABORTED);
    let rollout = rollout.map(|(id, failure)| {
        let message = format!("the rollout of {id} failed: {}", failure.message);
        (Failure::permanent(&failure.reason, message), false)
    });
    let failed = hook.or(refused.map(|failure| (failure, false))).or(rollout);
    let trial = Trial {
        failed: failed.as_ref().map(|(failure, environment)| Failed {
            reason: &failure.reason,
            message: &failure.message,
            excuse: environment.then_some(NO_FAULT),
        }),
        complete: proved.assessed.complete,
        health: proved.assessed.health.status,
        message: &proved.assessed.health.message,
        excuse: excuse.as_deref(),
        gates: said(verified.as_ref()),
        on_no_verdict: verify.map_or(OnNoVerdict::Hold, |verify| verify.on_no_verdict),
        on_failure: if aborted { OnFailure::Rollback } else { scope.app.spec.on_failure },
        verify: verify.is_some() || rolled.is_some(),
        way_back: if stable.is_some() { WayBack::Open } else { WayBack::NoStable },
    };
    let mut fate_of = fate(&trial);
    if let (Fate::Undone { .. }, Some(stable)) = (&fate_of, stable) {
        let irreversible = names(&undo(&stable, &release).irreversible);
        if !irreversible.is_empty() {
            fate_of = fate(&Trial { way_back: WayBack::Irreversible(&irreversible), ..trial });
        } else if !scope.ctx.fleet.failed(scope.key) {
            fate_of = fate(&Trial { way_back: WayBack::Paused, ..trial });
            proved.again = Some(LOOK_AGAIN);
        }
    }
    match &fate_of {
        Fate::Undone { reason, message } => {
            memory.undo = Some(entry(&release, reason, message, Time(Timestamp::now())));
            proved.again = Some(Duration::ZERO);
        }
        Fate::Held { excused: true, .. } => proved.again = Some(LOOK_AGAIN),
        Fate::Held { .. } | Fate::Open | Fate::Proved => {}
    }
    if fate_of == Fate::Open || matches!(fate_of, Fate::Held { excused: true, .. }) {
        let look = verified.as_ref().map(|verified| verified.again);
        proved.again = [proved.again, look].into_iter().flatten().min();
    }
    proved.judging = match verified.as_ref().map(|verified| &verified.verdict) {
        Some(Verdict::Open(looks)) if fate_of == Fate::Open => Some(looks.clone()),
        _ => None,
    };
    proved.gates = verified.map(|verified| verified.gates);
    proved.fate = Some(fate_of);
    proved
}

/// Why the release failed, if the API server refuses objects of it for good, or when to look again whether it
/// does: a definition that just changed takes a moment until it counts.
fn refused(
    memory: &mut Memory,
    release: &Release,
    errors: &[Failure],
    hook_failed: bool,
) -> (Option<Failure>, Option<Duration>) {
    let lasting = !errors.is_empty() && errors.iter().all(|error| !error.transient) && !hook_failed;
    let known = memory.refused_since.take().filter(|(digest, _)| digest == release.digest());
    if !lasting {
        return (None, None);
    }
    let (digest, since) = known.unwrap_or_else(|| (release.digest().clone(), Instant::now()));
    let waited = since.elapsed();
    memory.refused_since = Some((digest, since));
    if waited < REFUSED_FOR {
        return (None, Some(REFUSED_FOR - waited));
    }
    (all_errors(errors), None)
}

/// What the gates say of the release; where nothing is asked, nothing stands in its way.
fn said(verified: Option<&Verified>) -> Gates<'_> {
    match verified.map(|verified| &verified.verdict) {
        None | Some(Verdict::Pass) => Gates::Passed,
        Some(Verdict::Open(_)) => Gates::Judging,
        Some(Verdict::Fail(why)) => Gates::Failed(why),
        Some(Verdict::NoData(why) | Verdict::LowTraffic(why)) => Gates::Silent(why),
    }
}

/// Why something else than the release is to blame.
fn excuse(assessed: &Assessed, pointer: Option<&ReleaseRef>) -> Option<String> {
    if let Some(error) = assessed.outcome.errors.iter().find(|error| error.transient) {
        return Some(format!("it could not be applied, {}", error.message));
    }
    if assessed.cause.as_ref().is_some_and(|cause| cause.class == FailureClass::Environment) {
        return Some(NO_FAULT.to_owned());
    }
    let before: BTreeSet<_> = pointer.iter().flat_map(|pointer| &pointer.unhealthy_before).collect();
    let degraded = assessed.objects.iter().any(|object| object.health.status == HealthStatus::Degraded);
    let bad =
        |status: HealthStatus| if degraded { status == HealthStatus::Degraded } else { !status.is_good() };
    let mut bad = assessed.objects.iter().filter(|object| bad(object.health.status)).peekable();
    // Where no object is to blame, a hook takes too long.
    let excused = bad.peek().is_some() && bad.all(|object| before.contains(&object.id.to_annotation()));
    excused.then(|| "the same was unhealthy before this release".to_owned())
}

/// What a rollback leaves as the undone release made it.
fn left(memory: &Memory) -> String {
    let Some((undone, _)) = memory.releases.undone() else { return String::new() };
    let Some(stable) = &memory.releases.stable else { return String::new() };
    names(&undo(&stable.release, &undone.release).left)
}

fn names(ids: &[ObjectId]) -> String {
    let names: Vec<_> = ids.iter().take(TOLD).map(ToString::to_string).collect();
    let more = if ids.len() > TOLD { format!(" and {} more", ids.len() - TOLD) } else { String::new() };
    format!("{}{more}", names.join(", "))
}
