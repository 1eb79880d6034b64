//! What rendered manifests say in two ways, or say for nothing, in one way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

/// Takes out what only the API server writes, folds a Secret's `stringData` into `data`, as the server would
/// (it never gives `stringData` back, so ownership of it cannot be seen), and sets deprecated aliases.
pub fn normalise(body: &mut Value) {
    let Some(map) = body.as_object_mut() else { return };
    map.remove("status");
    if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in
            ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"]
        {
            metadata.remove(field);
        }
    }
    fold_string_data(map);
    service_account(body);
}

fn fold_string_data(map: &mut Map<String, Value>) {
    let is_secret = map.get("kind").and_then(Value::as_str) == Some("Secret")
        && map.get("apiVersion").and_then(Value::as_str) == Some("v1");
    let foldable =
        map.get("stringData").and_then(Value::as_object).is_some_and(|m| m.values().all(Value::is_string));
    if is_secret
        && foldable
        && let Some(Value::Object(plain)) = map.remove("stringData")
    {
        let data = map.entry("data").or_insert(Value::Null);
        if data.is_null() {
            *data = Value::Object(Map::new());
        }
        if let Some(data) = data.as_object_mut() {
            for (key, value) in plain {
                data.insert(key, BASE64.encode(value.as_str().unwrap_or_default()).into());
            }
        }
    }
}

/// The server copies `serviceAccountName` into its deprecated alias `serviceAccount` and back where the other
/// is missing. Who has only one of the two can neither take it away nor, with the alias, change it.
fn service_account(body: &mut Value) {
    let Some(pod) = pod_spec(body).and_then(|pointer| body.pointer_mut(pointer)?.as_object_mut()) else {
        return;
    };
    let name = ["serviceAccountName", "serviceAccount"].iter().find_map(|field| {
        pod.get(*field).and_then(Value::as_str).filter(|name| !name.is_empty()).map(str::to_owned)
    });
    if let Some(name) = name {
        pod.insert("serviceAccount".into(), name.clone().into());
        pod.insert("serviceAccountName".into(), name.into());
    }
}

/// Where an object of a kind of Kubernetes has the specification of its pods.
pub fn pod_spec(body: &Value) -> Option<&'static str> {
    let text = |field: &str| body.get(field).and_then(Value::as_str);
    match (text("apiVersion")?, text("kind")?) {
        ("v1", "Pod") => Some("/spec"),
        ("v1", "ReplicationController")
        | ("apps/v1", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch/v1", "Job") => Some("/spec/template/spec"),
        ("batch/v1", "CronJob") => Some("/spec/jobTemplate/spec/template/spec"),
        ("v1", "PodTemplate") => Some("/template/spec"),
        _ => None,
    }
}
