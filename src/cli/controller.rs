//! `windlass controller`: runs the controller until it is asked to end.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use windlass_core::api::Duration;

use super::connection::ClusterArgs;
use super::output::Exit;
use crate::controller::{self, Config};
use crate::heap;
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
    /// Address of the status page; loopback only, unless --anonymous is given; `off` for none
    #[arg(long, default_value = "127.0.0.1:8080")]
    web_address: Listen,
    /// Show the status page to anybody who can reach its address
    #[arg(long)]
    anonymous: bool,
    /// Address of /metrics, /healthz and /readyz; `off` for none
    #[arg(long, default_value = "127.0.0.1:9090")]
    operations_address: Listen,
    /// The Prometheus that gates ask where they name none, for example http://prometheus.monitoring:9090
    #[arg(long, value_name = "URL")]
    prometheus_address: Option<String>,
    /// Applications that are worked on at the same time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// How long the releases of an Application that is gone stay stored, for when it comes back
    #[arg(long, default_value = "1h")]
    keep_releases: Duration,
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

/// An address to listen on, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listen(Option<SocketAddr>);

impl std::str::FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self(None)),
            text => text.parse().map(|address| Self(Some(address))).map_err(|_| {
                "use an IP address and a port, for example 127.0.0.1:8080 or [::]:8080, or off".to_owned()
            }),
        }
    }
}

impl Controller {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        telemetry::log(self.log_format, &self.log_level)
            .map_err(|error| anyhow::anyhow!("--log-level {:?}: {error}", self.log_level))?;
        heap::few_arenas();
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
            web_address: self.web_address.0,
            anonymous: self.anonymous,
            operations_address: self.operations_address.0,
            prometheus_address: self.prometheus_address.clone(),
            concurrency: usize::from(self.concurrency),
            keep_releases: self.keep_releases.get().max(std::time::Duration::from_secs(1)),
            leader_election: !self.no_leader_election,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        controller: Controller,
    }

    fn controller(arguments: &[&str]) -> Result<Controller, clap::Error> {
        Line::try_parse_from([&["controller"], arguments].concat()).map(|line| line.controller)
    }

    #[test]
    fn without_flags_nothing_listens_beyond_loopback_and_the_lease_is_waited_for() {
        let config = controller(&["--namespace", "ops"]).unwrap().config();
        assert!(config.web_address.unwrap().ip().is_loopback());
        assert!(config.operations_address.unwrap().ip().is_loopback());
        assert!(config.leader_election && !config.anonymous && config.watch_namespaces.is_empty());
        assert_eq!(config.poll_interval.as_secs(), 60);
    }

    #[test]
    fn flags_reach_the_controller() {
        let arguments = [
            "--watch-namespace=a",
            "--watch-namespace=b",
            "--instance=green",
            "--poll-interval=1m30s",
            "--web-address=off",
            "--operations-address=0.0.0.0:9090",
            "--concurrency=2",
            "--no-leader-election",
        ];
        let config = controller(&arguments).unwrap().config();
        assert_eq!(config.watch_namespaces, ["a", "b"]);
        assert_eq!((config.install.as_str(), config.poll_interval.as_secs()), ("green", 90));
        assert_eq!(config.web_address, None);
        assert_eq!(config.operations_address, Some(([0, 0, 0, 0], 9090).into()));
        assert_eq!((config.concurrency, config.leader_election), (2, false));
    }

    #[test]
    fn what_cannot_be_listened_on_is_refused() {
        for text in ["localhost:80", "8080", ":8080", ""] {
            assert!(controller(&[&format!("--web-address={text}")]).is_err(), "{text}");
        }
        assert!(controller(&["--concurrency=0"]).is_err());
    }
}
