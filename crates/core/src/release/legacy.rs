use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Kept, Release, Releases};
use crate::api::{ApplicationStatus, ReleaseRef};
use crate::object::{Object, ObjectId};

/// What one Application leaves to another one that takes its place: its releases, and what its status says of
/// them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Legacy {
    /// The releases in their roles, and which of them failed.
    pub releases: Releases,
    /// The status.
    pub status: ApplicationStatus,
}

impl Legacy {
    /// The same as the other Application has it: every object marked by `stamp` as its own, so that each
    /// release has the digest that the same manifests have there. What failed once is known by that. Of
    /// releases that are not kept whole nobody can tell what they would be, so they stay in the history alone.
    #[must_use]
    pub fn renamed(mut self, stamp: &dyn Fn(&ObjectId, &mut Object)) -> Self {
        let mut digests = BTreeMap::new();
        let releases = &mut self.releases;
        let kept = releases.stable.iter_mut().chain(&mut releases.next).chain(&mut releases.previous);
        for Kept { release, render, .. } in kept {
            let renamed = stamped(release, stamp);
            digests.insert(release.digest().as_str().to_owned(), renamed.digest().as_str().to_owned());
            *release = Arc::new(renamed);
            // It depends on the name.
            *render = None;
        }
        let known = |digest: &mut String| match digests.get(digest) {
            Some(renamed) => {
                digest.clone_from(renamed);
                true
            }
            None => false,
        };
        releases.quarantined.retain_mut(|entry| known(&mut entry.digest));
        let status = &mut self.status;
        status.quarantined.clone_from(&releases.quarantined);
        let pointer = |mut pointer: ReleaseRef| {
            // The marks have to be applied.
            pointer.fields.clear();
            known(&mut pointer.digest).then_some(pointer)
        };
        status.stable = status.stable.take().and_then(pointer);
        status.next = status.next.take().and_then(pointer);
        for entry in &mut status.history {
            known(&mut entry.digest);
        }
        self
    }
}

fn stamped(release: &Release, stamp: &dyn Fn(&ObjectId, &mut Object)) -> Release {
    let mut objects = release.bodies.get().to_vec();
    for (id, object) in release.ids.iter().zip(&mut objects) {
        stamp(id, &mut object.object);
    }
    Release::new(release.revision.clone(), release.cluster.clone(), objects)
}
