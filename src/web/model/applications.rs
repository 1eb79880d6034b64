use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use windlass_core::api::{AppKey, Application, ApplicationStatus, HealthStatus, SyncStatus};

use super::{
    Badge, ListQuery, Pager, Revision, SortKey, When, path_segment, rollout_badge, visible, visible_line,
};
use crate::controller::view::AppView;

/// Most Applications on a page.
const PAGE_SIZE: usize = 100;

/// The list of Applications.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ApplicationsPage {
    /// What was asked for, with the page that exists.
    #[serde(skip)]
    pub query: ListQuery,
    /// How many Applications there are in all.
    pub total: usize,
    /// One sentence on all of them, read aloud when it changes.
    pub summary: String,
    /// How many there are of each health.
    pub health: Vec<Facet>,
    /// How many there are of each sync state.
    pub sync: Vec<Facet>,
    /// The columns that can be sorted by.
    pub columns: Vec<Column>,
    /// The Applications of this page.
    pub rows: Vec<ApplicationRow>,
    /// Where this page is among all that match.
    pub pager: Pager,
}

/// A state that the list can be narrowed to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Facet {
    /// The state.
    pub badge: Badge,
    /// How many Applications are in it.
    pub count: usize,
    /// Whether the list shows only those.
    pub active: bool,
    /// The URL that narrows the list to it, or widens it again.
    pub href: String,
}

/// A column that the list can be sorted by.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Column {
    /// Its heading.
    pub label: &'static str,
    /// The URL that sorts by it, or turns the order round.
    pub href: String,
    /// Value of `aria-sort`.
    pub order: &'static str,
}

/// One Application in the list.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ApplicationRow {
    /// Id of its row, the same whatever is shown in it.
    pub id: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its page.
    pub href: String,
    /// Whether the cluster has what the sources say.
    pub sync: Badge,
    /// Whether what the cluster has works.
    pub health: Badge,
    /// What was applied last.
    pub revision: Revision,
    /// What it is doing or waiting for.
    pub message: String,
    /// How its rollouts stand; none where nothing is rolled out.
    pub rollout: Option<Badge>,
    /// The same in a few words: `step 2/3 25 %`.
    pub rollout_text: String,
    /// What is out of the ordinary: `Suspended`, `Deleting`, `Applying`, `Manual`.
    pub flags: Vec<&'static str>,
    /// How many objects its release has.
    pub objects: u32,
    /// When its last release was complete.
    pub released: Option<When>,
}

impl ApplicationsPage {
    /// The part of `views` that `query` asks for.
    pub fn new(views: &BTreeMap<AppKey, Arc<AppView>>, query: &ListQuery, now: Timestamp) -> Self {
        let mut found: Vec<Entry<'_>> = views
            .iter()
            .map(|(key, view)| Entry::new(key, view))
            .filter(|e| query.finds(&e.haystack))
            .collect();
        let health = health_facets(&found, query);
        let sync = sync_facets(&found, query);
        let summary = summary(views.values().map(|view| Entry::states(view)));
        found.retain(|entry| {
            query.sync.is_none_or(|sync| sync == entry.sync) && query.health.is_none_or(|h| h == entry.health)
        });
        found.sort_by(|a, b| {
            let order = a.compare(b, query.sort);
            if query.descending { order.reverse() } else { order }.then_with(|| a.key.cmp(b.key))
        });
        let pager = Pager::new(found.len(), PAGE_SIZE, query.page);
        let query = ListQuery { page: pager.page, ..query.clone() };
        let rows = found
            .iter()
            .skip(pager.skipped())
            .take(PAGE_SIZE)
            .map(|entry| ApplicationRow::new(entry.key, entry.view, now))
            .collect();
        let columns = columns(&query);
        Self { total: views.len(), summary, health, sync, columns, rows, pager, query }
    }

    /// The URL that keeps this page live; `version` is that of the assets it was made with.
    pub fn events_url(&self, version: &str) -> String {
        let query = self.query.to_url().replacen('?', "&", 1);
        format!("/events?page=applications&v={version}{query}")
    }

    /// The URL of another page of the same list.
    pub fn page_url(&self, page: &usize) -> String {
        format!("/{}", ListQuery { page: *page, ..self.query.clone() }.to_url())
    }
}

/// An Application with what it is filtered and sorted by.
struct Entry<'a> {
    key: &'a AppKey,
    view: &'a AppView,
    sync: SyncStatus,
    health: HealthStatus,
    haystack: String,
}

impl<'a> Entry<'a> {
    fn new(key: &'a AppKey, view: &'a AppView) -> Self {
        let (sync, health) = Self::states(view);
        Self { key, view, sync, health, haystack: key.to_string().to_lowercase() }
    }

    fn states(view: &AppView) -> (SyncStatus, HealthStatus) {
        let status = view.application.status.as_ref();
        status.map(|status| (status.sync.status, status.health.status)).unwrap_or_default()
    }

    fn status(&self) -> Option<&'a ApplicationStatus> {
        self.view.application.status.as_ref()
    }

    fn compare(&self, other: &Self, key: SortKey) -> Ordering {
        match key {
            SortKey::Attention => other.attention().cmp(&self.attention()),
            SortKey::Name => self.key.cmp(other.key),
            SortKey::Sync => other.sync_rank().cmp(&self.sync_rank()),
            SortKey::Health => other.health.cmp(&self.health),
            SortKey::Revision => {
                self.status().map(|s| &s.sync.revision).cmp(&other.status().map(|s| &s.sync.revision))
            }
            SortKey::Released => Reverse(self.released()).cmp(&Reverse(other.released())),
        }
    }

    /// Higher the more it needs a person: failed, then out of sync, then on its way.
    fn attention(&self) -> (bool, u8, HealthStatus) {
        (self.health >= HealthStatus::Missing, self.sync_rank(), self.health)
    }

    fn sync_rank(&self) -> u8 {
        match self.sync {
            SyncStatus::Synced => 0,
            SyncStatus::Unknown => 1,
            SyncStatus::OutOfSync => 2,
        }
    }

    fn released(&self) -> Option<Timestamp> {
        Some(self.status()?.stable.as_ref()?.since.0)
    }
}

impl ApplicationRow {
    /// `view` as one row.
    pub fn new(key: &AppKey, view: &AppView, now: Timestamp) -> Self {
        let application = &view.application;
        let (sync, health) = Entry::states(view);
        let status = application.status.as_ref();
        let (namespace, name) = (path_segment(&key.namespace), path_segment(&key.name));
        let rollout = status.and_then(|status| rollout_badge(&status.targets));
        Self {
            id: format!("app:{namespace}:{name}"),
            namespace: visible_line(&key.namespace),
            name: visible_line(&key.name),
            href: format!("/applications/{namespace}/{name}"),
            sync: Badge::sync(sync),
            health: Badge::health(health),
            revision: Revision::new(status.map_or("", |status| &status.sync.revision)),
            message: visible(message(application)),
            rollout: rollout.as_ref().map(|(badge, _)| *badge),
            rollout_text: rollout.map(|(_, text)| text).unwrap_or_default(),
            flags: flags(application),
            objects: status.map_or(0, |status| status.resources.total),
            released: status.and_then(|s| s.stable.as_ref()).map(|stable| When::new(stable.since.0, now)),
        }
    }
}

/// What it is doing or waiting for: why it is stuck, else why it is not ready, else what is not healthy,
/// else what it is doing.
fn message(application: &Application) -> &str {
    let Some(status) = application.status.as_ref() else {
        return "Waiting for its first look at the sources";
    };
    let condition = |kind: &str, value: &str| {
        let found = status.conditions.iter().find(|c| c.type_ == kind && c.status == value);
        found.map(|condition| condition.message.as_str())
    };
    [
        condition("Stalled", "True"),
        condition("Ready", "False"),
        condition("Ready", "Unknown"),
        Some(status.health.message.as_str()),
        condition("Reconciling", "True"),
        condition("Ready", "True"),
    ]
    .into_iter()
    .flatten()
    .find(|message| !message.is_empty())
    .unwrap_or_default()
}

fn flags(application: &Application) -> Vec<&'static str> {
    let next = application.status.as_ref().is_some_and(|status| status.next.is_some());
    [
        (application.metadata.deletion_timestamp.is_some(), "Deleting"),
        (application.spec.suspend, "Suspended"),
        (next, "Applying"),
        (application.spec.sync.mode == windlass_core::api::SyncMode::Manual, "Manual"),
    ]
    .into_iter()
    .filter_map(|(set, flag)| set.then_some(flag))
    .collect()
}

const WORST_FIRST: [HealthStatus; 6] = [
    HealthStatus::Degraded,
    HealthStatus::Missing,
    HealthStatus::Unknown,
    HealthStatus::Progressing,
    HealthStatus::Suspended,
    HealthStatus::Healthy,
];

fn health_facets(found: &[Entry<'_>], query: &ListQuery) -> Vec<Facet> {
    let facet = |status| {
        let active = query.health == Some(status);
        let in_sync_state = |entry: &&Entry<'_>| query.sync.is_none_or(|sync| sync == entry.sync);
        let count = found.iter().filter(in_sync_state).filter(|entry| entry.health == status).count();
        let narrowed = ListQuery { health: (!active).then_some(status), page: 1, ..query.clone() };
        Facet { badge: Badge::health(status), count, active, href: format!("/{}", narrowed.to_url()) }
    };
    WORST_FIRST.into_iter().map(facet).filter(|facet| facet.count > 0 || facet.active).collect()
}

fn sync_facets(found: &[Entry<'_>], query: &ListQuery) -> Vec<Facet> {
    let facet = |status| {
        let active = query.sync == Some(status);
        let of_health = |entry: &&Entry<'_>| query.health.is_none_or(|health| health == entry.health);
        let count = found.iter().filter(of_health).filter(|entry| entry.sync == status).count();
        let narrowed = ListQuery { sync: (!active).then_some(status), page: 1, ..query.clone() };
        Facet { badge: Badge::sync(status), count, active, href: format!("/{}", narrowed.to_url()) }
    };
    [SyncStatus::OutOfSync, SyncStatus::Unknown, SyncStatus::Synced]
        .into_iter()
        .map(facet)
        .filter(|facet| facet.count > 0 || facet.active)
        .collect()
}

fn columns(query: &ListQuery) -> Vec<Column> {
    [
        ("Application", SortKey::Name),
        ("Sync", SortKey::Sync),
        ("Health", SortKey::Health),
        ("Revision", SortKey::Revision),
        ("Released", SortKey::Released),
    ]
    .into_iter()
    .map(|(label, sort)| {
        let current = query.sort == sort;
        let turned = ListQuery { sort, descending: current && !query.descending, page: 1, ..query.clone() };
        let order = match (current, query.descending) {
            (false, _) => "none",
            (true, false) => "ascending",
            (true, true) => "descending",
        };
        Column { label, href: format!("/{}", turned.to_url()), order }
    })
    .collect()
}

fn summary(states: impl Iterator<Item = (SyncStatus, HealthStatus)>) -> String {
    let (mut total, mut synced, mut unwell, mut busy) = (0, 0, 0, 0);
    for (sync, health) in states {
        total += 1;
        synced += usize::from(sync == SyncStatus::Synced);
        unwell += usize::from(health >= HealthStatus::Missing);
        busy += usize::from(health == HealthStatus::Progressing);
    }
    let noun = if total == 1 { "application" } else { "applications" };
    format!("{total} {noun}: {synced} synced, {busy} progressing, {unwell} degraded or missing")
}
