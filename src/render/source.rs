//! One source after the other.

use windlass_core::api;

use super::files::{self, File, Role};
use super::handlebars::Templates;
use super::manifests::{Manifests, Unfit, invalid_yaml};
use super::problems::Problems;
use super::{Context, Files, RenderRequest, Rendered, RenderedSource, SourceInput};
use crate::failure::Failure;
use crate::source::tree::{DirectoryTree, GitTree, Recorder, Tree, normalise};

/// Renders all sources. Equal requests for equal files give equal results.
///
/// # Errors
/// Reasons: `PathNotFound`, `InvalidYaml`, `DuplicateKey`, `UnknownVariable`, `InvalidTemplate`,
/// `TemplateCycle`, `TemplateLimit`, `InvalidValues`, `ReleaseTooLarge` and those of [`Tree`]. Files that
/// fail for themselves are told together, up to five.
pub fn render(request: &RenderRequest) -> Result<Rendered, Failure> {
    let mut manifests = Manifests::default();
    let mut sources = Vec::with_capacity(request.sources.len());
    for input in &request.sources {
        let rendered = match &input.files {
            Files::Git { mirror, commit } => GitTree::open(mirror, commit)
                .and_then(|tree| source(&request.context, input, &tree, &mut manifests)),
            Files::Directory { root } => DirectoryTree::open(root)
                .and_then(|tree| source(&request.context, input, &tree, &mut manifests)),
        };
        sources.push(rendered.map_err(|failure| name_source(failure, request, input))?);
    }
    Ok(Rendered { sources })
}

/// Where there are several sources, a failure says which one it is of.
fn name_source(failure: Failure, request: &RenderRequest, input: &SourceInput) -> Failure {
    match request.sources.len() {
        1 => failure,
        _ => Failure { message: format!("source {}: {}", input.name, failure.message), ..failure },
    }
}

/// Renders one source, whose files are those of `tree`.
pub(super) fn source(
    context: &Context,
    input: &SourceInput,
    tree: &dyn Tree,
    manifests: &mut Manifests,
) -> Result<RenderedSource, Failure> {
    let tree = Recorder::new(tree);
    let path = normalise(".", &input.path)?;
    let files = files::walk(&tree, &path)?;
    let templates = match settings(&input.render, &files) {
        None => None,
        Some(settings) => Some(Templates::load(context, input, &settings, &tree, &path, &files)?),
    };
    let mut problems = Problems::default();
    for file in &files {
        let added = match (&templates, file.role) {
            (Some(templates), Role::Manifest) if templates.is_values_file(&file.path) => Ok(()),
            (_, Role::Manifest) => plain(&input.name, &file.path, &tree, manifests)?,
            (Some(templates), Role::Template) => templates.render(&input.name, &file.path, manifests),
            (_, Role::Template | Role::Partial) => Ok(()),
        };
        match added {
            Ok(()) => {}
            Err(failure) if failure.reason == "ReleaseTooLarge" => return Err(failure),
            Err(failure) => problems.push(failure),
        }
    }
    problems.finish()?;
    Ok(RenderedSource {
        name: input.name.clone(),
        renderer: if templates.is_some() { "handlebars" } else { "plain" }.into(),
        objects: manifests.take(),
        reads: tree.reads(),
    })
}

/// The settings of Handlebars, if that is the renderer.
fn settings(render: &api::Render, files: &[File]) -> Option<api::Handlebars> {
    match render {
        api::Render { handlebars: Some(settings), .. } => Some(settings.clone()),
        api::Render { plain: Some(_), .. } => None,
        _ => files.iter().any(|file| file.role != Role::Manifest).then(api::Handlebars::default),
    }
}

/// The outer failure ends the render, the inner one is that of the file.
fn plain(
    source: &str,
    file: &str,
    tree: &dyn Tree,
    manifests: &mut Manifests,
) -> Result<Result<(), Failure>, Failure> {
    let text = tree.read(file)?.ok_or_else(|| gone(file))?;
    Ok(manifests.add(source, file, &text).map_err(|unfit| match unfit {
        Unfit::Yaml(error) => invalid_yaml(&error),
        Unfit::TooLarge(failure) => failure,
    }))
}

/// A file that was listed and is not there any more.
pub(super) fn gone(file: &str) -> Failure {
    Failure::transient("PathNotFound", format!("{file} went away while it was read"))
}
