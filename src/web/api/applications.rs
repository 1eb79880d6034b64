use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use windlass_core::api::AppKey;
use windlass_core::rollout::TargetView;

use crate::web::Shared;
use crate::web::model::{
    ApplicationPage, ApplicationRow, ApplicationsPage, ConditionRow, HistoryRow, ListQuery, ObjectGroup,
    ObjectRow, SourceRow, visible_line,
};

/// `GET /api/v1/applications`: what the page of the same query shows.
pub async fn applications(State(shared): State<Shared>, Query(query): Query<ListQuery>) -> Response {
    let page = ApplicationsPage::new(&shared.views.all(), &query, Timestamp::now());
    let items: Vec<_> = page.rows.iter().map(Item::new).collect();
    Json(List {
        items,
        total: page.total,
        matching: page.pager.total,
        page: page.pager.page,
        pages: page.pager.pages,
    })
    .into_response()
}

/// `GET /api/v1/applications/{namespace}/{name}`: what the page of this Application shows.
pub async fn application(
    State(shared): State<Shared>,
    Path((namespace, name)): Path<(String, String)>,
    Query(query): Query<ListQuery>,
) -> Response {
    let key = AppKey::new(&namespace, &name);
    match shared.views.get(&key) {
        Some(view) => {
            let now = Timestamp::now();
            let page = ApplicationPage::new(&key, &view, query.page, now);
            Json(One::new(&page, view.rollouts(now))).into_response()
        }
        None => {
            let message = format!("there is no application {}", visible_line(&key.to_string()));
            (StatusCode::NOT_FOUND, Json(json!({ "error": message }))).into_response()
        }
    }
}

/// A page of Applications.
#[derive(Serialize)]
struct List<'a> {
    items: Vec<Item<'a>>,
    /// How many there are in all.
    total: usize,
    /// How many match the query.
    matching: usize,
    page: usize,
    pages: usize,
}

/// An Application in a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    namespace: &'a str,
    name: &'a str,
    sync: &'a str,
    health: &'a str,
    revision: &'a str,
    message: &'a str,
    flags: &'a [&'static str],
    /// `step 2/3 25 %`; empty where nothing is rolled out
    rollout: &'a str,
    object_count: u32,
    /// RFC 3339
    released: Option<&'a str>,
}

/// An Application with its objects; `objectPages` says how many pages `objects` has.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct One<'a> {
    #[serde(flatten)]
    item: Item<'a>,
    /// As `windlass rollout get -o json` has them
    rollouts: Vec<TargetView>,
    conditions: Vec<Condition<'a>>,
    sources: Vec<Source<'a>>,
    history: Vec<Release<'a>>,
    objects: Vec<Object<'a>>,
    object_page: usize,
    object_pages: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Condition<'a> {
    r#type: &'a str,
    status: &'a str,
    reason: &'a str,
    message: &'a str,
    last_transition_time: &'a str,
}

#[derive(Serialize)]
struct Source<'a> {
    name: &'a str,
    url: &'a str,
    follows: &'a str,
    path: &'a str,
    revision: &'a str,
    renderer: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Release<'a> {
    revision: &'a str,
    result: &'a str,
    trigger: &'a str,
    message: &'a str,
    started_at: &'a str,
}

#[derive(Serialize)]
struct Object<'a> {
    group: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    sync: &'a str,
    health: &'a str,
    message: &'a str,
}

impl<'a> Item<'a> {
    fn new(row: &'a ApplicationRow) -> Self {
        Self {
            namespace: &row.namespace,
            name: &row.name,
            sync: row.sync.value,
            health: row.health.value,
            revision: &row.revision.full,
            message: &row.message,
            flags: &row.flags,
            rollout: &row.rollout_text,
            object_count: row.objects,
            released: row.released.as_ref().map(|released| released.datetime.as_str()),
        }
    }
}

impl<'a> One<'a> {
    fn new(page: &'a ApplicationPage, rollouts: Vec<TargetView>) -> Self {
        let objects =
            |group: &'a ObjectGroup| group.rows.iter().map(|row| Object::new(row, group.health.value));
        Self {
            item: Item::new(&page.row),
            rollouts,
            conditions: page.conditions.iter().map(Condition::new).collect(),
            sources: page.sources.iter().map(Source::new).collect(),
            history: page.history.iter().map(Release::new).collect(),
            objects: page.objects.groups.iter().flat_map(objects).collect(),
            object_page: page.objects.pager.page,
            object_pages: page.objects.pager.pages,
        }
    }
}

impl<'a> Condition<'a> {
    fn new(row: &'a ConditionRow) -> Self {
        Self {
            r#type: &row.kind,
            status: row.status.value,
            reason: &row.reason,
            message: &row.message,
            last_transition_time: &row.since.datetime,
        }
    }
}

impl<'a> Source<'a> {
    fn new(row: &'a SourceRow) -> Self {
        Self {
            name: &row.name,
            url: &row.url,
            follows: &row.follows,
            path: &row.path,
            revision: &row.revision.full,
            renderer: &row.renderer,
        }
    }
}

impl<'a> Release<'a> {
    fn new(row: &'a HistoryRow) -> Self {
        Self {
            revision: &row.revision.full,
            result: &row.result_text,
            trigger: &row.trigger,
            message: &row.message,
            started_at: &row.started.datetime,
        }
    }
}

impl<'a> Object<'a> {
    fn new(row: &'a ObjectRow, health: &'a str) -> Self {
        Self {
            group: &row.group,
            kind: &row.kind,
            namespace: &row.namespace,
            name: &row.name,
            sync: row.sync.value,
            health,
            message: &row.message,
        }
    }
}
