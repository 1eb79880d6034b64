use serde_json::Value;

use super::options::ObjectOptions;
use crate::fields::{Path, Segment, value};
use crate::object::Object;

/// How the API server says that a field cannot change. There is no reason of its own for it.
const WORDS: &[&str] = &[
    "immutable",
    "may not change once set",
    "may not be changed",
    "cannot be changed",
    "cannot change",
    "must not be changed",
    "updates to",
];
/// Most differences that are told.
const MAX_TOLD: usize = 3;
/// Longest value that is told, in characters.
const MAX_VALUE: usize = 80;

/// A cause of a refusal: the field as the API server writes it, `spec.selector`, and its words.
#[derive(Clone, Copy, Debug)]
pub struct RefusalCause<'a> {
    /// The field.
    pub field: &'a str,
    /// What is wrong with it.
    pub message: &'a str,
}

/// Whether the server refuses because a field cannot change.
pub fn is_immutable(message: &str) -> bool {
    WORDS.iter().any(|words| message.contains(words))
}

/// Whether a live object may be deleted and made anew because a field of it cannot change. Only where the
/// object says so, and a Job, which runs once for each content; never what holds data or an address that others
/// know.
///
/// # Errors
/// What a user can do instead.
pub fn may_replace(desired: &Object, live: &Value) -> Result<(), String> {
    let gvk = desired.gvk();
    let is_load_balancer =
        |body: &Value| body.pointer("/spec/type").and_then(Value::as_str) == Some("LoadBalancer");
    let lasting = match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("", "PersistentVolumeClaim" | "Namespace")
        | ("apiextensions.k8s.io", "CustomResourceDefinition") => Some(format!("a {}", gvk.kind)),
        ("", "Service") if is_load_balancer(desired.body()) || is_load_balancer(live) => {
            Some("a Service of type LoadBalancer".to_owned())
        }
        _ => None,
    };
    match lasting {
        Some(what) => Err(format!(
            "Windlass never recreates {what}: take the change back, or give the new one another name"
        )),
        None if gvk.group == "batch" && gvk.kind == "Job" => Ok(()),
        None if ObjectOptions::admitted(desired).replace => Ok(()),
        None => Err("take the change back, give the new object another name, or have this one deleted and \
                     made anew with the annotation windlass.dev/replace: immutable"
            .to_owned()),
    }
}

/// Which fields cannot change, with what is live and what Git says, unless that is secret.
pub fn explain(desired: &Object, live: &Value, causes: &[RefusalCause<'_>]) -> String {
    let secret = desired.gvk().group.is_empty() && desired.gvk().kind == "Secret";
    let mut told = Vec::new();
    for cause in causes.iter().filter(|cause| is_immutable(cause.message)) {
        let at = path(cause.field);
        let mut found = Vec::new();
        if let (Some(wanted), Some(live)) = (value(desired.body(), &at), value(live, &at)) {
            // A StatefulSet names the fields that can change instead of the one that cannot.
            let open: Vec<_> = cause.message.split('\'').skip(1).step_by(2).collect();
            differences(wanted, live, &at, &open, &mut found);
        }
        if found.is_empty() || secret {
            told.push(cause.field.to_owned());
            continue;
        }
        let say =
            |(at, live, wanted): &(Path, String, String)| format!("{at} is {live}, and {wanted} in Git");
        told.extend(found.iter().take(MAX_TOLD).map(say));
    }
    if told.is_empty() {
        return "a field that cannot change".to_owned();
    }
    told.truncate(MAX_TOLD);
    told.join("; ")
}

/// Finds where `wanted` is not what is `live`. What only the server says does not count.
fn differences(
    wanted: &Value,
    live: &Value,
    at: &Path,
    open: &[&str],
    found: &mut Vec<(Path, String, String)>,
) {
    let (Value::Object(wanted_map), Value::Object(live_map)) = (wanted, live) else {
        if !is_within(wanted, live) {
            found.push((at.clone(), short(live), short(wanted)));
        }
        return;
    };
    for (name, wanted) in wanted_map.iter().filter(|(name, _)| !open.contains(&name.as_str())) {
        let mut steps = at.segments().to_vec();
        steps.push(Segment::Field(name.clone()));
        let at = Path::new(steps);
        match live_map.get(name) {
            Some(live) => differences(wanted, live, &at, &[], found),
            None => found.push((at, "not set".to_owned(), short(wanted))),
        }
    }
}

/// Whether `live` has all that `wanted` has.
fn is_within(wanted: &Value, live: &Value) -> bool {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => {
            wanted.iter().all(|(name, wanted)| live.get(name).is_some_and(|live| is_within(wanted, live)))
        }
        (Value::Array(wanted), Value::Array(live)) => {
            wanted.len() == live.len()
                && wanted.iter().zip(live).all(|(wanted, live)| is_within(wanted, live))
        }
        _ => wanted == live,
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= MAX_VALUE { text } else { "another value".to_owned() }
}

/// `spec.ports[0].name` as a path.
fn path(field: &str) -> Path {
    let steps = field.split(['.', '[']).map(|step| step.trim_end_matches(']').trim_matches('"'));
    Path::new(steps.filter(|step| !step.is_empty()).map(|step| Segment::Field(step.to_owned())).collect())
}
