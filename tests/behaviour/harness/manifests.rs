//! Manifests that tests commit.

use serde_json::{Value, json};

/// A ConfigMap with one entry.
pub fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: {value:?}}}\n")
}

/// A Deployment whose pods run `image`.
pub fn deployment(name: &str, replicas: u32, image: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, labels: {{app: {name}, tier: front}}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - {{name: main, image: {image:?}}}
"
    )
}

/// A Service in front of the pods of a Deployment.
pub fn service(name: &str) -> String {
    format!(
        "apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 80}}]}}
"
    )
}

/// A Job with annotations; `pod` is more metadata of its pods.
pub fn job(name: &str, image: &str, annotations: Value, pod: Value) -> String {
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"backoffLimit": 0, "template": {
            "metadata": pod,
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": image}]}
        }}
    });
    format!("{job}\n")
}
