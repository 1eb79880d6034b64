//! A release: everything that an Application wants in the cluster, as of one set of revisions.

mod began;
mod breaker;
mod compact;
mod fate;
mod legacy;
mod placement;
mod roles;
mod select;
mod snapshot;
#[cfg(test)]
mod tests;
mod undo;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::fields::{Path, without};
use crate::object::{Cluster, Digest, Object, ObjectId};
use compact::Bodies;

pub use began::began;
pub use breaker::{Breaker, WINDOW};
pub use compact::{CompactError, compact};
pub use fate::{Failed, Fate, Gates, Trial, WayBack, fate};
pub use legacy::Legacy;
pub use placement::{
    HOOK_ANNOTATION, HOOK_DELETE_ANNOTATION, Hook, Phase, Placement, PlacementError, Role, WAVE_ANNOTATION,
    wave,
};
pub use select::{Asked, Effective, Selected, Standing, Why, select};
pub use snapshot::{Kept, MAX_PREVIOUS, Releases, RenderRecord, Snapshot, SnapshotError, SourceRecord};
pub use undo::{Undo, undo};

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

/// Everything that an Application wants in the cluster. Releases are equal that are of the same revision,
/// have the same objects and leave the same to others.
#[derive(Clone, Debug)]
pub struct Release {
    revision: String,
    cluster: Cluster,
    /// The ordinary objects, then the hooks; each ordered by identity.
    bodies: Bodies,
    ids: Arc<[ObjectId]>,
    digests: Vec<Digest>,
    placements: Vec<Placement>,
    /// How many of them are ordinary.
    ordinary: usize,
    digest: Digest,
    left: BTreeMap<ObjectId, Left>,
}

impl PartialEq for Release {
    fn eq(&self, other: &Self) -> bool {
        (&self.digest, &self.revision, &self.cluster, &self.left)
            == (&other.digest, &other.revision, &other.cluster, &other.left)
    }
}

impl Release {
    /// A release of `objects`, which have distinct identities, rendered from `revision` (the revisions of
    /// all sources, for people). Equal objects give equal digests in whatever order they come. An annotation
    /// about its place that admission would refuse counts as absent.
    pub fn new(revision: String, cluster: Cluster, objects: Vec<ReleaseObject>) -> Self {
        let place = |object: &ReleaseObject| Placement::of(&object.object).unwrap_or_default();
        let mut keyed: Vec<_> = objects.into_iter().map(|o| (place(&o), o.object.id(&cluster), o)).collect();
        let is_hook = |placement: &Placement| placement.role != Role::Ordinary;
        keyed.sort_by(|(a_place, a, _), (b_place, b, _)| (is_hook(a_place), a).cmp(&(is_hook(b_place), b)));
        let ordinary = keyed.iter().take_while(|(placement, ..)| !is_hook(placement)).count();
        let digests: Vec<_> = keyed.iter().map(|(.., o)| o.object.digest()).collect();
        let all: Vec<_> = digests.iter().map(Digest::as_str).collect();
        let digest = Digest::of_bytes(all.join("\n").as_bytes());
        let (mut placements, mut ids, mut objects) = (Vec::new(), Vec::new(), Vec::new());
        for (placement, id, object) in keyed {
            placements.push(placement);
            ids.push(id);
            objects.push(object);
        }
        let (bodies, ids, left) = (Bodies::new(objects), ids.into(), BTreeMap::new());
        Self { revision, cluster, bodies, ids, digests, placements, ordinary, digest, left }
    }

    /// The same release, of which this is left to others. Its own digest is that of what Git says; the
    /// digests of its objects are those of what is applied.
    #[must_use]
    pub fn leaving(mut self, left: BTreeMap<ObjectId, Left>) -> Self {
        if left.is_empty() && self.left.is_empty() {
            return self;
        }
        for ((id, object), digest) in self.ids.iter().zip(self.bodies.get()).zip(&mut self.digests) {
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

    /// The same objects, standing for the release that they were made of: what is told and remembered of that
    /// one is told and remembered of these.
    #[must_use]
    pub fn standing_for(mut self, release: &Self) -> Self {
        self.digest.clone_from(&release.digest);
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

    /// SHA-256 over the digests of its objects and hooks.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// How many objects it has, hooks not counted.
    pub fn len(&self) -> usize {
        self.ordinary
    }

    /// Whether it has no object.
    pub fn is_empty(&self) -> bool {
        self.ordinary == 0
    }

    /// The objects, ordered by identity; no hooks.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectId, &ReleaseObject)> {
        self.ids.iter().zip(self.bodies.get()).take(self.ordinary)
    }

    /// The identities of the objects, in order; no hooks.
    pub fn ids(&self) -> &[ObjectId] {
        self.ids.split_at_checked(self.ordinary).map_or(&[], |(ordinary, _)| ordinary)
    }

    /// The object of an identity; no hook.
    pub fn get(&self, id: &ObjectId) -> Option<&ReleaseObject> {
        self.bodies.get().get(self.ids().binary_search(id).ok()?)
    }

    /// Objects and hooks, each with the digest of its whole body.
    fn bodies(&self) -> impl Iterator<Item = (Digest, &ReleaseObject)> {
        let digests = self.ids.iter().zip(&self.digests);
        self.bodies.get().iter().zip(digests).map(|(object, (id, digest))| match self.left.get(id) {
            None => (digest.clone(), object),
            Some(_) => (object.object.digest(), object),
        })
    }

    /// The digest of what is applied of an object; of no hook.
    pub fn object_digest(&self, id: &ObjectId) -> Option<&Digest> {
        self.digests.get(self.ids().binary_search(id).ok()?)
    }

    /// The waves of the objects, in the order of [`Self::ids`].
    pub fn waves(&self) -> impl Iterator<Item = i32> {
        self.placements.iter().take(self.ordinary).map(|placement| placement.wave)
    }

    /// The hooks, ordered by identity.
    pub fn hooks(&self) -> impl Iterator<Item = ReleaseHook<'_>> {
        let bodies = if self.ordinary == self.ids.len() { &[] } else { self.bodies.get() };
        let all = self.ids.iter().zip(bodies).zip(self.digests.iter().zip(&self.placements));
        all.skip(self.ordinary).filter_map(|((id, object), (digest, placement))| match &placement.role {
            Role::Hook(hook) => Some(ReleaseHook { id, object, digest, wave: placement.wave, hook }),
            Role::Ordinary | Role::Skipped => None,
        })
    }

    /// Whether an object or a hook of it has this identity.
    pub fn contains(&self, id: &ObjectId) -> bool {
        self.get(id).is_some() || self.hook(id).is_some()
    }

    /// The hook of an identity.
    pub fn hook(&self, id: &ObjectId) -> Option<ReleaseHook<'_>> {
        self.hooks().find(|hook| hook.id == id)
    }
}

/// A hook of a release.
#[derive(Clone, Copy, Debug)]
pub struct ReleaseHook<'a> {
    /// Which object it is.
    pub id: &'a ObjectId,
    /// The object.
    pub object: &'a ReleaseObject,
    /// Its digest.
    pub digest: &'a Digest,
    /// Its wave.
    pub wave: i32,
    /// When it runs and when it is deleted.
    pub hook: &'a Hook,
}
