use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Origin, Release, ReleaseObject};
use crate::object::{Digest, Object};

const LEVEL: i32 = 3;

/// Why releases could not be made compact; they are as they were then.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// An object has no form in JSON.
    #[error("a release has no form in JSON: {0}")]
    Encode(#[from] serde_json::Error),
    /// There is no memory to compress in.
    #[error("a release cannot be compressed: {0}")]
    Compress(#[from] std::io::Error),
}

/// The objects of a release: as they are, compressed, or both.
#[derive(Clone, Debug)]
pub(super) struct Bodies {
    unpacked: OnceLock<Vec<ReleaseObject>>,
    packed: Option<Place>,
}

/// Where the objects of a release are.
#[derive(Clone, Debug)]
struct Place {
    pack: Arc<Pack>,
    index: usize,
}

/// The objects of some releases, compressed together, since they are nearly the same.
#[derive(Debug)]
struct Pack {
    bytes: Box<[u8]>,
    plain_len: usize,
    releases: usize,
}

#[derive(Serialize)]
struct Written<'a> {
    objects: Vec<&'a Value>,
    releases: Vec<Vec<(usize, &'a Origin)>>,
}

#[derive(Deserialize)]
struct Read {
    objects: Vec<Option<Object>>,
    releases: Vec<Vec<(usize, Origin)>>,
}

impl Bodies {
    pub(super) fn new(objects: Vec<ReleaseObject>) -> Self {
        Self { unpacked: OnceLock::from(objects), packed: None }
    }

    /// The objects, unpacked by the first who asks.
    pub(super) fn get(&self) -> &[ReleaseObject] {
        self.unpacked.get_or_init(|| {
            let unpacked = self.packed.as_ref().and_then(Place::unpack);
            // Its own bytes, which never left the memory of this process: going on without them could
            // delete what is in the cluster.
            unpacked.unwrap_or_else(|| unreachable!("the memory of this process is damaged"))
        })
    }
}

impl Place {
    fn unpack(&self) -> Option<Vec<ReleaseObject>> {
        let plain = zstd::bulk::decompress(&self.pack.bytes, self.pack.plain_len).ok()?;
        let Read { mut objects, mut releases } = serde_json::from_slice(&plain).ok()?;
        let release = std::mem::take(releases.get_mut(self.index)?);
        let object = |(place, origin): (usize, Origin)| {
            Some(ReleaseObject { object: objects.get_mut(place)?.take()?, origin })
        };
        release.into_iter().map(object).collect()
    }
}

/// Makes releases compact: what they are is at hand as before, their objects are kept compressed, all in one,
/// and unpacked when somebody asks for one. Places that hold the same release go on sharing it.
///
/// To be called when nobody is about to ask: it costs about as much as writing the objects once as JSON.
///
/// # Errors
/// [`CompactError`]; nothing has changed then.
pub fn compact(mut slots: Vec<&mut Arc<Release>>) -> Result<(), CompactError> {
    let mut distinct: Vec<Arc<Release>> = Vec::new();
    for slot in &slots {
        if !distinct.iter().any(|known| Arc::ptr_eq(known, slot)) {
            distinct.push(Arc::clone(slot));
        }
    }
    let compact = if are_one_pack(&distinct) { packed_again(&distinct) } else { packed(&distinct)? };
    for slot in &mut slots {
        let at = distinct.iter().position(|known| Arc::ptr_eq(known, slot));
        if let Some(release) = at.and_then(|at| compact.get(at)) {
            **slot = release.clone();
        }
    }
    Ok(())
}

/// Whether these, and no others, are packed together.
fn are_one_pack(releases: &[Arc<Release>]) -> bool {
    let pack = |release: &Release| release.bodies.packed.as_ref().map(|place| place.pack.clone());
    let Some(first) = releases.first().and_then(|release| pack(release)) else { return releases.is_empty() };
    let same = |release: &Arc<Release>| pack(release).is_some_and(|pack| Arc::ptr_eq(&pack, &first));
    first.releases == releases.len() && releases.iter().all(same)
}

/// Forgets what was unpacked of packed releases.
fn packed_again(releases: &[Arc<Release>]) -> Vec<Arc<Release>> {
    let again = |release: &Arc<Release>| match release.bodies.unpacked.get() {
        Some(_) => {
            let bodies = Bodies { unpacked: OnceLock::new(), packed: release.bodies.packed.clone() };
            Arc::new(with_bodies(release, bodies))
        }
        None => release.clone(),
    };
    releases.iter().map(again).collect()
}

fn packed(releases: &[Arc<Release>]) -> Result<Vec<Arc<Release>>, CompactError> {
    let mut places: HashMap<Digest, usize> = HashMap::new();
    let mut written = Written { objects: Vec::new(), releases: Vec::new() };
    for release in releases {
        let objects = release.bodies().map(|(digest, object)| {
            let next = written.objects.len();
            let place = *places.entry(digest).or_insert(next);
            if place == next {
                written.objects.push(object.object.body());
            }
            (place, &object.origin)
        });
        let objects = objects.collect();
        written.releases.push(objects);
    }
    let plain = serde_json::to_vec(&written)?;
    let bytes = zstd::bulk::compress(&plain, LEVEL)?.into_boxed_slice();
    let pack = Arc::new(Pack { bytes, plain_len: plain.len(), releases: releases.len() });
    let mut compact: Vec<Arc<Release>> = Vec::with_capacity(releases.len());
    for (index, release) in releases.iter().enumerate() {
        let place = Place { pack: pack.clone(), index };
        let mut release = with_bodies(release, Bodies { unpacked: OnceLock::new(), packed: Some(place) });
        if let Some(same) = compact.iter().find(|other| other.ids == release.ids) {
            release.ids = same.ids.clone();
        }
        compact.push(Arc::new(release));
    }
    Ok(compact)
}

fn with_bodies(release: &Release, bodies: Bodies) -> Release {
    Release {
        revision: release.revision.clone(),
        cluster: release.cluster.clone(),
        bodies,
        ids: release.ids.clone(),
        digests: release.digests.clone(),
        digest: release.digest.clone(),
        left: release.left.clone(),
        placements: release.placements.clone(),
        ordinary: release.ordinary,
    }
}
