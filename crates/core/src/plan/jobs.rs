use super::steps::Progress;
use crate::api::{ApplicationStatus, HealthStatus, HookRun, HookState, MAX_HOOKS};
use crate::health::Health;
use crate::object::{Digest, ObjectId};
use crate::release::Release;

/// What stands in the place of a phase in the record of an ordinary Job.
const JOB: &str = "Job";

/// Whether an object runs once for each content and may be deleted by the cluster afterwards.
pub fn is_job(id: &ObjectId) -> bool {
    id.group == "batch" && id.kind == "Job"
}

/// The records of a release: of its hooks, and of its Jobs that ended, in whatever release they had the same
/// content. `ended` is how a Job ended that was applied as the release says, as long as that is remembered.
pub fn known_runs(
    status: Option<&ApplicationStatus>,
    release: &Release,
    ended: &dyn Fn(&ObjectId) -> Option<Health>,
) -> Vec<HookRun> {
    let of_hooks = Progress::of(status, release.digest()).runs.iter().filter(|run| run.phase != JOB);
    let mut runs: Vec<_> = of_hooks.cloned().collect();
    let kept = [status.and_then(|s| s.next.as_ref()), status.and_then(|s| s.stable.as_ref())];
    let kept: Vec<_> = kept.into_iter().flatten().map(|release| release.hooks.as_slice()).collect();
    // Hooks that have not begun yet must find room.
    let hooks = release.hooks().map(|hook| hook.hook.phases.len()).sum::<usize>();
    for id in release.ids().iter().filter(|id| is_job(id)) {
        if runs.len() + hooks >= MAX_HOOKS {
            break;
        }
        let Some(digest) = release.object_digest(id) else { continue };
        let recorded = kept.iter().find_map(|runs| job_end(runs, id, digest)).cloned();
        runs.extend(recorded.or_else(|| ended(id).and_then(|health| record(id, digest, &health))));
    }
    runs
}

/// How a Job of this content ended.
pub fn job_end<'a>(runs: &'a [HookRun], id: &ObjectId, digest: &Digest) -> Option<&'a HookRun> {
    if !is_job(id) {
        return None;
    }
    let object = id.to_string();
    runs.iter().find(|run| run.phase == JOB && run.object == object && run.digest == digest.as_str())
}

/// Health of a Job that ended and is gone since.
pub fn ended_health(run: &HookRun) -> Health {
    match run.state {
        HookState::Succeeded => Health::healthy(),
        HookState::Running => Health { status: HealthStatus::Progressing, message: run.message.clone() },
        HookState::Failed => Health { status: HealthStatus::Degraded, message: run.message.clone() },
    }
}

fn record(id: &ObjectId, digest: &Digest, health: &Health) -> Option<HookRun> {
    let state = match health.status {
        HealthStatus::Healthy => HookState::Succeeded,
        HealthStatus::Degraded => HookState::Failed,
        _ => return None,
    };
    Some(HookRun {
        object: id.to_string(),
        phase: JOB.to_owned(),
        message: health.message.clone(),
        state,
        digest: digest.as_str().to_owned(),
        environment: false,
        since: None,
    })
}
