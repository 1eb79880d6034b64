//! Waiting for an outcome, and how long it took.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Far more than anything takes: whoever reaches it has found a defect.
const DEADLINE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(25);

thread_local! {
    static CURRENT: Cell<(&'static str, Option<Instant>)> = const { Cell::new(("", None)) };
}

static TIMINGS: Mutex<Vec<(String, String, Duration)>> = Mutex::new(Vec::new());

/// Starts the clock of a test on this thread.
pub fn begin(name: &'static str) {
    CURRENT.set((name, Some(Instant::now())));
}

/// Stops it.
pub fn end(name: &'static str) {
    if let (_, Some(since)) = CURRENT.replace(("", None)) {
        let mut timings = TIMINGS.lock().unwrap_or_else(PoisonError::into_inner);
        timings.push((name.to_owned(), "in all".to_owned(), since.elapsed()));
    }
}

/// The test of this thread; empty outside of tests.
pub fn current() -> &'static str {
    CURRENT.get().0
}

/// Notes how long `what` took.
pub fn record(what: &str, took: Duration) {
    TIMINGS.lock().unwrap_or_else(PoisonError::into_inner).push((
        current().to_owned(),
        what.to_owned(),
        took,
    ));
}

/// Looks again and again until there is an answer, and records the time; the error says what is there instead.
///
/// # Panics
/// After a minute, with the last error.
pub fn until<T>(what: &str, look: impl FnMut() -> Result<T, String>) -> T {
    until_within(DEADLINE, what, look)
}

/// As [`until`], with another deadline.
pub fn until_within<T>(deadline: Duration, what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match look() {
            Ok(found) => {
                record(what, began.elapsed());
                return found;
            }
            Err(instead) => {
                assert!(began.elapsed() < deadline, "{what}: not within {} s: {instead}", deadline.as_secs());
            }
        }
        thread::sleep(PAUSE);
    }
}

/// Prints what was recorded, a line each.
pub fn print() {
    let mut timings = TIMINGS.lock().unwrap_or_else(PoisonError::into_inner);
    timings.sort_by(|(a, _, _), (b, _, _)| a.cmp(b));
    for (test, what, took) in timings.drain(..) {
        println!("timing: {test}: {what} {:.2} s", took.as_secs_f64());
    }
}
