use k8s_openapi::jiff::Timestamp;

use super::random::Random;
use crate::api::{Ratio, RatioState};
use crate::gate::ratio::{Counted, Window, count, failure};

/// Looks in one rollout: an hour and a half.
pub const LOOKS: u32 = 360;
/// Seconds between two looks.
pub const INTERVAL: u32 = 15;

/// What goes on in a rollout.
#[derive(Clone, Copy)]
pub struct World {
    /// Requests per second in all.
    pub rate: f64,
    /// The candidate's part of them at a look.
    pub weight: fn(u32) -> f64,
    /// The share of stable's requests that is bad.
    pub share: f64,
    /// How many times as much it is for the candidate.
    pub times: f64,
    /// Pods of the candidate and of stable.
    pub pods: (usize, usize),
    /// How many bad requests come together, on one pod.
    pub clump: f64,
    /// How often, as a part of all looks, something that all need fails half of all requests.
    pub outages: f64,
}

impl World {
    /// The look at which the candidate failed.
    pub fn run(&self, spec: &Ratio, seed: u64) -> Option<u32> {
        let mut random = Random::new(seed);
        let mut state = RatioState::default();
        (0..LOOKS).find(|look| {
            state = count(spec, &state, &self.window(*look, &mut random), 1);
            failure(spec, &state, 1).is_some()
        })
    }

    fn window(&self, look: u32, random: &mut Random) -> Window {
        let requests = self.rate * f64::from(INTERVAL);
        let weight = (self.weight)(look);
        let outage = random.unit() < self.outages;
        let mut side = |name: &str, requests: f64, share: f64, pods: usize| {
            let share = if outage { 0.5 } else { share };
            (0..pods)
                .map(|pod| self.pod(format!("{name}-{pod}"), requests / pods as f64, share, random))
                .collect()
        };
        let at = |look: u32| Timestamp::from_second(i64::from(look * INTERVAL)).unwrap();
        Window {
            start: at(look),
            end: at(look + 1),
            candidate: side("new", requests * weight, self.share * self.times, self.pods.0),
            stable: side("old", requests * (1.0 - weight), self.share, self.pods.1),
        }
    }

    /// What one pod counts of so many expected requests.
    fn pod(&self, pod: String, requests: f64, share: f64, random: &mut Random) -> Counted {
        let good = random.poisson(requests * (1.0 - share));
        let bad = self.bad(requests * share, random);
        Counted { pod, bad, total: good + bad }
    }

    /// How many are bad, where so many are expected.
    pub fn bad(&self, expected: f64, random: &mut Random) -> f64 {
        let clumps = random.poisson(expected / self.clump) as u64;
        (0..clumps).map(|_| random.clump(self.clump)).sum()
    }
}
