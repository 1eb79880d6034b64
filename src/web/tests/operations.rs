use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use tower::ServiceExt;

use crate::web::operations_router;

#[tokio::test]
async fn metrics_health_and_readiness() {
    let ready = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ready);
    let readiness = move || match seen.load(Ordering::Relaxed) {
        true => Ok(()),
        false => Err("no lease yet".to_owned()),
    };
    let hangs = Arc::new(AtomicBool::new(false));
    let hung = Arc::clone(&hangs);
    let liveness = move || match hung.load(Ordering::Relaxed) {
        true => Err("the dispatcher hangs".to_owned()),
        false => Ok(()),
    };
    let router = operations_router(|| "windlass_up 1\n".to_owned(), readiness, liveness);
    let get = |url: &'static str| {
        let router = router.clone();
        async move {
            let answer = router.oneshot(Request::get(url).body(Body::empty()).unwrap()).await.unwrap();
            let status = answer.status();
            (status, String::from_utf8(to_bytes(answer.into_body(), 1000).await.unwrap().to_vec()).unwrap())
        }
    };
    assert_eq!(get("/metrics").await, (StatusCode::OK, "windlass_up 1\n".to_owned()));
    assert_eq!(get("/healthz").await, (StatusCode::OK, "ok\n".to_owned()));
    assert_eq!(get("/readyz").await, (StatusCode::SERVICE_UNAVAILABLE, "no lease yet\n".to_owned()));
    ready.store(true, Ordering::Relaxed);
    assert_eq!(get("/readyz").await.0, StatusCode::OK);
    hangs.store(true, Ordering::Relaxed);
    assert_eq!(get("/healthz").await, (StatusCode::SERVICE_UNAVAILABLE, "the dispatcher hangs\n".to_owned()));
}
