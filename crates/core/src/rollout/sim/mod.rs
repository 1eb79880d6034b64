//! Deterministic simulation: core's whole decision loop against an API server, controllers, pods and routers that are
//! all made up, in thousands of histories that chance makes of seeds. After every single effect the rules of
//! [`rules`] are held against the world, and at its end each history must come to rest.
//!
//! A history that breaks a rule prints how to replay it with all that happened in it:
//! `WINDLASS_SIM_SEED=7 cargo test -p windlass-core sim::replay -- --nocapture`.
//! `WINDLASS_SIM_SEEDS=2000` makes `sim::histories` run so many.

mod advance;
mod begin;
mod choose;
mod cluster;
mod fixtures;
mod history;
mod random;
mod reconcile;
mod rules;
mod trace;
mod traffic;
mod workload;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::{Action, SyncPolicy};
use crate::release::Release;
use cluster::Cluster;
use fixtures::{Commit, Shape};
use reconcile::{Memory, Stop};
use rules::Rules;

/// A world with a controller in it.
pub struct Sim {
    cluster: Cluster,
    memory: Memory,
    rules: Rules,
    shape: Shape,
    git: Commit,
    git_down: bool,
    policy: SyncPolicy,
    /// What goes wrong of a thousand reads and writes.
    faults: u64,
    asked: Option<(u64, Action, Option<String>)>,
    requests: u64,
    /// People put things right that nothing else can.
    mended: bool,
    commits: u64,
    /// When releases began, as the history in a status tells it.
    began: BTreeMap<String, i64>,
    /// Releases by digest.
    known: BTreeMap<String, Arc<Release>>,
    /// When the controller wants to look again.
    due: i64,
    /// When its present look began.
    began_at: i64,
}

impl Sim {
    fn new(seed: u64) -> Self {
        let mut cluster = Cluster::new(seed);
        let faults = cluster.random.pick(&[0, 0, 5, 20, 60]);
        Self {
            cluster,
            memory: Memory::default(),
            rules: Rules::default(),
            shape: Self::shape(seed),
            git: Commit::default(),
            git_down: false,
            policy: SyncPolicy::default(),
            faults,
            asked: None,
            requests: 0,
            mended: false,
            commits: 0,
            began: BTreeMap::new(),
            known: BTreeMap::new(),
            due: 0,
            began_at: 0,
        }
    }

    /// One effect on the cluster, which may go wrong in every way.
    fn effect<T>(
        &mut self,
        what: impl Fn() -> String,
        write: impl FnOnce(&mut Cluster) -> T,
    ) -> Result<T, Stop> {
        let faults = if self.cluster.calm { 0 } else { self.faults };
        let now = self.cluster.now;
        if self.cluster.random.happens(faults) {
            self.cluster.trace.tell(now, || format!("  killed before: {}", what()));
            return Err(Stop::Crash);
        }
        if self.cluster.random.happens(faults) {
            self.cluster.trace.tell(now, || format!("  refused: {}", what()));
            return Err(Stop::Error);
        }
        let (before, done) = (self.cluster.writes, write(&mut self.cluster));
        if self.cluster.writes > before {
            self.cluster.trace.tell(now, || format!("  {}", what()));
        }
        self.check();
        self.moments_pass();
        if self.cluster.random.happens(faults) {
            self.cluster.trace.tell(now, || format!("  answer lost: {}", what()));
            return Err(Stop::Error);
        }
        if self.cluster.random.happens(faults) {
            self.cluster.trace.tell(now, || format!("  killed after: {}", what()));
            return Err(Stop::Crash);
        }
        Ok(done)
    }

    /// The world does not wait for the controller.
    fn moments_pass(&mut self) {
        if !self.cluster.calm && self.cluster.random.happens(100) {
            let millis = self.cluster.random.between(10, 800);
            self.cluster.pass(millis);
            self.check();
        }
    }
}

fn run(seed: u64) -> Option<String> {
    Sim::new(seed).run()
}

fn seeds() -> u64 {
    std::env::var("WINDLASS_SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

/// What was broken, and in which histories.
type Broken = BTreeMap<String, Vec<u64>>;

fn run_all(seeds: u64) -> Broken {
    let workers = std::thread::available_parallelism().map_or(2, usize::from) as u64;
    let all: Vec<_> = std::thread::scope(|scope| {
        let each = |worker| {
            move || -> Vec<_> {
                let seeds = (worker..seeds).step_by(workers as usize);
                seeds.filter_map(|seed| Some((seed, run(seed)?))).collect()
            }
        };
        let running: Vec<_> = (0..workers).map(|worker| scope.spawn(each(worker))).collect();
        running.into_iter().flat_map(|one| one.join().unwrap()).collect()
    });
    let mut broken = Broken::new();
    for (seed, what) in all {
        broken.entry(what).or_default().push(seed);
    }
    broken
}

#[test]
fn histories() {
    let began = std::time::Instant::now();
    let broken = run_all(seeds());
    println!("{} histories in {:?}", seeds(), began.elapsed());
    for (what, seeds) in &broken {
        println!("{} times, first in {:?}: {what}", seeds.len(), seeds.iter().min());
    }
    if let Some((what, seed)) =
        broken.iter().map(|(what, seeds)| (what, seeds[0])).min_by_key(|(_, seed)| *seed)
    {
        panic!(
            "{what}\nreplay: WINDLASS_SIM_SEED={seed} cargo test -p windlass-core sim::replay -- --nocapture"
        );
    }
}

#[test]
fn replay() {
    let Some(seed) = std::env::var("WINDLASS_SIM_SEED").ok().and_then(|text| text.parse().ok()) else {
        return;
    };
    let mut sim = Sim::new(seed);
    sim.cluster.trace.told = true;
    println!("seed {seed}: {:?}, {} faults in a thousand", sim.shape, sim.faults);
    let broken = sim.run();
    sim.cluster.trace.lines.iter().for_each(|line| println!("{line}"));
    println!("{}", broken.unwrap_or_else(|| "all rules held".into()));
}
