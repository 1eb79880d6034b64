//! What processes cost, from /proc.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// Linux counts CPU time for user space in hundredths of a second, whatever the kernel's own tick.
const TICKS_A_SECOND: u64 = 100;

/// Memory of a process and of those that it started.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Resident set of the process itself, in KiB.
    pub own_kib: u64,
    /// Sum of the resident sets of its children, in KiB; pages that they share count in each.
    pub children_kib: u64,
    /// How many children it has.
    pub children: usize,
    /// Proportional set size of all of them, in KiB, where the kernel lets it be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proportional_kib: Option<u64>,
}

impl Memory {
    /// Resident sets of the process and its children, in KiB.
    pub fn sum_kib(&self) -> u64 {
        self.own_kib + self.children_kib
    }
}

/// CPU time that a process and its descendants used since they began, those that ended included.
pub fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stats = stats()?;
    stats.get(&pid).with_context(|| format!("process {pid} ended"))?;
    let ticks: u64 = family(&stats, pid).iter().filter_map(|id| stats.get(id)).map(|stat| stat.ticks).sum();
    Ok(Duration::from_millis(ticks * 1000 / TICKS_A_SECOND))
}

/// Memory of a process and its descendants.
pub fn memory(pid: u32) -> anyhow::Result<Memory> {
    let stats = stats()?;
    let mut memory = Memory::default();
    let mut proportional = Some(0);
    for id in family(&stats, pid) {
        // One that just ended has no memory.
        let rss = fs::read_to_string(format!("/proc/{id}/status")).ok().and_then(|s| kib(&s, "VmRSS:"));
        let rss = rss.unwrap_or(0);
        if id == pid {
            memory.own_kib = rss;
        } else {
            memory.children_kib += rss;
            memory.children += 1;
        }
        let pss = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok().and_then(|s| kib(&s, "Pss:"));
        proportional = proportional.zip(pss).map(|(sum, pss)| sum + pss);
    }
    memory.proportional_kib = proportional;
    Ok(memory)
}

struct Stat {
    parent: u32,
    ticks: u64,
}

/// proc_pid_stat(5) of all processes.
fn stats() -> anyhow::Result<BTreeMap<u32, Stat>> {
    let mut stats = BTreeMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(text) = fs::read_to_string(entry.path().join("stat")) else { continue };
        if let Some(stat) = parse(&text) {
            stats.insert(pid, stat);
        }
    }
    Ok(stats)
}

fn parse(text: &str) -> Option<Stat> {
    // The name in parentheses may hold anything; the fields after it begin with the third.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<_> = rest.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let ticks = number(14)? + number(15)? + number(16)? + number(17)?;
    Some(Stat { parent: u32::try_from(number(4)?).ok()?, ticks })
}

/// A process and its descendants.
fn family(stats: &BTreeMap<u32, Stat>, pid: u32) -> BTreeSet<u32> {
    let mut family = BTreeSet::from([pid]);
    loop {
        let known = family.len();
        family.extend(
            stats.iter().filter(|(_, s)| family.contains(&s.parent)).map(|(id, _)| *id).collect::<Vec<_>>(),
        );
        if family.len() == known {
            return family;
        }
    }
}

fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
