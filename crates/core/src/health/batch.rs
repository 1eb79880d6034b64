//! Health of what runs pods to completion.

use super::Health;
use super::body::{Body, Truth, plural};

/// Job.
pub(super) fn job(body: Body) -> Health {
    let condition = |kind| body.condition(kind).filter(|condition| condition.truth == Truth::True);
    if let Some(failed) = condition("Failed") {
        return Health::degraded(format!("job failed: {}", failed.cause()));
    }
    // Set as soon as the failure is certain, while pods are still being stopped (KEP-3329).
    if let Some(failing) = condition("FailureTarget") {
        return Health::degraded(format!("job is failing: {}", failing.cause()));
    }
    if condition("Complete").is_some() {
        return Health::healthy();
    }
    let succeeded = body.count("/status/succeeded").unwrap_or(0);
    let done = match body.count("/spec/completions") {
        Some(completions) => format!("{succeeded} of {} done", plural(completions, "completion")),
        None => format!("{} succeeded", plural(succeeded, "pod")),
    };
    if body.flag("/spec/suspend") == Some(true) {
        return Health::suspended(format!("suspended by spec.suspend; {done}"));
    }
    if condition("SuccessCriteriaMet").is_some() {
        return Health::progressing(format!("{done}; it has succeeded and its last pods are being stopped"));
    }
    if body.text("/status/startTime").is_empty() {
        return Health::progressing("its controller has not started it yet");
    }
    let active = body.count("/status/active").unwrap_or(0);
    match body.count("/status/failed").unwrap_or(0) {
        0 => Health::progressing(format!("{done}, {active} active")),
        failed => Health::progressing(format!("{done}, {active} active, {failed} failed")),
    }
}

/// CronJob. Its past runs are not its health: a run that failed before the newest change would hold a
/// release up until the next run, and `lastSuccessfulTime` cannot tell a failed run from a running one.
pub(super) fn cron_job(body: Body) -> Health {
    if body.flag("/spec/suspend") == Some(true) {
        return Health::suspended("suspended by spec.suspend");
    }
    Health::healthy()
}
