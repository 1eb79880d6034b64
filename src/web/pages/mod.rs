//! The pages people open, one per file; the templates beside them hold the HTML.

mod application;
mod applications;
mod not_found;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

pub use application::{ApplicationFragment, GoneFragment, application};
pub use applications::{ApplicationsFragment, applications};
pub use not_found::not_found;

/// `template` as the answer to a request.
fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "this page could not be rendered; the log says why\n")
                .into_response()
        }
    }
}
