use k8s_openapi::jiff::Timestamp;
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::api::Duration;
use crate::gate::{Hold, Verdict, verdict};

const SCRAPE: i64 = 15;

fn spec() -> Ratio {
    serde_json::from_str(r#"{"bad": "m{code=\"500\"}", "total": "m"}"#).unwrap()
}

fn gate() -> Gate {
    Gate { name: "errors".into(), ratio: Some(spec()), ..Gate::default() }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

fn pod(name: &str, side: Side, started: i64) -> Pod {
    Pod { name: name.into(), side, started: Some(at(started)) }
}

/// A series with these values from `first` on, a scrape apart; NaN where it was not scraped.
fn series(pod: &str, first: i64, values: &[f64]) -> Series {
    let points = values.iter().enumerate().filter(|(_, value)| !value.is_nan());
    let points = points.map(|(index, value)| {
        let at = at(first + SCRAPE * i64::try_from(index).unwrap()).as_millisecond();
        Point { at, value: *value }
    });
    Series { pod: pod.into(), points: points.collect() }
}

const GAP: f64 = f64::NAN;

/// What pod `new` is counted for after 60 s up to 120 s: bad and total. Pod `old` serves all the time.
fn counted(started: i64, warmup: u64, bad: Vec<Series>, total: Vec<Series>) -> Option<(f64, f64)> {
    let mut total = total;
    total.push(series("old", 0, &[0., 10., 20., 30., 40., 50., 60., 70., 80., 90., 100.]));
    let spec = Ratio { warmup: Duration::from_secs(warmup), ..spec() };
    let pods = [pod("new", Side::Candidate, started), pod("old", Side::Stable, -3000)];
    let window = window(&spec, at(60), at(150), &pods, &Counters { bad, total }).unwrap();
    assert_eq!((window.start, window.end), (at(60), at(120)));
    assert_eq!(window.stable, vec![Counted { pod: "old".into(), bad: 0., total: 40. }]);
    window.candidate.first().map(|pod| (pod.bad, pod.total))
}

#[test]
fn a_window_has_the_points_after_its_start_up_to_two_scrapes_ago() {
    let total = series("new", 0, &[5., 5., 5., 5., 7., 8., 9., 9., 19., 99., 99.]);
    assert_eq!(counted(-100, 0, vec![], vec![total]), Some((0., 12.)));
}

#[rstest]
#[case::restarted(&[5., 5., 5., 50., 60., 3., 4., 4., 5., 5., 5.], 10.0 + 3.0 + 1.0)]
#[case::restarted_twice(&[5., 5., 5., 50., 50., 3., 1., 4., 5., 5., 5.], 3.0 + 1.0 + 3.0)]
#[case::not_scraped_for_a_while(&[5., 5., 5., GAP, GAP, GAP, GAP, 30., 40., 40., 40.], 25.0)]
#[case::rubbish(&[5., 5., 5., 5., f64::INFINITY, -3., 6., 7., 8., 8., 8.], 2.0)]
fn counters_that_fall_count_from_zero(#[case] values: &[f64], #[case] expected: f64) {
    assert_eq!(counted(-100, 0, vec![], vec![series("new", 15, values)]), Some((0., expected)));
}

#[test]
fn the_first_errors_of_a_new_series_count() {
    let total = || vec![series("new", 0, &[9., 9., 9., 9., 19., 29., 39., 49., 49., 49., 49.])];
    let bad = series("new", 90, &[4., 6., 7.]);
    assert_eq!(counted(-100, 0, vec![bad], total()), Some((7., 30.)), "the pod was scraped before");
}

#[test]
fn a_new_pod_counts_from_zero_and_an_old_one_after_a_gap_does_not() {
    let total = || vec![series("new", 75, &[1000., 1010., 1010., 1020., 1020.])];
    assert_eq!(counted(70, 0, vec![], total()), Some((0., 1020.)));
    assert_eq!(counted(50, 0, vec![], total()), Some((0., 1020.)), "started just before");
    assert_eq!(counted(-3000, 0, vec![], total()), Some((0., 20.)), "what it counted when is unknown");
    assert_eq!(counted(-3000, 0, vec![], vec![series("new", 150, &[1000.])]), None);
}

#[test]
fn what_a_pod_counts_while_it_warms_up_is_left_out() {
    let bad = || vec![series("new", 75, &[50., 50., 51., 51., 51., 51.])];
    let total = || vec![series("new", 75, &[100., 110., 120., 130., 140., 150.])];
    assert_eq!(counted(70, 25, bad(), total()), Some((1., 20.)), "from 95 s on");
    assert_eq!(counted(70, 5, bad(), total()), Some((1., 30.)), "the first point is where it begins");
    assert_eq!(counted(70, 600, bad(), total()), None, "still at it");
}

#[test]
fn windows_touch_and_each_request_counts_once() {
    let values: Vec<f64> = (0..100).map(|index| f64::from(index * 7)).collect();
    let counters =
        Counters { bad: vec![], total: vec![series("new", 0, &values), series("old", 4, &values)] };
    let pods = [pod("new", Side::Candidate, -10), pod("old", Side::Stable, -10)];
    let (mut since, mut sum) = (at(0), 0.0);
    for now in (40..=1000).step_by(37) {
        let window = window(&spec(), since, at(now), &pods, &counters).unwrap();
        assert_eq!(window.start, since);
        sum += window.candidate.iter().map(|pod| pod.total).sum::<f64>();
        since = window.end;
    }
    let expected = (since.as_second() - 1_000_000) / SCRAPE * 7;
    assert_eq!(sum, f64::from(i32::try_from(expected).unwrap()));
}

#[rstest]
#[case::no_candidate(vec![pod("old", Side::Stable, 0)], "the candidate has no pods")]
#[case::not_known(
    vec![pod("x", Side::Candidate, 0), pod("old", Side::Stable, 0)],
    "no series of total for the pods of the candidate"
)]
#[case::stopped(
    vec![pod("old", Side::Candidate, 0), pod("gone", Side::Stable, 0)],
    "the newest point of stable is 90 s old"
)]
#[case::few(
    vec![pod("old", Side::Candidate, 0), pod("x", Side::Candidate, 0), pod("y", Side::Candidate, 0)],
    "only 1 of 3 pods of the candidate are scraped"
)]
fn silence_is_told(#[case] pods: Vec<Pod>, #[case] problem: &str) {
    let flat = [1.; 11];
    let counters =
        Counters { bad: vec![], total: vec![series("old", 0, &flat), series("gone", 0, &flat[..5])] };
    let missing = window(&spec(), at(60), at(150), &pods, &counters);
    assert_eq!(missing, Err(Missing::NoData(problem.into())));
}

#[test]
fn a_look_that_is_too_early_waits() {
    let counters =
        Counters { bad: vec![], total: vec![series("new", 0, &[1.; 11]), series("old", 0, &[1.; 11])] };
    let pods = [pod("new", Side::Candidate, 0), pod("old", Side::Stable, 0)];
    assert_eq!(window(&spec(), at(130), at(150), &pods, &counters), Err(Missing::Early));
    let seen = ratio(&gate(), None, Err(Missing::Early), 1, Time(at(150)));
    assert_eq!(seen, GateState::new("errors", Time(at(150))));
}

/// A window in which one pod a side counted this.
fn seen(index: i64, candidate: (f64, f64), stable: (f64, f64)) -> Window {
    let one = |pod: &str, (bad, total)| vec![Counted { pod: pod.into(), bad, total }];
    Window {
        start: at(60 * index),
        end: at(60 * index + 60),
        candidate: one("new", candidate),
        stable: one("old", stable),
    }
}

fn judged(windows: &[Window], hold: Hold) -> (Verdict, GateState) {
    let mut state = None;
    for window in windows {
        state = Some(ratio(&gate(), state.as_ref(), Ok(window.clone()), hold.ratios, Time(window.end)));
    }
    (verdict(&gate(), state.as_ref(), &hold), state.unwrap())
}

/// A hold of a minute.
fn hold(elapsed: u64) -> Hold {
    let seconds = std::time::Duration::from_secs;
    Hold { elapsed: seconds(elapsed), length: seconds(60), ratios: 1 }
}

#[test]
fn a_candidate_that_is_worse_fails_with_both_shares_and_the_evidence() {
    let windows: Vec<_> = (0..4).map(|index| seen(index, (8., 100.), (4., 1900.))).collect();
    let (found, state) = judged(&windows, hold(0));
    let Verdict::Fail(why) = found else { panic!("{found:?}") };
    let words =
        "gate errors: 8 % of the candidate's requests are bad and 0.211 % of stable's (32 and 16 since";
    assert!(why.starts_with(words), "{why}");
    assert!(why.ends_with(", 100 is enough"), "{why}");
    assert!(state.value.starts_with("8 % bad (stable 0.211 %), evidence "), "{}", state.value);
    let stored: GateState = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
    assert_eq!(stored, state);
}

#[rstest]
#[case::equal((5., 100.), (95., 1900.))]
#[case::better((1., 100.), (95., 1900.))]
#[case::tolerated((6., 100.), (95., 1900.))]
#[case::worse_below_the_floor((10., 100_000.), (2., 1_900_000.))]
#[case::no_errors((0., 100.), (0., 1900.))]
fn a_candidate_that_is_no_worse_passes(#[case] candidate: (f64, f64), #[case] stable: (f64, f64)) {
    let windows: Vec<_> = (0..300).map(|index| seen(index, candidate, stable)).collect();
    assert_eq!(judged(&windows, hold(60)).0, Verdict::Pass);
    assert!(matches!(judged(&windows, hold(59)).0, Verdict::Open(_)));
}

#[test]
fn one_window_and_a_handful_of_bad_requests_are_not_enough() {
    let bad = |count: i64, bad: f64| -> Vec<_> {
        (0..count).map(|index| seen(index, (bad, 100.), (0., 1900.))).collect()
    };
    assert!(matches!(judged(&bad(1, 100.), hold(0)).0, Verdict::Open(_)), "one window");
    assert!(matches!(judged(&bad(4, 1.), hold(0)).0, Verdict::Open(_)), "four bad requests");
    assert!(matches!(judged(&bad(5, 1.), hold(0)).0, Verdict::Fail(_)));
}

#[test]
fn the_gates_of_a_rollout_share_what_is_left_to_one() {
    let windows: Vec<_> = (0..4).map(|index| seen(index, (2., 100.), (2., 1900.))).collect();
    let fails = |ratios| matches!(judged(&windows, Hold { ratios, ..hold(0) }).0, Verdict::Fail(_));
    assert!(fails(1) && !fails(1000));
}

#[test]
fn a_failure_that_comes_late_is_seen_all_the_same() {
    let mut windows: Vec<_> = (0..200).map(|index| seen(index, (5., 100.), (95., 1900.))).collect();
    windows.extend((200..206).map(|index| seen(index, (50., 100.), (95., 1900.))));
    assert!(matches!(judged(&windows, hold(0)).0, Verdict::Fail(_)));
}

#[test]
fn a_window_counts_once() {
    let known = count(&spec(), &RatioState::default(), &seen(0, (3., 100.), (5., 1900.)), 1);
    assert_eq!(count(&spec(), &known, &seen(0, (3., 100.), (5., 1900.)), 1), known);
    let next = count(&spec(), &known, &seen(1, (3., 100.), (5., 1900.)), 1);
    assert_eq!((next.all.candidate_bad, next.windows, next.bad_windows), (6, 2, 2));
}

#[test]
fn without_stable_requests_only_what_is_far_worse_than_before_fails() {
    let before: Vec<_> = (0..10).map(|index| seen(index, (1., 100.), (19., 1900.))).collect();
    let alone = |bad| {
        let then = (10..40).map(|index| seen(index, (bad, 2000.), (0., 0.)));
        judged(&before.iter().cloned().chain(then).collect::<Vec<_>>(), hold(60)).0
    };
    assert_eq!(alone(20.), Verdict::Pass);
    assert_eq!(alone(50.), Verdict::Pass, "two and a half times as much may be the time of day");
    assert!(matches!(alone(160.), Verdict::Fail(_)));
}

#[test]
fn too_few_requests_are_told_and_another_hold_begins_anew() {
    let few: Vec<_> = (0..4).map(|index| seen(index, (0., 10.), (1., 1900.))).collect();
    let (found, state) = judged(&few, hold(60));
    let words = "gate errors: the candidate had 40 of 50 requests; the hold goes on";
    assert_eq!(found, Verdict::LowTraffic(words.into()));
    let enough = ratio(&gate(), Some(&state), Ok(seen(4, (0., 10.), (1., 1900.))), 1, Time(at(0)));
    assert_eq!(verdict(&gate(), Some(&enough), &hold(60)), Verdict::Pass);
    let next = enough.next_hold(Time(at(0)));
    assert!(matches!(verdict(&gate(), Some(&next), &hold(60)), Verdict::NoData(_)), "not asked since");
    let next = ratio(&gate(), Some(&next), Ok(seen(5, (0., 10.), (1., 1900.))), 1, Time(at(0)));
    assert!(matches!(verdict(&gate(), Some(&next), &hold(60)), Verdict::LowTraffic(_)));
    assert_eq!(next.ratio.unwrap().all.candidate_total, 60, "what was counted is kept");
}

#[test]
fn silence_keeps_what_is_known() {
    let (_, state) = judged(&[seen(0, (1., 100.), (1., 1900.))], hold(0));
    let silent =
        ratio(&gate(), Some(&state), Err(Missing::NoData("cannot be reached".into())), 1, Time(at(0)));
    assert_eq!(silent.ratio, state.ratio);
    let words = "gate errors: no data: cannot be reached";
    assert_eq!(verdict(&gate(), Some(&silent), &hold(60)), Verdict::NoData(words.into()));
}

proptest! {
    #[test]
    fn any_windows_keep_the_state_bounded(
        windows in proptest::collection::vec((0f64..1e12, 0f64..1e12, 0f64..1e12, 0f64..1e12), 0..40)
    ) {
        let windows: Vec<_> = windows
            .into_iter()
            .enumerate()
            .map(|(index, (a, b, c, d))| seen(i64::try_from(index).unwrap(), (a, b), (c, d)))
            .collect();
        if !windows.is_empty() {
            let (_, state) = judged(&windows, hold(60));
            prop_assert!(state.value.len() <= 128 && state.ratio.unwrap().evidence.len() <= 8);
        }
    }
}
