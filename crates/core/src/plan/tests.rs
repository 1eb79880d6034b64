mod admit;
mod contend;
mod decide;
mod fence;
mod hooks;
mod immutable;
mod leave;
mod moving;
mod normalise;
mod options;
mod ownership;
mod preflight;
mod renaming;
mod steps;
mod tell;

use serde_json::{Value, json};

use crate::object::{Cluster, Object, ObjectId};
use crate::release::{Origin, Release, ReleaseObject};

fn config_map(name: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "shop"}, "data": {"key": value}
    })
}

fn origin(file: &str) -> Origin {
    Origin { source: "env".into(), file: file.into(), document: 1, line: 1 }
}

fn release(bodies: Vec<Value>) -> Release {
    let objects = bodies
        .into_iter()
        .map(|body| ReleaseObject { object: Object::new(body).unwrap(), origin: origin("a.yaml") })
        .collect();
    Release::new("main@1".into(), Cluster::default(), objects)
}

fn id(kind: &str, name: &str) -> ObjectId {
    let group = match kind {
        "Deployment" => "apps",
        "CustomResourceDefinition" => "apiextensions.k8s.io",
        _ => "",
    };
    ObjectId {
        cluster: Cluster::default(),
        group: group.into(),
        kind: kind.into(),
        namespace: if kind == "Namespace" { String::new() } else { "shop".into() },
        name: name.into(),
    }
}
