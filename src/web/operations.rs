use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

/// The endpoints for machines, served on an address of their own: `/metrics` in Prometheus' text format,
/// `/healthz` while the process runs, and `/readyz` with what `ready` says: 503 and the reason while it
/// cannot do its work.
pub fn operations_router<M, R>(render_metrics: M, ready: R) -> Router
where
    M: Fn() -> String + Send + Sync + 'static,
    R: Fn() -> Result<(), String> + Send + Sync + 'static,
{
    let (render_metrics, ready) = (Arc::new(render_metrics), Arc::new(ready));
    let metrics = move || {
        let body = render_metrics();
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], body) }
    };
    let readiness = move || {
        let answer = match ready() {
            Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
            Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        };
        async move { answer.into_response() }
    };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
}
