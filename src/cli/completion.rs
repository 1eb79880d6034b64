//! `windlass completion SHELL`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::output::Exit;
use super::{Cli, text};

/// Print the completion script of a shell.
#[derive(Args, Debug)]
pub struct Completion {
    /// The shell.
    shell: Shell,
}

impl Completion {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        // clap_complete panics where its writer fails, so it writes to memory.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "windlass", &mut script);
        text::print(&String::from_utf8(script)?)?;
        Ok(Exit::Ok)
    }
}
