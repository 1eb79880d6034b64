use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use windlass_core::api::AppKey;

use super::html;
use super::not_found::unknown_application;
use crate::web::Shared;
use crate::web::assets;
use crate::web::model::{ApplicationPage, ListQuery};

#[derive(Template)]
#[template(path = "application.html")]
struct ApplicationHtml {
    page: ApplicationPage,
}

/// The part of the page that changes while it is open.
#[derive(Template)]
#[template(path = "application.html", block = "live")]
pub struct ApplicationFragment {
    /// What it shows.
    pub page: ApplicationPage,
}

/// What takes its place once the Application is gone.
#[derive(Template)]
#[template(path = "gone.html")]
pub struct GoneFragment {
    /// The Application that was shown.
    pub title: String,
}

/// `GET /applications/{namespace}/{name}`: one Application, page `p` of its objects.
pub async fn application(
    State(shared): State<Shared>,
    Path((namespace, name)): Path<(String, String)>,
    Query(query): Query<ListQuery>,
) -> Response {
    let key = AppKey::new(&namespace, &name);
    match shared.views.get(&key) {
        Some(view) => {
            let page = ApplicationPage::new(&key, &view, query.page, Timestamp::now());
            html(StatusCode::OK, &ApplicationHtml { page })
        }
        None => unknown_application(&key),
    }
}
