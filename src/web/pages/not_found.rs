use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use windlass_core::api::AppKey;

use super::html;
use crate::web::assets;
use crate::web::model::visible_line;

#[derive(Template)]
#[template(path = "not_found.html")]
struct NotFoundHtml {
    what: String,
    why: &'static str,
}

/// Any other URL.
pub async fn not_found() -> Response {
    let what = "There is no such page".to_owned();
    html(StatusCode::NOT_FOUND, &NotFoundHtml { what, why: "Perhaps the address is mistyped." })
}

/// The page of an Application that this controller does not have.
pub fn unknown_application(key: &AppKey) -> Response {
    let what = format!("There is no application {}", visible_line(&key.to_string()));
    let why = "It was deleted, or it lives in another namespace, or this controller has not read it yet.";
    html(StatusCode::NOT_FOUND, &NotFoundHtml { what, why })
}
