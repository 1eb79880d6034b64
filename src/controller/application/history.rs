//! What an Application's history says of its releases.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use windlass_core::api::{ApplicationStatus, HistoryEntry, MAX_HISTORY, ROLLED_BACK, bounded_message};
use windlass_core::plan::tell_done;
use windlass_core::release::{Effective, Release};

use super::Scope;
use super::assess::Assessed;
use super::select::Chosen;
use crate::controller::context::Memory;

/// It is being applied.
pub const APPLYING: &str = "Applying";
/// It is applied and has not proved itself yet.
pub const APPLIED: &str = "Applied";
/// It was applied and proved itself.
pub const SYNCED: &str = "Synced";
/// It could not be applied, or did not prove itself.
pub const FAILED: &str = "Failed";

/// Adds a release that begins, unless it is the one that began last, and gives its number.
pub fn begin(
    scope: &Scope<'_>,
    memory: &Memory,
    status: &mut ApplicationStatus,
    chosen: &Chosen,
    release: &Release,
    started: Timestamp,
) -> u64 {
    let digest = match (&memory.releases.stable, chosen.effective) {
        // Whatever a rollback left of another one, people know it by the digest that it had.
        (Some(stable), Effective::Undone) => stable.release.digest(),
        _ => release.digest(),
    };
    if let Some(last) = status.history.first().filter(|last| last.digest == digest.as_str()) {
        return last.number;
    }
    // It was stored with its number before it is told.
    let last = status.history.first().map_or(0, |last| last.number);
    let stored =
        memory.releases.find(digest.as_str()).map(|kept| kept.number).filter(|&number| number > last);
    let number = stored.unwrap_or_else(|| next_number(memory, status));
    let entry = HistoryEntry {
        number,
        digest: digest.as_str().to_owned(),
        revision: release.revision().to_owned(),
        started_at: Time(started),
        finished_at: None,
        trigger: trigger(scope, chosen),
        result: APPLYING.to_owned(),
        message: String::new(),
        kept: false,
    };
    status.history.insert(0, entry);
    status.history.truncate(MAX_HISTORY);
    number
}

/// The number of the release that begins next.
pub fn next_number(memory: &Memory, status: &ApplicationStatus) -> u64 {
    status.history.first().map_or(0, |last| last.number).max(memory.releases.last_number()) + 1
}

/// Says how the release that began last stands.
pub fn stands(status: &mut ApplicationStatus, digest: &str, result: &str, message: &str) {
    let Some(last) = status.history.first_mut().filter(|last| last.digest == digest) else { return };
    if result != FAILED && last.finished_at.is_none() {
        last.finished_at = Some(Time(Timestamp::now()));
    }
    if !message.is_empty() && last.result != result {
        last.message = bounded_message(message);
    }
    last.result = result.to_owned();
}

/// Says that a release was undone, and why.
pub fn undone(status: &mut ApplicationStatus, digest: &str, why: &str) {
    if let Some(entry) = status.history.iter_mut().find(|entry| entry.digest == digest) {
        entry.result = ROLLED_BACK.to_owned();
        entry.message = bounded_message(why);
    }
}

/// What set a sync off: `commit`, or what a person asked for.
pub fn trigger(scope: &Scope<'_>, chosen: &Chosen) -> String {
    let Some(request) = &scope.request else {
        return match &chosen.quarantined {
            Some(entry) => format!("failure of {}", entry.revision).chars().take(256).collect(),
            None => "commit".into(),
        };
    };
    let action = serde_json::to_value(request.action).unwrap_or_default();
    let action = action.as_str().unwrap_or("request");
    match claimed(&request.by) {
        by if by.is_empty() => format!("{action} requested"),
        by => format!("{action} requested by {by}"),
    }
}

/// `jane (claimed)`: nobody has proved it.
pub fn claimed(by: &str) -> String {
    let by: String = by.chars().filter(|c| !c.is_control()).take(100).collect();
    if by.is_empty() { by } else { format!("{by} (claimed)") }
}

/// What was done: `2 created, 1 updated, 3 pruned (...)`.
pub fn summary(assessed: &Assessed) -> String {
    let changed_by = &assessed.outcome.begun.plan.changed_by;
    tell_done(&assessed.outcome.done, &|id| changed_by.get(id).cloned())
}
