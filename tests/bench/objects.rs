//! The objects of an application, the same for Windlass and for the bare loop.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject};
use serde_json::{Value, json};
use windlass_core::api::Application;

/// An object of an application.
pub struct Object {
    /// Where it is applied.
    pub resource: ApiResource,
    /// What is applied: neither a namespace nor marks of an owner.
    pub body: Value,
}

/// Names of applications, and of their objects.
pub fn name(app: u32) -> String {
    format!("app-{app:04}")
}

/// Objects of an application in the order in which they are needed.
pub fn of(app: u32, replicas: u32) -> [Object; 4] {
    let name = &name(app);
    let labels = json!({"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "bench"});
    let selector = json!({"app.kubernetes.io/name": name});
    let container = json!({
        "name": "main",
        "image": "registry.example.com/team/main:1.27.3",
        "ports": [{"name": "http", "containerPort": 8080}],
        "envFrom": [{"configMapRef": {"name": name}}],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
    });
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "labels": labels},
        "automountServiceAccountToken": false,
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": labels},
        "spec": {"selector": selector, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"serviceAccountName": name, "containers": [container]},
            },
        },
    });
    [
        Object { resource: ApiResource::erase::<ServiceAccount>(&()), body: account },
        Object { resource: ApiResource::erase::<ConfigMap>(&()), body: config_map(app, "plain") },
        Object { resource: ApiResource::erase::<Service>(&()), body: service },
        Object { resource: ApiResource::erase::<Deployment>(&()), body: deployment },
    ]
}

/// The ConfigMap of an application with a value of `MODE`.
pub fn config_map(app: u32, mode: &str) -> Value {
    let name = name(app);
    let labels = json!({"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "bench"});
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels},
        "data": {"LOG_LEVEL": "info", "ENDPOINT": "https://api.example.com/v1", "MODE": mode},
    })
}

/// The same object with marks of an owner like Windlass's in size, so that both send as much.
pub fn marked(mut body: Value, namespace: &str) -> Value {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (kind, name) = (text("/kind"), text("/metadata/name"));
    let owner = format!("bench-0123456789abcdef/{namespace}/{name}:apps/{kind}/{namespace}/{name}");
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("annotations".into(), json!({"bench.example.com/owner": owner}));
        if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
            labels.insert("bench.example.com/app".into(), "0123456789abcdef0123".into());
        }
    }
    body
}

/// Directory of an application in the repository.
pub fn directory(app: u32) -> String {
    format!("apps/{}", name(app))
}

/// The files of an application by path and content, an object each.
pub fn files(app: u32, replicas: u32) -> anyhow::Result<Vec<(String, String)>> {
    of(app, replicas).into_iter().map(|object| file(app, &object.body)).collect()
}

/// The file of one object by path and content.
pub fn file(app: u32, body: &Value) -> anyhow::Result<(String, String)> {
    let kind = body.get("kind").and_then(Value::as_str).unwrap_or_default().to_lowercase();
    Ok((format!("{}/{kind}.yaml", directory(app)), serde_yaml::to_string(body)?))
}

/// An Application that reads the directory of `app`.
pub fn application(app: u32, url: &str) -> Value {
    json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "Application", "metadata": {"name": name(app)},
        "spec": {"sources": [{
            "name": "environment", "git": {"url": url, "branch": "main", "path": directory(app)},
        }]},
    })
}

/// The Applications of a namespace, in any form.
pub fn applications(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &ApiResource::erase::<Application>(&()))
}
