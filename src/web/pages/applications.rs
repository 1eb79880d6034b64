use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;

use super::html;
use crate::web::Shared;
use crate::web::assets;
use crate::web::model::{ApplicationsPage, ListQuery};

#[derive(Template)]
#[template(path = "applications.html")]
struct ApplicationsHtml {
    page: ApplicationsPage,
}

/// The part of the page that changes while it is open.
#[derive(Template)]
#[template(path = "applications.html", block = "live")]
pub struct ApplicationsFragment {
    /// What it shows.
    pub page: ApplicationsPage,
}

/// `GET /`: the Applications, filtered by `q`, `sync` and `health`, ordered by `sort`, page `p`.
pub async fn applications(State(shared): State<Shared>, Query(query): Query<ListQuery>) -> Response {
    let page = ApplicationsPage::new(&shared.views.all(), &query, Timestamp::now());
    html(StatusCode::OK, &ApplicationsHtml { page })
}
