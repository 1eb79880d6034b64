//! Anytime-valid evidence by betting (arXiv 2010.09686, 2011.03567).
//!
//! Where the candidate is at most `ρ` times as bad as stable, a bad request falls on the candidate with
//! probability `q₀ = ρ·n_c / (ρ·n_c + n_s)` at most, `n` being the requests of each side in the window. Eight bets
//! say that it is `r` times worse than that; each multiplies its money by the likelihood ratio of the window, so
//! none of them grows on average as long as the candidate is good, and by Ville's inequality their mean ever
//! reaches 1/α with probability α at most, however often one looks.
//!
//! - *Bursts*: bad requests come in clumps, which are one event and not many. How large they are shows in stable's
//!   pods: the variance of the numbers of bad requests beside their mean (the index of dispersion, 1 for what
//!   happens one by one). What a window wins or loses is divided by what that was in the windows before it
//!   (quasi-likelihood, McCullagh 1983). And no pod counts for more than one clump a window may, `1/q₀`.
//! - *Late failures*: a bet loses money while all is well, and would take as long to earn it again. So half the
//!   money is bet at once and the rest later, `1/(2k(k-1))` of it at the k-th window.
//! - *No stable requests* (the candidate has all the traffic): nothing runs beside it, so its own share is judged
//!   against the upper bound of what stable's share was, times three at least: times of day differ too.

use super::Window;
use crate::api::{RatioState, Spread};

/// How many times worse than tolerated each bet says that the candidate is.
const BETS: [f64; 8] = [1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0];
/// The part of the evidence that fails a candidate which one window gives at most, in logarithms.
const ONE_WINDOW: f64 = 0.6;
/// How many times stable's former share is tolerated where nothing runs beside the candidate.
const ALONE: f64 = 3.0;
/// Fewest requests of stable that tell what its share was.
const KNOWN: i64 = 200;
/// Millionths.
const SCALE: f64 = 1e6;
/// Money of a bet that has lost all, as a logarithm.
const RUINED: f64 = -1e6;

/// What was counted in a window, over all pods.
pub struct Seen {
    pub candidate_bad: f64,
    pub candidate_total: f64,
    pub stable_bad: f64,
    pub stable_total: f64,
    /// Pods of the candidate that had bad requests.
    pods: f64,
    /// The bad requests of each of stable's pods.
    spread: Spread,
}

impl Seen {
    pub fn of(window: &Window) -> Self {
        // A counter of bad requests that is not part of the total would give shares above 1.
        let bad = |pods: &[super::Counted]| pods.iter().map(|pod| pod.bad.min(pod.total)).sum::<f64>();
        let total = |pods: &[super::Counted]| pods.iter().map(|pod| pod.total).sum::<f64>();
        Self {
            candidate_bad: bad(&window.candidate),
            candidate_total: total(&window.candidate),
            stable_bad: bad(&window.stable),
            stable_total: total(&window.stable),
            spread: spread(&window.stable),
            pods: window.candidate.iter().filter(|pod| pod.bad.min(pod.total) > 0.0).map(|_| 1.0).sum(),
        }
    }
}

/// Lets all bets play a window.
pub fn bet(state: &mut RatioState, seen: &Seen, tolerate: f64, enough: f64) {
    if seen.candidate_bad + seen.stable_bad <= 0.0 || seen.candidate_total <= 0.0 {
        return;
    }
    let won = if seen.stable_total > 0.0 { beside(seen, tolerate) } else { alone(state, seen, tolerate) };
    let Some((clump, won)) = won else { return };
    let clumps = dispersion(&state.spread);
    let won = won.map(|won| won / clumps);
    let most = (seen.pods * clump).min(ONE_WINDOW * enough.ln());
    state.windows = state.windows.saturating_add(1);
    let stake = stake(state.windows).ln();
    let money = (0..BETS.len()).map(|bet| state.evidence.get(bet).map_or(RUINED, |own| *own as f64 / SCALE));
    let played = money.zip(won).map(|(money, won)| sum(money, stake) + won.min(most));
    // Rounded down: rounding must not make evidence.
    state.evidence = played.map(|money| (money.max(RUINED) * SCALE).floor() as i64).collect();
}

/// Adds how a window's bad requests were spread over stable's pods; to be called when the bets were made.
pub fn note(state: &mut RatioState, seen: &Seen) {
    let Spread { pods, bad, squares } = seen.spread;
    let known = &mut state.spread;
    known.pods = known.pods.saturating_add(pods);
    known.bad = known.bad.saturating_add(bad);
    known.squares = known.squares.saturating_add(squares);
}

fn spread(pods: &[super::Counted]) -> Spread {
    let mut found = Spread::default();
    for pod in pods.iter().filter(|pod| pod.total > 0.0) {
        let bad = pod.bad.min(pod.total).round().min(1e6) as i64;
        found.pods += 1;
        found.bad = found.bad.saturating_add(bad);
        found.squares = found.squares.saturating_add(bad.saturating_mul(bad));
    }
    found
}

/// How many bad requests are one event, by the spread so far; 1 at least.
fn dispersion(spread: &Spread) -> f64 {
    if spread.pods < 2 || spread.bad < 1 {
        return 1.0;
    }
    let (pods, bad) = (spread.pods as f64, spread.bad as f64);
    let mean = bad / pods;
    let variance = (spread.squares as f64 - bad * mean) / (pods - 1.0);
    (variance / mean).max(1.0)
}

/// What one clump may count for, and what each bet wins (logarithms), with stable beside the candidate.
fn beside(seen: &Seen, tolerate: f64) -> Option<(f64, [f64; 8])> {
    let share = |times: f64| {
        let candidate = times * seen.candidate_total;
        candidate / (candidate + seen.stable_total)
    };
    let null = share(tolerate);
    let won = BETS.map(|worse| {
        let share = share(tolerate * worse);
        seen.candidate_bad * (share / null).ln() + seen.stable_bad * ((1.0 - share) / (1.0 - null)).ln()
    });
    Some((-null.ln(), won))
}

/// The same where stable has no requests any more; `None` where too little is known of it.
fn alone(state: &RatioState, seen: &Seen, tolerate: f64) -> Option<(f64, [f64; 8])> {
    if state.all.stable_total < KNOWN {
        return None;
    }
    let share = upper(state.all.stable_bad as f64, state.all.stable_total as f64) * tolerate.max(ALONE);
    let expected = seen.candidate_total * share.min(1.0);
    let won = BETS.map(|worse| seen.candidate_bad * worse.ln() - expected * (worse - 1.0));
    Some((std::f64::consts::LN_2, won))
}

/// Upper bound of a share (Wilson, three standard deviations).
fn upper(bad: f64, total: f64) -> f64 {
    let z2 = 9.0;
    let middle = bad + z2 / 2.0;
    let width = 3.0 * (bad * (1.0 - bad / total) + z2 / 4.0).max(0.0).sqrt();
    ((middle + width) / (total + z2)).min(1.0)
}

/// The part of the money that is bet from the k-th window on; in all 1.
fn stake(window: u32) -> f64 {
    let k = f64::from(window.max(1));
    if window <= 1 { 0.5 } else { 0.5 / (k * (k - 1.0)) }
}

/// The mean over all bets, and the money that is not bet yet, as a natural logarithm.
pub fn evidence(state: &RatioState) -> f64 {
    if state.windows == 0 {
        return 0.0;
    }
    let kept = 0.5 / f64::from(state.windows);
    let mean = (BETS.len() as f64).ln();
    state.evidence.iter().fold(kept.ln(), |all, own| sum(all, *own as f64 / SCALE - mean))
}

/// `ln(exp(a) + exp(b))`
fn sum(a: f64, b: f64) -> f64 {
    let (large, small) = if a > b { (a, b) } else { (b, a) };
    large + (small - large).exp().ln_1p()
}
