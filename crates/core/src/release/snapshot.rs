use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{PathRead, Release, ReleaseObject};
use crate::object::{Cluster, Digest, ObjectId};

/// What is stored before the first write of a release: enough to go on healing and to prune without Git.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The release as admitted.
    pub release: Release,
    /// Everything that may exist because of this Application: the objects of this release and of those
    /// before it that are not pruned yet.
    pub inventory: Vec<ObjectId>,
    /// What the release was rendered from, so that a restarted controller need not render it again and a
    /// commit that touches nothing of it stays no reason to.
    pub render: Option<RenderRecord>,
}

/// What a release was rendered from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenderRecord {
    /// Digest of everything that the render depended on but the files.
    pub inputs: Digest,
    /// The sources, in the order of the Application.
    pub sources: Vec<SourceRecord>,
}

/// What one source of a release was rendered from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceRecord {
    /// The revision that was rendered, for people.
    pub revision: String,
    /// The commit that was rendered, or found to be no different.
    pub commit: String,
    /// The renderer that was used.
    pub renderer: String,
    /// Every path that was looked at.
    pub reads: Arc<Vec<PathRead>>,
}

/// Why stored bytes are not a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Not the JSON of a snapshot.
    #[error("the stored release cannot be read: {0}")]
    Decode(#[from] serde_json::Error),
    /// Written by a Windlass with another format.
    #[error("the stored release has format {0}, this Windlass reads format {FORMAT}")]
    Format(u32),
}

const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    revision: String,
    cluster: Cluster,
    objects: Vec<ReleaseObject>,
    inventory: Vec<ObjectId>,
    #[serde(default)]
    render: Option<RenderRecord>,
}

impl Snapshot {
    /// As JSON, uncompressed.
    ///
    /// # Errors
    /// [`SnapshotError::Decode`] where an object cannot be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>, SnapshotError> {
        Ok(serde_json::to_vec(&Stored {
            format: FORMAT,
            revision: self.release.revision.clone(),
            cluster: self.release.cluster.clone(),
            objects: self.release.objects.clone(),
            inventory: self.inventory.clone(),
            render: self.render.clone(),
        })?)
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// [`SnapshotError`] where the bytes are damaged or of another format.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let stored: Stored = serde_json::from_slice(bytes)?;
        if stored.format != FORMAT {
            return Err(SnapshotError::Format(stored.format));
        }
        Ok(Self {
            release: Release::new(stored.revision, stored.cluster, stored.objects),
            inventory: stored.inventory,
            render: stored.render,
        })
    }
}
