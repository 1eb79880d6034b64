//! Applications as the controller would show them.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use windlass_core::api::{AppKey, HealthStatus};
use windlass_core::health::Health;
use windlass_core::object::{Cluster, ObjectId};

use crate::controller::view::{AppView, ObjectView, Views};

pub const COMMIT: &str = "3f2a9c1e0b7d4a58c6f19e2d3b4a5c6d7e8f9a0b";

/// The moment at which the fixtures are looked at.
pub fn now() -> Timestamp {
    "2026-11-21T04:00:00Z".parse().unwrap()
}

/// An Application with this sync state, health and message, released an hour before [`now`].
pub fn view(key: &AppKey, sync: &str, health: &str, message: &str) -> AppView {
    let ready = if (sync, health) == ("Synced", "Healthy") { "True" } else { "False" };
    let condition = |kind: &str, status: &str, message: &str| {
        json!({
            "type": kind, "status": status, "reason": "Applied", "message": message,
            "lastTransitionTime": "2026-11-21T03:55:00Z",
        })
    };
    let resource = json!({
        "apiVersion": "windlass.dev/v1alpha1",
        "kind": "Application",
        "metadata": {"namespace": key.namespace, "name": key.name},
        "spec": {
            "sources": [{
                "name": "env",
                "git": {"url": "https://git.example/env.git", "branch": "main", "path": "envs/prod"},
            }],
            "destination": {"namespace": "shop"},
        },
        "status": {
            "sync": {"status": sync, "revision": format!("main@{COMMIT}")},
            "health": {"status": health, "message": message},
            "conditions": [condition("Ready", ready, message), condition("Reconciling", "False", "")],
            "stable": {"digest": "d1", "revision": format!("main@{COMMIT}"), "since": "2026-11-21T03:00:00Z"},
            "sources": [{"name": "env", "revision": format!("main@{COMMIT}"), "renderer": "plain"}],
            "history": [
                {
                    "digest": "d1", "revision": format!("main@{COMMIT}"), "trigger": "commit",
                    "startedAt": "2026-11-21T02:59:58Z", "finishedAt": "2026-11-21T03:00:00Z",
                    "result": "Synced", "message": "1 changed",
                },
                {
                    "digest": "d0", "revision": "main@77", "trigger": "sync requested by jane (claimed)",
                    "startedAt": "2026-09-01T00:00:00Z", "result": "Failed", "message": "webhook refused it",
                },
            ],
            "resources": {"total": 3},
        },
    });
    AppView { application: application(resource), objects: Vec::new(), rollouts: Vec::new() }
}

pub fn application(resource: Value) -> Arc<windlass_core::api::Application> {
    Arc::new(serde_json::from_value(resource).unwrap())
}

/// An object of the core group or of `apps`.
pub fn object(kind: &str, name: &str, status: HealthStatus, message: &str, in_sync: bool) -> ObjectView {
    let group = if kind == "Deployment" { "apps" } else { "" };
    let id = ObjectId {
        cluster: Cluster::default(),
        group: group.into(),
        kind: kind.into(),
        namespace: "shop".into(),
        name: name.into(),
    };
    ObjectView { id, in_sync, health: Health { status, message: message.into() } }
}

pub fn key(name: &str) -> AppKey {
    AppKey::new("shop", name)
}

/// One healthy, one degraded, one out of sync.
pub fn shop() -> Arc<Views> {
    let views = Views::default();
    for (name, sync, health, message) in [
        ("cart", "Synced", "Healthy", ""),
        ("checkout", "Synced", "Degraded", "Deployment shop/checkout: image pull failed"),
        ("web", "OutOfSync", "Healthy", "envs/prod/web.yaml line 3: duplicate key"),
    ] {
        let mut view = view(&key(name), sync, health, message);
        view.objects = vec![
            object("ConfigMap", "settings", HealthStatus::Healthy, "", true),
            object("Deployment", name, serde_json::from_value(json!(health)).unwrap(), message, true),
            object("Service", name, HealthStatus::Healthy, "", sync == "Synced"),
        ];
        views.put(key(name), view);
    }
    Arc::new(views)
}
