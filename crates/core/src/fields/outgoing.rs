use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Value, json};

use super::body::{copy, pick, remove};
use super::managers::{ManagerNames, fields, manager, own_set};
use super::path::{Path, Segment};
use super::set::FieldSet;

/// What is sent to the API server of an object of which some fields are left to others.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// Applied first, as the hand-over manager: fields that were ours until now, with their live values. The
    /// server would set them to their defaults at once if nobody had them.
    pub hand_over: Option<Value>,
    /// What Git says, without the fields that are left to others.
    pub body: Value,
    /// Applied last, as the hand-over manager: what it no longer has to hold is ours again.
    pub take_back: Option<Value>,
}

/// `desired` without the fields in `left`.
pub fn without(desired: &Value, left: &[Path]) -> Value {
    let mut body = desired.clone();
    left.iter().for_each(|path| remove(&mut body, path));
    body
}

/// `desired` with the live values of the fields in `left`: what the whole object will be.
pub fn with_live(desired: &Value, left: &[Path], live: &Value) -> Value {
    let mut body = desired.clone();
    left.iter().for_each(|path| copy(&mut body, live, path));
    body
}

/// What to send of `desired` where `live` exists and the fields in `left` are left to others.
pub fn outgoing(
    names: &ManagerNames,
    desired: &Value,
    left: &[Path],
    live: &Value,
    entries: &[ManagedFieldsEntry],
) -> Outgoing {
    let own = own_set(&names.main, entries);
    let held = own_set(&names.hand_over, entries);
    let known = entries.iter().map(fields).fold(FieldSet::default(), |all, set| all.union(&set));
    let (whole, inside): (Vec<_>, Vec<_>) = left.iter().partition(|path| !known.is_inside_value(path, live));
    let mut body = desired.clone();
    let in_desired: Vec<_> = whole.iter().map(|path| known.resolve(path, desired)).collect();
    in_desired.iter().for_each(|path| remove(&mut body, path));
    // A part of what is one value cannot be left out, so it is sent as it is.
    inside.iter().for_each(|path| copy(&mut body, live, path));

    let left: Vec<_> = in_desired.iter().map(|path| known.resolve(path, live)).collect();
    let is_left = |path: &Path| left.iter().any(|left| left.covers(path));
    let theirs = |path: &Path| {
        entries.iter().any(|entry| {
            let manager = manager(entry);
            manager != names.main && manager != names.hand_over && fields(entry).has(path)
        })
    };
    let lost: Vec<_> =
        own.leaves().into_iter().filter(|path| is_left(path) && !held.has(path) && !theirs(path)).collect();
    let (mut holding, surplus): (Vec<_>, Vec<_>) = held.leaves().into_iter().partition(is_left);
    let surplus = surplus.iter().any(|path| !is_key(path));
    let hand_over = (!lost.is_empty()).then(|| {
        holding.extend(lost);
        holding.sort();
        identified(pick(live, &holding), live)
    });
    let take_back = surplus.then(|| identified(pick(live, &holding), live));
    Outgoing { hand_over, body, take_back }
}

/// Whether a field is the key by which an item of a list is known: nobody can own an item without it.
fn is_key(path: &Path) -> bool {
    match path.segments() {
        [.., Segment::Item(keys), Segment::Field(name)] => keys.contains_key(name),
        _ => false,
    }
}

/// A body that says of which object it is.
fn identified(mut body: Value, live: &Value) -> Value {
    for field in ["apiVersion", "kind"] {
        body[field] = live[field].clone();
    }
    if !body["metadata"].is_object() {
        body["metadata"] = json!({});
    }
    for field in ["name", "namespace"] {
        if let Some(value) = live["metadata"].get(field) {
            body["metadata"][field] = value.clone();
        }
    }
    body
}
