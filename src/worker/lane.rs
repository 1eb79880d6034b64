//! The workers of one kind: how many may run, and which are idle.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::process::Process;

pub(super) struct Lane {
    /// One permit for each worker that may be busy.
    pub(super) permits: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    process: Process,
    since: Instant,
}

impl Lane {
    pub(super) fn new(size: usize) -> Self {
        Self { permits: Semaphore::new(size.max(1)), idle: Mutex::new(Vec::new()) }
    }

    /// The worker that was used last, so that the others get old.
    pub(super) fn take(&self) -> Option<Process> {
        let mut idle = self.lock();
        while let Some(Idle { mut process, .. }) = idle.pop() {
            if process.is_alive() {
                return Some(process);
            }
        }
        None
    }

    pub(super) fn put_back(&self, process: Process) {
        self.lock().push(Idle { process, since: Instant::now() });
    }

    /// Lets the workers go that nobody used for a while.
    pub(super) fn retire(&self, after: Duration) {
        self.lock().retain(|idle| idle.since.elapsed() < after);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
