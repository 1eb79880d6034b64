//! Metrics and logs.

use std::io::IsTerminal as _;
use std::time::Duration;

use prometheus::{
    Encoder as _, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use tracing_subscriber::EnvFilter;

use crate::controller::view::Views;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging to standard error. `level` is a tracing filter, for example `info` or `windlass=debug`.
///
/// # Errors
/// Where the filter cannot be read, or logging runs already.
pub fn log(format: LogFormat, level: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let filter = EnvFilter::try_new(level)?;
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour);
    match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    }
}

/// Every metric of the controller, `windlass_*`.
pub struct Metrics {
    registry: Registry,
    applications: IntGaugeVec,
    rollouts: IntGaugeVec,
    queue_depth: IntGauge,
    /// Reconciles by result: `ok`, `held` or `error`.
    pub reconciles: IntCounterVec,
    /// Seconds of a reconcile.
    pub reconcile_seconds: HistogramVec,
    /// What was done to objects, by verb and result (`ok` or the failure's reason).
    pub actions: IntCounterVec,
    /// Objects asked about before an update, by result: `ok`, `refused` or `unchecked`.
    pub preflights: IntCounterVec,
    /// What was done, decided or found wrong, by the reason of its Event.
    pub events: IntCounterVec,
    /// Looks at repositories by result (`ok` or the failure's reason).
    pub resolves: IntCounterVec,
    /// Renders by result (`ok` or the failure's reason).
    pub renders: IntCounterVec,
    /// Seconds of a call of a worker, by what was asked.
    pub worker_seconds: HistogramVec,
    /// Status writes.
    pub status_writes: IntCounterVec,
    /// Seconds of a query to a Prometheus, by result: `value` or `no-data`.
    pub query_seconds: HistogramVec,
    /// Rollbacks by how they were begun: `auto` or `person`.
    pub rollbacks: IntCounterVec,
    /// Rollouts of workloads that ended, by result: `promoted`, `failed` or `withdrawn`.
    pub rollouts_ended: IntCounterVec,
    /// 1 while automatic rollbacks are paused because too many Applications fail at once.
    pub rollback_paused: IntGauge,
}

impl Metrics {
    /// All metrics at zero.
    ///
    /// # Errors
    /// Only where two metrics had one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let metric = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(metric.clone()))?;
            Ok::<_, prometheus::Error>(metric)
        };
        let seconds = |name: &str, help: &str, labels: &[&str]| {
            let buckets = vec![0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];
            let metric = HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), labels)?;
            registry.register(Box::new(metric.clone()))?;
            Ok::<_, prometheus::Error>(metric)
        };
        let applications = IntGaugeVec::new(
            Opts::new("windlass_applications", "Applications by sync and health status"),
            &["sync", "health"],
        )?;
        let rollouts = IntGaugeVec::new(
            Opts::new("windlass_rollouts", "Workloads with a RolloutPolicy by the phase of their rollout"),
            &["phase"],
        )?;
        registry.register(Box::new(rollouts.clone()))?;
        let queue_depth = IntGauge::new("windlass_queue_depth", "Applications waiting for a reconcile")?;
        registry.register(Box::new(applications.clone()))?;
        let rollback_paused = IntGauge::new(
            "windlass_rollback_paused",
            "1 while automatic rollbacks are paused because too many Applications fail at once",
        )?;
        registry.register(Box::new(queue_depth.clone()))?;
        registry.register(Box::new(rollback_paused.clone()))?;
        Ok(Self {
            applications,
            rollouts,
            queue_depth,
            reconciles: counter("windlass_reconcile_total", "Reconciles by result", &["result"])?,
            reconcile_seconds: seconds("windlass_reconcile_seconds", "Seconds of a reconcile", &["result"])?,
            actions: counter("windlass_action_total", "What was done to objects", &["verb", "result"])?,
            events: counter("windlass_event_total", "What was done or decided, by reason", &["reason"])?,
            preflights: counter(
                "windlass_preflight_total",
                "Objects asked about before an update, by result",
                &["result"],
            )?,
            resolves: counter("windlass_source_resolve_total", "Looks at repositories", &["result"])?,
            renders: counter("windlass_render_total", "Renders by result", &["result"])?,
            worker_seconds: seconds(
                "windlass_worker_seconds",
                "Seconds of a call of a worker",
                &["request"],
            )?,
            query_seconds: seconds(
                "windlass_prometheus_query_seconds",
                "Seconds of a query to a Prometheus, by result",
                &["result"],
            )?,
            rollback_paused,
            rollouts_ended: counter(
                "windlass_rollout_ended_total",
                "Rollouts of workloads that ended, by result",
                &["result"],
            )?,
            rollbacks: counter("windlass_rollback_total", "Releases that were undone", &["by"])?,
            status_writes: counter("windlass_status_write_total", "Status writes by result", &["result"])?,
            registry,
        })
    }

    /// In the text format of Prometheus, with the Applications counted as they stand and `waiting` of them
    /// in the queue.
    pub fn render(&self, views: &Views, waiting: usize) -> String {
        self.queue_depth.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.applications.reset();
        self.rollouts.reset();
        for view in views.all().values() {
            let status = view.application.status.clone().unwrap_or_default();
            let sync = format!("{:?}", status.sync.status);
            let health = format!("{:?}", status.health.status);
            self.applications.with_label_values(&[&sync, &health]).inc();
            for target in &status.targets {
                self.rollouts.with_label_values(&[&format!("{:?}", target.phase)]).inc();
            }
        }
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "the metrics cannot be written");
        }
        String::from_utf8(text).unwrap_or_default()
    }

    /// Counts a result and its duration.
    pub fn reconciled(&self, result: &str, took: Duration) {
        self.reconciles.with_label_values(&[result]).inc();
        self.reconcile_seconds.with_label_values(&[result]).observe(took.as_secs_f64());
    }
}
