use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use windlass_core::api::{Application, GROUP};
use windlass_core::yaml;

/// More than any file of Applications.
const MAX_BYTES: u64 = 4 << 20;

/// Whether one of the documents is an Application.
fn holds_application(documents: &[yaml::Document]) -> bool {
    documents.iter().any(|document| is_application(&document.value))
}

fn is_application(value: &Value) -> bool {
    value["kind"] == "Application"
        && value["apiVersion"]
            .as_str()
            .and_then(|version| version.split_once('/'))
            .is_some_and(|(g, _)| g == GROUP)
}

/// Reads the Application of a file, or the one called `name` where the file has several.
///
/// # Errors
/// The file cannot be read or holds no Application, several without `name`, or one with a field that is
/// wrong or unknown.
pub fn load(path: &Path, name: Option<&str>) -> anyhow::Result<Application> {
    let shown = path.display();
    let mut text = Vec::new();
    let file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
    file.take(MAX_BYTES + 1).read_to_end(&mut text).with_context(|| format!("cannot read {shown}"))?;
    ensure!(text.len() as u64 <= MAX_BYTES, "{shown} is larger than {} MiB", MAX_BYTES >> 20);
    let documents = yaml::load(&shown.to_string(), &text)?;
    ensure!(
        holds_application(&documents),
        "{shown} holds no Application; to render manifests give their directory"
    );
    let mut found: Vec<_> =
        documents.into_iter().filter(|document| is_application(&document.value)).collect();
    if let Some(name) = name {
        found.retain(|document| document.value["metadata"]["name"] == name);
        ensure!(!found.is_empty(), "{shown} holds no Application {name}");
    }
    if found.len() > 1 {
        let names: Vec<_> =
            found.iter().filter_map(|document| document.value["metadata"]["name"].as_str()).collect();
        bail!("{shown} holds several Applications; choose one with --app: {}", names.join(", "));
    }
    let Some(document) = found.pop() else { bail!("{shown} holds no Application") };
    read(document.value).with_context(|| format!("{shown}:{}", document.line))
}

/// Reads an Application strictly: what the API server would drop without a word is an error here.
fn read(value: Value) -> anyhow::Result<Application> {
    let application: Application = serde_json::from_value(value.clone())?;
    let known = serde_json::to_value(&application)?;
    if let Some(field) = unknown_field("spec", &value["spec"], &known["spec"]) {
        bail!("{field} is no field of an Application");
    }
    Ok(application)
}

/// The first field that has a value and was not understood.
fn unknown_field(path: &str, written: &Value, known: &Value) -> Option<String> {
    match (written, known) {
        (Value::Object(written), _) => written.iter().find_map(|(key, value)| {
            let path = format!("{path}.{key}");
            match known.get(key) {
                None if is_nothing(value) => None,
                None => Some(path),
                Some(known) => unknown_field(&path, value, known),
            }
        }),
        (Value::Array(written), Value::Array(known)) => written
            .iter()
            .zip(known)
            .enumerate()
            .find_map(|(i, (written, known))| unknown_field(&format!("{path}[{i}]"), written, known)),
        _ => None,
    }
}

/// Optional fields that say nothing are left out when an Application is written.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
