//! Names of objects that stand beside the user's for the time of a rollout.

use crate::object::Digest;

/// The longest name of a Service.
pub(super) const LONGEST_SERVICE: usize = 63;
/// The longest name of most other objects.
pub(super) const LONGEST: usize = 253;
/// What the stable release's objects end with.
pub(super) const STABLE: &str = "-stable";
/// What the candidate's objects end with.
pub(super) const CANDIDATE: &str = "-candidate";

/// `name` with an ending, at most `longest` bytes; one that is too long is cut and gets a digest. Names for
/// stable and for the candidate are cut at the same place.
pub(super) fn ending(name: &str, ending: &str, longest: usize) -> String {
    const DIGEST: usize = 8;
    if name.len() + CANDIDATE.len() <= longest {
        return format!("{name}{ending}");
    }
    let kept = name.floor_char_boundary(longest.saturating_sub(CANDIDATE.len() + 1 + DIGEST));
    let digest = Digest::of_bytes(name.as_bytes());
    format!("{}-{}{ending}", name.get(..kept).unwrap_or_default(), digest.short(DIGEST))
}
