use std::collections::HashMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Origin, PathRead, Release, ReleaseObject};
use crate::api::Quarantined;
use crate::object::{Cluster, Digest, Object, ObjectId};

/// Most former stable releases that are kept whole, so that people can go back to them.
pub const MAX_PREVIOUS: usize = 3;

/// What is stored before the first write of a release: enough to go on healing, to prune and to roll back
/// without Git.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The releases that are kept whole.
    pub releases: Releases,
    /// Everything that may exist because of this Application: the objects of its releases and of those
    /// before them that are not pruned yet.
    pub inventory: Vec<ObjectId>,
}

/// The releases of an Application that are kept whole, each in its role.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Releases {
    /// The last one that was applied completely and proved itself.
    pub stable: Option<Kept>,
    /// The one that is being applied, or has not proved itself yet.
    pub next: Option<Kept>,
    /// Former stable ones, the newest first; at most [`MAX_PREVIOUS`].
    pub previous: Vec<Kept>,
    /// The releases that failed, so that they stay held even when the status is lost.
    pub quarantined: Vec<Quarantined>,
}

/// A release that is kept whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The release as admitted.
    pub release: Arc<Release>,
    /// What it was rendered from, so that a restarted controller need not render it again and a commit that
    /// touches nothing of it stays no reason to.
    pub render: Option<RenderRecord>,
    /// Its number in the history, from 1; 0 where that is not known.
    pub number: u64,
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
    /// Not the JSON of a snapshot. What stands there is not told, since it may be of a Secret.
    #[error("the stored release cannot be read: it is damaged at byte {0}")]
    Damaged(usize),
    /// Something in it has no form in JSON.
    #[error("the release has no form in JSON: {0}")]
    Encode(serde_json::Error),
    /// Written by a Windlass with another format.
    #[error("the stored release has format {0}, this Windlass reads formats up to {FORMAT}")]
    Format(u32),
    /// It names a release or an object that is not in it.
    #[error("the stored release cannot be read: it has no {0} {1}")]
    Dangling(&'static str, usize),
}

impl SnapshotError {
    /// All of it is in one line.
    fn damaged(error: serde_json::Error) -> Self {
        Self::Damaged(error.column())
    }
}

const FORMAT: u32 = 2;

impl Releases {
    /// All of them: stable, next, then the former ones.
    pub fn iter(&self) -> impl Iterator<Item = &Kept> {
        self.stable.iter().chain(&self.next).chain(&self.previous)
    }

    /// Where the releases are, for [`compact`](super::compact).
    pub fn slots(&mut self) -> Vec<&mut Arc<Release>> {
        let all = self.stable.iter_mut().chain(&mut self.next).chain(&mut self.previous);
        all.map(|kept| &mut kept.release).collect()
    }

    /// The one with this digest.
    pub fn find(&self, digest: &str) -> Option<&Kept> {
        self.iter().find(|kept| kept.release.digest().as_str() == digest)
    }
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// Format 1: one release.
#[derive(Deserialize)]
struct Single {
    revision: String,
    cluster: Cluster,
    objects: Vec<ReleaseObject>,
    inventory: Vec<ObjectId>,
    #[serde(default)]
    render: Option<RenderRecord>,
}

/// Format 2: several releases over one table of objects, since they are nearly equal.
#[derive(Serialize, Deserialize)]
struct Stored<O> {
    format: u32,
    objects: Vec<O>,
    releases: Vec<StoredRelease>,
    stable: Option<usize>,
    next: Option<usize>,
    previous: Vec<usize>,
    quarantined: Vec<Quarantined>,
    inventory: Vec<ObjectId>,
}

#[derive(Serialize, Deserialize)]
struct StoredRelease {
    revision: String,
    cluster: Cluster,
    number: u64,
    render: Option<RenderRecord>,
    /// Places in the table of objects, and where each object came from.
    objects: Vec<(usize, Origin)>,
}

/// The tables as they grow.
#[derive(Default)]
struct Tables<'a> {
    places: HashMap<Digest, usize>,
    objects: Vec<&'a Object>,
    kept: Vec<&'a Kept>,
    releases: Vec<StoredRelease>,
}

impl<'a> Tables<'a> {
    /// Puts a release into the tables and gives its place.
    fn put(&mut self, kept: &'a Kept) -> usize {
        if let Some(place) = self.kept.iter().position(|known| *known == kept) {
            return place;
        }
        let release = kept.release.as_ref();
        let mut objects = Vec::with_capacity(release.len());
        for (digest, object) in release.bodies() {
            let next = self.objects.len();
            let place = *self.places.entry(digest).or_insert(next);
            if place == next {
                self.objects.push(&object.object);
            }
            objects.push((place, object.origin.clone()));
        }
        self.kept.push(kept);
        self.releases.push(StoredRelease {
            revision: release.revision.clone(),
            cluster: release.cluster.clone(),
            number: kept.number,
            render: kept.render.clone(),
            objects,
        });
        self.releases.len() - 1
    }
}

impl Snapshot {
    /// As JSON, uncompressed.
    ///
    /// # Errors
    /// [`SnapshotError::Encode`] where an object cannot be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>, SnapshotError> {
        let mut tables = Tables::default();
        let Releases { stable, next, previous, quarantined } = &self.releases;
        let stable = stable.as_ref().map(|kept| tables.put(kept));
        let next = next.as_ref().map(|kept| tables.put(kept));
        let previous = previous.iter().map(|kept| tables.put(kept)).collect();
        let stored = Stored {
            format: FORMAT,
            objects: tables.objects.into_iter().map(Object::body).collect(),
            releases: tables.releases,
            stable,
            next,
            previous,
            quarantined: quarantined.clone(),
            inventory: self.inventory.clone(),
        };
        serde_json::to_vec(&stored).map_err(SnapshotError::Encode)
    }

    /// Reads what [`Self::encode`] wrote, now or when there was only one release in it.
    ///
    /// # Errors
    /// [`SnapshotError`] where the bytes are damaged or of another format.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        match read::<Format>(bytes)?.format {
            1 => Ok(single(read(bytes)?)),
            FORMAT => several(read(bytes)?),
            other => Err(SnapshotError::Format(other)),
        }
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, SnapshotError> {
    serde_json::from_slice(bytes).map_err(SnapshotError::damaged)
}

fn single(stored: Single) -> Snapshot {
    let release = Arc::new(Release::new(stored.revision, stored.cluster, stored.objects));
    let stable = Some(Kept { release, render: stored.render, number: 0 });
    Snapshot { releases: Releases { stable, ..Releases::default() }, inventory: stored.inventory }
}

fn several(stored: Stored<Object>) -> Result<Snapshot, SnapshotError> {
    let objects = stored.objects;
    let kept = stored.releases.into_iter().map(|release| one(release, &objects));
    let kept = kept.collect::<Result<Vec<_>, _>>()?;
    let at = |place: usize| kept.get(place).cloned().ok_or(SnapshotError::Dangling("release", place));
    let releases = Releases {
        stable: stored.stable.map(at).transpose()?,
        next: stored.next.map(at).transpose()?,
        previous: stored.previous.into_iter().map(at).collect::<Result<_, _>>()?,
        quarantined: stored.quarantined,
    };
    Ok(Snapshot { releases, inventory: stored.inventory })
}

fn one(stored: StoredRelease, table: &[Object]) -> Result<Kept, SnapshotError> {
    let objects = stored.objects.into_iter().map(|(place, origin)| {
        let object = table.get(place).ok_or(SnapshotError::Dangling("object", place))?;
        Ok(ReleaseObject { object: object.clone(), origin })
    });
    let objects = objects.collect::<Result<_, SnapshotError>>()?;
    let release = Arc::new(Release::new(stored.revision, stored.cluster, objects));
    Ok(Kept { release, render: stored.render, number: stored.number })
}
