use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// The endpoints for machines, served on an address of their own: `/metrics` in Prometheus' text format,
/// `/healthz` with what `alive` says, and `/readyz` with what `ready` says: 503 and the reason while it hangs,
/// or cannot do its work.
pub fn operations_router<M, R, A>(render_metrics: M, ready: R, alive: A) -> Router
where
    M: Fn() -> String + Send + Sync + 'static,
    R: Fn() -> Result<(), String> + Send + Sync + 'static,
    A: Fn() -> Result<(), String> + Send + Sync + 'static,
{
    let (render_metrics, ready, alive) = (Arc::new(render_metrics), Arc::new(ready), Arc::new(alive));
    let metrics = move || {
        let body = render_metrics();
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], body) }
    };
    let readiness = move || std::future::ready(answer(ready()));
    let liveness = move || std::future::ready(answer(alive()));
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(liveness))
        .route("/readyz", get(readiness))
}

fn answer(result: Result<(), String>) -> Response {
    match result {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()).into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}
