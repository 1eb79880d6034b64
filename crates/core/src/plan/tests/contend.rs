use std::time::Duration;

use super::id;
use crate::fields::{Foreign, Path};
use crate::plan::{Heals, Pace};

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn foreign(manager: &str, path: &str) -> Foreign {
    Foreign { manager: manager.into(), updates: true, path: Path::parse(path).unwrap() }
}

/// Somebody undoes every heal at once; gives when the heals are, in seconds.
fn fight(until: f64, heals: &mut Heals) -> Vec<f64> {
    let mut times = Vec::new();
    let mut now = 0.0;
    while now < until {
        let rival = [foreign("rival", "/spec/replicas")];
        if heals.due(seconds(now), rival.iter()) == Pace::Now {
            times.push(now);
        }
        now += 0.25;
    }
    times
}

#[test]
fn the_pause_doubles_as_long_as_somebody_fights() {
    assert_eq!(fight(32.0, &mut Heals::default()), [0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]);
    assert!(fight(3600.0, &mut Heals::default()).len() < 30);
}

#[test]
fn a_single_change_now_and_then_is_no_fight() {
    let mut heals = Heals::default();
    for minute in 0..20 {
        let now = seconds(f64::from(minute) * 60.0);
        assert_eq!(heals.due(now, [].iter()), Pace::Now);
        assert_eq!(heals.contention(&id("ConfigMap", "a"), now), None);
    }
}

#[test]
fn a_fight_is_told_until_it_ends() {
    let mut heals = Heals::default();
    let a = id("ConfigMap", "a");
    fight(1.0, &mut heals);
    assert_eq!(heals.contention(&a, seconds(1.0)), None);
    fight(9.0, &mut heals);
    let told = heals.contention(&a, seconds(9.0)).unwrap();
    assert!(told.starts_with("ConfigMap shop/a: rival keeps setting /spec/replicas; "), "{told}");
    // Nobody else is told of while it waits.
    let rest = heals.rest(seconds(9.0)).unwrap();
    assert!(rest > seconds(10.0) && rest < seconds(60.0), "{rest:?}");
    assert!(heals.contention(&a, seconds(9.0) + rest).is_some());
    let after = seconds(9.1) + rest;
    assert_eq!((heals.rest(after), heals.contention(&a, after)), (None, None));
    assert_eq!(heals.due(after, [].iter()), Pace::Now);
    assert_eq!(heals.contention(&a, after), None);
}

#[test]
fn who_fights_and_for_what_is_named() {
    let mut heals = Heals::default();
    let both = [foreign("b", "/x"), foreign("a", "/z"), foreign("a", "/y")];
    for quarter in 0..40 {
        heals.due(seconds(f64::from(quarter) / 4.0), both.iter());
    }
    let told = heals.contention(&id("ConfigMap", "a"), seconds(10.0)).unwrap();
    assert!(told.contains("a keeps setting /y, /z and b keeps setting /x"), "{told}");
    let mut deleted = Heals::default();
    for quarter in 0..40 {
        deleted.due(seconds(f64::from(quarter) / 4.0), [].iter());
    }
    let told = deleted.contention(&id("ConfigMap", "a"), seconds(10.0)).unwrap();
    assert!(told.contains("somebody keeps undoing what is applied"), "{told}");
}
