//! What a worker prints on standard error: to the log at debug level, bounded in length and in number.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt};

use super::Kind;

/// Bytes of a line that are kept.
const LINE_LIMIT: usize = 500;

/// Lines of one worker that are logged in [`WINDOW`]; the rest is counted.
const LINES_PER_WINDOW: u32 = 50;

const WINDOW: Duration = Duration::from_secs(10);

/// What is remembered of what a worker printed.
#[derive(Clone, Default)]
pub(super) struct Printed(Arc<Mutex<Memory>>);

#[derive(Default)]
struct Memory {
    last: String,
    out_of_memory: bool,
}

impl Printed {
    /// The last line.
    pub(super) fn last_line(&self) -> String {
        self.lock().last.clone()
    }

    /// Whether a line says what Rust's allocator says before it aborts.
    pub(super) fn out_of_memory(&self) -> bool {
        self.lock().out_of_memory
    }

    fn line(&self, line: &str) {
        let mut memory = self.lock();
        line.clone_into(&mut memory.last);
        memory.out_of_memory |= line.starts_with("memory allocation of ");
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads until the worker closes its end.
pub(super) async fn drain(mut stderr: impl AsyncRead + Unpin, kind: Kind, pid: u32, printed: Printed) {
    let mut lines = Lines::default();
    let mut log = Log { kind, pid, logged: 0, dropped: 0, since: Instant::now() };
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        for line in lines.push(buffer.get(..count).unwrap_or_default()) {
            printed.line(&line);
            log.line(&line);
        }
    }
    if let Some(line) = lines.rest() {
        printed.line(&line);
        log.line(&line);
    }
}

/// Cuts bytes into lines and long lines short.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut complete = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => complete.extend(self.rest()),
                byte if self.0.len() < LINE_LIMIT => self.0.push(*byte),
                _ => {}
            }
        }
        complete
    }

    fn rest(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.0);
        (!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned())
    }
}

struct Log {
    kind: Kind,
    pid: u32,
    logged: u32,
    dropped: u32,
    since: Instant,
}

impl Log {
    fn line(&mut self, line: &str) {
        if self.since.elapsed() > WINDOW {
            if self.dropped > 0 {
                tracing::debug!(kind = %self.kind, pid = self.pid, dropped = self.dropped, "worker printed more");
            }
            (self.logged, self.dropped, self.since) = (0, 0, Instant::now());
        }
        if self.logged < LINES_PER_WINDOW {
            self.logged += 1;
            // Debug form: escapes control characters.
            tracing::debug!(kind = %self.kind, pid = self.pid, ?line, "worker printed");
        } else {
            self.dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_across_reads_and_in_length() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"one\n\ntw"), ["one"]);
        assert_eq!(lines.push(b"o\nthree"), ["two"]);
        assert_eq!(lines.rest().as_deref(), Some("three"));
        let long = lines.push(&[&[b'x'; 10_000][..], b"\n"].concat());
        assert_eq!(long, ["x".repeat(LINE_LIMIT)]);
    }

    #[tokio::test]
    async fn the_last_line_and_a_lack_of_memory_are_remembered() {
        let printed = Printed::default();
        drain(&b"first\nsecond"[..], Kind::Render, 1, printed.clone()).await;
        assert_eq!((printed.last_line().as_str(), printed.out_of_memory()), ("second", false));
        let lack: &[u8] = b"memory allocation of 268435456 bytes failed\nnote: no backtrace\n";
        drain(lack, Kind::Render, 1, printed.clone()).await;
        assert!(printed.out_of_memory());
    }
}
