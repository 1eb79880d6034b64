use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::json;

use super::super::*;
use crate::api::{ApplicationStatus, Quarantined, ReleaseRef};
use crate::object::Object;

/// A release by its number; what it says of one object is its number, and a volume is what it begins with.
fn kept(number: u64) -> Kept {
    kept_with(number, None)
}

fn kept_with(number: u64, volume: Option<&str>) -> Kept {
    let origin = Origin { source: "env".into(), file: "c.yaml".into(), document: 1, line: 1 };
    let object = |kind: &str, name: &str| {
        let body = json!({
            "apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": {"value": number}
        });
        ReleaseObject { object: Object::new(body).unwrap(), origin: origin.clone() }
    };
    let mut objects = vec![object("ConfigMap", "a")];
    objects.extend(volume.map(|name| object("PersistentVolumeClaim", name)));
    let release = Release::new(format!("main@abc000{number}"), Cluster::default(), objects);
    Kept { release: Arc::new(release), render: None, number }
}

fn entry(release: &Release) -> Quarantined {
    Quarantined {
        digest: release.digest().as_str().into(),
        revision: release.revision().into(),
        reason: "Degraded".into(),
        message: String::new(),
        since: Time(Timestamp::UNIX_EPOCH),
        hooks: Vec::new(),
        write_back: String::new(),
    }
}

fn releases(stable: Option<u64>, next: Option<u64>, previous: &[u64], quarantined: &[u64]) -> Releases {
    Releases {
        stable: stable.map(kept),
        next: next.map(kept),
        previous: previous.iter().copied().map(kept).collect(),
        quarantined: quarantined.iter().map(|number| entry(&kept(*number).release)).collect(),
    }
}

/// `stable next [previous] !quarantined`, by number.
fn told(releases: &Releases) -> String {
    let number = |kept: &Option<Kept>| kept.as_ref().map_or("-".into(), |kept| kept.number.to_string());
    let previous: Vec<_> = releases.previous.iter().map(|kept| kept.number.to_string()).collect();
    let of = |digest: &str| (1..10).find(|n| kept(*n).release.digest().as_str() == digest).unwrap_or(0);
    let quarantined: Vec<_> = releases.quarantined.iter().map(|q| of(&q.digest).to_string()).collect();
    format!(
        "{} {} [{}] !{}",
        number(&releases.stable),
        number(&releases.next),
        previous.join(" "),
        quarantined.join(" ")
    )
}

#[test]
fn a_release_begins_and_proves_itself() {
    let mut life = Releases::default();
    for number in 1..=6 {
        life.begin(kept(number));
        assert_eq!(life.present(), Some(kept(number)));
        life.prove();
    }
    assert_eq!(told(&life), "6 - [5 4 3] !");
    // Back by commit.
    life.begin(kept(4));
    assert_eq!(told(&life), "6 4 [5 3] !");
    life.prove();
    assert_eq!(told(&life), "4 - [6 5 3] !");
    life.prove();
    assert_eq!(told(&life), "4 - [6 5 3] !");
}

#[test]
fn a_failure_keeps_the_bytes_of_what_is_undone() {
    let mut life = releases(Some(1), Some(2), &[], &[]);
    life.quarantine(entry(&kept(2).release));
    assert_eq!(told(&life), "1 2 [] !2");
    assert_eq!(life.present(), Some(kept(1)));
    assert_eq!(life.undone().unwrap().0.number, 2);
    life.begin(kept(3));
    assert_eq!(told(&life), "1 3 [] !2");
    assert!(life.undone().is_none());
}

#[test]
fn a_person_goes_back() {
    // From what proved itself.
    let mut life = releases(Some(5), None, &[4, 3], &[]);
    life.go_back(&kept(4), entry);
    assert_eq!(told(&life), "4 5 [3] !5");
    // And further.
    life.go_back(&kept(3), entry);
    assert_eq!(told(&life), "3 4 [] !4 5");
    // From what did not prove itself yet, over the one that did.
    let mut life = releases(Some(5), Some(6), &[4, 3], &[]);
    life.go_back(&kept(4), entry);
    assert_eq!(told(&life), "4 6 [5 3] !6");
    let mut life = releases(Some(5), Some(6), &[4, 3], &[]);
    life.go_back(&kept(5), entry);
    assert_eq!(told(&life), "5 6 [4 3] !6");
}

#[test]
fn going_back_further_undoes_what_an_earlier_rollback_left() {
    let mut life = releases(Some(4), None, &[3], &[]);
    life.begin(kept_with(5, Some("data")));
    life.quarantine(entry(&life.next.clone().unwrap().release));
    let present = life.present().unwrap();
    assert_eq!(present.release.len(), 2, "the volume stays");
    life.go_back(&kept(3), entry);
    assert_eq!(life.stable, Some(kept(3)));
    assert_eq!(life.next, Some(present));
    assert!(life.undone().is_some());
    assert!(life.quarantine_of(kept(4).release.digest()).is_some());
    assert_eq!(life.present().unwrap().release.len(), 2, "the volume still stays");
}

#[test]
fn a_release_is_chosen_by_any_name() {
    let life = releases(Some(5), Some(6), &[4, 3], &[3]);
    let choose = |wish: Option<&str>| life.choose(wish).map(|kept| kept.number);
    assert_eq!(choose(None), Ok(5));
    assert_eq!(choose(Some("4")), Ok(4));
    assert_eq!(choose(Some("main@abc0004")), Ok(4));
    assert_eq!(choose(Some("abc0004")), Ok(4));
    assert_eq!(choose(Some(kept(4).release.digest().short(8))), Ok(4));
    let can = "these can be chosen: 5 (main@abc0005), 4 (main@abc0004)";
    assert_eq!(choose(Some("6")), Err(format!("release 6 is what the cluster has; {can}")));
    assert_eq!(choose(Some("2")), Err(format!("no release 2 is kept; {can}")));
    assert_eq!(
        choose(Some("3")),
        Err(format!(
            "release 3 is quarantined; `windlass retry` applies it again if Git still says it; {can}"
        ))
    );
    assert_eq!(releases(Some(1), None, &[], &[]).choose(None), Err("no earlier release is kept".into()));
    let undone = releases(Some(1), Some(2), &[], &[2]);
    assert_eq!(undone.choose(None), Err("no earlier release is kept".into()));
}

fn reference(number: u64) -> Option<ReleaseRef> {
    let release = kept(number).release;
    serde_json::from_value(json!({
        "digest": release.digest().as_str(), "revision": "", "since": "2026-01-01T00:00:00Z"
    }))
    .unwrap()
}

fn status(stable: u64, next: u64, quarantined: &[u64]) -> ApplicationStatus {
    let of = |number| if number == 0 { None } else { reference(number) };
    ApplicationStatus {
        stable: of(stable),
        next: of(next),
        quarantined: quarantined.iter().map(|number| entry(&kept(*number).release)).collect(),
        ..ApplicationStatus::default()
    }
}

#[test]
fn the_status_gives_stored_releases_their_roles() {
    let stored = |quarantined: &[u64]| releases(Some(1), Some(2), &[9], quarantined);
    let aligned = |stored: Releases, status: ApplicationStatus| {
        let (aligned, ahead) = stored.align(&status);
        (told(&aligned), ahead)
    };
    // It proved itself since it was stored.
    assert_eq!(aligned(stored(&[]), status(2, 0, &[])), ("2 - [1 9] !".into(), false));
    // Killed between the store and the status.
    assert_eq!(aligned(stored(&[]), status(1, 0, &[])), ("1 - [9] !".into(), false));
    assert_eq!(aligned(stored(&[2]), status(1, 2, &[])), ("1 2 [9] !2".into(), true));
    assert_eq!(aligned(stored(&[]), status(1, 0, &[2])), ("1 2 [9] !2".into(), false));
    // Under way, and undone.
    assert_eq!(aligned(stored(&[]), status(1, 2, &[])), ("1 2 [9] !".into(), false));
    assert_eq!(aligned(stored(&[2]), status(1, 0, &[2])), ("1 2 [9] !2".into(), false));
    // The status was lost.
    assert_eq!(aligned(stored(&[]), status(0, 0, &[])), ("1 2 [9] !".into(), false));
    assert_eq!(aligned(stored(&[2]), status(0, 0, &[])), ("1 2 [9] !2".into(), true));
    // The store was lost.
    assert_eq!(aligned(Releases::default(), status(1, 0, &[2])), ("- - [] !2".into(), false));
}
