//! Programs that are run to their end.

use std::process::Command;

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
        let output = command.output().unwrap_or_else(|error| panic!("{line}: {error}"));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let code = output.status.code().unwrap_or_else(|| panic!("{line}: {}", output.status));
        Self { command: line, code, stdout: text(output.stdout), stderr: text(output.stderr) }
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
