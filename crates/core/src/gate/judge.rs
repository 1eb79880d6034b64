use std::time::Duration;

use super::ratio;
use crate::api::{Gate, GateState, OnNoVerdict, Verify};

/// Shortest time between two looks of one gate, whatever its interval says.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is looked whether a Job ended.
const JOB_INTERVAL: Duration = Duration::from_secs(5);

/// What gates say of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The hold is not over, or the last look was bad and may be an outlier; what is known so far.
    Open(String),
    /// Every gate is good and the hold is over.
    Pass,
    /// A gate failed: its name, values and bounds.
    Fail(String),
    /// The hold is over, and there were too few requests to tell. The hold goes on; [`Hold`] knows how long.
    LowTraffic(String),
    /// The hold is over without a word from some gate. That is no failure and no pass.
    NoData(String),
}

/// A time for which gates are judged: a step of a rollout, or the time of `verify`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// How much of it is over.
    pub elapsed: Duration,
    /// How long it is.
    pub length: Duration,
    /// How many `ratio` gates the whole rollout has: they share what `confidence` leaves to 1.
    pub ratios: usize,
}

impl Hold {
    fn over(&self) -> bool {
        self.elapsed >= self.length
    }
}

/// Time between two looks of a gate.
pub fn interval(gate: &Gate) -> Duration {
    let own = [
        gate.threshold.as_ref().map(|own| own.interval),
        gate.ratio.as_ref().map(|own| own.interval),
        gate.compare.as_ref().map(|own| own.interval),
        gate.cel.as_ref().map(|own| own.interval),
        gate.webhook.as_ref().map(|own| own.interval),
    ];
    own.into_iter().flatten().next().map_or(JOB_INTERVAL, |own| own.get().max(MIN_INTERVAL))
}

/// How many looks in a row must be bad before a gate fails.
pub fn consecutive(gate: &Gate) -> u32 {
    let own = [
        gate.threshold.as_ref().map(|own| own.consecutive),
        gate.compare.as_ref().map(|own| own.consecutive),
        gate.cel.as_ref().map(|own| own.consecutive),
        gate.webhook.as_ref().map(|own| own.consecutive),
    ];
    own.into_iter().flatten().next().unwrap_or(1).max(1)
}

/// What one gate says, from what it has seen so far.
pub fn verdict(gate: &Gate, state: Option<&GateState>, hold: &Hold) -> Verdict {
    let Some(state) = state else {
        return match hold.over() {
            true => Verdict::NoData(format!("gate {}: no data: it was never asked", gate.name)),
            false => Verdict::Open(format!("{} not asked yet", gate.name)),
        };
    };
    if state.bad >= consecutive(gate) {
        return Verdict::Fail(failure(gate, state));
    }
    if let (Some(spec), Some(counted)) = (&gate.ratio, &state.ratio)
        && let Some(why) = ratio::failure(spec, counted, hold.ratios)
    {
        return Verdict::Fail(format!("gate {}: {why}", gate.name));
    }
    let words = words(gate, state);
    if !hold.over() || state.bad > 0 {
        return Verdict::Open(words);
    }
    if state.low_traffic {
        return low_traffic(gate, &state.problem, hold);
    }
    if state.problem.is_empty() && state.good > 0 {
        return Verdict::Pass;
    }
    let problem = [&state.problem, &state.value].into_iter().find(|text| !text.is_empty());
    let problem = problem.map_or("there was no answer", String::as_str);
    Verdict::NoData(format!("gate {}: no data: {problem}", gate.name))
}

/// What becomes of a gate that sees too few requests when its hold is over: the hold goes on up to `maxHold`,
/// then `onLowTraffic` counts.
fn low_traffic(gate: &Gate, problem: &str, hold: &Hold) -> Verdict {
    let longest = gate.max_hold.map_or(hold.length.saturating_mul(2), |longest| longest.get());
    let told = format!("gate {}: {problem}", gate.name);
    if hold.elapsed < longest {
        return Verdict::LowTraffic(format!("{told}; the hold goes on"));
    }
    match gate.on_low_traffic.unwrap_or_default() {
        OnNoVerdict::Hold => Verdict::LowTraffic(told),
        OnNoVerdict::Continue => Verdict::Pass,
        OnNoVerdict::Rollback => Verdict::Fail(told),
    }
}

/// The verdict over all gates of a hold: a failure of one is a failure, and only all of them together pass.
pub fn judge(gates: &[Gate], states: &[GateState], hold: &Hold) -> Verdict {
    let mut found = Verdict::Pass;
    for gate in gates {
        let own = verdict(gate, states.iter().find(|state| state.name == gate.name), hold);
        if rank(&own) > rank(&found) {
            found = own;
        }
    }
    match found {
        Verdict::Open(_) => Verdict::Open(summary(gates, states)),
        // A hold without gates is a time to wait.
        Verdict::Pass if !hold.over() => Verdict::Open(String::new()),
        other => other,
    }
}

fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Pass => 0,
        Verdict::LowTraffic(_) => 1,
        Verdict::Open(_) => 2,
        Verdict::NoData(_) => 3,
        Verdict::Fail(_) => 4,
    }
}

/// The verdict of an Application's `verify`, `elapsed` after the objects became healthy. A gate without data is
/// asked for the period and as much again.
pub fn judge_verify(verify: &Verify, states: &[GateState], elapsed: Duration) -> Verdict {
    let hold = Hold { elapsed, length: verify.period.get(), ratios: 0 };
    match judge(&verify.gates, states, &hold) {
        Verdict::NoData(_) if elapsed < hold.length.saturating_mul(2) => {
            Verdict::Open(summary(&verify.gates, states))
        }
        other => other,
    }
}

/// `gate errors: 0.5 is above max 0.01 for 3 looks in a row`
fn failure(gate: &Gate, state: &GateState) -> String {
    let what = format!("gate {}: {} is {}", gate.name, state.value, state.why);
    match consecutive(gate) {
        1 => what,
        many => format!("{what} for {many} looks in a row"),
    }
}

/// `error-ratio 0.002, latency no data: the query gives no series`
fn summary(gates: &[Gate], states: &[GateState]) -> String {
    let told = gates.iter().map(|gate| match states.iter().find(|state| state.name == gate.name) {
        None => format!("{} not asked yet", gate.name),
        Some(state) => words(gate, state),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// `errors 0.5 (above max 0.01)`
fn words(gate: &Gate, state: &GateState) -> String {
    let name = &gate.name;
    if state.low_traffic {
        let value = if state.value.is_empty() { String::new() } else { format!(" {};", state.value) };
        return format!("{name}{value} {}", state.problem);
    }
    if !state.problem.is_empty() {
        return format!("{name} no data: {}", state.problem);
    }
    if state.bad > 0 {
        return format!("{name} {} ({})", state.value, state.why);
    }
    match state.value.as_str() {
        "" => format!("{name} nothing counted yet"),
        value => format!("{name} {value}"),
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
