//! What people type: one file a command. Data goes to standard output, progress and errors to standard
//! error, and the exit code is [`output::Exit`].

mod build;
mod completion;
pub mod connection;
mod controller;
mod crds;
mod diff;
mod gate;
mod get;
pub mod health;
mod history;
pub mod install;
pub mod offline;
pub mod output;
mod refresh;
pub mod request;
mod retry;
mod rollback;
mod rollout;
mod sync;
pub mod text;
mod version;
mod wait;
pub mod watching;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::worker;
use output::{Exit, Output};

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
    /// Show Applications: what is applied, is it healthy, what is it waiting for
    Get(get::Get),
    /// Ask the controller to look at the sources now
    Refresh(refresh::Refresh),
    /// Ask the controller to apply the sources now, and wait until the Application is ready
    Sync(sync::Sync),
    /// Show the releases of an Application and which can be gone back to
    History(history::History),
    /// Ask the controller to go back to an earlier release, and wait until it is live
    Rollback(rollback::Rollback),
    /// Ask the controller to try again what failed or is quarantined, and wait until the Application is ready
    Retry(retry::Retry),
    /// Show and steer the rollouts of an Application, or simulate a policy
    Rollout(rollout::Rollout),
    /// Wait until Applications are ready, synced or healthy
    Wait(wait::Wait),
    /// Show what a sync would change, by a dry run on the API server
    Diff(diff::Diff),
    /// Render a directory or an Application file, offline
    Build(build::Build),
    /// Try gates out on past metrics
    Gate(gate::Gate),
    /// Run the controller
    Controller(controller::Controller),
    /// Print the objects that install Windlass in a cluster
    Install(install::Install),
    /// Print the CustomResourceDefinitions, or write them to files
    Crds(crds::Crds),
    /// Judge the health of the objects in a file, without a cluster
    Health(Health),
    /// Print the version
    Version(version::Version),
    /// Print the completion script of a shell
    Completion(completion::Completion),
    /// Serve requests on standard input; started by the controller only
    #[command(hide = true)]
    Worker(worker::Args),
}

/// Judge the health of the objects in a file, without a cluster.
#[derive(Args, Debug)]
struct Health {
    /// YAML or JSON, for example of `kubectl get -o yaml`; `-` is standard input
    #[arg(short, long)]
    file: PathBuf,
    /// File with an Application whose health checks count
    #[arg(long)]
    application: Option<PathBuf>,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

impl Command {
    fn run(self) -> anyhow::Result<Exit> {
        match self {
            Self::Get(command) => wait_for(command.run()),
            Self::Refresh(command) => wait_for(command.run()),
            Self::Sync(command) => wait_for(command.run()),
            Self::History(command) => wait_for(command.run()),
            Self::Rollback(command) => wait_for(command.run()),
            Self::Retry(command) => wait_for(command.run()),
            Self::Rollout(command) => command.run(),
            Self::Wait(command) => wait_for(command.run()),
            Self::Diff(command) => wait_for(command.run()),
            Self::Gate(command) => wait_for(command.run()),
            Self::Build(command) => command.run(),
            Self::Controller(command) => command.run(),
            Self::Install(command) => command.run(),
            Self::Crds(crds) => crds.run(),
            Self::Health(Health { file, application, output }) => {
                let mut report = Vec::new();
                let exit = health::run(&file, application.as_deref(), output, &mut report)?;
                text::print(&String::from_utf8(report)?)?;
                Ok(exit)
            }
            Self::Version(command) => command.run(),
            Self::Completion(command) => command.run(),
            Self::Worker(args) => worker::serve(&args),
        }
    }
}

/// Runs a command that talks to a cluster.
fn wait_for(command: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
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
