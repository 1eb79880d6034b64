//! `make bench`: Windlass and a bare loop of server-side applies on one cluster in one run, so that their
//! ratio means something on any machine. What is measured and how to read it: docs/benchmarks.md.
//!
//! It judges nothing: exit code 0 says that everything was measured, another one that something did not
//! converge.

mod accounts;
mod audit;
mod bare;
mod commits;
mod controller;
mod dependencies;
mod figures;
mod heal;
mod live;
mod objects;
mod options;
mod processes;
mod report;
mod repository;
mod rest;
mod sync;
mod testbed;

use anyhow::Context as _;
use clap::Parser as _;

use figures::{Figures, Machine, Round};
use options::{Format, Options};
use repository::Repository;
use testbed::Testbed;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another TLS provider is installed already"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let figures = runtime.block_on(async {
        let mut testbed = Testbed::start().await.context("the cluster does not start")?;
        let measured = tokio::select! {
            measured = measure(&testbed, &options) => measured,
            interrupt = tokio::signal::ctrl_c() => interrupt.map_err(Into::into).and_then(|()| anyhow::bail!("interrupted")),
        };
        testbed.stop().await?;
        measured
    })?;
    match options.output {
        Format::Table => print!("{}", report::table(&figures)),
        Format::Json => println!("{}", serde_json::to_string_pretty(&figures)?),
    }
    Ok(())
}

async fn measure(testbed: &Testbed, options: &Options) -> anyhow::Result<Figures> {
    let mut machine = Machine::look()?;
    let repository = Repository::new(testbed, "environment").await?;
    let mut rounds = Vec::new();
    let mut last = None;
    for round in 1..=options.rounds {
        progress(&format!("round {round}: bare loop, the objects only"));
        let bare = bare::objects_only(testbed, options, &format!("bench-bare-{round}")).await?;
        progress(&format!("round {round}: first sync of {} applications", options.apps));
        let (synced, first_sync) =
            sync::first(testbed, options, &repository, &format!("bench-windlass-{round}")).await?;
        let own = bare::Own::of(testbed, &synced.namespace).await?;
        if round < options.rounds {
            // What is left behind would weigh on the next round.
            progress(&format!("round {round}: deletion of the applications"));
            sync::remove_all(testbed, options, &synced).await?;
        }
        synced.controller.stop().await?;
        progress(&format!("round {round}: bare loop, the same writes"));
        let same = bare::same_writes(testbed, options, &format!("bench-same-{round}"), &own).await?;
        rounds.push(Round { bare, first_sync, same });
        last = Some(synced.namespace);
    }
    let namespace = last.context("--rounds must be at least 1")?;
    progress("restart");
    let (controller, restart) = rest::restart(testbed, options, &namespace).await?;
    progress("at rest");
    let idle = rest::idle(testbed, options, &controller).await?;
    progress("drift");
    let heal = heal::measure(testbed, options, &namespace).await?;
    progress("commits");
    let commits = commits::measure(testbed, options, &repository, &controller, &namespace).await?;
    progress("dependencies");
    let dependencies = dependencies::measure(testbed, options, &repository, &namespace).await?;
    controller.stop().await?;
    machine.load_after = figures::load()?;
    Ok(Figures {
        version: env!("CARGO_PKG_VERSION").into(),
        apps: options.apps,
        replicas: options.replicas(),
        machine,
        rounds,
        restart,
        idle,
        heal,
        commits,
        dependencies,
    })
}

/// Tells on standard error what is going on.
fn progress(text: &str) {
    eprintln!("bench: {text}");
}
