//! A release: everything that an Application wants in the cluster, as of one set of revisions.

mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fields::{Path, without};
use crate::object::{Cluster, Digest, Object, ObjectId};

pub use snapshot::{Kept, MAX_PREVIOUS, Releases, RenderRecord, Snapshot, SnapshotError, SourceRecord};

/// Where an object came from, so that an error can name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// Name of the source.
    pub source: String,
    /// File, relative to the root of the source's tree.
    pub file: String,
    /// Number of the document in the file, from 1.
    pub document: usize,
    /// Line of the document's first token, from 1.
    pub line: usize,
}

/// `envs/prod/web.yaml:12`
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A path that a render looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PathRead {
    /// Path relative to the root of the source's tree; `.` is the root.
    pub path: String,
    /// Object id of the blob or tree there, `None` where there was nothing.
    pub id: Option<String>,
}

/// An object of a release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReleaseObject {
    /// The object, with its namespace and Windlass's label and annotation.
    pub object: Object,
    /// Where it came from.
    pub origin: Origin,
}

/// What of an object is left to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// These fields.
    Fields(Vec<Path>),
    /// Everything, once it exists.
    Everything,
}

/// Everything that an Application wants in the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    revision: String,
    cluster: Cluster,
    objects: Vec<ReleaseObject>,
    ids: Vec<ObjectId>,
    digests: Vec<Digest>,
    digest: Digest,
    left: BTreeMap<ObjectId, Left>,
}

impl Release {
    /// A release of `objects`, which have distinct identities, rendered from `revision` (the revisions of
    /// all sources, for people). Equal objects give equal digests in whatever order they come.
    pub fn new(revision: String, cluster: Cluster, objects: Vec<ReleaseObject>) -> Self {
        let mut keyed: Vec<_> = objects.into_iter().map(|o| (o.object.id(&cluster), o)).collect();
        keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
        let (ids, objects): (Vec<_>, Vec<_>) = keyed.into_iter().unzip();
        let digests: Vec<_> = objects.iter().map(|o| o.object.digest()).collect();
        let all: Vec<_> = digests.iter().map(Digest::as_str).collect();
        let digest = Digest::of_bytes(all.join("\n").as_bytes());
        Self { revision, cluster, objects, ids, digests, digest, left: BTreeMap::new() }
    }

    /// The same release, of which this is left to others. Its own digest is that of what Git says; the
    /// digests of its objects are those of what is applied.
    #[must_use]
    pub fn leaving(mut self, left: BTreeMap<ObjectId, Left>) -> Self {
        for ((id, object), digest) in self.ids.iter().zip(&self.objects).zip(&mut self.digests) {
            *digest = match left.get(id) {
                Some(Left::Fields(paths)) => Digest::of_json(&without(object.object.body(), paths)),
                Some(Left::Everything) => Digest::of_bytes(id.to_annotation().as_bytes()),
                None if self.left.contains_key(id) => object.object.digest(),
                None => continue,
            };
        }
        self.left = left;
        self
    }

    /// What is left to others.
    pub fn left(&self) -> &BTreeMap<ObjectId, Left> {
        &self.left
    }

    /// The fields of an object that are left to others.
    pub fn left_fields(&self, id: &ObjectId) -> &[Path] {
        match self.left.get(id) {
            Some(Left::Fields(paths)) => paths,
            _ => &[],
        }
    }

    /// Whether an object is left alone once it exists.
    pub fn is_left_alone(&self, id: &ObjectId) -> bool {
        self.left.get(id) == Some(&Left::Everything)
    }

    /// The revisions it was rendered from, for people.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The cluster its objects live in.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// SHA-256 over the digests of its objects.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// How many objects it has.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether it has no object.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The objects, ordered by identity.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectId, &ReleaseObject)> {
        self.ids.iter().zip(&self.objects)
    }

    /// The identities, in order.
    pub fn ids(&self) -> &[ObjectId] {
        &self.ids
    }

    /// The object of an identity.
    pub fn get(&self, id: &ObjectId) -> Option<&ReleaseObject> {
        self.objects.get(self.ids.binary_search(id).ok()?)
    }

    /// The digest of what is applied of an object.
    pub fn object_digest(&self, id: &ObjectId) -> Option<&Digest> {
        self.digests.get(self.ids.binary_search(id).ok()?)
    }
}
