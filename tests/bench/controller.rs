//! The controller that is measured, as a process.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};

use crate::options::Options;
use crate::testbed::{SYSTEM, Testbed};

/// More than a controller needs to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Lines of its log that a failure shows.
const TAIL: usize = 20;

type Lines = Arc<Mutex<Vec<(Instant, String)>>>;

/// A running controller; it does not outlive this value.
pub struct Controller {
    /// When it was started.
    pub started: Instant,
    /// When it took the Lease.
    pub leading: Instant,
    process: Child,
    metrics: String,
    lines: Lines,
}

/// Metrics at one moment, in the text format of Prometheus.
pub struct Metrics(String);

impl Controller {
    /// Starts a controller for a namespace and waits until it leads. All of its settings are the defaults,
    /// but for addresses and places.
    pub async fn start(testbed: &Testbed, options: &Options, namespace: &str) -> anyhow::Result<Self> {
        let cache = testbed.directory.path().join(format!("cache-{namespace}"));
        let started = Instant::now();
        let mut process = Command::new(&options.program)
            .args(["controller", "--web-address=127.0.0.1:0", "--operations-address=127.0.0.1:0"])
            .arg(format!("--namespace={SYSTEM}"))
            .arg(format!("--watch-namespace={namespace}"))
            .arg(format!("--cache-dir={}", cache.display()))
            .env("KUBECONFIG", &testbed.windlass.kubeconfig)
            .env("NO_COLOR", "1")
            .env_remove("WINDLASS_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| options.program.display().to_string())?;
        let log = process.stderr.take().context("it has no log")?;
        let lines = Lines::default();
        tokio::spawn(keep(BufReader::new(log), lines.clone()));
        let mut controller = Self { started, leading: started, process, metrics: String::new(), lines };
        let (_, serving) = controller.said("serving /metrics").await?;
        let (_, address) = serving.split_once("http://").context("it does not say where its metrics are")?;
        controller.metrics = format!("http://{}/metrics", address.trim_end_matches('/'));
        (controller.leading, _) = controller.said("run: leading").await?;
        Ok(controller)
    }

    /// Its process id.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.process.id().context("the controller ended")
    }

    /// Its metrics now.
    pub async fn metrics(&self) -> anyhow::Result<Metrics> {
        Ok(Metrics(reqwest::get(&self.metrics).await?.error_for_status()?.text().await?))
    }

    /// Asks it to end and waits until it did.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let pid = libc::pid_t::try_from(self.pid()?)?;
        // SAFETY: kill takes two numbers and touches no memory of ours.
        ensure!(unsafe { libc::kill(pid, libc::SIGTERM) } == 0, std::io::Error::last_os_error());
        let status =
            timeout(PATIENCE, self.process.wait()).await.context("the controller does not end")??;
        ensure!(status.success(), "the controller ended with {status}:\n{}", self.tail());
        Ok(())
    }

    /// The last lines of its log.
    pub fn tail(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let from = lines.len().saturating_sub(TAIL);
        lines.iter().skip(from).map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// Waits until it logs a text; gives the time and the line.
    async fn said(&mut self, text: &str) -> anyhow::Result<(Instant, String)> {
        let began = Instant::now();
        loop {
            let found = {
                let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
                lines.iter().find(|(_, line)| line.contains(text)).cloned()
            };
            if let Some(found) = found {
                return Ok(found);
            }
            if let Some(status) = self.process.try_wait()? {
                bail!("the controller ended with {status}:\n{}", self.tail());
            }
            ensure!(began.elapsed() < PATIENCE, "the controller does not say {text:?}:\n{}", self.tail());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn keep(log: BufReader<tokio::process::ChildStderr>, lines: Lines) {
    let mut log = log.lines();
    while let Ok(Some(line)) = log.next_line().await {
        lines.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), line));
    }
}

impl Metrics {
    /// Sum of a counter or gauge over its series that have this label, written `name="value"`.
    pub fn sum(&self, metric: &str, label: &str) -> u64 {
        let series = self.0.lines().filter(|line| {
            line.strip_prefix(metric).is_some_and(|rest| rest.starts_with(['{', ' '])) && line.contains(label)
        });
        series.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// Renders up to now.
    pub fn renders(&self) -> u64 {
        self.sum("windlass_render_total", "")
    }

    /// Looks at repositories up to now.
    pub fn looks(&self) -> u64 {
        self.sum("windlass_source_resolve_total", "")
    }
}
