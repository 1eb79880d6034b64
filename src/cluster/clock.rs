//! A clock that nobody sets and that goes on while the machine sleeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Time since the machine started, sleep included: what a Lease runs out by for everybody else.
#[cfg(target_os = "linux")]
pub fn now() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: clock_gettime writes to the one timespec that it is given. This clock exists since Linux 2.6.39.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Time since the first call; this system has no such clock that includes sleep.
#[cfg(not(target_os = "linux"))]
pub fn now() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

/// When something was alive last.
#[derive(Clone)]
pub struct Pulse(Arc<AtomicU64>);

impl Default for Pulse {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(milliseconds())))
    }
}

impl Pulse {
    /// It is alive now.
    pub fn beat(&self) {
        self.0.store(milliseconds(), Ordering::Relaxed);
    }

    /// One that was not alive for some time.
    #[cfg(test)]
    pub fn silent_for(time: Duration) -> Self {
        Self(Arc::new(AtomicU64::new(
            milliseconds().saturating_sub(u64::try_from(time.as_millis()).unwrap()),
        )))
    }

    /// Time since it was alive.
    pub fn silence(&self) -> Duration {
        Duration::from_millis(milliseconds().saturating_sub(self.0.load(Ordering::Relaxed)))
    }
}

fn milliseconds() -> u64 {
    u64::try_from(now().as_millis()).unwrap_or(u64::MAX)
}
