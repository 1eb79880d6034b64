//! List entries that the API server cannot merge: it answers such an object with an internal error that
//! names no place, so it is told here.

use std::collections::HashMap;

use serde_json::Value;

use super::nodes::{NodeId, NodeKind, Tree};
use super::{Mark, Problem, YamlErrorKind};

/// Lists of pods and containers whose entries have a key of their own: the list, the key, and what people call
/// an entry.
const KEYED: &[(&str, &str, &str)] = &[
    ("env", "name", "environment variable"),
    ("containers", "name", "container"),
    ("initContainers", "name", "container"),
    ("volumes", "name", "volume"),
    ("volumeMounts", "mountPath", "mount path"),
];

/// Looks for entries of such lists, and of `ports`, that stand twice, in objects of the API groups that have
/// such lists. Other groups have lists of the same names in which two entries may share these fields.
pub(super) fn check(tree: &Tree, value: &Value) -> Result<(), Problem> {
    object(tree, tree.root(), value)
}

fn object(tree: &Tree, id: NodeId, value: &Value) -> Result<(), Problem> {
    let text_of = |name| value.get(name).and_then(Value::as_str).unwrap_or_default();
    match (text_of("apiVersion"), text_of("kind")) {
        ("v1", "List") => {
            let values = value.get("items").and_then(Value::as_array).into_iter().flatten();
            items(tree, id).iter().zip(values).try_for_each(|(item, value)| object(tree, *item, value))
        }
        ("v1" | "apps/v1" | "batch/v1", _) => visit(tree, id),
        _ => Ok(()),
    }
}

fn items(tree: &Tree, list: NodeId) -> &[NodeId] {
    let NodeKind::Mapping(pairs) = &tree.get(list).kind else { return &[] };
    match pairs.iter().find(|(key, _)| text(tree, *key) == Some("items")) {
        Some((_, value)) => match &tree.get(*value).kind {
            NodeKind::Sequence(items) => items,
            _ => &[],
        },
        None => &[],
    }
}

fn visit(tree: &Tree, id: NodeId) -> Result<(), Problem> {
    match &tree.get(id).kind {
        // What an alias stands for was visited where it is written.
        NodeKind::Scalar { .. } | NodeKind::Alias(_) => Ok(()),
        NodeKind::Sequence(items) => items.iter().try_for_each(|item| visit(tree, *item)),
        NodeKind::Mapping(pairs) => pairs.iter().try_for_each(|(key, value)| {
            match (text(tree, *key), &tree.get(*value).kind) {
                (Some("ports"), NodeKind::Sequence(items)) => {
                    unique(tree, items, "port", |entry| {
                        let port =
                            field(tree, entry, "containerPort").or_else(|| field(tree, entry, "port"))?;
                        Some(format!(
                            "{port}/{}",
                            field(tree, entry, "protocol").unwrap_or_else(|| "TCP".into())
                        ))
                    })?;
                }
                (Some(list), NodeKind::Sequence(items)) => {
                    if let Some((_, key, what)) = KEYED.iter().find(|(name, ..)| *name == list) {
                        unique(tree, items, what, |entry| field(tree, entry, key))?;
                    }
                }
                _ => {}
            }
            visit(tree, *value)
        }),
    }
}

fn unique(
    tree: &Tree,
    items: &[NodeId],
    what: &str,
    key: impl Fn(NodeId) -> Option<String>,
) -> Result<(), Problem> {
    let mut first: HashMap<String, Mark> = HashMap::new();
    for item in items {
        let mark = tree.get(*item).mark;
        let Some(name) = key(*item) else { continue };
        if let Some(before) = first.get(&name) {
            let message = format!(
                "{what} {name} appears twice in this list (first on line {}); remove one",
                before.line
            );
            return Err(Problem::new(mark, YamlErrorKind::Duplicate, message));
        }
        first.insert(name, mark);
    }
    Ok(())
}

fn field(tree: &Tree, entry: NodeId, name: &str) -> Option<String> {
    let NodeKind::Mapping(pairs) = &tree.get(entry).kind else { return None };
    let (_, value) = pairs.iter().find(|(key, _)| text(tree, *key) == Some(name))?;
    text(tree, *value).map(str::to_owned)
}

fn text(tree: &Tree, id: NodeId) -> Option<&str> {
    match &tree.get(id).kind {
        NodeKind::Scalar { value, .. } => Some(value),
        _ => None,
    }
}
