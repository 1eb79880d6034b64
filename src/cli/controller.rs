//! `windlass controller`: runs the controller until it is asked to end.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use windlass_core::api::Duration;

use super::connection::ClusterArgs;
use super::output::Exit;
use crate::controller::{self, Config};
use crate::telemetry::{self, LogFormat};

/// Run the controller.
#[derive(Args, Debug)]
pub struct Controller {
    /// Namespace of the controller's own Secrets and Lease
    #[arg(short, long, env = "POD_NAMESPACE", default_value = "windlass-system")]
    namespace: String,
    /// Look after Applications of this namespace only (repeatable; default: of all namespaces)
    #[arg(long = "watch-namespace", value_name = "NAMESPACE")]
    watch_namespaces: Vec<String>,
    /// Name of this install; two installs in one cluster have different names
    #[arg(long, default_value = "windlass")]
    instance: String,
    /// Time between two looks at a repository, for example 60s
    #[arg(long, default_value = "60s")]
    poll_interval: Duration,
    /// Directory of mirrors; what is in it can be lost at any time
    #[arg(long, default_value = "/var/cache/windlass")]
    cache_dir: PathBuf,
    /// Address of the status page; loopback only, unless --anonymous is given
    #[arg(long, default_value = "127.0.0.1:8080")]
    web_address: SocketAddr,
    /// Show the status page to anybody who can reach its address
    #[arg(long)]
    anonymous: bool,
    /// Address of /metrics, /healthz and /readyz
    #[arg(long, default_value = "127.0.0.1:9090")]
    operations_address: SocketAddr,
    /// Applications that are worked on at the same time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// Act at once, without waiting for the Lease; only where nothing else can be running
    #[arg(long)]
    no_leader_election: bool,
    /// Form of log lines
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
    /// What to log, for example `debug` or `windlass=debug`
    #[arg(long, env = "WINDLASS_LOG", default_value = "info")]
    log_level: String,
    #[command(flatten)]
    cluster: ClusterArgs,
}

impl Controller {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        telemetry::log(self.log_format, &self.log_level)
            .map_err(|error| anyhow::anyhow!("--log-level {:?}: {error}", self.log_level))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(async {
            let (kube, _) = self.cluster.config().await?;
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            let shutdown = async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            controller::run(self.config(), kube, shutdown).await?;
            Ok(Exit::Ok)
        })
    }

    fn config(&self) -> Config {
        Config {
            namespace: self.namespace.clone(),
            watch_namespaces: self.watch_namespaces.clone(),
            install: self.instance.clone(),
            poll_interval: self.poll_interval.get().max(std::time::Duration::from_secs(1)),
            cache_dir: self.cache_dir.clone(),
            web_address: Some(self.web_address),
            anonymous: self.anonymous,
            operations_address: Some(self.operations_address),
            concurrency: usize::from(self.concurrency),
            leader_election: !self.no_leader_election,
        }
    }
}
