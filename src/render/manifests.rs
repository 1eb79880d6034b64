//! From YAML to objects, within bounds.

use std::io;

use serde_json::{Map, Value};
use windlass_core::release::Origin;
use windlass_core::yaml::{self, YamlError, YamlErrorKind};

use super::RenderedObject;
use crate::failure::Failure;

/// Most objects of a release.
const MAX_OBJECTS: usize = 10_000;
/// Most bytes of a release, its objects written as JSON.
const MAX_BYTES: usize = 64 << 20;

/// The manifests of a release as they are found.
#[derive(Default)]
pub(super) struct Manifests {
    objects: Vec<RenderedObject>,
    count: usize,
    bytes: usize,
}

/// Why the manifests of a file could not be added.
pub(super) enum Unfit {
    /// The file is no YAML.
    Yaml(YamlError),
    /// The release is too large with it.
    TooLarge(Failure),
}

impl Manifests {
    /// Adds every object of a YAML or JSON text, lists flattened.
    pub(super) fn add(&mut self, source: &str, file: &str, text: &[u8]) -> Result<(), Unfit> {
        for document in yaml::load(file, text).map_err(Unfit::Yaml)? {
            let origin = Origin {
                source: source.into(),
                file: file.into(),
                document: document.number,
                line: document.line,
            };
            self.add_value(document.value, &origin).map_err(Unfit::TooLarge)?;
        }
        Ok(())
    }

    /// The objects since the last call; the bounds go on counting.
    pub(super) fn take(&mut self) -> Vec<RenderedObject> {
        std::mem::take(&mut self.objects)
    }

    fn add_value(&mut self, body: Value, origin: &Origin) -> Result<(), Failure> {
        match list_items(body) {
            Ok(items) => items.into_iter().try_for_each(|item| self.add_value(item, origin)),
            Err(body) => {
                self.count += 1;
                self.bytes = self.bytes.saturating_add(json_size(&body));
                if self.count > MAX_OBJECTS || self.bytes > MAX_BYTES {
                    return Err(too_large(origin));
                }
                self.objects.push(RenderedObject { body, origin: origin.clone() });
                Ok(())
            }
        }
    }
}

fn too_large(origin: &Origin) -> Failure {
    let message = format!(
        "{}: a release has at most {MAX_OBJECTS} objects and {MAX_BYTES} bytes; with this one it has more. Split the \
         Application",
        origin.file
    );
    Failure::permanent("ReleaseTooLarge", message)
}

/// The failure of a file that is no YAML; it names file, line and column.
pub(super) fn invalid_yaml(error: &YamlError) -> Failure {
    Failure::permanent(yaml_reason(error), error.to_string())
}

/// The condition reason of a YAML error.
pub(super) fn yaml_reason(error: &YamlError) -> &'static str {
    match error.kind {
        YamlErrorKind::Duplicate => "DuplicateKey",
        YamlErrorKind::Syntax | YamlErrorKind::Limit => "InvalidYaml",
    }
}

/// The items of a list kind, or the body as it was. Items of a typed list (`ConfigMapList`) may leave out
/// what the list says of them.
fn list_items(body: Value) -> Result<Vec<Value>, Value> {
    let Value::Object(mut list) = body else { return Err(body) };
    let Some(item_kind) = list.get("kind").and_then(Value::as_str).and_then(|kind| kind.strip_suffix("List"))
    else {
        return Err(Value::Object(list));
    };
    let item_kind = item_kind.to_owned();
    let api_version = list.get("apiVersion").cloned();
    match list.remove("items") {
        Some(Value::Array(items)) if items.iter().all(Value::is_object) => {
            Ok(items.into_iter().map(|item| typed(item, &item_kind, api_version.as_ref())).collect())
        }
        items => {
            list.extend(items.map(|items| ("items".to_owned(), items)));
            Err(Value::Object(list))
        }
    }
}

fn typed(mut item: Value, kind: &str, api_version: Option<&Value>) -> Value {
    if let Value::Object(item) = &mut item
        && !kind.is_empty()
    {
        fill(item, "kind", Some(kind.into()));
        fill(item, "apiVersion", api_version.cloned());
    }
    item
}

fn fill(item: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        item.entry(key).or_insert(value);
    }
}

fn json_size(value: &Value) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // A value that cannot be written counts as too large.
    serde_json::to_writer(&mut count, value).map_or(usize::MAX, |()| count.0)
}
