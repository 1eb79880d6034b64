//! The Kubernetes Events of an Application.

use kube::Resource as _;
use kube::runtime::events::EventType;
use windlass_core::api::{AppKey, ApplicationStatus, bounded_message};
use windlass_core::release::Fate;

use super::Scope;
use super::history::{summary, trigger};
use super::prove::Proved;
use crate::cluster::events::News;

/// Publishes what was done, or what went wrong for the first time.
pub async fn publish(
    scope: &Scope<'_>,
    before: &ApplicationStatus,
    after: &ApplicationStatus,
    proved: &Proved,
) {
    if after.handled_request != before.handled_request && !after.request_problem.is_empty() {
        let note =
            format!("{}: {}", trigger(scope, &proved.assessed.outcome.begun.chosen), after.request_problem);
        write(scope, EventType::Warning, "RequestRefused", note).await;
    }
    if matches!(proved.fate, Some(Fate::Undone { .. })) {
        // It is told once it is done.
        return;
    }
    let assessed = &proved.assessed;
    let begun = &assessed.outcome.begun;
    let revision = begun.chosen.release.as_ref().map(|r| r.revision().to_owned()).unwrap_or_default();
    let ready = |status: &ApplicationStatus| {
        status.conditions.iter().find(|condition| condition.type_ == "Ready").cloned()
    };
    let old = ready(before);
    let told = ["RolledBack", "RollbackFailed", "RollbackPaused", "Irreversible", "NoVerdict"];
    let fate = ready(after).filter(|now| told.contains(&now.reason.as_str()));
    let event = if let Some(now) = fate {
        // A rollback is told when it is done, or cannot be; another time only when something else is wrong.
        let served = after.stable.as_ref().is_some_and(|stable| stable.healthy_since.is_some());
        let before_it = before.stable.as_ref().is_some_and(|stable| stable.healthy_since.is_some());
        let done = now.reason == "RolledBack" && served && !before_it;
        let same = old.as_ref().is_some_and(|old| old.reason == now.reason);
        if same && !done || now.reason == "RolledBack" && !served {
            return;
        }
        (EventType::Warning, now.reason, now.message)
    } else if let Some(failure) = &assessed.failure {
        // The condition may have been cut; its beginning tells as well.
        let told: String = failure.message.chars().take(200).collect();
        if old.is_some_and(|c| c.reason == failure.reason && c.message.starts_with(&told)) {
            return;
        }
        (EventType::Warning, failure.reason.clone(), failure.message.clone())
    } else if !assessed.outcome.done.is_empty() {
        let mut note = format!("{revision}: {}", summary(assessed));
        if begun.new_release || scope.request.is_some() {
            note = format!("{note}, by {}", trigger(scope, &begun.chosen));
        }
        let reason = if begun.new_release { "Synced" } else { "Healed" };
        (EventType::Normal, reason.to_owned(), note)
    } else {
        return;
    };
    let (type_, reason, note) = event;
    write(scope, type_, &reason, note).await;
}

/// Tells who depends on an Application that is being deleted.
pub async fn depended_on(scope: &Scope<'_>, dependents: &[AppKey]) {
    let Some((first, others)) = dependents.split_first() else { return };
    let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
    let note = format!("it is being deleted, and {first}{more} depend on it: no new release of those begins");
    write(scope, EventType::Warning, "DependedOn", note).await;
}

async fn write(scope: &Scope<'_>, type_: EventType, reason: &str, note: String) {
    tracing::info!(app = %scope.key, reason, "{note}");
    scope.ctx.metrics.events.with_label_values(&[reason]).inc();
    let news = News { type_, reason: reason.to_owned(), note: bounded_message(&note) };
    if let Err(error) = scope.ctx.events.publish(&news, &scope.app.object_ref(&())).await {
        tracing::warn!(app = %scope.key, %error, "an Event could not be written");
    }
}
