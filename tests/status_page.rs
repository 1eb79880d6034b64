//! The status page as a browser sees it. What is behind it is made up here; the tests on a real control
//! plane look at the same page with a real controller behind it.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "browser/driver.rs"]
mod driver;

use std::sync::Arc;

use serde_json::{Value, json};
use windlass::controller::view::{AppView, ObjectView, RolloutFacts, Views};
use windlass::web::{Web, WebConfig};
use windlass_core::api::{AppKey, Application, HealthStatus};
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
    let mut application: Application = serde_json::from_value(application).expect("an Application");
    let mut rollouts = Vec::new();
    if namespace == "shop" {
        let (targets, policy) = canary(namespace, name, message);
        if let Some(status) = &mut application.status {
            status.targets = serde_json::from_value(targets).expect("targets");
        }
        let policy = Arc::new(serde_json::from_value(policy).expect("a policy"));
        rollouts.push(RolloutFacts { namespace: namespace.into(), policy, pods: None });
    }
    let application = Arc::new(application);
    views.put(AppKey::new(namespace, name), AppView { application, objects, rollouts });
}

/// A canary that is held at its second step, and its policy.
fn canary(namespace: &str, name: &str, message: &str) -> (Value, Value) {
    let at = "2026-11-21T03:58:00Z";
    let failed = (!message.is_empty()).then(|| json!({"reason": "GateFailed", "message": message}));
    let targets = json!([{
        "kind": "Deployment", "namespace": namespace, "name": name, "stable": "a",
        "phase": if failed.is_some() { "Retreat" } else { "Hold" },
        "rollout": {
            "candidate": "b", "revision": "main@2", "stableHash": "h1", "candidateHash": "h2", "replicas": 4,
            "pods": 2, "step": 1, "steps": 2, "stepWeight": 50, "exposed": 2, "weight": 50, "since": at,
            "phaseSince": at, "message": message, "failed": failed,
            "gates": [
                {"name": "latency", "bad": 1, "value": "0.6", "why": "above max 0.5", "lastLook": at},
                {"name": "errors", "problem": HOSTILE, "lastLook": at},
            ],
        },
    }]);
    let policy = json!({
        "target": {"kind": "Deployment", "name": name},
        "strategy": {"canary": {"steps": [
            {"name": "smoke", "weight": 5, "hold": "1m"},
            {"weight": 50, "hold": "10m", "approval": true},
        ], "bake": "5m"}},
        "traffic": {"service": "web", "httpRoute": {"name": "web"}},
        "gates": [
            {"name": "latency", "threshold": {"query": "p99", "max": "0.5"}},
            {"name": "errors", "ratio": {"bad": "errors", "total": "requests"}},
        ],
    });
    (targets, policy)
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
