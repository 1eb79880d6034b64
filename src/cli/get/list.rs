use jiff::Timestamp;
use kube::api::DynamicObject;
use windlass_core::api::ApplicationStatus;
use windlass_core::rollout::summary;

use super::super::connection::read;
use super::super::output::Table;
use super::super::text;
use super::age;
use super::condition;

/// Columns that would grow without a bound are cut here; `-o wide` shows all.
const MESSAGE: usize = 80;
const REVISION: usize = 40;

/// One line an Application.
pub(super) fn table(
    objects: Vec<DynamicObject>,
    namespaces: bool,
    wide: bool,
    now: Timestamp,
) -> anyhow::Result<String> {
    let headers = ["NAMESPACE", "NAME", "SYNC", "HEALTH", "ROLLOUT", "REVISION", "AGE", "MESSAGE"];
    let rows: Vec<_> = objects.into_iter().map(|object| row(object, wide, now)).collect();
    // Columns that say nothing of any of them are left out.
    let rolls = rows.iter().any(|[_, _, _, _, rollout, ..]| !rollout.is_empty());
    let shown = |header: &str| match header {
        "NAMESPACE" => namespaces,
        "ROLLOUT" => rolls,
        _ => true,
    };
    let mut table = Table::new(&headers.into_iter().filter(|header| shown(header)).collect::<Vec<_>>());
    for cells in rows {
        let cells = headers.into_iter().zip(cells).filter(|(header, _)| shown(header));
        table.row(cells.map(|(_, cell)| cell));
    }
    let mut out = Vec::new();
    table.write(&mut out)?;
    Ok(String::from_utf8(out)?)
}

fn row(object: DynamicObject, wide: bool, now: Timestamp) -> [String; 8] {
    let name = object.metadata.name.clone().unwrap_or_default();
    let namespace = object.metadata.namespace.clone().unwrap_or_default();
    let age = object.metadata.creation_timestamp.as_ref().map(|time| age(time.0, now)).unwrap_or_default();
    let cut = |text: &str, width| if wide { text.to_owned() } else { text::cut(text, width) };
    match read(object) {
        Ok(application) => {
            let message = condition(&application, "Ready").map(|ready| ready.message.as_str());
            let message = cut(message.unwrap_or("not seen by a controller yet"), MESSAGE);
            let ApplicationStatus { sync, health, targets, .. } =
                application.status.clone().unwrap_or_default();
            let (status, health) = (format!("{:?}", sync.status), format!("{:?}", health.status));
            let revision = cut(&sync.revision, REVISION);
            [namespace, name, status, health, summary(&targets), revision, age, message]
        }
        Err(error) => {
            let unknown = || "Unknown".to_owned();
            let message = cut(&text::sentence(&error), MESSAGE);
            [namespace, name, unknown(), unknown(), String::new(), String::new(), age, message]
        }
    }
}
