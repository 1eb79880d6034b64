use std::collections::{BTreeMap, BTreeSet};

use super::{Release, ReleaseObject};
use crate::api::{IRREVERSIBLE_ANNOTATION, ROLLBACK_ANNOTATION};
use crate::object::ObjectId;

/// What it takes to undo a release.
#[derive(Clone, Debug, PartialEq)]
pub struct Undo {
    /// What the cluster should have then: the release that proved itself, but for the objects that a
    /// rollback never changes.
    pub release: Release,
    /// Objects that stay as the undone release made them.
    pub left: Vec<ObjectId>,
    /// Objects that the undone release changed and that say that this cannot be undone.
    pub irreversible: Vec<ObjectId>,
}

/// Undoes `next` in favour of `stable`: every object as `stable` says, objects that only `next` has are
/// left out and so pruned. Hooks don't run again.
///
/// CustomResourceDefinitions, Namespaces, PersistentVolumeClaims and objects annotated
/// `windlass.dev/rollback: Keep` stay as `next` made them: undoing them loses data or is refused. One that
/// `next` removed is brought back, since what else is restored may need it.
pub fn undo(stable: &Release, next: &Release) -> Undo {
    let (before, after) = (all(stable), all(next));
    let mut objects = Vec::with_capacity(before.len());
    let mut left = Vec::new();
    let mut irreversible = Vec::new();
    let ids: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
    for id in ids {
        let (old, new) = (before.get(id).copied(), after.get(id).copied());
        let changed = old.map(|object| object.object.digest()) != new.map(|object| object.object.digest());
        let says = |key, value| {
            [old, new].into_iter().flatten().any(|object| object.object.annotation(key) == Some(value))
        };
        if changed && says(IRREVERSIBLE_ANNOTATION, "true") {
            irreversible.push(id.clone());
        }
        let keeps = next.get(id).is_some() && (is_kept_kind(id) || says(ROLLBACK_ANNOTATION, "Keep"));
        match (old, new) {
            (_, Some(new)) if keeps => {
                if changed {
                    left.push(id.clone());
                }
                objects.push(new.clone());
            }
            (Some(old), _) => objects.push(old.clone()),
            (None, _) => {}
        }
    }
    let release = Release::new(stable.revision().to_owned(), stable.cluster().clone(), objects);
    Undo { release, left, irreversible }
}

/// The objects and the hooks.
fn all(release: &Release) -> BTreeMap<&ObjectId, &ReleaseObject> {
    release.ids.iter().zip(release.bodies.get()).collect()
}

fn is_kept_kind(id: &ObjectId) -> bool {
    matches!(
        (id.group.as_str(), id.kind.as_str()),
        ("apiextensions.k8s.io", "CustomResourceDefinition") | ("", "Namespace" | "PersistentVolumeClaim")
    )
}
