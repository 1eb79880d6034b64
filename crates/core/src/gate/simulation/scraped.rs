//! The same from counters as they are scraped: pods restart, come and go, and scrapes are missed.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;

use super::random::Random;
use super::world::{INTERVAL, World};
use crate::api::{Ratio, RatioState};
use crate::gate::ratio::{Counters, Missing, Pod, Point, Series, Side, count, failure, window};

/// How often, as a part of all scrapes, a pod's process restarts and its counters fall to 0.
const RESTARTS: f64 = 0.01;
/// The same for a pod that is replaced by another.
const REPLACED: f64 = 0.005;
/// The same for a scrape that is missed.
const MISSED: f64 = 0.03;
/// How long points are kept, in seconds: what a window needs.
const KEPT: i64 = 400;

struct Running {
    pod: Pod,
    bad: f64,
    total: f64,
    scraped: BTreeMap<&'static str, Vec<Point>>,
}

impl Running {
    fn new(name: String, side: Side, now: i64) -> Self {
        let started = Some(Timestamp::from_second(now).unwrap());
        Self { pod: Pod { name, side, started }, bad: 0.0, total: 0.0, scraped: BTreeMap::new() }
    }

    fn scrape(&mut self, now: i64) {
        for (what, value) in [("bad", self.bad), ("total", self.total)] {
            // Without a bad request there is no series of bad requests.
            if value > 0.0 || what == "total" {
                let points = self.scraped.entry(what).or_default();
                points.retain(|point| point.at > (now - KEPT) * 1000);
                points.push(Point { at: now * 1000, value });
            }
        }
    }

    fn series(&self, what: &str) -> Option<Series> {
        let points = self.scraped.get(what)?.clone();
        Some(Series { pod: self.pod.name.clone(), points })
    }
}

/// The look at which the candidate failed.
pub fn run(spec: &Ratio, world: &World, seed: u64, looks: u32) -> Option<u32> {
    let mut random = Random::new(seed);
    let begin = 1_000_000;
    let (new, old) = world.pods;
    let sides = std::iter::repeat_n(Side::Candidate, new).chain(std::iter::repeat_n(Side::Stable, old));
    let mut made = 0;
    let mut pod = |side, now| {
        made += 1;
        Running::new(format!("pod-{made}"), side, now)
    };
    let mut pods: Vec<_> = sides.map(|side| pod(side, begin)).collect();
    let mut gone: Vec<Running> = Vec::new();
    let mut state = RatioState::default();
    let mut since = Timestamp::from_second(begin).unwrap();
    (0..looks).find(|look| {
        let now = begin + i64::from((look + 1) * INTERVAL);
        for running in &mut pods {
            let (weight, times, count) = match running.pod.side {
                Side::Candidate => ((world.weight)(*look), world.times, new),
                Side::Stable => (1.0 - (world.weight)(*look), 1.0, old),
            };
            let requests = world.rate * f64::from(INTERVAL) * weight / count as f64;
            let bad = world.bad(requests * world.share * times, &mut random);
            running.bad += bad;
            running.total += bad + random.poisson(requests * (1.0 - world.share * times));
            match random.unit() {
                chance if chance < RESTARTS => {
                    (running.bad, running.total) = (0.0, 0.0);
                    running.scraped.remove("bad");
                }
                chance if chance < RESTARTS + REPLACED => {
                    let next = pod(running.pod.side, now);
                    gone.push(std::mem::replace(running, next));
                }
                chance if chance < RESTARTS + REPLACED + MISSED => {}
                _ => running.scrape(now),
            }
        }
        let known: Vec<_> = pods.iter().map(|running| running.pod.clone()).collect();
        let series = |what| pods.iter().chain(&gone).filter_map(|running| running.series(what)).collect();
        let counters = Counters { bad: series("bad"), total: series("total") };
        let at = Timestamp::from_second(now).unwrap();
        match window(spec, since, at, &known, &counters) {
            Ok(window) => {
                since = window.end;
                state = count(spec, &state, &window, 1);
            }
            Err(Missing::Early | Missing::NoData(_)) => {}
        }
        failure(spec, &state, 1).is_some()
    })
}
