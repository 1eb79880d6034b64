//! A Kubernetes object as data: its JSON body, what kind it is and which one it is.

mod digest;
mod id;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::{APPLICATION_LABEL, OWNER_ANNOTATION};
pub use digest::{Digest, canonical_json};
pub use id::{Cluster, ObjectId};

/// Group, version and kind of an object, as its `apiVersion` and `kind` say it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gvk {
    /// API group; empty for the core group.
    pub group: String,
    /// API version, for example `v1`.
    pub version: String,
    /// Kind, for example `Deployment`.
    pub kind: String,
}

impl Gvk {
    /// Splits `apiVersion` at its slash. An `apiVersion` without one belongs to the core group.
    pub fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self { group: group.into(), version: version.into(), kind: kind.into() }
    }

    /// `group/version`, or just `version` for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }
}

/// One Kubernetes object: a JSON body that is known to have `apiVersion`, `kind` and `metadata.name`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Object {
    gvk: Gvk,
    namespace: Option<String>,
    name: String,
    body: Value,
}

/// Why a JSON value is not an object that Kubernetes could store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// The value is a scalar or a list.
    #[error("this is {0}, not an object; a manifest is a mapping with apiVersion, kind and metadata")]
    NotAnObject(&'static str),
    /// A required field is absent, empty or not a string.
    #[error("field {0} is missing or not a non-empty string")]
    Missing(&'static str),
    /// The object asks the API server to choose its name, so that Git could not say which one it is.
    #[error("metadata.generateName is not supported: give the object a fixed metadata.name")]
    GenerateName,
    /// A field that must be a mapping or string is something else.
    #[error("field {0} must be {1}")]
    Type(&'static str, &'static str),
}

impl Object {
    /// Checks that `body` has the fields that identify an object.
    ///
    /// # Errors
    /// [`ObjectError`] names the field that is missing or of the wrong type.
    pub fn new(body: Value) -> Result<Self, ObjectError> {
        let map = body.as_object().ok_or(ObjectError::NotAnObject(type_name(&body)))?;
        let api_version = text(map, "apiVersion").ok_or(ObjectError::Missing("apiVersion"))?;
        let kind = text(map, "kind").ok_or(ObjectError::Missing("kind"))?;
        let metadata = match map.get("metadata") {
            Some(Value::Object(metadata)) => metadata,
            None => return Err(ObjectError::Missing("metadata.name")),
            Some(_) => return Err(ObjectError::Type("metadata", "a mapping")),
        };
        let Some(name) = text(metadata, "name") else {
            let generated = metadata.contains_key("generateName");
            return Err(if generated {
                ObjectError::GenerateName
            } else {
                ObjectError::Missing("metadata.name")
            });
        };
        let namespace = match metadata.get("namespace") {
            None | Some(Value::Null) => None,
            Some(Value::String(s)) if s.is_empty() => None,
            Some(Value::String(s)) => Some(s.clone()),
            Some(_) => return Err(ObjectError::Type("metadata.namespace", "a string")),
        };
        for (field, value) in [
            ("metadata.labels", metadata.get("labels")),
            ("metadata.annotations", metadata.get("annotations")),
        ] {
            match value {
                None | Some(Value::Null) => {}
                Some(Value::Object(entries)) if entries.values().all(Value::is_string) => {}
                Some(_) => return Err(ObjectError::Type(field, "a mapping of strings")),
            }
        }
        Ok(Self { gvk: Gvk::new(api_version, kind), namespace, name: name.to_owned(), body })
    }

    /// Group, version and kind.
    pub fn gvk(&self) -> &Gvk {
        &self.gvk
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `metadata.namespace`; `None` where the body has none.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The whole body.
    pub fn body(&self) -> &Value {
        &self.body
    }

    /// Gives up the body.
    pub fn into_body(self) -> Value {
        self.body
    }

    /// Which object this is in `cluster`. The version is not part of it: `apps/v1` and a later
    /// `apps/v2` serve the same object.
    pub fn id(&self, cluster: &Cluster) -> ObjectId {
        ObjectId {
            cluster: cluster.clone(),
            group: self.gvk.group.clone(),
            kind: self.gvk.kind.clone(),
            namespace: self.namespace.clone().unwrap_or_default(),
            name: self.name.clone(),
        }
    }

    /// SHA-256 of the canonical JSON of the body.
    pub fn digest(&self) -> Digest {
        Digest::of_json(&self.body)
    }

    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.body.pointer("/metadata/annotations")?.get(key)?.as_str()
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.body.pointer("/metadata/labels")?.get(key)?.as_str()
    }

    /// Sets or clears `metadata.namespace`.
    pub fn set_namespace(&mut self, namespace: Option<&str>) {
        self.namespace = namespace.map(str::to_owned);
        if let Some(metadata) = self.metadata_mut() {
            match namespace {
                Some(namespace) => metadata.insert("namespace".into(), namespace.into()),
                None => metadata.remove("namespace"),
            };
        }
    }

    /// The same under another name, owned by the same Application.
    #[must_use]
    pub fn renamed(&self, name: &str) -> Self {
        let mut renamed = self.clone();
        name.clone_into(&mut renamed.name);
        if let Some(metadata) = renamed.metadata_mut() {
            metadata.insert("name".into(), name.into());
        }
        renamed.own_like(self);
        renamed
    }

    /// Marks it as owned by the Application that owns `from`, if one does.
    pub fn own_like(&mut self, from: &Self) {
        if let Some(label) = from.label(APPLICATION_LABEL) {
            self.set_label(APPLICATION_LABEL, label);
        }
        if let Some((owner, _)) = from.annotation(OWNER_ANNOTATION).and_then(|text| text.split_once(':')) {
            let owner = format!("{owner}:{}", self.id(&Cluster::default()).to_annotation());
            self.set_annotation(OWNER_ANNOTATION, &owner);
        }
    }

    /// The same with another body. What identifies it must not differ.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.body);
        self
    }

    /// Sets one annotation.
    pub fn set_annotation(&mut self, key: &str, value: &str) {
        self.set_metadata_entry("annotations", key, value);
    }

    /// Sets one label.
    pub fn set_label(&mut self, key: &str, value: &str) {
        self.set_metadata_entry("labels", key, value);
    }

    fn set_metadata_entry(&mut self, map: &str, key: &str, value: &str) {
        if let Some(metadata) = self.metadata_mut() {
            let entries = metadata.entry(map).or_insert(Value::Null);
            if !entries.is_object() {
                *entries = Value::Object(Map::new());
            }
            if let Some(entries) = entries.as_object_mut() {
                entries.insert(key.into(), value.into());
            }
        }
    }

    fn metadata_mut(&mut self) -> Option<&mut Map<String, Value>> {
        self.body.get_mut("metadata")?.as_object_mut()
    }
}

impl TryFrom<Value> for Object {
    type Error = ObjectError;

    fn try_from(body: Value) -> Result<Self, ObjectError> {
        Self::new(body)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Value {
        object.body
    }
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key)?.as_str().filter(|s| !s.is_empty())
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
