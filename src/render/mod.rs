//! From the files of a source to objects. Everything here runs in a worker (or in-process for offline
//! commands).

mod files;
mod handlebars;
mod manifests;
mod problems;
mod source;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use windlass_core::api;
use windlass_core::release::Origin;
pub use windlass_core::release::PathRead;

pub use source::render;

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
