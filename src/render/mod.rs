//! From the files of a source to objects. Everything here runs in a worker (or in-process for offline
//! commands).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use windlass_core::api;
use windlass_core::release::Origin;

use crate::failure::Failure;
use crate::source::tree::{DirectoryTree, GitTree, Recorder, Tree, normalise};

/// Asks for the objects of all sources of one Application.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenderRequest {
    /// What templates know as `windlass`.
    pub context: Context,
    /// The sources in the order in which the Application lists them.
    pub sources: Vec<SourceInput>,
}

/// What templates know as `windlass.app`, `windlass.namespace`, `windlass.revision` and `windlass.cluster`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Context {
    /// Name of the Application.
    pub app: String,
    /// Destination namespace.
    pub namespace: String,
    /// Name of the cluster.
    pub cluster: String,
}

/// One source with what it resolved to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceInput {
    /// Name of the source.
    pub name: String,
    /// Where its files are.
    pub files: Files,
    /// `windlass.revision` of its templates: the full commit id, or `local`.
    pub revision: String,
    /// Directory of the manifests, relative to the root of the tree.
    pub path: String,
    /// How files become manifests.
    pub render: api::Render,
}

/// Where the files of a source are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Files {
    /// A commit in a bare mirror.
    Git {
        /// Directory of the mirror.
        mirror: PathBuf,
        /// Full id of the commit.
        commit: String,
    },
    /// A directory on disk that is the root of the tree; for offline commands.
    Directory {
        /// The directory.
        root: PathBuf,
    },
}

/// What a render gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rendered {
    /// The same order as the sources asked for.
    pub sources: Vec<RenderedSource>,
}

/// What one source gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenderedSource {
    /// Name of the source.
    pub name: String,
    /// The renderer that was used: `plain` or `handlebars`.
    pub renderer: String,
    /// The objects in the order of files and documents, lists flattened.
    pub objects: Vec<RenderedObject>,
    /// Every path that was looked at, with its object id then; the render depends on nothing else of the
    /// source.
    pub reads: Vec<PathRead>,
}

/// One manifest and where it came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenderedObject {
    /// The body; not checked yet.
    pub body: serde_json::Value,
    /// Where it came from.
    pub origin: Origin,
}

/// A path that a render looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PathRead {
    /// Path relative to the root of the tree; `.` is the root.
    pub path: String,
    /// Object id of the blob or tree there, `None` where there was nothing.
    pub id: Option<String>,
}

/// Renders every source.
///
/// # Errors
/// The first failure, with file, line and column where there are such.
pub fn render(request: &RenderRequest) -> Result<Rendered, Failure> {
    let sources = request.sources.iter().map(source).collect::<Result<_, _>>()?;
    Ok(Rendered { sources })
}

fn source(input: &SourceInput) -> Result<RenderedSource, Failure> {
    let tree: Box<dyn Tree> = match &input.files {
        Files::Git { mirror, commit } => Box::new(GitTree::open(mirror, commit)?),
        Files::Directory { root } => Box::new(DirectoryTree::open(root)?),
    };
    let recorder = Recorder::new(tree.as_ref());
    let mut objects = Vec::new();
    for entry in recorder.list(&input.path)?.unwrap_or_default() {
        let file = normalise(&input.path, &entry.name)?;
        let manifest = [".yaml", ".yml", ".json"].iter().any(|ending| file.ends_with(ending));
        let Some(text) = (if manifest { recorder.read(&file)? } else { None }) else { continue };
        let documents = windlass_core::yaml::load(&file, &text)
            .map_err(|error| Failure::permanent("InvalidYaml", error.to_string()))?;
        objects.extend(documents.into_iter().map(|document| RenderedObject {
            body: document.value,
            origin: Origin {
                source: input.name.clone(),
                file: file.clone(),
                document: document.number,
                line: document.line,
            },
        }));
    }
    Ok(RenderedSource {
        name: input.name.clone(),
        renderer: "plain".into(),
        objects,
        reads: recorder.reads(),
    })
}
