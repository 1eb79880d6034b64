//! `windlass gate`: try gates before a rollout depends on them.

mod asking;
mod rehearse;

use clap::{Args, Subcommand};

use super::output::Exit;

/// Try gates out
#[derive(Args, Debug)]
pub struct Gate {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Judge past metrics with the gates in a file, and say what they would have done and when
    Rehearse(rehearse::Rehearse),
}

impl Gate {
    /// Carries the command out.
    ///
    /// # Errors
    /// What keeps it from it, in words for people.
    pub async fn run(self) -> anyhow::Result<Exit> {
        match self.command {
            Command::Rehearse(command) => command.run().await,
        }
    }
}
