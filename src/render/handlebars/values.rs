//! What templates know.

use serde_json::{Map, Value, json};
use windlass_core::{api, yaml};

use super::Context;
use crate::failure::Failure;
use crate::render::files::beside;
use crate::source::tree::{Tree, normalise};

/// Most bytes of all values, written as JSON; the engine copies them for every partial.
const MAX_BYTES: usize = 1 << 20;

/// The values files of a source whose directory is `path`, relative to the root of the tree.
pub(super) fn files(path: &str, settings: &api::Handlebars) -> Result<Vec<String>, Failure> {
    settings.values_files.iter().map(|file| normalise(path, file)).collect()
}

/// The values of the files in order, then the inline ones, then `windlass`.
pub(super) fn load(
    context: &Context,
    revision: &str,
    settings: &api::Handlebars,
    files: &[String],
    tree: &dyn Tree,
) -> Result<Value, Failure> {
    let mut values = Map::new();
    for file in files {
        merge(&mut values, read(tree, file)?);
    }
    merge(&mut values, settings.values.clone().into_iter().collect());
    let own = json!({
        "app": context.app,
        "namespace": context.namespace,
        "revision": revision,
        "cluster": context.cluster
    });
    if values.insert("windlass".into(), own).is_some() {
        return Err(invalid("the name windlass is taken by Windlass itself; rename that value".into()));
    }
    let values = Value::Object(values);
    let size = values.to_string().len();
    if size > MAX_BYTES {
        return Err(invalid(format!("the values have {size} bytes as JSON, at most {MAX_BYTES} are used")));
    }
    Ok(values)
}

fn read(tree: &dyn Tree, file: &str) -> Result<Map<String, Value>, Failure> {
    let Some(text) = tree.read(file)? else {
        return Err(invalid(format!("valuesFiles: there is no file {file}; {}", beside(tree, file)?)));
    };
    let mut documents = yaml::load(file, &text).map_err(|error| invalid(error.to_string()))?.into_iter();
    match (documents.next().map(|document| document.value), documents.next()) {
        (None, _) => Ok(Map::new()),
        (Some(Value::Object(values)), None) => Ok(values),
        (Some(_), None) => Err(invalid(format!("{file}:1:1: values are a mapping of names to values"))),
        (Some(_), Some(second)) => Err(invalid(format!(
            "{file}:{}:1: a values file has one document, this is the second",
            second.line
        ))),
    }
}

/// Mappings are merged, anything else is replaced.
fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(into)), Value::Object(from)) => merge(into, from),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn invalid(message: String) -> Failure {
    Failure::permanent("InvalidValues", message)
}
