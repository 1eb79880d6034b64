//! What a gate would have asked Prometheus at a time in the past, and what it would have made of the answer.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use windlass_core::api::{Gate, GateState, Ratio};
use windlass_core::gate::ratio::{Counters, Missing, Pod, Side, lookback, ratio, window};
use windlass_core::gate::{Look, Names, Sample, cel, compare, fill, look, threshold};

use crate::prometheus::{Endpoint, Prometheus};

/// A pod whose first point is that much later than the earliest one read was started then, in milliseconds.
const NEW: i64 = 120_000;

/// Whom to ask, and which pods were which.
pub struct Asking {
    pub client: Prometheus,
    pub endpoint: Endpoint,
    /// The candidate's names.
    pub candidate: Names,
    /// Stable's names.
    pub stable: Names,
    /// Nothing that came before counts.
    pub from: Timestamp,
    /// How many `ratio` gates are rehearsed together.
    pub ratios: usize,
}

impl Asking {
    /// One look of a gate at a time.
    pub async fn look(&self, gate: &Gate, before: Option<&GateState>, at: Timestamp) -> GateState {
        if let Some(spec) = &gate.ratio {
            let counted = before.and_then(|before| before.ratio.as_ref()?.until.as_ref());
            let since = counted.map_or(self.from, |until| until.0);
            let counted = match self.counters(spec, since, at).await {
                Ok(counters) => window(spec, since, at, &self.pods(&counters, since, at), &counters),
                Err(why) => Err(Missing::NoData(why)),
            };
            return ratio(gate, before, counted, self.ratios, Time(at));
        }
        look(gate, before, &self.ask(gate, at).await, Time(at))
    }

    async fn ask(&self, gate: &Gate, at: Timestamp) -> Look {
        if let Some(spec) = &gate.threshold {
            return threshold(spec, &self.value(&spec.query, &self.candidate, at).await);
        }
        if let Some(spec) = &gate.compare {
            let sides = |query| async move {
                (self.value(query, &self.candidate, at).await, self.value(query, &self.stable, at).await)
            };
            let (candidate, stable) = sides(&spec.query).await;
            let requests = match &spec.requests {
                Some(query) => Some(sides(query).await),
                None => None,
            };
            return compare(spec, &candidate, &stable, requests.as_ref().map(|(own, other)| (own, other)));
        }
        if let Some(spec) = &gate.cel {
            let mut values = [BTreeMap::new(), BTreeMap::new()];
            for (name, query) in &spec.queries {
                for (names, values) in [&self.candidate, &self.stable].into_iter().zip(&mut values) {
                    // Without pods to tell apart, there is nothing that runs beside.
                    if !names.pods.is_empty() {
                        values.insert(name.clone(), self.value(query, names, at).await);
                    }
                }
            }
            let [candidate, stable] = values;
            return cel(spec, &candidate, &stable);
        }
        Look::NoData("the past of a service or a Job cannot be asked".into())
    }

    async fn value(&self, query: &str, names: &Names, at: Timestamp) -> Sample {
        self.client.query_at(&self.endpoint, &fill(query, names), Some(at)).await
    }

    async fn counters(&self, spec: &Ratio, since: Timestamp, at: Timestamp) -> Result<Counters, String> {
        let pods = format!("{}|{}", self.candidate.pods, self.stable.pods);
        let scope = (self.candidate.namespace.as_str(), pods.as_str());
        self.client.counters(&self.endpoint, spec, scope, (since, at)).await
    }

    /// The pods that there are counters of. Prometheus does not say when they were started, so a pod without
    /// points at first was started when they begin.
    fn pods(&self, counters: &Counters, since: Timestamp, at: Timestamp) -> Vec<Pod> {
        let all: BTreeSet<_> = counters.total.iter().map(|series| series.pod.as_str()).collect();
        let begin = at.as_millisecond() - i64::try_from(lookback(since, at).as_millis()).unwrap_or(0);
        let pod = |name: &str| {
            let own = counters.total.iter().filter(|series| series.pod == name);
            let first = own.filter_map(|series| series.points.first()).map(|point| point.at).min();
            let started = first.filter(|first| first - begin > NEW);
            Pod {
                name: name.to_owned(),
                side: if fits(&self.candidate.pods, name) { Side::Candidate } else { Side::Stable },
                started: started.and_then(|started| Timestamp::from_millisecond(started - 1).ok()),
            }
        };
        all.into_iter().map(pod).collect()
    }
}

/// Whether a pattern fits a pod: names separated by `|`, with `.*` at the end for anything.
pub fn fits(pattern: &str, pod: &str) -> bool {
    pattern.split('|').any(|part| match part.strip_suffix(".*") {
        Some(start) => pod.starts_with(start),
        None => pod == part,
    })
}

#[test]
fn a_pod_is_told_by_the_begin_of_its_name() {
    for (pattern, pod, expected) in [
        ("web-7d9.*", "web-7d9-x2x", true),
        ("web-7d9.*", "web-5c4-x2x", false),
        ("web-1|web-2", "web-2", true),
        ("web-1|web-2", "web-20", false),
        ("", "web", false),
    ] {
        assert_eq!(fits(pattern, pod), expected, "{pattern} {pod}");
    }
}
