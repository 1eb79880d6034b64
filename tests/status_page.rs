//! The status page as a browser sees it. What is behind it is made up here; the tests on a real control
//! plane look at the same page with a real controller behind it.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "browser/driver.rs"]
mod driver;

use std::sync::Arc;

use serde_json::json;
use windlass::controller::view::{AppView, ObjectView, Views};
use windlass::web::{Web, WebConfig};
use windlass_core::api::{AppKey, HealthStatus};
use windlass_core::health::Health;
use windlass_core::object::{Cluster, ObjectId};

const HOSTILE: &str =
    "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg onload=alert(3)> {{7*7}}";

fn put(views: &Views, namespace: &str, name: &str, status: HealthStatus, message: &str) {
    let ready = if status == HealthStatus::Healthy { "True" } else { "False" };
    let revision = "main@3f2a9c1e0b7d4a58c6f19e2d3b4a5c6d7e8f9a0b";
    let application = json!({
        "apiVersion": "windlass.dev/v1alpha1",
        "kind": "Application",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "sources": [{"name": "env", "git": {"url": "https://git.example/env.git", "branch": "main", "path": "shop"}}],
        },
        "status": {
            "sync": {"status": "Synced", "revision": revision},
            "health": {"status": status, "message": message},
            "conditions": [{
                "type": "Ready", "status": ready, "reason": "Applied", "message": message,
                "lastTransitionTime": "2026-11-21T03:55:00Z",
            }],
            "stable": {"digest": "d1", "revision": revision, "since": "2026-11-21T03:00:00Z"},
            "sources": [{"name": "env", "revision": revision, "renderer": "plain"}],
            "history": [{
                "digest": "d1", "revision": revision, "trigger": "commit", "startedAt": "2026-11-21T02:59:58Z",
                "result": "Synced", "message": "1 changed",
            }],
            "resources": {"total": 2},
        },
    });
    let object = |group: &str, kind: &str, health: Health| ObjectView {
        id: ObjectId {
            cluster: Cluster::default(),
            group: group.into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        },
        in_sync: true,
        health,
    };
    let objects = vec![
        object("", "ConfigMap", Health { status: HealthStatus::Healthy, message: String::new() }),
        object("apps", "Deployment", Health { status, message: message.into() }),
    ];
    let application = Arc::new(serde_json::from_value(application).expect("an Application"));
    views.put(AppKey::new(namespace, name), AppView { application, objects });
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and node modules: tests/browser/run.sh"]
async fn in_a_browser() {
    let views = Arc::new(Views::default());
    put(&views, "shop", "web", HealthStatus::Healthy, "");
    put(&views, "shop", "checkout", HealthStatus::Degraded, "Deployment shop/checkout: image pull failed");
    put(&views, "data", "streams", HealthStatus::Missing, "Job data/streams-migrate does not exist");
    put(
        &views,
        "data",
        "lake",
        HealthStatus::Progressing,
        "Deployment data/lake: 1 of 3 replicas are updated",
    );
    put(&views, "data", "archive", HealthStatus::Suspended, "");
    put(&views, "data", HOSTILE, HealthStatus::Unknown, HOSTILE);
    let address = "127.0.0.1:0".parse().expect("an address");
    let web = Web::bind(WebConfig { address, anonymous: false }).await.expect("a free port");
    let url = format!("http://{}", web.address());
    let server = tokio::spawn(web.serve(Arc::clone(&views), std::future::pending()));

    let looking = tokio::task::spawn_blocking(move || {
        driver::look(&url, &["shop/web", "shop/checkout", "data/streams"], |name| {
            let text = if name == "hostile" {
                format!("{HOSTILE} again")
            } else {
                format!("changed for the {name}")
            };
            put(&views, "shop", "web", HealthStatus::Degraded, &text);
            text
        })
    });
    let report = looking.await.expect("the browser ran");
    server.abort();
    assert_eq!(report.failed, [""; 0]);
    assert_eq!(report.seen.len(), 3);
}
