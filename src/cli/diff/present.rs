use serde_json::{Map, Value};
use similar::TextDiff;
use windlass_core::object::ObjectId;
use windlass_core::yaml;

use super::super::text::{self, Colour, Palette};
use super::{Action, Change, Report};

/// Lines around a change.
const CONTEXT: usize = 3;

/// One side of a diff.
#[derive(Clone, Debug)]
pub(super) struct Side {
    /// What stands in the header.
    pub(super) title: String,
    /// The object; `None` where there is none.
    pub(super) object: Option<Value>,
}

/// Whether an object holds what nobody should see.
pub(super) fn is_secret(id: &ObjectId) -> bool {
    id.group.is_empty() && id.kind == "Secret"
}

/// A unified diff of two sides, empty where they mean the same. Of Secrets only the keys show, and which of
/// their values differ.
pub(super) fn unified(id: &ObjectId, mut from: Side, mut to: Side) -> String {
    if is_secret(id) {
        mask(from.object.as_mut(), to.object.as_mut());
    }
    let [before, after] = [from.object, to.object].map(|object| object.map(written).unwrap_or_default());
    if before == after {
        return String::new();
    }
    TextDiff::from_lines(&before, &after)
        .unified_diff()
        .context_radius(CONTEXT)
        .header(&text::line(&from.title), &text::line(&to.title))
        .to_string()
}

/// As YAML, without what the API server keeps for itself.
fn written(mut object: Value) -> String {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in
            ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"]
        {
            metadata.remove(field);
        }
        // A copy of the whole object, of Secrets too, that kubectl keeps.
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    yaml::write(&object)
}

/// Replaces the values of a Secret's two sides by marks that say only whether they differ.
fn mask(mut from: Option<&mut Value>, mut to: Option<&mut Value>) {
    for field in ["data", "stringData"] {
        let (before, after) = (values(from.as_deref(), field), values(to.as_deref(), field));
        set(from.as_deref_mut(), field, marks(&before, &after, "*** (before)"));
        set(to.as_deref_mut(), field, marks(&after, &before, "*** (after)"));
    }
}

fn values(side: Option<&Value>, field: &str) -> Map<String, Value> {
    side.and_then(|object| object.get(field)?.as_object().cloned()).unwrap_or_default()
}

fn set(side: Option<&mut Value>, field: &str, marks: Map<String, Value>) {
    if let Some(value) = side.and_then(|object| object.get_mut(field)) {
        *value = Value::Object(marks);
    }
}

/// A mark for each key: `changed` where the other side has another value.
fn marks(own: &Map<String, Value>, other: &Map<String, Value>, changed: &str) -> Map<String, Value> {
    let differs = |key: &String| other.get(key).is_some_and(|value| own.get(key) != Some(value));
    own.keys().map(|key| (key.clone(), if differs(key) { changed } else { "***" }.into())).collect()
}

/// All diffs, one after another.
pub(super) fn coloured(changes: &[Change], palette: Palette) -> String {
    let mut out = String::new();
    let when = |change: &Change| {
        let id = format!("{} {}/{}", change.kind, change.namespace, change.name);
        change.rollout.map(|moment| text::line(&format!("# {id}: {}", moment.words())))
    };
    // What is before the header of a unified diff is for people, as every tool knows.
    let lines = changes.iter().flat_map(|change| {
        when(change).into_iter().chain(change.diff.lines().map(str::to_owned)).collect::<Vec<_>>()
    });
    for line in lines {
        let colour = match line.as_bytes() {
            [b'#', b' ', ..] => Some(Colour::Yellow),
            [b'-', b'-', b'-', b' ', ..] | [b'+', b'+', b'+', b' ', ..] => Some(Colour::Bold),
            [b'-', ..] => Some(Colour::Red),
            [b'+', ..] => Some(Colour::Green),
            [b'@', b'@', ..] => Some(Colour::Cyan),
            _ => None,
        };
        out.push_str(&colour.map_or_else(|| line.clone(), |colour| palette.paint(colour, &line)));
        out.push('\n');
    }
    out
}

/// `1 to create, 2 to update, 4 unchanged`
pub(super) fn summary(report: &Report) -> String {
    let count = |action| report.changes.iter().filter(|change| change.action == action).count();
    let parts = [
        (count(Action::Create), "to create"),
        (count(Action::Update), "to update"),
        (count(Action::Prune), "to prune"),
        (report.same, "unchanged"),
        (report.failures.len(), "not compared"),
    ];
    let parts: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if parts.is_empty() { "nothing to compare".into() } else { parts.join(", ") }
}
