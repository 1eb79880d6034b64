//! What the tests share: a pool on the real program, and probes in its workers.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use windlass::worker::{Kind, Pool, PoolConfig, Probe, ProbeRequest, Request, Response, WorkerError};

/// Generous: the machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A pool whose cache is the directory `cache` of a temporary one.
pub struct Bench {
    pub pool: Pool,
    pub directory: TempDir,
}

/// A pool with one worker of each kind, changed by `adjust`.
pub fn bench(adjust: impl FnOnce(&mut PoolConfig)) -> Bench {
    let directory = TempDir::new().unwrap();
    let cache = directory.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    let mut config = PoolConfig::new(cache);
    config.program = PathBuf::from(env!("CARGO_BIN_EXE_windlass"));
    (config.fetch, config.render) = (1, 1);
    adjust(&mut config);
    Bench { pool: Pool::new(config), directory }
}

impl Bench {
    pub async fn probe_for(
        &self,
        kind: Kind,
        probe: Probe,
        deadline: Duration,
    ) -> Result<Result<String, String>, WorkerError> {
        match self.pool.call(Request::Probe(ProbeRequest { kind, probe }), deadline).await? {
            Response::Probed(outcome) => Ok(outcome),
            other => panic!("a probe was answered with {other:?}"),
        }
    }

    /// What a probe in a worker of a kind gave.
    pub async fn probe(&self, kind: Kind, probe: Probe) -> Result<String, String> {
        self.probe_for(kind, probe, PATIENCE).await.unwrap()
    }

    /// How the worker failed that was given a probe.
    pub async fn failure(&self, kind: Kind, probe: Probe) -> WorkerError {
        self.probe_for(kind, probe, PATIENCE).await.unwrap_err()
    }

    /// Process id of the worker that is used next.
    pub async fn pid(&self, kind: Kind) -> u32 {
        let description = self.probe(kind, Probe::Describe).await.unwrap();
        let pid = description.split_whitespace().find_map(|word| word.strip_prefix("pid=")).unwrap();
        pid.parse().unwrap()
    }

    /// A file of the temporary directory with a content.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

fn stat(pid: u32) -> Option<String> {
    std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()
}

/// Whether a process runs, that is, does not only wait to be collected by its parent.
pub fn is_running(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with(['Z', 'X']))
}

/// Waits until a process runs no more.
pub async fn ended(pid: u32) {
    until(|| !is_running(pid)).await;
}

/// Waits until a process of ours runs no more and was collected.
pub async fn gone(pid: u32) {
    until(|| stat(pid).is_none()).await;
}

async fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited for too long");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
