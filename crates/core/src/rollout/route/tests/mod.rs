mod companions;
mod gateway;
mod ingress;
mod observed;
mod service;
mod virtual_service;
mod weights;

use serde_json::Value;

use super::*;
use crate::api::{CookieMatch, HeaderMatch};
use crate::yaml;

const BACKENDS: Backends =
    Backends { namespace: "shop", service: "web", stable: "web-stable", candidate: "web-candidate" };

const HTTP_ROUTE: &str = include_str!("routes/httproute.yaml");
const GRPC_ROUTE: &str = include_str!("routes/grpcroute.yaml");

fn object(text: &str) -> Object {
    let mut documents = yaml::load("route.yaml", text.as_bytes()).unwrap();
    Object::new(documents.remove(0).value).unwrap()
}

fn merged(router: RouterKind, route: &Object, split: &Split) -> Vec<Object> {
    merge(router, route, &BACKENDS, split).unwrap()
}

/// The objects as YAML.
fn shown(objects: &[Object]) -> String {
    objects.iter().map(|object| yaml::write(object.body())).collect::<Vec<_>>().join("---\n")
}

fn problem(router: RouterKind, route: &Object, split: &Split) -> String {
    merge(router, route, &BACKENDS, split).unwrap_err().to_string()
}

fn header(name: &str, value: &str) -> TrafficMatch {
    TrafficMatch { header: Some(HeaderMatch { name: name.into(), value: value.into() }), cookie: None }
}

fn cookie(name: &str, value: &str) -> TrafficMatch {
    TrafficMatch { header: None, cookie: Some(CookieMatch { name: name.into(), value: value.into() }) }
}

/// All texts in a value that are `from`, changed to `to`.
fn renamed(value: &Value, from: &str, to: &str) -> Value {
    match value {
        Value::String(text) if text == from => to.into(),
        Value::Array(entries) => entries.iter().map(|entry| renamed(entry, from, to)).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), renamed(value, from, to))).collect())
        }
        other => other.clone(),
    }
}
