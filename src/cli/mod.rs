//! What people type: one file a command. Data goes to standard output, progress and errors to standard
//! error, and the exit code is [`output::Exit`].

mod completion;
mod crds;
pub mod install;
pub mod output;
pub mod text;
mod version;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::Exit;

/// The command line.
#[derive(Parser, Debug)]
#[command(name = "windlass", version, about, disable_help_subcommand = true, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 ok, 1 differs or not ready, 2 error, 3 timeout.\n\
    Data goes to standard output, progress and errors to standard error. NO_COLOR is respected.")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Print the objects that install Windlass in a cluster
    Install(install::Install),
    /// Print the CustomResourceDefinitions
    Crds,
    /// Print the version
    Version(version::Version),
    /// Print the completion script of a shell
    Completion(completion::Completion),
}

impl Command {
    fn run(self) -> anyhow::Result<Exit> {
        match self {
            Self::Install(command) => command.run(),
            Self::Crds => crds::run(),
            Self::Version(command) => command.run(),
            Self::Completion(command) => command.run(),
        }
    }
}

/// Reads the command line, carries it out and says what went wrong in one line.
pub fn run() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(exit) => exit.into(),
        // `windlass get | head -1` is no error.
        Err(error) if text::is_broken_pipe(&error) => Exit::Ok.into(),
        Err(error) => fail(&text::sentence(&error)),
    }
}

/// Says what went wrong and answers with the exit code of an error.
pub fn fail(message: &str) -> ExitCode {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(io::stderr(), "windlass: {}", text::lines(message));
    Exit::Error.into()
}
