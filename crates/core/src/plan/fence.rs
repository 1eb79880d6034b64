use super::decide::{Input, Observed, Verb, foreign, in_sync};
use crate::object::ObjectId;

/// What to do about an object when its write is due: the live object may be another one than the plan was
/// made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// Write, over exactly what was looked at.
    Write,
    /// Nothing: what was to be healed is as it should be.
    Nothing,
    /// Wait: it is being deleted and cannot be brought back before it is gone.
    Wait,
    /// Leave it alone: it belongs to somebody else. Says who and what to do.
    Foreign(String),
}

/// Decides again about an object for which the plan says `verb`, by the `live` object as it was looked at
/// last; `None` where there is none.
pub fn due(input: &Input<'_>, id: &ObjectId, verb: Verb, live: Option<&Observed>) -> Due {
    let Some(live) = live else { return Due::Write };
    if let Some(message) = foreign(input, id, &live.ownership) {
        return Due::Foreign(message);
    }
    if live.deleting {
        return Due::Wait;
    }
    let restored = || in_sync(input.release, input.policy, id, Some(live), (input.applied)(id).as_ref());
    match verb {
        Verb::Heal | Verb::Restore if restored() => Due::Nothing,
        _ => Due::Write,
    }
}
