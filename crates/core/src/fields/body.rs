//! Fields in the bodies of objects.

use serde_json::{Map, Value};

use super::path::{Path, Segment};

/// The value of a field; `None` where there is none.
pub fn value<'v>(body: &'v Value, path: &Path) -> Option<&'v Value> {
    path.segments().iter().try_fold(body, |value, segment| segment.find(value))
}

/// Takes a field out. Mappings and lists that this leaves empty go too, up to an item of a list.
pub fn remove(body: &mut Value, path: &Path) {
    take(body, path.segments());
}

/// Takes a field out; whether `value` is empty because of that.
fn take(value: &mut Value, segments: &[Segment]) -> bool {
    let Some((segment, rest)) = segments.split_first() else { return false };
    match value {
        Value::Object(map) => {
            let Some(name) = segment.as_field() else { return false };
            let goes = match map.get_mut(name) {
                None => return false,
                Some(inner) => rest.is_empty() || take(inner, rest),
            };
            if goes {
                map.remove(name);
            }
            goes && map.is_empty()
        }
        Value::Array(items) => {
            let Some(place) = segment.place(items) else { return false };
            if !rest.is_empty() {
                if let Some(item) = items.get_mut(place) {
                    take(item, rest);
                }
                return false;
            }
            items.remove(place);
            items.is_empty()
        }
        _ => false,
    }
}

/// Sets a field of `body` to what it is in `live`; takes it out where it is not there. Only lists and
/// mappings that `body` has are entered.
pub fn copy(body: &mut Value, live: &Value, path: &Path) {
    let Some(value) = value(live, path) else { return remove(body, path) };
    let Some((last, parents)) = path.segments().split_last() else { return };
    let mut at = body;
    for segment in parents {
        let Some(inner) = find_mut(at, segment) else { return };
        at = inner;
    }
    match (at, last) {
        (Value::Object(map), Segment::Field(name)) => {
            map.insert(name.clone(), value.clone());
        }
        (Value::Array(items), last) => match last.place(items) {
            Some(place) => items[place] = value.clone(),
            None => items.push(value.clone()),
        },
        _ => {}
    }
}

fn find_mut<'v>(value: &'v mut Value, segment: &Segment) -> Option<&'v mut Value> {
    match (segment, value) {
        (Segment::Field(name), Value::Object(map)) => map.get_mut(name),
        (segment, Value::Array(items)) => {
            let place = segment.place(items)?;
            items.get_mut(place)
        }
        _ => None,
    }
}

/// Only these fields of `live`, with what leads to them: items of lists have their keys.
pub fn pick(live: &Value, paths: &[Path]) -> Value {
    let mut picked = Value::Object(Map::new());
    for path in paths {
        if let Some(found) = value(live, path) {
            put(&mut picked, path.segments(), live, found);
        }
    }
    picked
}

/// Puts a value at the end of `segments` into `target`, which stands for `live`.
fn put(target: &mut Value, segments: &[Segment], live: &Value, found: &Value) {
    let Some((segment, rest)) = segments.split_first() else {
        *target = found.clone();
        return;
    };
    let Some(live) = segment.find(live) else { return };
    match segment {
        Segment::Field(name) => {
            if !target.is_object() {
                *target = Value::Object(Map::new());
            }
            if let Some(map) = target.as_object_mut() {
                put(map.entry(name.clone()).or_insert(Value::Null), rest, live, found);
            }
        }
        Segment::Item(_) | Segment::Value(_) => {
            if !target.is_array() {
                *target = Value::Array(Vec::new());
            }
            let Some(items) = target.as_array_mut() else { return };
            let place = segment.place(items).unwrap_or_else(|| {
                items.push(keys_of(segment, live));
                items.len() - 1
            });
            if let Some(item) = items.get_mut(place) {
                put(item, rest, live, found);
            }
        }
    }
}

/// An item of a list with nothing but its keys, or the item itself where it is a value.
fn keys_of(segment: &Segment, live: &Value) -> Value {
    let Segment::Item(keys) = segment else { return live.clone() };
    let keys = keys.keys().filter_map(|key| Some((key.clone(), live.get(key)?.clone())));
    Value::Object(keys.collect())
}
