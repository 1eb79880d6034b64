//! Handlebars templates: strict, bounded and without a view of the world, so that equal files and values
//! give equal bytes.
//!
//! The engine is kept from surprising anybody before it runs: [`tags`] bounds what it may parse, [`prepare`]
//! rewrites what it parsed so that every variable is checked and every step is counted, and [`includes`]
//! finds partials that would include each other for ever. [`helpers`] are the functions of templates.

mod checks;
mod error;
mod functions;
mod helpers;
mod includes;
mod output;
mod prepare;
mod registry;
mod scan;
mod tags;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use handlebars::{Context as Data, Handlebars};
use windlass_core::api;
use windlass_core::yaml::YamlError;

use super::files::{File, Role};
use super::manifests::{Manifests, Unfit, yaml_reason};
use super::problems::Problems;
use super::source::gone;
use super::{Context, SourceInput};
use crate::failure::Failure;
use crate::source::tree::Tree;

/// Most bytes that a template gives.
const MAX_OUTPUT: usize = 4 << 20;
/// Most steps that a template takes: elements rendered, and nodes and pieces of text handled.
const MAX_STEPS: u64 = 1_000_000;
/// Most partials of a source.
const MAX_PARTIALS: usize = 256;
/// Most characters of a rendered line that a message repeats.
const MAX_EXCERPT: usize = 160;

/// The templates of a source with their values, ready to be rendered.
pub(super) struct Templates {
    registry: Handlebars<'static>,
    budget: Arc<checks::Budget>,
    data: Data,
    values_files: BTreeSet<String>,
    /// Name of a partial in templates, and its file.
    partials: BTreeMap<String, String>,
}

impl Templates {
    /// Reads the values and all templates among `files`, which lie below the directory `path`.
    pub(super) fn load(
        context: &Context,
        input: &SourceInput,
        settings: &api::Handlebars,
        tree: &dyn Tree,
        path: &str,
        files: &[File],
    ) -> Result<Self, Failure> {
        let values_files = values::files(path, settings)?;
        let data = values::load(context, &input.revision, settings, &values_files, tree)?;
        let partials = partials(files)?;
        let budget = Arc::new(checks::Budget::new(MAX_STEPS));
        let mut templates = Self {
            registry: registry::new(&budget),
            budget,
            data: Data::from(data),
            values_files: values_files.into_iter().collect(),
            partials,
        };
        templates.parse(tree, files)?;
        Ok(templates)
    }

    /// Whether a file holds values and so no manifests.
    pub(super) fn is_values_file(&self, path: &str) -> bool {
        self.values_files.contains(path)
    }

    /// Renders the template `file` and adds the objects that it gives.
    pub(super) fn render(&self, source: &str, file: &str, manifests: &mut Manifests) -> Result<(), Failure> {
        let text = self.text(file)?;
        manifests.add(source, file, &text).map_err(|unfit| match unfit {
            Unfit::Yaml(error) => invalid_output(&error, &text),
            Unfit::TooLarge(failure) => failure,
        })
    }

    /// What the template `file` renders to.
    pub(super) fn text(&self, file: &str) -> Result<Vec<u8>, Failure> {
        self.budget.refill();
        let mut output = output::Capped::new(MAX_OUTPUT);
        self.registry
            .render_with_context_to_write(file, &self.data, &mut output)
            .map_err(|error| error::of_render(&error, file, &self.partials))?;
        Ok(output.into_bytes())
    }

    fn parse(&mut self, tree: &dyn Tree, files: &[File]) -> Result<(), Failure> {
        let mut problems = Problems::default();
        let mut graph = Vec::new();
        for file in files {
            let name = match file.role {
                Role::Manifest => continue,
                Role::Template => file.path.as_str(),
                Role::Partial => partial_name(&file.path),
            };
            let text = tree.read(&file.path)?.ok_or_else(|| gone(&file.path))?;
            match prepare::register(&mut self.registry, name, &text, &self.partials) {
                Ok(includes) => {
                    graph.push(includes::Node { name: name.into(), file: file.path.clone(), includes })
                }
                Err(fault) => problems.push(fault.in_file(&file.path)),
            }
        }
        problems.finish()?;
        includes::check(&graph)
    }
}

/// The names of all helpers.
#[cfg(test)]
pub(super) fn helper_names() -> impl Iterator<Item = &'static str> {
    functions::FUNCTIONS.iter().map(|function| function.name)
}

/// `envs/_labels.yaml.hbs` is included as `labels`.
fn partial_name(path: &str) -> &str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    let name = name.strip_prefix('_').unwrap_or(name);
    name.split_once('.').map_or(name, |(name, _)| name)
}

fn partials(files: &[File]) -> Result<BTreeMap<String, String>, Failure> {
    let mut partials = BTreeMap::new();
    for file in files.iter().filter(|file| file.role == Role::Partial) {
        let name = partial_name(&file.path);
        if let Some(other) = partials.insert(name.to_owned(), file.path.clone()) {
            let message = format!("{other} and {} are both the partial {name:?}; rename one", file.path);
            return Err(Failure::permanent("InvalidTemplate", message));
        }
    }
    if partials.len() > MAX_PARTIALS {
        let message = format!("{} partials, at most {MAX_PARTIALS} are read", partials.len());
        return Err(Failure::permanent("TemplateLimit", message));
    }
    Ok(partials)
}

/// The failure of a template that renders to something that is no YAML.
fn invalid_output(error: &YamlError, text: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(text);
    let line = text.lines().nth(error.line.saturating_sub(1)).unwrap_or_default().trim_end();
    let excerpt: String = line.chars().take(MAX_EXCERPT).collect();
    let message = format!(
        "{}: line {}, column {} of what it renders to: {}; that line is `{excerpt}`",
        error.file, error.line, error.column, error.message
    );
    Failure::permanent(yaml_reason(error), message)
}
