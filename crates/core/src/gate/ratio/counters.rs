//! What the pods' counters grew by between two looks.
//!
//! The counters are read as they were scraped and the differences taken here, because `increase()` loses the
//! first errors of a new series and guesses at the edges. A window has the points after its start up to two
//! scrapes before now, when every pod's are sure to be there; windows touch, so each request counts once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::api::Ratio;

/// How far before a window's start a pod's last point may be: as long as Prometheus itself looks back.
const LOOK_BACK: Duration = Duration::from_secs(300);
/// The longest window. What happened before it is left out, as after a long outage.
const LONGEST: Duration = Duration::from_secs(600);
/// The longest scrape interval that is believed.
const MAX_SCRAPE: i64 = 120_000;
/// After how many scrape intervals without a point a pod is silent.
const SILENT: i64 = 4;
/// A pod is not silent before, in milliseconds.
const MIN_SILENT: i64 = 20_000;

/// Which release a pod runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The new one.
    Candidate,
    /// The one that is known to be good.
    Stable,
}

/// A pod that serves requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its name, as in the label `pod` of its series.
    pub name: String,
    /// Its release.
    pub side: Side,
    /// When it was started, where that is known: with it, a pod without older points counts from 0.
    pub started: Option<Timestamp>,
}

/// A counter as it was scraped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Its value.
    pub value: f64,
}

/// One series of a pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// The label `pod`.
    pub pod: String,
    /// Its points, oldest first.
    pub points: Vec<Point>,
}

/// All series of both selectors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    /// Of `bad`.
    pub bad: Vec<Series>,
    /// Of `total`.
    pub total: Vec<Series>,
}

/// What a pod's counters grew by.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    /// Its name.
    pub pod: String,
    /// Its bad requests.
    pub bad: f64,
    /// All its requests.
    pub total: f64,
}

/// What was counted between two times.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Points after this count.
    pub start: Timestamp,
    /// Points up to this count.
    pub end: Timestamp,
    /// By pod of the candidate.
    pub candidate: Vec<Counted>,
    /// By pod of stable.
    pub stable: Vec<Counted>,
}

/// Why there is no window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing new can be known yet.
    Early,
    /// Prometheus does not know enough, and what is missing. The window grows until it does.
    NoData(String),
}

/// How far back the counters must be read for a window that begins at `since`.
pub fn lookback(since: Timestamp, now: Timestamp) -> Duration {
    let span = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    span.min(LONGEST) + LOOK_BACK
}

/// What was counted after `since`, the end of the last window or the begin of the rollout.
///
/// # Errors
/// [`Missing`]: neither side may be silent, or the other's requests would count for nothing.
pub fn window(
    spec: &Ratio,
    since: Timestamp,
    now: Timestamp,
    pods: &[Pod],
    counters: &Counters,
) -> Result<Window, Missing> {
    let scraped = Scraped::of(counters);
    let scrape = scraped.interval().unwrap_or_else(|| millis(spec.interval.get())).clamp(1000, MAX_SCRAPE);
    let now_ms = now.as_millisecond();
    for (side, what) in [(Side::Candidate, "the candidate"), (Side::Stable, "stable")] {
        scraped.fresh(pods, side, what, now_ms, scrape)?;
    }
    let end = now_ms - 2 * scrape;
    let start = since.as_millisecond().max(end - millis(LONGEST));
    if end <= start {
        return Err(Missing::Early);
    }
    let count = |side| {
        let of_side = pods.iter().filter(|pod| pod.side == side);
        of_side
            .filter_map(|pod| scraped.count(pod, counters, start, end, millis(spec.warmup.get())))
            .collect()
    };
    let time = |at| Timestamp::from_millisecond(at).map_err(|_| Missing::Early);
    Ok(Window {
        start: time(start)?.max(since),
        end: time(end)?,
        candidate: count(Side::Candidate),
        stable: count(Side::Stable),
    })
}

/// When each pod was scraped.
struct Scraped<'a> {
    times: BTreeMap<&'a str, BTreeSet<i64>>,
    /// Pods with series of `total`.
    serving: BTreeSet<&'a str>,
}

impl<'a> Scraped<'a> {
    fn of(counters: &'a Counters) -> Self {
        let mut times = BTreeMap::<_, BTreeSet<_>>::new();
        for series in counters.bad.iter().chain(&counters.total) {
            times.entry(series.pod.as_str()).or_default().extend(series.points.iter().map(|point| point.at));
        }
        let serving = counters.total.iter().map(|series| series.pod.as_str()).collect();
        Self { times, serving }
    }

    /// Time between two scrapes of a pod: the median, so that gaps don't count.
    fn interval(&self) -> Option<i64> {
        let of_pod = |times: &BTreeSet<i64>| -> Vec<i64> {
            times.iter().zip(times.iter().skip(1)).map(|(one, next)| next - one).collect()
        };
        let mut all: Vec<_> = self.times.values().flat_map(of_pod).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied()
    }

    /// Whether at least half of the pods of a side were scraped lately.
    fn fresh(&self, pods: &[Pod], side: Side, what: &str, now: i64, scrape: i64) -> Result<(), Missing> {
        let no_data = |why: String| Err(Missing::NoData(why));
        let pods: Vec<_> = pods.iter().filter(|pod| pod.side == side).collect();
        if pods.is_empty() {
            return no_data(format!("{what} has no pods"));
        }
        let newest = |pod: &&Pod| {
            let name = pod.name.as_str();
            self.times
                .get(name)
                .filter(|_| self.serving.contains(name))
                .and_then(|times| times.last())
                .copied()
        };
        let newest: Vec<i64> = pods.iter().filter_map(newest).collect();
        let Some(last) = newest.iter().max() else {
            return no_data(format!("no series of total for the pods of {what}"));
        };
        let silent = (SILENT * scrape).max(MIN_SILENT);
        if now - last > silent {
            return no_data(format!("the newest point of {what} is {} s old", (now - last) / 1000));
        }
        let fresh = newest.iter().filter(|last| now - **last <= silent).count();
        if fresh * 2 < pods.len() {
            return no_data(format!("only {fresh} of {} pods of {what} are scraped", pods.len()));
        }
        Ok(())
    }

    /// What the counters of a pod grew by; `None` where that cannot be known.
    fn count(&self, pod: &Pod, counters: &Counters, start: i64, end: i64, warmup: i64) -> Option<Counted> {
        let times = self.times.get(pod.name.as_str())?;
        let started = pod.started.map(Timestamp::as_millisecond);
        let start = started.map_or(start, |started| start.max(started + warmup));
        if start >= end {
            return None;
        }
        let known = times.range(..=start).next_back().copied();
        let all_of_it = warmup == 0 && started.is_some_and(|started| started > start - millis(LOOK_BACK));
        // Without an older point, the first one is what later ones are compared with.
        let base = match known {
            Some(at) => at,
            None if all_of_it => i64::MIN,
            None => times.iter().copied().find(|at| (start..=end).contains(at))?,
        };
        let sum = |all: &[Series]| {
            let own = all.iter().filter(|series| series.pod == pod.name);
            own.map(|series| growth(&series.points, base, end)).sum()
        };
        Some(Counted { pod: pod.name.clone(), bad: sum(&counters.bad), total: sum(&counters.total) })
    }
}

/// What a counter grew by after `base` up to `end`. One that has no point up to `base` began at 0 since, and
/// one that fell began at 0 again.
fn growth(points: &[Point], base: i64, end: i64) -> f64 {
    let valid = || points.iter().filter(|point| point.value.is_finite() && point.value >= 0.0);
    let mut last = valid().take_while(|point| point.at <= base).last().map_or(0.0, |point| point.value);
    let mut grown = 0.0;
    for point in valid().skip_while(|point| point.at <= base).take_while(|point| point.at <= end) {
        grown += if point.value < last { point.value } else { point.value - last };
        last = point.value;
    }
    grown
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
