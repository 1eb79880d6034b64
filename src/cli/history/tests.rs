use rstest::rstest;

use super::*;

/// The second release was gone back from by hand, the third failed earlier and is forgotten, the oldest is
/// kept whole.
const STATUS: &str = r#"
next: {digest: bbbbbbbb, revision: main@2222222, since: "2026-01-01T00:40:00Z"}
stable: {digest: aaaaaaaa, revision: main@1111111, since: "2026-01-01T00:50:00Z"}
quarantined:
- {digest: bbbbbbbb, revision: main@2222222, reason: RolledBack, message: rolled back by jane, since: "2026-01-01T00:50:00Z"}
history:
- {number: 5, digest: aaaaaaaa, revision: main@1111111, startedAt: "2026-01-01T00:50:00Z", trigger: rollback requested by jane (claimed), result: Synced, message: "1 updated\u001b[2J", kept: true}
- {number: 4, digest: bbbbbbbb, revision: main@2222222, startedAt: "2026-01-01T00:40:00Z", trigger: commit, result: RolledBack, message: rolled back by jane, kept: true}
- {number: 3, digest: aaaaaaaa, revision: main@1111111, startedAt: "2026-01-01T00:30:00Z", trigger: commit, result: Synced, kept: true}
- {number: 2, digest: cccccccc, revision: main@3333333, startedAt: "2026-01-01T00:20:00Z", trigger: commit, result: Failed, message: "Deployment shop/web: crash loop"}
- {number: 1, digest: dddddddd, revision: main@4444444, startedAt: "2026-01-01T00:10:00Z", trigger: commit, result: Synced, kept: true}
"#;

fn status() -> ApplicationStatus {
    serde_yaml::from_str(STATUS).unwrap()
}

#[test]
fn the_table_says_what_is_present_and_what_can_be_chosen() {
    let table = table(&status(), "2026-01-01T01:00:00Z".parse().unwrap()).unwrap();
    assert!(!table.contains('\u{1b}'));
    insta::assert_snapshot!(table);
}

#[test]
fn programs_read_the_same() {
    let values = values(&status()).unwrap();
    let items = values["items"].as_array().unwrap();
    let marks: Vec<_> = items
        .iter()
        .map(|item| (item["number"].as_u64(), item["present"].as_bool(), item["canBeChosen"].as_bool()))
        .collect();
    let (yes, no) = (Some(true), Some(false));
    assert_eq!(
        marks,
        [(Some(5), yes, no), (Some(4), no, no), (Some(3), no, no), (Some(2), no, no), (Some(1), no, yes)]
    );
}

#[rstest]
#[case(None, Ok(1))]
#[case(Some("1"), Ok(1))]
#[case(Some("main@4444444"), Ok(1))]
#[case(Some("4444444"), Ok(1))]
#[case(Some("dddddd"), Ok(1))]
#[case(Some("ddddd"), Err("there is no release ddddd in the history; these can be chosen: 1 (main@4444444)"))]
#[case(Some("99"), Err("there is no release 99 in the history; these can be chosen: 1 (main@4444444)"))]
#[case(Some("3"), Err("release 3 is what the cluster has; these can be chosen: 1 (main@4444444)"))]
#[case(
    Some("4"),
    Err(
        "release 4 is quarantined; `windlass retry` applies it again if Git still says it; these can be chosen: 1 (main@4444444)"
    )
)]
#[case(
    Some("2"),
    Err("the objects of release 2 are not kept any more; these can be chosen: 1 (main@4444444)")
)]
fn a_release_is_chosen_by_name(#[case] wish: Option<&str>, #[case] answer: Result<u64, &str>) {
    let chosen = choose(&status(), wish).map(|entry| entry.number);
    assert_eq!(chosen, answer.map_err(str::to_owned));
}

#[test]
fn what_proves_itself_is_present_and_the_one_before_is_chosen_once() {
    let mut status = status();
    status.quarantined.clear();
    assert_eq!(present(&status), Some("bbbbbbbb"));
    assert_eq!(choose(&status, None).map(|entry| entry.number), Ok(5));
    let why = choose(&status, Some("99")).unwrap_err();
    assert!(why.ends_with("these can be chosen: 5 (main@1111111), 1 (main@4444444)"), "{why}");
}

#[test]
fn without_an_earlier_release_nothing_can_be_chosen() {
    let mut status = status();
    status.history.truncate(1);
    let why = choose(&status, None).unwrap_err();
    assert_eq!(why, "no earlier release is kept that can be gone back to");
}
