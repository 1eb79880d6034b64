//! The judge of `ratio` gates: is a larger share of the candidate's requests bad than of stable's?
//!
//! [`window`] takes the differences of the pods' counters since the last look, [`count`] adds them to what is
//! known, and [`failure`] says whether that is enough to fail. The test may be looked at as often as one likes:
//! the chance that a good candidate ever fails is at most what `confidence` leaves to 1 (see [`bets`]).

mod bets;
mod counters;
mod selector;
#[cfg(test)]
mod tests;

pub use counters::{Counted, Counters, Missing, Pod, Point, Series, Side, Window, lookback, window};
pub use selector::{Selector, SelectorError, pods_regex};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::look::{Look, look};
use crate::api::{Gate, GateState, Ratio, RatioCounts, RatioState};

/// Fewest bad requests of the candidate that fail it.
const MIN_BAD: i64 = 5;
/// Fewest windows with bad requests of the candidate that fail it.
const MIN_WINDOWS: u32 = 2;
/// What a window weighs beside the one after it, in `recent`.
const FADING: f64 = 0.95;

/// The settings of a gate as numbers.
struct Setting {
    tolerate: f64,
    floor: f64,
    /// How much evidence fails it: 1/α, with α shared by all ratio gates of the rollout.
    enough: f64,
}

impl Setting {
    fn new(spec: &Ratio, ratios: usize) -> Self {
        let number = |text: &str, default: f64| text.parse::<f64>().unwrap_or(default);
        let alpha = (1.0 - number(&spec.confidence, 0.99)).clamp(1e-6, 0.5);
        let gates = u32::try_from(ratios.max(1)).map_or(f64::from(u32::MAX), f64::from);
        Self {
            tolerate: number(&spec.tolerate, 1.25).max(1.0),
            floor: number(&spec.floor, 0.001).max(0.0),
            enough: gates / alpha,
        }
    }
}

/// Adds a look at the counters to what a `ratio` gate has seen. `ratios` is the number of ratio gates in the
/// whole rollout. A look that is too early ([`Missing::Early`]) changes nothing but the time of the look.
pub fn ratio(
    gate: &Gate,
    before: Option<&GateState>,
    counted: Result<Window, Missing>,
    ratios: usize,
    now: Time,
) -> GateState {
    let known = before.and_then(|before| before.ratio.clone()).unwrap_or_default();
    let window = match counted {
        Ok(window) => window,
        Err(Missing::NoData(why)) => return look(gate, before, &Look::NoData(why), now),
        Err(Missing::Early) => {
            let before = before.cloned().unwrap_or_else(|| GateState::new(&gate.name, now.clone()));
            return GateState { last_look: now, ..before };
        }
    };
    let Some(spec) = &gate.ratio else {
        return look(gate, before, &Look::NoData("this is no ratio gate".into()), now);
    };
    let counts = count(spec, &known, &window, ratios);
    let (candidate, stable) = (counts.hold.candidate_total, counts.all.stable_total);
    let least = i64::from(spec.min_requests);
    let seen = if candidate < least {
        Look::LowTraffic(format!("the candidate had {candidate} of {least} requests"))
    } else if stable < least {
        Look::LowTraffic(format!("stable had {stable} of {least} requests"))
    } else {
        Look::Good(value(&counts))
    };
    let mut state = look(gate, before, &seen, now);
    state.value = value(&counts);
    state.ratio = Some(counts);
    state
}

/// Adds a window to what is known. A window that begins before the known end is not added: it would count twice.
pub fn count(spec: &Ratio, known: &RatioState, window: &Window, ratios: usize) -> RatioState {
    if known.until.as_ref().is_some_and(|until| window.start < until.0) {
        return known.clone();
    }
    let setting = Setting::new(spec, ratios);
    let mut state = known.clone();
    state.until = Some(Time(window.end));
    let seen = bets::Seen::of(window);
    bets::bet(&mut state, &seen, setting.tolerate, setting.enough);
    bets::note(&mut state, &seen);
    if seen.candidate_bad > 0.0 {
        state.bad_windows = state.bad_windows.saturating_add(1);
    }
    let whole = |value: f64| value.round().min(1e15) as i64;
    let new = RatioCounts {
        candidate_bad: whole(seen.candidate_bad),
        candidate_total: whole(seen.candidate_total),
        stable_bad: whole(seen.stable_bad),
        stable_total: whole(seen.stable_total),
    };
    state.all = state.all.map_with(new, i64::saturating_add);
    state.hold = state.hold.map_with(new, i64::saturating_add);
    let faded = |old: i64, new: i64| whole(old as f64 * FADING).saturating_add(new.saturating_mul(1000));
    state.recent = state.recent.map_with(new, faded);
    state
}

/// Why the candidate fails, if it does: enough evidence, enough bad requests in more than one window, and a
/// difference that matters.
pub fn failure(spec: &Ratio, state: &RatioState, ratios: usize) -> Option<String> {
    let setting = Setting::new(spec, ratios);
    let (candidate, stable) = rates(&state.recent, &state.all);
    let evidence = bets::evidence(state);
    let fails = evidence >= setting.enough.ln()
        && state.all.candidate_bad >= MIN_BAD
        && state.bad_windows >= MIN_WINDOWS
        && candidate - stable > setting.floor;
    fails.then(|| {
        format!(
            "{} % of the candidate's requests are bad and {} % of stable's ({} and {} since the start); evidence \
             {}, {} is enough",
            percent(candidate),
            percent(stable),
            state.all.candidate_bad,
            state.all.stable_bad,
            power(evidence),
            setting.enough.round(),
        )
    })
}

/// The evidence against the candidate and how much fails it, as natural logarithms.
pub fn evidence(spec: &Ratio, state: &RatioState, ratios: usize) -> (f64, f64) {
    (bets::evidence(state), Setting::new(spec, ratios).enough.ln())
}

/// `bad 0.21 % (stable 0.2 %), evidence 0.7`
fn value(state: &RatioState) -> String {
    let (candidate, stable) = rates(&state.recent, &state.all);
    let evidence = power(bets::evidence(state));
    format!("{} % bad (stable {} %), evidence {evidence}", percent(candidate), percent(stable))
}

/// The shares of bad requests of late; where stable had none of late, its share of all.
fn rates(recent: &RatioCounts, all: &RatioCounts) -> (f64, f64) {
    let share = |bad: i64, total: i64| if total > 0 { bad as f64 / total as f64 } else { 0.0 };
    let stable = match recent.stable_total {
        0 => share(all.stable_bad, all.stable_total),
        total => share(recent.stable_bad, total),
    };
    (share(recent.candidate_bad, recent.candidate_total), stable)
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let text = if percent < 1.0 { format!("{percent:.3}") } else { format!("{percent:.1}") };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Evidence, from its natural logarithm.
fn power(logarithm: f64) -> String {
    match logarithm {
        log if log > 13.8 => "over 1000000".into(),
        log if log >= 2.3 => format!("{:.0}", log.exp()),
        log => format!("{:.2}", log.exp()),
    }
}
