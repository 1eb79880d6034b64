//! Programs that are run to their end.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A program that runs longer hangs.
const DEADLINE: Duration = Duration::from_secs(120);

/// What a program that ended left behind.
#[derive(Debug)]
pub struct Ran {
    /// The command line, for messages.
    pub command: String,
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// Runs a command to its end.
    pub fn new(command: &mut Command) -> Self {
        let line = format!("{command:?}");
        let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut process = started.unwrap_or_else(|error| panic!("{line}: {error}"));
        let (stdout, stderr) = (text(process.stdout.take()), text(process.stderr.take()));
        let began = Instant::now();
        let status = loop {
            if let Some(status) = process.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > DEADLINE {
                process.kill().unwrap();
                process.wait().unwrap();
                panic!("{line}: not within {} s", DEADLINE.as_secs());
            }
            thread::sleep(Duration::from_millis(5));
        };
        let code = status.code().unwrap_or_else(|| panic!("{line}: {status}"));
        Self { command: line, code, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
    }

    /// Its standard output.
    ///
    /// # Panics
    /// When it ended with another code than 0.
    #[track_caller]
    pub fn ok(self) -> String {
        self.code(0)
    }

    /// Its standard output.
    ///
    /// # Panics
    /// When it ended with another code.
    #[track_caller]
    pub fn code(self, code: i32) -> String {
        let Self { command, stdout, stderr, .. } = &self;
        assert_eq!(self.code, code, "{command}\n{stdout}{stderr}");
        self.stdout
    }
}

/// Reads to the end on a thread of its own, so that a full pipe stops nobody.
fn text(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.unwrap().read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
