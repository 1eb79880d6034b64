use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use rstest::rstest;

use super::super::began;
use crate::api::HistoryEntry;

/// `DIGEST RESULT`, the newest first; each began a second after the one before it, the oldest at 1.
fn history(texts: &[&str]) -> Vec<HistoryEntry> {
    let entry = |(place, text): (usize, &&str)| {
        let (digest, result) = text.split_once(' ').unwrap();
        let second = i64::try_from(texts.len() - place).unwrap();
        HistoryEntry {
            number: 0,
            digest: digest.into(),
            revision: String::new(),
            started_at: Time(Timestamp::from_second(second).unwrap()),
            finished_at: None,
            trigger: String::new(),
            result: result.into(),
            message: String::new(),
            kept: false,
        }
    };
    texts.iter().enumerate().map(entry).collect()
}

#[rstest]
#[case::one_that_failed(&["bad Failed", "good Synced"], Some(2))]
#[case::once_it_is_told(&["good Applying", "bad RolledBack", "good Synced"], Some(2))]
#[case::after_another_that_proved_nothing(&["bad Failed", "unproved Applied", "good Synced", "old Synced"], Some(3))]
#[case::after_one_that_was_rolled_back(&["bad Failed", "worse RolledBack", "good Synced"], Some(3))]
#[case::tried_again(&["bad Failed", "good Synced", "bad RolledBack", "good Synced"], Some(4))]
#[case::by_hand_over_several(&["bad Synced", "better Synced", "good Synced", "old Synced"], Some(3))]
#[case::what_was_left_of_a_rollback(&["other Synced", "worse RolledBack", "other Synced", "good Synced"], Some(4))]
#[case::the_restored_one_is_too_old_to_be_told(&["bad Failed", "better Synced"], Some(1))]
#[case::only_the_restored_one_is_told(&["good Applying"], None)]
#[case::nothing_is_told(&[], None)]
fn what_a_rollback_undoes_began(#[case] texts: &[&str], #[case] expected: Option<i64>) {
    let since = began(&history(texts), "bad", "good");
    assert_eq!(since.map(Timestamp::as_second), expected);
}
