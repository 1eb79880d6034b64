use std::time::Duration;

use super::super::breaker::*;
use crate::api::AppKey;

fn app(number: usize) -> AppKey {
    AppKey::new("shop", &number.to_string())
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// How many of so many failing Applications are rolled back, where so many moved.
fn rolled_back(moved: usize, failing: usize) -> usize {
    let mut breaker = Breaker::default();
    (0..moved).for_each(|number| breaker.moved(&app(number), at(0)));
    (0..failing).filter(|number| breaker.failed(&app(*number), at(1))).count()
}

#[test]
fn three_or_a_tenth_may_fail() {
    assert_eq!(rolled_back(1, 1), 1);
    assert_eq!(rolled_back(5, 5), 3);
    assert_eq!(rolled_back(30, 30), 3);
    assert_eq!(rolled_back(40, 40), 4);
    assert_eq!(rolled_back(200, 20), 20);
    assert_eq!(rolled_back(200, 25), 20);
}

#[test]
fn failing_on_is_no_second_failure() {
    let mut breaker = Breaker::default();
    breaker.moved(&app(0), at(0));
    assert!((0..10).all(|second| breaker.failed(&app(0), at(second))));
}

#[test]
fn it_ends_by_itself_and_lets_a_few_go_at_a_time() {
    let mut breaker = Breaker::default();
    for number in 0..6 {
        breaker.moved(&app(number), at(0));
        breaker.failed(&app(number), at(10));
    }
    assert!(breaker.is_paused(at(10)));
    let end = WINDOW + at(10);
    assert!(breaker.is_paused(end - at(1)));
    assert!(!breaker.is_paused(end));
    let going: Vec<_> = (0..6).filter(|number| breaker.failed(&app(*number), end)).collect();
    assert_eq!(going, [0, 1, 2]);
    assert!(breaker.is_paused(end));
}
