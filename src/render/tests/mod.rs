mod examples;
mod handlebars;
mod hostile;
mod plain;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::manifests::Manifests;
use super::{Context, Files, PathRead, RenderedSource, SourceInput, source};
use crate::failure::Failure;
use crate::source::tree::{Entry, EntryKind, Tree};

/// Files in memory by path.
#[derive(Default)]
struct MemoryTree(BTreeMap<String, Vec<u8>>);

impl MemoryTree {
    fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect())
    }
}

impl Tree for MemoryTree {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.0.get(path).cloned())
    }

    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, Failure> {
        let prefix = if path == "." { String::new() } else { format!("{path}/") };
        let mut entries = BTreeMap::new();
        for rest in self.0.keys().filter_map(|file| file.strip_prefix(&prefix)) {
            match rest.split_once('/') {
                Some((directory, _)) => entries.insert(directory.to_owned(), EntryKind::Directory),
                None => entries.insert(rest.to_owned(), EntryKind::File),
            };
        }
        let entries: Vec<_> = entries.into_iter().map(|(name, kind)| Entry { name, kind }).collect();
        Ok((!entries.is_empty()).then_some(entries))
    }

    fn touched(&self, path: &str) -> Result<Vec<PathRead>, Failure> {
        Ok(vec![PathRead { path: path.into(), id: self.0.contains_key(path).then(|| "id".into()) }])
    }
}

fn context() -> Context {
    Context { app: "shop".into(), namespace: "prod".into(), cluster: "eu-1".into() }
}

fn input(path: &str, render: Value) -> SourceInput {
    SourceInput {
        name: "main".into(),
        files: Files::Directory { root: "/nowhere".into() },
        revision: "0123456789abcdef".into(),
        path: path.into(),
        render: serde_json::from_value(render).unwrap(),
    }
}

fn render_tree(tree: &dyn Tree, path: &str, render: Value) -> Result<RenderedSource, Failure> {
    source::source(&context(), &input(path, render), tree, &mut Manifests::default())
}

/// Renders the directory `app` of the files with the automatic choice of renderer.
fn render(files: &[(&str, &str)]) -> Result<RenderedSource, Failure> {
    render_tree(&MemoryTree::of(files), "app", json!({"auto": {}}))
}

/// Renders `app/t.hbs` with inline values and answers with the field `out` of the object it gives.
fn template(text: &str, values: Value) -> Result<Value, Failure> {
    let tree = MemoryTree::of(&[("app/t.hbs", text)]);
    let rendered = render_tree(&tree, "app", json!({"handlebars": {"values": values}}))?;
    Ok(rendered.objects.first().map_or(Value::Null, |object| object.body["out"].clone()))
}

/// `Reason: message`, for snapshots.
fn told<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
    let failure = result.unwrap_err();
    assert!(!failure.transient);
    format!("{}: {}", failure.reason, failure.message)
}
