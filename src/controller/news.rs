//! Which Applications are news: what was known of their repositories before is too old for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;
use windlass_core::api::{AppKey, Application};

/// When Applications that are new since the start, or have other sources since, were seen.
#[derive(Default)]
pub struct News(Mutex<HashMap<AppKey, Instant>>);

impl News {
    /// Notes that an Application is new, or has other sources than before, as of now.
    pub fn note(&self, key: &AppKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), Instant::now());
    }

    /// Since when an Application is as it is; `None` where it was so at the start.
    pub fn since(&self, key: &AppKey) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }

    /// Forgets an Application.
    pub fn forget(&self, key: &AppKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// What became of a resource that was seen.
pub enum Put {
    /// There was none before.
    New,
    /// It replaced this one.
    InPlaceOf(Arc<Application>),
    /// What is known is newer.
    Older,
}
