//! What to measure.

use std::path::PathBuf;

use windlass_core::api::Duration;

/// Measure Windlass against a bare loop of server-side applies on the same cluster.
#[derive(clap::Parser, Debug)]
#[command(name = "bench")]
pub struct Options {
    /// Applications, of 4 objects each
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub apps: u32,
    /// First syncs, each with its two bare loops; the table shows medians
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=50))]
    pub rounds: u32,
    /// Give each Deployment one pod; without it they have replicas 0, so that fake pods are not measured
    #[arg(long)]
    pub pods: bool,
    /// Requests in flight of the bare loop
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub concurrency: u16,
    /// How long to look at the controller at rest; workers without work leave after one to two minutes
    #[arg(long, default_value = "150s")]
    pub idle: Duration,
    /// Changes by hand that are to be healed
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub samples: u32,
    /// Commits that each change one application
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub commits: u32,
    /// Pairs of applications of which the second depends on the first
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub pairs: u32,
    /// The windlass to measure instead of the one that was just built
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_windlass"))]
    pub program: PathBuf,
    /// How to print the figures
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
    /// Cargo passes this one
    #[arg(long, hide = true)]
    bench: bool,
}

/// How to print the figures.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// To compare runs.
    Json,
}

impl Options {
    /// Replicas of each Deployment.
    pub fn replicas(&self) -> u32 {
        u32::from(self.pods)
    }
}
