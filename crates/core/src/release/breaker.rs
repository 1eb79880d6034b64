use std::collections::HashMap;
use std::time::Duration;

use crate::api::AppKey;

/// How far back failures and moves count.
pub const WINDOW: Duration = Duration::from_secs(600);
/// So many Applications may fail in any case.
const FREE: usize = 3;

/// Stops automatic rollbacks while so many Applications fail at once that their releases are hardly to
/// blame: more than three and more than a tenth of those that moved in the last ten minutes. It ends by
/// itself as failures get older. Time is any clock that counts up.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    moved: HashMap<AppKey, Duration>,
    failed: HashMap<AppKey, Duration>,
}

impl Breaker {
    /// Notes that an Application began a release.
    pub fn moved(&mut self, app: &AppKey, now: Duration) {
        self.forget(now);
        self.moved.insert(app.clone(), now);
    }

    /// Notes that the release of an Application failed, and says whether it may be rolled back. Failing on
    /// is no second failure.
    pub fn failed(&mut self, app: &AppKey, now: Duration) -> bool {
        self.forget(now);
        self.failed.entry(app.clone()).or_insert(now);
        !self.is_open()
    }

    /// Whether automatic rollbacks stop at `now`.
    pub fn is_paused(&mut self, now: Duration) -> bool {
        self.forget(now);
        self.is_open()
    }

    fn is_open(&self) -> bool {
        let failed = self.failed.len();
        failed > FREE && failed * 10 > self.moved.len()
    }

    fn forget(&mut self, now: Duration) {
        let recent = |at: &mut Duration| now.saturating_sub(*at) < WINDOW;
        self.moved.retain(|_, at| recent(at));
        self.failed.retain(|_, at| recent(at));
    }
}
