//! Renders without a cluster: what a directory, or a checkout of an Application's repositories, would become.

mod application;
mod checkout;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};
use windlass_core::api::{Application, Empty, Handlebars, Render};
use windlass_core::object::Cluster;
use windlass_core::plan::Candidate;

pub use application::load;
pub use checkout::{Root, toplevel};

use crate::render::{Context, Files, RenderRequest, SourceInput};
use crate::worker::{Request, Response, handle};

/// What templates know as the revision of files that are in no commit.
pub const REVISION: &str = "local";

/// Asks for the objects of a directory as an Application of that path would have them. Values files may lie
/// anywhere in the directory's repository; without a repository, anywhere.
///
/// # Errors
/// A path cannot be read, or a values file lies outside of the repository.
pub fn directory(
    path: &Path,
    values: &[PathBuf],
    app: Option<&str>,
    namespace: &str,
) -> anyhow::Result<RenderRequest> {
    let directory = canonical(path)?;
    let values = values.iter().map(|file| canonical(file)).collect::<anyhow::Result<Vec<_>>>()?;
    let root = match toplevel(&directory) {
        Some(root) => root,
        None => values.iter().fold(directory.clone(), |root, file| common_ancestor(&root, file)),
    };
    let inside = relative(&root, &directory)?;
    let up = "../".repeat(if inside == "." { 0 } else { inside.split('/').count() });
    let values_files = values
        .iter()
        .map(|file| relative(&root, file).map(|file| format!("{up}{file}")))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let render = if values_files.is_empty() {
        Render::default()
    } else {
        Render {
            auto: None,
            plain: None,
            handlebars: Some(Handlebars { values_files, ..Handlebars::default() }),
        }
    };
    let name = directory.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(RenderRequest {
        context: context(app.map(str::to_owned).or(name).unwrap_or_default(), namespace.to_owned()),
        sources: vec![SourceInput {
            name: "local".into(),
            files: Files::Directory { root },
            revision: REVISION.into(),
            path: inside,
            render,
        }],
    })
}

/// Asks for the objects of an Application, its repositories taken from checkouts: each source from the root
/// of its name, or from the one without a name, or from `fallback`.
///
/// # Errors
/// A root cannot be read or names no source, or one checkout would have to stand for several repositories.
pub fn application(app: &Application, roots: &[Root], fallback: &Path) -> anyhow::Result<RenderRequest> {
    let sources = &app.spec.sources;
    for root in roots {
        let known = |name: &String| sources.iter().any(|source| source.name == *name);
        ensure!(
            root.source.as_ref().is_none_or(known),
            "--root {root}: the Application has no source of that name; it has {}",
            sources.iter().map(|source| source.name.as_str()).collect::<Vec<_>>().join(", ")
        );
    }
    let mut unnamed_url: Option<&str> = None;
    let mut inputs = Vec::new();
    for source in sources {
        let named = roots.iter().find(|root| root.source.as_ref() == Some(&source.name));
        let root = match named {
            Some(root) => &root.directory,
            None => {
                ensure!(
                    unnamed_url.is_none_or(|url| url == source.git.url),
                    "the sources come from several repositories; say where each is checked out: --root {}=DIRECTORY",
                    source.name
                );
                unnamed_url = Some(&source.git.url);
                roots.iter().find(|root| root.source.is_none()).map_or(fallback, |root| &root.directory)
            }
        };
        inputs.push(SourceInput {
            name: source.name.clone(),
            files: Files::Directory { root: canonical(root)? },
            revision: REVISION.into(),
            path: source.git.path.clone(),
            render: render_of(source.render.clone()),
        });
    }
    let name = app.metadata.name.clone().unwrap_or_default();
    Ok(RenderRequest { context: context(name, destination(app)), sources: inputs })
}

/// The namespace of objects that name none.
pub fn destination(app: &Application) -> String {
    let own = app.metadata.namespace.as_deref().filter(|namespace| !namespace.is_empty());
    app.spec.destination.namespace.as_deref().or(own).unwrap_or("default").to_owned()
}

/// Renders in this process.
///
/// # Errors
/// What is wrong with the files, with file, line and column.
pub fn render(request: RenderRequest) -> anyhow::Result<Vec<Candidate>> {
    let rendered = match handle(Request::Render(request)) {
        Response::Rendered(result) => result?,
        other => return Err(anyhow!("a render was answered by {other:?}; this is a bug in Windlass")),
    };
    let objects = rendered.sources.into_iter().flat_map(|source| source.objects);
    Ok(objects.map(|object| Candidate { body: object.body, origin: object.origin }).collect())
}

fn context(app: String, namespace: String) -> Context {
    Context { app, namespace, cluster: Cluster::default().as_str().to_owned() }
}

/// The API server writes the default in; a file may leave it out.
fn render_of(render: Render) -> Render {
    if render == (Render { auto: None, plain: None, handlebars: None }) {
        Render { auto: Some(Empty {}), ..render }
    } else {
        render
    }
}

fn canonical(path: &Path) -> anyhow::Result<PathBuf> {
    path.canonicalize().with_context(|| format!("cannot read {}", path.display()))
}

/// `path` below `root`, with slashes; `.` for the root itself.
fn relative(root: &Path, path: &Path) -> anyhow::Result<String> {
    let inside = path
        .strip_prefix(root)
        .map_err(|_| anyhow!("{} lies outside of the repository {}", path.display(), root.display()))?;
    let parts: Option<Vec<_>> = inside.iter().map(|part| part.to_str()).collect();
    match parts.as_deref() {
        None => Err(anyhow!("{} is not a name in UTF-8", path.display())),
        Some([]) => Ok(".".into()),
        Some(parts) => Ok(parts.join("/")),
    }
}

fn common_ancestor(a: &Path, b: &Path) -> PathBuf {
    a.components().zip(b.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
}
