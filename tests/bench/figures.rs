//! What was measured.

use std::time::Duration;

use serde::Serialize;

use crate::audit::Count;
use crate::processes::Memory;

/// All figures of a run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Version of Windlass.
    pub version: String,
    /// How many applications, of 4 objects each.
    pub apps: u32,
    /// Replicas of each Deployment.
    pub replicas: u32,
    /// What it ran on.
    pub machine: Machine,
    /// First syncs with their bare loops.
    pub rounds: Vec<Round>,
    /// A restart with everything in sync.
    pub restart: Restart,
    /// The controller at rest.
    pub idle: Idle,
    /// From a change by hand until it is healed, by what was changed.
    pub heal: Vec<Heal>,
    /// From a commit until it is live.
    pub commits: Commits,
    /// From an application becoming Ready until the first object of one that depends on it.
    pub dependencies: Latency,
}

/// The machine of a run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// Processors that this process may use.
    pub cores: usize,
    /// The model of the first one.
    pub processor: String,
    /// Load average of the last minute, before the cluster was used.
    pub load_before: f64,
    /// The same at the end.
    pub load_after: f64,
}

/// One first sync and the bare loops before and after it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Round {
    /// Only the objects of the applications.
    pub bare: Loop,
    /// Windlass.
    pub first_sync: FirstSync,
    /// The objects, and as many writes around them as Windlass makes.
    pub same: Loop,
}

/// A bare loop.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Loop {
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Requests.
    pub writes: usize,
    /// CPU seconds of the whole cluster meanwhile.
    pub cluster_cpu_seconds: f64,
}

/// The first sync of all applications.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FirstSync {
    /// From the controller leading to the last application Synced.
    pub seconds: f64,
    /// From the controller leading to the last application Ready.
    pub ready_seconds: f64,
    /// From the start of the program to its leading.
    pub start_seconds: f64,
    /// CPU seconds of the controller and its workers.
    pub cpu_seconds: f64,
    /// CPU seconds of the whole cluster meanwhile.
    pub cluster_cpu_seconds: f64,
    /// The most memory that it had.
    pub peak: Memory,
    /// Writes of objects of the applications.
    pub object_writes: usize,
    /// Its other writes, without the Lease.
    pub own_writes: usize,
    /// Requests that were answered with an error.
    pub refused: usize,
    /// Everything that it wrote.
    pub writes: Vec<Count>,
    /// Everything that it read.
    pub reads: Vec<Count>,
}

/// A restart with everything in sync.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Restart {
    /// From leading to all applications compared with the cluster.
    pub seconds: f64,
    /// CPU seconds of the controller and its workers from their start.
    pub cpu_seconds: f64,
    /// Renders.
    pub renders: u64,
    /// Everything that was written but the Lease.
    pub writes: Vec<Count>,
    /// Everything that was read.
    pub reads: Vec<Count>,
}

/// The controller at rest.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Idle {
    /// How long it was looked at.
    pub seconds: f64,
    /// CPU time of the controller and its workers, in percent of a core.
    pub cpu_percent: f64,
    /// Looks at the repository in this time.
    pub looks: u64,
    /// Memory at the end.
    pub memory: Memory,
    /// Renewals of the Lease.
    pub leases: usize,
    /// Everything else that was written.
    pub writes: Vec<Count>,
    /// Everything that was read.
    pub reads: Vec<Count>,
}

/// Healing of one kind of change.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Heal {
    /// What was changed.
    pub change: String,
    /// From sending the change until a watch showed it healed.
    pub from_request: Latency,
    /// From the answer to the change; 0 where Windlass was quicker than the answer.
    pub from_answer: Latency,
}

/// Commits that change one application each.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Commits {
    /// From the request to look until a watch showed the object.
    pub live: Latency,
    /// From the request to look until the Application was Ready at the commit.
    pub ready: Latency,
    /// Renders that they caused.
    pub renders: u64,
    /// Looks at the repository that they caused.
    pub looks: u64,
    /// CPU seconds of the controller and its workers.
    pub cpu_seconds: f64,
    /// Writes of objects of the applications.
    pub object_writes: usize,
    /// Everything that was written but the Lease.
    pub writes: Vec<Count>,
    /// Everything that was read.
    pub reads: Vec<Count>,
}

/// Times, in milliseconds. Percentiles are the smallest sample that so many percent do not exceed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    /// Half of the samples are not above it.
    pub p50: f64,
    /// 99 % of the samples are not above it.
    pub p99: f64,
    /// The longest.
    pub max: f64,
    /// All of them, in order.
    pub samples: Vec<f64>,
}

impl Latency {
    /// Over samples in any order; zeros without any.
    pub fn of(samples: impl IntoIterator<Item = Duration>) -> Self {
        Self::of_milliseconds(samples.into_iter().map(|sample| sample.as_secs_f64() * 1000.0).collect())
    }

    /// Over all samples of some others.
    pub fn all<'a>(others: impl IntoIterator<Item = &'a Self>) -> Self {
        Self::of_milliseconds(others.into_iter().flat_map(|other| other.samples.clone()).collect())
    }

    fn of_milliseconds(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let rank = |percent: usize| {
            let rank = (samples.len() * percent).div_ceil(100).max(1);
            samples.get(rank - 1).copied().unwrap_or_default()
        };
        Self { p50: rank(50), p99: rank(99), max: rank(100), samples }
    }
}

/// The middle of numbers, or the mean of the two in the middle.
pub fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut numbers: Vec<_> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let at = |index: usize| numbers.get(index).copied().unwrap_or_default();
    if numbers.len() % 2 == 1 { at(middle) } else { f64::midpoint(at(middle.saturating_sub(1)), at(middle)) }
}

impl Machine {
    /// This machine, now.
    pub fn look() -> anyhow::Result<Self> {
        let processors = std::fs::read_to_string("/proc/cpuinfo")?;
        let model = processors.lines().find_map(|line| line.strip_prefix("model name"));
        let load = load()?;
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            processor: model.unwrap_or_default().trim_start_matches([' ', '\t', ':']).trim().to_owned(),
            load_before: load,
            load_after: load,
        })
    }
}

/// Load average of the last minute.
pub fn load() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().next().unwrap_or_default().parse()?)
}
