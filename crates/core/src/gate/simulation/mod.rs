//! What the ratio judge does in thousands of made-up rollouts, with fixed seeds: how often a good candidate fails,
//! and how soon a bad one does. The table of docs/gates.md comes from here:
//! `cargo test --release -p windlass-core gate::simulation -- --ignored --nocapture`

mod random;
mod scraped;
mod world;

use world::{LOOKS, World};

use crate::api::Ratio;

/// At most one good candidate in a hundred may fail.
const ALPHA: f64 = 0.01;

fn spec() -> Ratio {
    serde_json::from_str(
        r#"{"bad": "m{code=\"500\"}", "total": "m", "tolerate": "1.25", "confidence": "0.99"}"#,
    )
    .unwrap()
}

/// When each rollout failed: the number of the look.
fn failures(world: &World, runs: u64) -> Vec<Option<u32>> {
    (0..runs).map(|seed| world.run(&spec(), seed)).collect()
}

fn share(failures: &[Option<u32>]) -> f64 {
    failures.iter().flatten().count() as f64 / failures.len() as f64
}

/// The look by which this part of all rollouts failed.
fn quantile(failures: &[Option<u32>], part: f64) -> Option<u32> {
    let mut looks: Vec<_> = failures.iter().map(|look| look.unwrap_or(u32::MAX)).collect();
    looks.sort_unstable();
    let index = ((looks.len() as f64 * part).ceil() as usize).clamp(1, looks.len()) - 1;
    looks.get(index).copied().filter(|look| *look < u32::MAX)
}

fn good() -> World {
    World { rate: 10.0, weight: |_| 0.25, share: 0.01, times: 1.0, pods: (2, 6), clump: 1.0, outages: 0.0 }
}

/// Worlds in which no candidate may fail.
fn harmless() -> Vec<(&'static str, World)> {
    vec![
        ("equal", good()),
        ("as bad as tolerated (1.25×)", World { times: 1.25, ..good() }),
        ("as bad as tolerated, 100 requests/s", World { times: 1.25, rate: 100.0, ..good() }),
        ("weight 5 %, 1 pod", World { weight: |_| 0.05, pods: (1, 6), ..good() }),
        ("weight 50 %, 1 pod each", World { weight: |_| 0.5, pods: (1, 1), ..good() }),
        ("weights 5, 25, 50, 80 %", World { weight: steps, ..good() }),
        ("weights 5 … 80 %, 1.25×, 100/s", World { weight: steps, times: 1.25, rate: 100.0, ..good() }),
        ("1 request/s", World { rate: 1.0, ..good() }),
        ("1 request in 10 s", World { rate: 0.1, ..good() }),
        ("many errors (20 %)", World { share: 0.2, ..good() }),
        ("bursts of 5 on one pod", World { clump: 5.0, ..good() }),
        ("bursts of 5 on one pod, 1.25×", World { clump: 5.0, times: 1.25, ..good() }),
        ("bursts of 20 on one pod", World { clump: 20.0, rate: 100.0, ..good() }),
        ("bursts of 20, 1 pod each, 50 %", World { clump: 20.0, weight: |_| 0.5, pods: (1, 1), ..good() }),
        ("outages of a dependency", World { outages: 0.03, ..good() }),
    ]
}

fn steps(look: u32) -> f64 {
    [0.05, 0.25, 0.5, 0.8][(look / (LOOKS / 4)).min(3) as usize]
}

#[test]
fn a_good_candidate_hardly_ever_fails() {
    for (name, world) in harmless() {
        let share = share(&failures(&world, 100));
        // 2 of 100 is no proof of more than 1 of 100; the table is of 4,000.
        let most = 2.0 * ALPHA;
        assert!(share <= most, "{name}: {share}");
    }
}

#[test]
fn a_bad_candidate_fails_soon() {
    for (times, rate, minutes) in [(10.0, 1.0, 15), (10.0, 10.0, 3), (3.0, 10.0, 8), (2.0, 100.0, 4)] {
        let failures = failures(&World { times, rate, ..good() }, 40);
        let median = quantile(&failures, 0.5);
        assert!(median.is_some_and(|look| look <= minutes * 4), "{times}× at {rate}/s: {median:?}");
    }
}

#[test]
fn restarts_and_pods_that_come_and_go_fail_nobody_and_hide_nobody() {
    let world = World { rate: 20.0, ..good() };
    for seed in 0..6 {
        assert_eq!(scraped::run(&spec(), &world, seed, 120), None, "good, seed {seed}");
        let bad = scraped::run(&spec(), &World { times: 10.0, ..world }, seed, 120);
        assert!(bad.is_some_and(|look| look <= 16), "bad, seed {seed}: {bad:?}");
    }
}

#[test]
#[ignore = "takes a minute in a release build; prints the table of docs/gates.md"]
fn table() {
    let runs = 4000;
    println!("\nGood candidates that failed within {LOOKS} looks, of {runs} rollouts each:\n");
    println!("| world | failed |\n|---|---|");
    for (name, world) in harmless() {
        println!("| {name} | {:.2} % |", share(&failures(&world, runs)) * 100.0);
    }
    let churn = World { rate: 20.0, ..good() };
    let scraped: Vec<_> = (0..400).map(|seed| scraped::run(&spec(), &churn, seed, LOOKS)).collect();
    println!(
        "| restarts, pods that come and go, missed scrapes (400 rollouts) | {:.2} % |",
        share(&scraped) * 100.0
    );
    for (weight, name, pods) in [
        ((|_| 0.05) as fn(u32) -> f64, "5 %, 1 pod beside 10", (1, 10)),
        (|_| 0.25, "25 %, 3 pods beside 9", (3, 9)),
        (|_| 0.5, "50 %, 5 pods beside 5", (5, 5)),
    ] {
        println!(
            "\nWeight {name}, stable's errors 1 %: time until half (nine in ten) of the bad candidates failed.\n"
        );
        println!("| requests/s | 2× | 3× | 10× |\n|---|---|---|---|");
        for rate in [1.0, 10.0, 100.0] {
            let cell = |times| {
                let failures = failures(&World { rate, times, weight, pods, ..good() }, 400);
                let time = |part| quantile(&failures, part).map_or("over 90 min".into(), clock);
                format!("{} ({})", time(0.5), time(0.9))
            };
            println!("| {rate} | {} | {} | {} |", cell(2.0), cell(3.0), cell(10.0));
        }
    }
    let bursty = World { clump: 20.0, rate: 100.0, pods: (3, 9), ..good() };
    let late = World { rate: 100.0, pods: (3, 9), ..good() };
    println!("\n| 25 %, 100 requests/s | 2× | 3× | 10× |\n|---|---|---|---|");
    let row = |name: &str, world: &World| {
        let cell = |times| {
            let failures = failures(&World { times, ..*world }, 400);
            quantile(&failures, 0.5).map_or("over 90 min".into(), clock)
        };
        println!("| {name} | {} | {} | {} |", cell(2.0), cell(3.0), cell(10.0));
    };
    row("evenly spread", &late);
    row("bursts of 20 on one pod", &bursty);
}

/// `1 min 30 s`, from the number of the look, the first of which is 0.
fn clock(look: u32) -> String {
    let seconds = (look + 1) * world::INTERVAL;
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}
