//! The conditions `Ready`, `Reconciling` and `Stalled`, after kstatus.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use windlass_core::api::{ApplicationStatus, HealthStatus, Quarantined, SyncStatus, bounded_message};
use windlass_core::release::{Fate, Release};

use super::prove::Proved;
use super::rollout::Rolled;

/// Why nothing is done for a suspended Application.
pub const SUSPENDED: &str = "spec.suspend is set: nothing is applied or healed";

/// Says that work is under way.
pub fn reconciling(status: &mut ApplicationStatus, generation: Option<i64>, message: &str) {
    status.observed_generation = generation;
    set(status, generation, "Ready", false, "Progressing", message);
    set(status, generation, "Reconciling", true, "Progressing", message);
    set(status, generation, "Stalled", false, "Progressing", "");
}

/// Says that a release is being undone in favour of `stable`.
pub fn rolling_back(
    status: &mut ApplicationStatus,
    generation: Option<i64>,
    undone: &Quarantined,
    stable: &Release,
) {
    let message = quarantined(undone, stable.revision());
    status.observed_generation = generation;
    set(status, generation, "Ready", false, "RolledBack", &message);
    set(status, generation, "Reconciling", true, "RolledBack", &message);
    set(status, generation, "Stalled", true, "RolledBack", &message);
}

/// `main@abc123 quarantined: why; serving main@def456`
fn quarantined(undone: &Quarantined, serving: &str) -> String {
    format!("{} quarantined: {}; serving {serving}", undone.revision, undone.message)
}

/// Says that what the sources say is quarantined, and how what is served instead stands.
fn rolled_back(
    status: &mut ApplicationStatus,
    generation: Option<i64>,
    proved: &Proved,
    undone: &Quarantined,
    revision: &str,
) {
    let assessed = &proved.assessed;
    let settled = assessed.complete && assessed.health.status <= HealthStatus::Suspended;
    let (reason, mut message) = if proved.rollback_failed {
        let health = &assessed.health.message;
        let undone = format!("{} quarantined: {}", undone.revision, undone.message);
        ("RollbackFailed", format!("{undone}; {revision} does not work either: {health}"))
    } else {
        ("RolledBack", quarantined(undone, revision))
    };
    if !settled && !proved.rollback_failed && !assessed.health.message.is_empty() {
        message.push_str(&format!(" ({})", assessed.health.message));
    }
    if !proved.failed_hooks.is_empty() {
        message.push_str(&format!("; {}", proved.failed_hooks));
    }
    if !proved.left.is_empty() {
        message.push_str(&format!("; a rollback leaves {} as is", proved.left));
    }
    if !proved.existed.is_empty() {
        message.push_str(&format!("; left: {} existed before the release", proved.existed));
    }
    if let Some(failure) = &assessed.failure {
        message.push_str(&format!("; {}: {}", failure.reason, failure.message));
    }
    set(status, generation, "Ready", false, reason, &message);
    let going_on = !settled && !proved.rollback_failed;
    set(status, generation, "Reconciling", going_on, reason, if going_on { &message } else { "" });
    set(status, generation, "Stalled", true, reason, &message);
}

/// Says how the Application stands.
pub fn settled(status: &mut ApplicationStatus, generation: Option<i64>, proved: &Proved) {
    let assessed = &proved.assessed;
    let chosen = &assessed.outcome.begun.chosen;
    status.observed_generation = generation;
    let revision = chosen.release.as_ref().map(|r| r.revision().to_owned()).unwrap_or_default();
    if let (Some(undone), Some(_)) = (&chosen.quarantined, &chosen.release) {
        return rolled_back(status, generation, proved, undone, &revision);
    }
    if let Some(Fate::Undone { reason, message }) = &proved.fate {
        let message = format!("{revision}: {message}; it is being undone");
        set(status, generation, "Ready", false, reason, &message);
        set(status, generation, "Reconciling", true, reason, &message);
        set(status, generation, "Stalled", true, reason, &message);
        return;
    }
    let held = held_for_what_failed(proved);
    if let Some(failure) = assessed.failure.as_ref().filter(|_| !held) {
        let serving = match (&failure.reason, &status.stable) {
            (reason, Some(stable)) if *reason != "Conflict" => format!("; serving {}", stable.revision),
            _ => String::new(),
        };
        let message = format!("{}{serving}", failure.message);
        set(status, generation, "Ready", false, &failure.reason, &message);
        set(status, generation, "Stalled", !failure.transient, &failure.reason, &message);
        let retrying = if failure.transient { "trying again" } else { "" };
        set(status, generation, "Reconciling", failure.transient, &failure.reason, retrying);
        return;
    }
    if let Some(waiting) = &assessed.outcome.moving {
        let message = format!("{revision}: {}", waiting.message);
        set(status, generation, "Ready", false, "Progressing", &message);
        set(status, generation, "Reconciling", true, "Progressing", &message);
        set(status, generation, "Stalled", false, "Progressing", "");
        return;
    }
    if let Some(Fate::Held { reason, message, excused }) = &proved.fate {
        let message = format!("{revision}: {message}");
        set(status, generation, "Ready", false, reason, &message);
        set(status, generation, "Reconciling", *excused, reason, if *excused { &message } else { "" });
        set(status, generation, "Stalled", !excused, reason, if *excused { "" } else { &message });
        return;
    }
    if let Some(rolling) = chosen.rolled.as_ref().and_then(Rolled::waiting) {
        let message = format!("{revision}: {rolling}");
        set(status, generation, "Ready", false, "RollingOut", &message);
        set(status, generation, "Reconciling", true, "RollingOut", &message);
        set(status, generation, "Stalled", false, "RollingOut", "");
        return;
    }
    if let Some(looks) = &proved.judging {
        let message = format!("{revision} is healthy and being verified: {looks}");
        set(status, generation, "Ready", false, "Verifying", &message);
        set(status, generation, "Reconciling", true, "Verifying", &message);
        set(status, generation, "Stalled", false, "Verifying", "");
        return;
    }
    let health = &assessed.health;
    let waiting = assessed.outcome.waiting.as_ref();
    if let Some(waiting) = waiting.filter(|_| health.status != HealthStatus::Degraded) {
        let message = format!("{revision}: waiting for {waiting}");
        set(status, generation, "Ready", false, "Progressing", &message);
        set(status, generation, "Reconciling", true, "Progressing", &message);
        set(status, generation, "Stalled", false, "Progressing", "");
        return;
    }
    let (ready, reconciling, reason) = match (assessed.sync, health.status) {
        (SyncStatus::Synced, HealthStatus::Healthy | HealthStatus::Suspended) => (true, false, "Synced"),
        (SyncStatus::Synced, HealthStatus::Degraded) => (false, false, "Degraded"),
        (SyncStatus::Synced, _) => (false, true, "Progressing"),
        (_, HealthStatus::Degraded) if waiting.is_some() => (false, false, "Degraded"),
        _ => (false, true, "OutOfSync"),
    };
    let message = if ready || health.message.is_empty() {
        format!("serving {revision}")
    } else {
        format!("{revision}: {}", health.message)
    };
    set(status, generation, "Ready", ready, reason, &message);
    set(status, generation, "Reconciling", reconciling, reason, if reconciling { &message } else { "" });
    set(status, generation, "Stalled", false, reason, "");
}

/// Whether the release is held for the very failure that is told otherwise: why it is held says more.
fn held_for_what_failed(proved: &Proved) -> bool {
    let Some(Fate::Held { reason, .. }) = &proved.fate else { return false };
    proved.assessed.failure.as_ref().is_some_and(|failure| failure.reason == *reason)
}

/// Says that nothing is done.
pub fn suspended(status: &mut ApplicationStatus, generation: Option<i64>) {
    status.observed_generation = generation;
    set(status, generation, "Ready", false, "Suspended", SUSPENDED);
    set(status, generation, "Reconciling", false, "Suspended", "");
    set(status, generation, "Stalled", false, "Suspended", "");
}

/// Says that another Application takes this one's place.
pub fn moved(status: &mut ApplicationStatus, generation: Option<i64>, reason: &str, message: &str) {
    status.observed_generation = generation;
    set(status, generation, "Ready", false, reason, message);
    set(status, generation, "Reconciling", false, reason, "");
    set(status, generation, "Stalled", false, reason, "");
}

/// Says that nothing is done, because nobody knows what the Application has in the cluster.
pub fn unreadable(status: &mut ApplicationStatus, generation: Option<i64>, message: &str) {
    status.observed_generation = generation;
    set(status, generation, "Ready", false, "ReleaseUnreadable", message);
    set(status, generation, "Reconciling", false, "ReleaseUnreadable", "");
    set(status, generation, "Stalled", true, "ReleaseUnreadable", message);
}

/// Says what stands in the way of a deletion.
pub fn deleting(status: &mut ApplicationStatus, generation: Option<i64>, reason: &str, message: &str) {
    status.observed_generation = generation;
    set(status, generation, "Ready", false, reason, message);
    set(status, generation, "Reconciling", true, reason, message);
    set(status, generation, "Stalled", false, reason, "");
}

fn set(
    status: &mut ApplicationStatus,
    generation: Option<i64>,
    type_: &str,
    value: bool,
    reason: &str,
    message: &str,
) {
    let value = if value { "True" } else { "False" };
    let old = status.conditions.iter().position(|c| c.type_ == type_);
    let since = old
        .and_then(|i| status.conditions.get(i))
        .filter(|c| c.status == value)
        .map_or_else(|| Time(Timestamp::now()), |c| c.last_transition_time.clone());
    let condition = Condition {
        type_: type_.to_owned(),
        status: value.to_owned(),
        reason: reason.to_owned(),
        message: bounded_message(message),
        observed_generation: generation,
        last_transition_time: since,
    };
    match old.and_then(|i| status.conditions.get_mut(i)) {
        Some(slot) => *slot = condition,
        None => status.conditions.push(condition),
    }
}
