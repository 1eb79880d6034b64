//! How the Applications fare together: while too many fail at once, none is rolled back by itself.

use std::sync::{Mutex, PoisonError};

use prometheus::IntGauge;
use tokio::time::Instant;
use windlass_core::api::AppKey;
use windlass_core::release::Breaker;

/// The breaker of automatic rollbacks, with the clock that it needs.
pub struct Fleet {
    breaker: Mutex<Breaker>,
    started: Instant,
    paused: IntGauge,
}

impl Fleet {
    /// Nothing has moved yet; `paused` is 1 while rollbacks are paused.
    pub fn new(paused: IntGauge) -> Self {
        Self { breaker: Mutex::default(), started: Instant::now(), paused }
    }

    /// An Application began a release.
    pub fn moved(&self, app: &AppKey) {
        self.with(|breaker, now| breaker.moved(app, now));
    }

    /// The release of an Application failed; whether it may be rolled back.
    pub fn failed(&self, app: &AppKey) -> bool {
        let allowed = self.with(|breaker, now| breaker.failed(app, now));
        let before = self.paused.get();
        self.look();
        if before == 0 && self.paused.get() == 1 {
            tracing::error!("so many Applications fail at once that automatic rollbacks are paused");
        }
        allowed
    }

    /// Sets the gauge to what holds now.
    pub fn look(&self) {
        let paused = self.with(|breaker, now| breaker.is_paused(now));
        if !paused && self.paused.get() == 1 {
            tracing::info!("automatic rollbacks go on");
        }
        self.paused.set(i64::from(paused));
    }

    fn with<T>(&self, f: impl FnOnce(&mut Breaker, std::time::Duration) -> T) -> T {
        f(&mut self.breaker.lock().unwrap_or_else(PoisonError::into_inner), self.started.elapsed())
    }
}
