use std::collections::BTreeMap;
use std::sync::Arc;

use insta::assert_yaml_snapshot;
use rstest::rstest;
use windlass_core::api::HealthStatus;

use super::*;
use crate::controller::view::AppView;
use crate::web::tests::fixtures::{COMMIT, key, now, object, shop, view};

#[test]
fn the_list() {
    assert_yaml_snapshot!(ApplicationsPage::new(&shop().all(), &ListQuery::default(), now()));
}

#[test]
fn one_application() {
    let views = shop();
    let view = views.get(&key("checkout")).unwrap();
    assert_yaml_snapshot!(ApplicationPage::new(&key("checkout"), &view, 1, now()));
}

#[test]
fn an_empty_list() {
    let page = ApplicationsPage::new(&BTreeMap::new(), &ListQuery::default(), now());
    assert_eq!((page.total, page.rows.len(), page.pager.pages, page.pager.first), (0, 0, 1, 0));
}

#[test]
fn facets_count_what_choosing_them_would_show() {
    let query = ListQuery { health: Some(HealthStatus::Healthy), ..ListQuery::default() };
    let page = ApplicationsPage::new(&shop().all(), &query, now());
    let counts = |facets: &[Facet]| facets.iter().map(|f| (f.badge.label, f.count)).collect::<Vec<_>>();
    assert_eq!(counts(&page.health), [("Degraded", 1), ("Healthy", 2)]);
    assert_eq!(counts(&page.sync), [("Out of sync", 1), ("Synced", 1)]);
    assert_eq!(page.rows.len(), 2);
}

#[test]
fn the_message_says_why_it_is_stuck_before_all_else() {
    let mut view = view(&key("web"), "Synced", "Degraded", "pods crash");
    let application = Arc::make_mut(&mut view.application);
    let row = |view: &AppView| ApplicationRow::new(&key("web"), view, now()).message;
    let conditions = &mut application.status.as_mut().unwrap().conditions;
    let mut stalled = conditions[0].clone();
    stalled.type_ = "Stalled".into();
    stalled.status = "True".into();
    stalled.message = "the repository is gone".into();
    conditions.push(stalled);
    assert_eq!(row(&view), "the repository is gone");
    Arc::make_mut(&mut view.application).status.as_mut().unwrap().conditions.clear();
    assert_eq!(row(&view), "pods crash");
}

#[test]
fn objects_with_problems_come_first_and_out_of_sync_within_a_health() {
    let mut view = view(&key("web"), "Synced", "Healthy", "");
    view.objects = vec![
        object("ConfigMap", "a", HealthStatus::Healthy, "not shown", true),
        object("ConfigMap", "b", HealthStatus::Healthy, "", false),
        object("Deployment", "c", HealthStatus::Missing, "gone", true),
        object("Deployment", "d", HealthStatus::Degraded, "broken", true),
    ];
    let page = ApplicationPage::new(&key("web"), &view, 1, now());
    let shown: Vec<_> = page.objects.groups.iter().flat_map(|group| &group.rows).collect();
    assert_eq!(shown.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["d", "c", "b", "a"]);
    assert_eq!(shown.iter().map(|row| row.message.as_str()).collect::<Vec<_>>(), ["broken", "gone", "", ""]);
}

#[rstest]
#[case("plain ünïcode 漢字 👩‍👩‍👧", "plain ünïcode 漢字 👩‍👩‍👧")]
#[case("a\u{0}b\u{1b}[31m\u{7f}\u{9b}", "a␀b␛[31m␡⟨U+009B⟩")]
#[case("abc\u{202e}cod.exe\u{2066}\u{200b}\u{feff}", "abc⟨U+202E⟩cod.exe⟨U+2066⟩⟨U+200B⟩⟨U+FEFF⟩")]
#[case("one\r\n\ttwo", "one␍\n two")]
#[case("\u{e0041}", "⟨U+E0041⟩")]
fn deceptive_characters_are_visible(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(visible(text), expected);
}

#[test]
fn names_have_one_line() {
    assert_eq!(visible_line("a\nb"), "a␊b");
}

#[test]
fn commits_are_cut_and_nothing_else() {
    let short = |text: &str| Revision::new(text).short;
    assert_eq!(short(&format!("main@{COMMIT},release/2.0@{COMMIT}")), "main@3f2a9c1e, release/2.0@3f2a9c1e");
    assert_eq!(short("v1.2.3@sha256:".to_owned().as_str()), "v1.2.3@sha256:");
    assert_eq!(short("deadbeef"), "deadbeef");
    assert_eq!(short(""), "");
    assert_eq!(Revision::new(COMMIT).full, COMMIT);
}

#[rstest]
#[case("2026-11-21T04:00:09Z", "just now")]
#[case("2026-11-21T03:59:56Z", "just now")]
#[case("2026-11-21T03:59:01Z", "59 s ago")]
#[case("2026-11-21T03:00:01Z", "59 min ago")]
#[case("2026-11-20T04:00:01Z", "23 h ago")]
#[case("2026-10-01T00:00:00Z", "51 d ago")]
#[case("2025-02-03T00:00:00Z", "2025-02-03")]
fn times_are_relative_while_that_says_more(#[case] moment: &str, #[case] expected: &str) {
    let when = When::new(moment.parse().unwrap(), now());
    assert_eq!(when.relative, expected);
    assert_eq!(when.datetime, moment);
}

#[test]
fn every_state_has_a_shape_of_its_own() {
    use windlass_core::api::SyncStatus;
    let health = [
        HealthStatus::Healthy,
        HealthStatus::Suspended,
        HealthStatus::Progressing,
        HealthStatus::Unknown,
        HealthStatus::Missing,
        HealthStatus::Degraded,
    ];
    let sync = [SyncStatus::Synced, SyncStatus::OutOfSync, SyncStatus::Unknown];
    let badges = health.map(Badge::health).into_iter().chain(sync.map(Badge::sync));
    let symbols: std::collections::BTreeSet<_> = badges.map(|badge| badge.symbol).collect();
    assert_eq!(symbols.len(), 9);
    let page = include_str!("../templates/symbols.svg");
    assert!(symbols.iter().all(|symbol| page.contains(&format!("<symbol id=\"{symbol}\""))));
}
