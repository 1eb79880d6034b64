use std::fmt::Write as _;

use jiff::Timestamp;
use windlass_core::api::{Application, ApplicationStatus, HealthStatus, SyncStatus, UnhealthyObject};
use windlass_core::rollout::summary;

use super::super::output::Table;
use super::super::text::{Colour, Palette, line};
use super::events::Told;
use super::{age, waiting_for};

/// Most Events on a page; `-o wide` shows all.
pub(super) const EVENTS: usize = 5;

/// One Application on a page: the answer first, then what it rests on.
pub(super) fn page(application: &Application, events: &[Told], now: Timestamp, palette: Palette) -> String {
    let status = application.status.clone().unwrap_or_default();
    let name = application.metadata.name.as_deref().unwrap_or_default();
    let namespace = application.metadata.namespace.as_deref().unwrap_or_default();
    let mut page = format!(
        "{}: {}\n\n",
        palette.paint(Colour::Bold, &format!("{namespace}/{name}")),
        line(&waiting_for(application)),
    );
    let sync = format!("{:?}", status.sync.status);
    let health = format!("{:?}", status.health.status);
    field(&mut page, "Sync", &palette.paint(sync_colour(status.sync.status), &sync));
    field(&mut page, "Health", &palette.paint(health_colour(status.health.status), &health));
    field(&mut page, "Revision", &line(&status.sync.revision));
    field(&mut page, "Rollout", &line(&summary(&status.targets)));
    field(&mut page, "Objects", &status.resources.total.to_string());
    if let Some(created) = &application.metadata.creation_timestamp {
        field(&mut page, "Age", &age(created.0, now));
    }
    if !status.request_problem.is_empty() {
        field(&mut page, "Request", &line(&format!("the last one was refused: {}", status.request_problem)));
    }
    section(&mut page, palette, "Sources", &sources(application, &status));
    section(&mut page, palette, "Conditions", &conditions(&status, now));
    section(&mut page, palette, "Unhealthy objects", &unhealthy(&status.resources.unhealthy));
    section(&mut page, palette, "History", &history(&status, now));
    section(&mut page, palette, "Events", &told(events, now));
    page
}

fn field(page: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "{:<10}{value}", format!("{name}:"));
    }
}

fn section(page: &mut String, palette: Palette, title: &str, table: &Table) {
    let mut rows = Vec::new();
    // Writing to memory cannot fail.
    let _ = table.write(&mut rows);
    let rows = String::from_utf8_lossy(&rows);
    if rows.lines().count() < 2 {
        return;
    }
    let _ = writeln!(page, "\n{}", palette.paint(Colour::Bold, title));
    for row in rows.lines() {
        let _ = writeln!(page, "  {row}");
    }
}

fn sources(application: &Application, status: &ApplicationStatus) -> Table {
    let mut table = Table::new(&["NAME", "URL", "PATH", "RENDERER", "REVISION"]);
    for source in &application.spec.sources {
        let state = status.sources.iter().find(|state| state.name == source.name);
        let [renderer, revision] =
            state.map(|state| [state.renderer.clone(), state.revision.clone()]).unwrap_or_default();
        table.row([source.name.clone(), source.git.url.clone(), source.git.path.clone(), renderer, revision]);
    }
    table
}

fn conditions(status: &ApplicationStatus, now: Timestamp) -> Table {
    let mut table = Table::new(&["TYPE", "STATUS", "SINCE", "REASON", "MESSAGE"]);
    for condition in &status.conditions {
        table.row([
            condition.type_.clone(),
            condition.status.clone(),
            age(condition.last_transition_time.0, now),
            condition.reason.clone(),
            condition.message.clone(),
        ]);
    }
    table
}

fn unhealthy(objects: &[UnhealthyObject]) -> Table {
    let mut table = Table::new(&["OBJECT", "HEALTH", "MESSAGE"]);
    for object in objects {
        let kind = match object.group.as_str() {
            group if group.contains('.') => format!("{}.{group}", object.kind),
            _ => object.kind.clone(),
        };
        let name = match object.namespace.as_str() {
            "" => object.name.clone(),
            namespace => format!("{namespace}/{}", object.name),
        };
        table.row([format!("{kind} {name}"), format!("{:?}", object.status), object.message.clone()]);
    }
    table
}

fn history(status: &ApplicationStatus, now: Timestamp) -> Table {
    let mut table = Table::new(&["AGE", "RESULT", "REVISION", "TRIGGER", "MESSAGE"]);
    for entry in &status.history {
        table.row([
            age(entry.started_at.0, now),
            entry.result.clone(),
            entry.revision.clone(),
            entry.trigger.clone(),
            entry.message.clone(),
        ]);
    }
    table
}

fn told(events: &[Told], now: Timestamp) -> Table {
    let mut table = Table::new(&["AGE", "REASON", "COUNT", "MESSAGE"]);
    for event in events {
        table.row([age(event.at, now), event.reason.clone(), event.count.to_string(), event.message.clone()]);
    }
    table
}

fn sync_colour(status: SyncStatus) -> Colour {
    match status {
        SyncStatus::Synced => Colour::Green,
        SyncStatus::OutOfSync | SyncStatus::Unknown => Colour::Yellow,
    }
}

fn health_colour(status: HealthStatus) -> Colour {
    match status {
        HealthStatus::Healthy => Colour::Green,
        HealthStatus::Suspended | HealthStatus::Progressing | HealthStatus::Unknown => Colour::Yellow,
        HealthStatus::Missing | HealthStatus::Degraded => Colour::Red,
    }
}
