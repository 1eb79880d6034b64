use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::object::{Digest, Object, ObjectId};
use crate::release::{Release, ReleaseObject};

/// A workload that refers to its own copies of the configuration it reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned {
    /// The workload.
    pub object: ReleaseObject,
    /// The copies.
    pub copies: Vec<ReleaseObject>,
    /// Digest of its pod template, configuration included.
    pub template: String,
}

/// Makes `target` refer to immutable copies `NAME-HASH` of the ConfigMaps and Secrets of its own release, so that the
/// stable pods and the candidate's each have their own, a change of configuration is a rollout, and going back
/// refers to the old copy. What is not in the release is referred to as it is.
///
/// The hash is over kind, type and data, as ten hexadecimal digits of SHA-256. It never changes for the same data,
/// since that would restart every workload.
pub fn versioned(release: &Release, target: &ObjectId) -> Option<Versioned> {
    let mut object = release.get(target)?.clone();
    let mut copies: BTreeMap<ObjectId, (String, ReleaseObject)> = BTreeMap::new();
    object.object = object.object.with(|body| {
        let Some(spec) = body.pointer_mut("/spec/template/spec").and_then(Value::as_object_mut) else {
            return;
        };
        each_reference(spec, &mut |kind, name| {
            let Some(text) = name.as_str() else { return };
            let id = ObjectId {
                cluster: target.cluster.clone(),
                group: String::new(),
                kind: kind.into(),
                namespace: target.namespace.clone(),
                name: text.to_owned(),
            };
            if !copies.contains_key(&id)
                && let Some(config) = release.get(&id)
            {
                let copy = copy(config);
                copies.insert(id.clone(), (copy.object.name().to_owned(), copy));
            }
            if let Some((copied, _)) = copies.get(&id) {
                *name = copied.clone().into();
            }
        });
    });
    let template = digest(object.object.body());
    Some(Versioned { object, copies: copies.into_values().map(|(_, copy)| copy).collect(), template })
}

/// As [`versioned`] for a workload without a policy: it refers to what the release says.
pub fn unversioned(release: &Release, target: &ObjectId) -> Option<Versioned> {
    let object = release.get(target)?.clone();
    let template = digest(object.object.body());
    Some(Versioned { object, copies: Vec::new(), template })
}

/// Digest of the pod template of a workload as the release has it.
pub fn template(release: &Release, target: &ObjectId) -> Option<String> {
    Some(digest(release.get(target)?.object.body()))
}

fn digest(workload: &Value) -> String {
    let template = workload.pointer("/spec/template").unwrap_or(&Value::Null);
    Digest::of_json(template).as_str().to_owned()
}

fn copy(config: &ReleaseObject) -> ReleaseObject {
    let body = config.object.body();
    let part = |field: &str| body.get(field).cloned().unwrap_or(Value::Null);
    let kind = config.object.gvk().kind.as_str();
    let content = serde_json::json!([kind, part("type"), part("data"), part("binaryData")]);
    let hash = Digest::of_json(&content);
    let own = config.object.name();
    // 253 characters are the longest name.
    let name: String = own.chars().take(242).collect();
    let object = config.object.renamed(&format!("{name}-{}", hash.short(10)));
    let object = object.with(|body| {
        if let Some(body) = body.as_object_mut() {
            body.insert("immutable".into(), true.into());
        }
    });
    ReleaseObject { object: unhooked(object), origin: config.origin.clone() }
}

/// A copy is there to be referred to, whatever is done about its original.
fn unhooked(object: Object) -> Object {
    use crate::api::{CREATE_ONLY_ANNOTATION, IGNORE_ANNOTATION, REPLACE_ANNOTATION, ROLLBACK_ANNOTATION};
    object.with(|body| {
        let annotations = body.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
        if let Some(annotations) = annotations {
            for key in [CREATE_ONLY_ANNOTATION, IGNORE_ANNOTATION, REPLACE_ANNOTATION, ROLLBACK_ANNOTATION] {
                annotations.remove(key);
            }
        }
    })
}

/// Calls `visit` with the kind and the name of every ConfigMap and Secret that a pod specification refers to.
fn each_reference(spec: &mut Map<String, Value>, visit: &mut dyn FnMut(&str, &mut Value)) {
    for volume in array(spec.get_mut("volumes")) {
        name(volume.get_mut("configMap"), "name", "ConfigMap", visit);
        name(volume.get_mut("secret"), "secretName", "Secret", visit);
        for source in array(volume.pointer_mut("/projected/sources")) {
            name(source.get_mut("configMap"), "name", "ConfigMap", visit);
            name(source.get_mut("secret"), "name", "Secret", visit);
        }
    }
    for containers in ["initContainers", "containers"] {
        for container in array(spec.get_mut(containers)) {
            for source in array(container.get_mut("envFrom")) {
                name(source.get_mut("configMapRef"), "name", "ConfigMap", visit);
                name(source.get_mut("secretRef"), "name", "Secret", visit);
            }
            for variable in array(container.get_mut("env")) {
                name(variable.pointer_mut("/valueFrom/configMapKeyRef"), "name", "ConfigMap", visit);
                name(variable.pointer_mut("/valueFrom/secretKeyRef"), "name", "Secret", visit);
            }
        }
    }
}

fn array(value: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    value.and_then(Value::as_array_mut).into_iter().flatten()
}

fn name(value: Option<&mut Value>, field: &str, kind: &str, visit: &mut dyn FnMut(&str, &mut Value)) {
    if let Some(name) = value.and_then(|value| value.get_mut(field)) {
        visit(kind, name);
    }
}
