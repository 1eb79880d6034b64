//! What is wrong with several files, told at once.

use crate::failure::Failure;

/// Most files that one message names.
const MAX_TOLD: usize = 5;

/// The failures of files, in the order of the files.
#[derive(Default)]
pub(super) struct Problems(Vec<Failure>);

impl Problems {
    /// Keeps the failure of a file.
    pub(super) fn push(&mut self, failure: Failure) {
        self.0.push(failure);
    }

    /// One failure for all of them, with the reason of the first.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let Some(first) = self.0.first() else { return Ok(()) };
        let mut lines: Vec<_> = self.0.iter().take(MAX_TOLD).map(|failure| failure.message.clone()).collect();
        match self.0.len().saturating_sub(MAX_TOLD) {
            0 => {}
            1 => lines.push("and 1 more file fails".into()),
            more => lines.push(format!("and {more} more files fail")),
        }
        Err(Failure::permanent(&first.reason, lines.join("\n")))
    }
}
