use k8s_openapi::jiff::Timestamp;

use crate::api::{HistoryEntry, ROLLED_BACK};

/// When what a rollback undoes began to come: the start of the release `undone`, or of the first of those
/// before it that came after `restored` (digests both) and did not prove themselves or are gone back over too.
/// What existed before that is nothing that a rollback may take away. `None` where the history, the newest
/// first, does not tell.
pub fn began(history: &[HistoryEntry], undone: &str, restored: &str) -> Option<Timestamp> {
    // What is left of an earlier rollback has a digest that the history does not know.
    let known = history.iter().position(|entry| entry.digest == undone);
    let first = known.or_else(|| history.iter().position(|entry| entry.digest != restored))?;
    let since = history.get(first..)?.iter().enumerate().take_while(|(place, entry)| {
        // An earlier rollback left nothing behind.
        entry.digest != restored && (*place == 0 || entry.result != ROLLED_BACK)
    });
    since.last().map(|(_, entry)| entry.started_at.0)
}
