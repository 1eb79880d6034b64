pub mod fixtures;
mod live;
mod operations;
mod pages;
mod rollouts;
mod security;

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use tower::ServiceExt;

use super::router;
use crate::controller::view::Views;

/// What the pages of `views` answer to a GET of `url`.
async fn get(views: &Arc<Views>, url: &str) -> (StatusCode, HeaderMap, String) {
    send(views, Method::GET, url).await
}

async fn send(views: &Arc<Views>, method: Method, url: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::builder().method(method).uri(url).body(Body::empty()).unwrap();
    let response = router(Arc::clone(views)).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = to_bytes(body, 10_000_000).await.unwrap();
    (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
}
