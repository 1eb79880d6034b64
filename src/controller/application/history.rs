//! What an Application's history says of its releases.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use windlass_core::api::{ApplicationStatus, HistoryEntry, MAX_HISTORY, bounded_message};
use windlass_core::plan::Verb;

use super::Scope;
use super::assess::Assessed;

/// Adds a release to the history when its first attempt ends, and mends the entry when a later one does.
pub fn remember(scope: &Scope<'_>, status: &mut ApplicationStatus, assessed: &Assessed, complete: bool) {
    let begun = &assessed.outcome.begun;
    let Some(release) = begun.release.as_ref().filter(|_| begun.new_release) else { return };
    if !complete && assessed.outcome.errors.is_empty() && assessed.outcome.done.is_empty() {
        return;
    }
    let failure = assessed.failure.as_ref().filter(|_| !complete);
    let entry = HistoryEntry {
        number: status.history.first().map_or(0, |last| last.number) + 1,
        digest: release.digest().as_str().to_owned(),
        revision: release.revision().to_owned(),
        started_at: Time(begun.started),
        finished_at: complete.then(|| Time(Timestamp::now())),
        trigger: trigger(scope),
        result: if complete { "Synced" } else { "Failed" }.to_owned(),
        message: bounded_message(&failure.map_or_else(|| summary(assessed), |f| f.message.clone())),
    };
    match status.history.first_mut() {
        Some(last) if last.digest == entry.digest && last.finished_at.is_none() => {
            *last = HistoryEntry {
                number: last.number,
                started_at: last.started_at.clone(),
                trigger: last.trigger.clone(),
                ..entry
            };
        }
        _ => status.history.insert(0, entry),
    }
    status.history.truncate(MAX_HISTORY);
}

fn trigger(scope: &Scope<'_>) -> String {
    let Some(request) = &scope.request else { return "commit".into() };
    let action = serde_json::to_value(request.action).unwrap_or_default();
    let action = action.as_str().unwrap_or("request");
    let by: String = request.by.chars().filter(|c| !c.is_control()).take(100).collect();
    if by.is_empty() {
        format!("{action} requested")
    } else {
        format!("{action} requested by {by} (claimed)")
    }
}

/// `2 created, 1 updated, 3 pruned`
pub fn summary(assessed: &Assessed) -> String {
    let count = |verb: Verb| assessed.outcome.done.iter().filter(|action| action.verb == verb).count();
    let parts = [
        (Verb::Create, "created"),
        (Verb::Update, "updated"),
        (Verb::Heal, "healed"),
        (Verb::Restore, "restored"),
        (Verb::Prune, "pruned"),
    ];
    let words: Vec<_> = parts
        .into_iter()
        .filter_map(|(verb, word)| Some(count(verb)).filter(|n| *n > 0).map(|n| format!("{n} {word}")))
        .collect();
    if words.is_empty() { "nothing to change".into() } else { words.join(", ") }
}
