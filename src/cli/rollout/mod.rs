//! `windlass rollout`

mod ask;
mod gather;
mod get;
mod page;
mod simulate;
#[cfg(test)]
mod tests;

use clap::{Args, Subcommand};

use super::output::Exit;
use super::wait_for;

/// Show and steer the rollouts of an Application, or simulate a policy.
#[derive(Args, Debug)]
pub struct Rollout {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Show each workload's steps, pods and gates, and what is waited for
    Get(get::Get),
    /// Let a rollout go on with its next step now, or with `--full` to its end
    Promote(ask::Promote),
    /// Hold a rollout where it is
    Pause(ask::Pause),
    /// Let a rollout go on after a pause
    Resume(ask::Resume),
    /// Let the present step of a rollout go on that waits for approval
    Approve(ask::Approve),
    /// Stop a rollout and undo its release
    Abort(ask::Abort),
    /// Try a rollout again that failed
    Retry(ask::Retry),
    /// Print what a RolloutPolicy would do and when, without a cluster
    Simulate(simulate::Simulate),
}

impl Rollout {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        match self.command {
            Command::Get(command) => wait_for(command.run()),
            Command::Promote(command) => wait_for(command.run()),
            Command::Pause(command) => wait_for(command.run()),
            Command::Resume(command) => wait_for(command.run()),
            Command::Approve(command) => wait_for(command.run()),
            Command::Abort(command) => wait_for(command.run()),
            Command::Retry(command) => wait_for(command.run()),
            Command::Simulate(command) => command.run(),
        }
    }
}
