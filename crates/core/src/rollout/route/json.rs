//! Reading and writing a route's body, which may have anything anywhere.

use serde_json::{Map, Value};

use super::Problem;

/// The entries of list `key` of `parent`, whose path is `path`; an absent list and `null` have none.
pub(super) fn list<'a>(parent: &'a Value, key: &str, path: &str) -> Result<&'a [Value], Problem> {
    match parent.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(entries)) => Ok(entries),
        Some(_) => Err(shape(path, key, "a list")),
    }
}

/// The list `key` of `parent` for changing it; `None` where it is absent or `null`.
pub(super) fn list_mut<'a>(
    parent: &'a mut Value,
    key: &str,
    path: &str,
) -> Result<Option<&'a mut Vec<Value>>, Problem> {
    match parent.get_mut(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(entries)) => Ok(Some(entries)),
        Some(_) => Err(shape(path, key, "a list")),
    }
}

/// The list `key` of `parent`, made where it is absent.
pub(super) fn list_made<'a>(
    parent: &'a mut Value,
    key: &str,
    path: &str,
) -> Result<&'a mut Vec<Value>, Problem> {
    let entry = map(parent, path)?.entry(key).or_insert(Value::Null);
    if entry.is_null() {
        *entry = Value::Array(Vec::new());
    }
    entry.as_array_mut().ok_or_else(|| shape(path, key, "a list"))
}

/// `value` as a mapping for changing it.
pub(super) fn map<'a>(value: &'a mut Value, path: &str) -> Result<&'a mut Map<String, Value>, Problem> {
    value.as_object_mut().ok_or_else(|| Problem::Shape { field: path.to_owned(), expected: "a mapping" })
}

/// The text `key` of `parent`; `None` where it is absent, `null` or empty.
pub(super) fn text<'a>(parent: &'a Value, key: &str, path: &str) -> Result<Option<&'a str>, Problem> {
    match parent.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(shape(path, key, "a string")),
    }
}

/// The number `key` of `parent`, a whole number from 0; `None` where it is absent or `null`.
pub(super) fn count(parent: &Value, key: &str, path: &str) -> Result<Option<u64>, Problem> {
    match parent.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| shape(path, key, "a whole number from 0")),
    }
}

/// `spec` of a route, for changing it.
pub(super) fn spec(body: &mut Value) -> Result<&mut Value, Problem> {
    body.get_mut("spec")
        .filter(|spec| spec.is_object())
        .ok_or(Problem::Shape { field: "spec".into(), expected: "a mapping" })
}

/// Refuses more entries than the API allows.
pub(super) fn at_most(count: usize, most: usize, field: impl FnOnce() -> String) -> Result<(), Problem> {
    if count <= most { Ok(()) } else { Err(Problem::TooMany { field: field(), count, most }) }
}

fn shape(path: &str, key: &str, expected: &'static str) -> Problem {
    Problem::Shape { field: format!("{path}.{key}"), expected }
}
