use std::collections::BTreeSet;
use std::time::Duration;

use super::id;
use crate::api::AppKey;
use crate::object::ObjectId;
use crate::plan::{MOVE_DEADLINE, holds_data, may_prune, same_repository};

fn unheard() -> BTreeSet<AppKey> {
    BTreeSet::from([AppKey::new("team-a", "other")])
}

#[test]
fn a_prune_waits_for_everybody_who_may_want_the_object_but_not_for_ever() {
    let id = id("Deployment", "web");
    let just_before = MOVE_DEADLINE - Duration::from_millis(1);
    assert!(may_prune(&id, &BTreeSet::new(), Duration::ZERO, false), "everybody was heard");
    assert!(!may_prune(&id, &unheard(), Duration::ZERO, false));
    assert!(!may_prune(&id, &unheard(), just_before, false));
    assert!(may_prune(&id, &unheard(), MOVE_DEADLINE, false), "who is broken loses its say");
    assert!(may_prune(&id, &unheard(), Duration::ZERO, true), "a person allowed it");
}

#[test]
fn data_waits_for_everybody_or_for_a_person() {
    for kind in ["PersistentVolumeClaim", "PersistentVolume", "Namespace", "CustomResourceDefinition"] {
        let id = id(kind, "data");
        assert!(holds_data(&id), "{kind}");
        assert!(!may_prune(&id, &unheard(), MOVE_DEADLINE * 1000, false), "{kind}");
        assert!(may_prune(&id, &unheard(), Duration::ZERO, true), "{kind}");
        assert!(may_prune(&id, &BTreeSet::new(), Duration::ZERO, false), "{kind}");
    }
    let other_group = ObjectId { group: "example.org".into(), ..id("Namespace", "mine") };
    assert!(!holds_data(&other_group), "the kind of another group of the same name");
}

#[test]
fn one_repository_has_several_addresses() {
    let same = [
        ("https://git.example/a.git", "https://git.example/a"),
        ("https://Git.Example/a", "https://git.example/a/"),
        ("https://git.example:443/a", "https://git.example/a"),
        ("http://git.example:80/a.git/", "http://git.example/a"),
        ("http://git.example/a", "https://git.example/a"),
    ];
    for (a, b) in same {
        assert!(same_repository(a, b), "{a} {b}");
    }
    for (a, b) in [
        ("https://git.example/a", "https://git.example/A"),
        ("https://git.example/a", "https://git.example/b"),
        ("https://git.example:8443/a", "https://git.example/a"),
    ] {
        assert!(!same_repository(a, b), "{a} {b}");
    }
}
