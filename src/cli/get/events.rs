use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::ListParams;

use super::super::connection::Connection;

/// What Windlass did and decided about an Application, by its Events, the newest first. The API server keeps
/// them for an hour; the history in the status lasts longer.
///
/// # Errors
/// What the API server answers.
pub(super) async fn events(connection: &Connection, name: &str) -> anyhow::Result<Vec<Told>> {
    let api = Api::<Event>::namespaced(connection.client.clone(), &connection.namespace);
    let fields = format!("involvedObject.kind=Application,involvedObject.name={name}");
    let found = connection.answer(api.list(&ListParams::default().fields(&fields).limit(500))).await?;
    let mut told: Vec<_> = found.items.into_iter().filter_map(read).collect();
    told.sort_by_key(|told| std::cmp::Reverse(told.at));
    Ok(told)
}

/// One thing that was done or decided.
pub(super) struct Told {
    /// When, the last time.
    pub(super) at: Timestamp,
    /// What, in a word.
    pub(super) reason: String,
    /// What, to which objects and why.
    pub(super) message: String,
    /// How often.
    pub(super) count: i32,
}

fn read(event: Event) -> Option<Told> {
    let series = event.series.as_ref();
    let last = series.and_then(|series| series.last_observed_time.as_ref()).or(event.event_time.as_ref());
    let at = last.map(|time| time.0).or_else(|| Some(event.last_timestamp.as_ref()?.0))?;
    let count = series.and_then(|series| series.count).or(event.count).unwrap_or(1).max(1);
    Some(Told {
        at,
        reason: event.reason.unwrap_or_default(),
        message: event.message.unwrap_or_default(),
        count,
    })
}
