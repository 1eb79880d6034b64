use proptest::prelude::*;
use rstest::rstest;

use super::super::select::*;
use crate::api::SyncMode;
use crate::object::Digest;

use Asked::{Nothing as No, Retry, Sync};
use Effective::*;
use SyncMode::{Auto, Manual};
use Why::*;

/// A release by one letter; a blank is none.
fn release(letter: &str) -> Option<Digest> {
    (!letter.is_empty()).then(|| Digest::of_bytes(letter.as_bytes()))
}

fn choose(
    [admitted, stable, next, quarantined]: [&str; 4],
    mode: SyncMode,
    asked: Asked,
) -> (Effective, Why) {
    let [admitted, stable, next] = [admitted, stable, next].map(release);
    let quarantined: Vec<_> = quarantined.split_terminator("").skip(1).filter_map(release).collect();
    let quarantined: Vec<_> = quarantined.iter().map(Digest::as_str).collect();
    let selected = select(&Standing {
        admitted: admitted.as_ref(),
        stable: stable.as_ref(),
        next: next.as_ref(),
        quarantined: &quarantined,
        mode,
        asked,
        busy: false,
    });
    (selected.effective, selected.why)
}

#[rstest]
// admitted, stable, next, quarantined
#[case::first(["a", "", "", ""], Auto, No, (Admitted, Sources))]
#[case::nothing_known(["", "", "", ""], Auto, No, (Nothing, Unreadable))]
#[case::first_is_manual(["a", "", "", ""], Manual, No, (Nothing, AwaitingSync))]
#[case::asked_for(["a", "", "", ""], Manual, Sync, (Admitted, Sources))]
#[case::update(["b", "a", "", ""], Auto, No, (Admitted, Sources))]
#[case::under_way(["b", "a", "b", ""], Auto, No, (Admitted, Sources))]
#[case::under_way_by_hand(["b", "a", "b", ""], Manual, No, (Admitted, Sources))]
#[case::git_is_gone(["", "a", "b", ""], Auto, No, (Next, Unreadable))]
#[case::git_is_gone_and_stable_serves(["", "a", "", ""], Auto, No, (Stable, Unreadable))]
#[case::failed(["b", "a", "b", "b"], Auto, No, (Undone, Quarantined))]
#[case::failed_and_git_is_gone(["", "a", "b", "b"], Auto, No, (Undone, Unreadable))]
#[case::failed_and_forgotten(["b", "a", "", "b"], Auto, No, (Stable, Quarantined))]
#[case::sync_does_not_free(["b", "a", "b", "b"], Auto, Sync, (Undone, Quarantined))]
#[case::retry_frees(["b", "a", "b", "b"], Auto, Retry, (Admitted, Retried))]
#[case::retry_without_git(["", "a", "b", "b"], Auto, Retry, (Next, Retried))]
#[case::retry_of_what_did_not_fail(["b", "a", "b", ""], Manual, Retry, (Admitted, Sources))]
#[case::retry_of_nothing(["", "a", "", ""], Auto, Retry, (Stable, Unreadable))]
#[case::new_commit_leaves_it_behind(["c", "a", "b", "b"], Auto, No, (Admitted, Sources))]
#[case::new_commit_waits(["c", "a", "b", "b"], Manual, No, (Undone, AwaitingSync))]
#[case::back_by_commit(["a", "a", "b", "b"], Auto, No, (Admitted, Sources))]
#[case::back_by_commit_is_no_news(["a", "a", "b", "b"], Manual, No, (Admitted, Sources))]
#[case::back_while_under_way(["a", "a", "b", ""], Auto, No, (Admitted, Sources))]
#[case::back_while_under_way_waits(["a", "a", "b", ""], Manual, No, (Next, AwaitingSync))]
#[case::older_quarantine_counts(["b", "c", "d", "b"], Auto, No, (Next, Quarantined))]
#[case::nothing_good_is_left(["b", "", "b", "b"], Auto, No, (Nothing, Quarantined))]
#[case::stable_is_quarantined(["b", "b", "", "b"], Auto, No, (Nothing, Quarantined))]
fn table(
    #[case] standing: [&str; 4],
    #[case] mode: SyncMode,
    #[case] asked: Asked,
    #[case] expected: (Effective, Why),
) {
    assert_eq!(choose(standing, mode, asked), expected);
}

fn letter() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "a", "b", "c"])
}

proptest! {
    #[test]
    fn what_is_quarantined_is_never_served_unless_a_person_asks(
        admitted in letter(), stable in letter(), next in letter(), quarantined in "[abc]{0,3}",
        manual: bool, asked in prop::sample::select(vec![No, Sync, Retry]),
    ) {
        let mode = if manual { Manual } else { Auto };
        let (effective, why) = choose([admitted, stable, next, &quarantined], mode, asked);
        let served = match effective {
            Admitted => admitted,
            Next => next,
            Stable | Undone => stable,
            Nothing => "",
        };
        prop_assert!(served.is_empty() == (effective == Nothing), "it serves what is not there");
        if asked == Retry {
            prop_assert!(why != Retried || quarantined.contains(served));
        } else {
            prop_assert!(served.is_empty() || !quarantined.contains(served));
        }
    }

    /// As after a kill: the choice was carried out half or wholly, and is made again.
    #[test]
    fn what_was_begun_is_chosen_again(
        admitted in letter(), stable in letter(), next in letter(), quarantined in "[abc]{0,3}", manual: bool,
    ) {
        let mode = if manual { Manual } else { Auto };
        let first = choose([admitted, stable, next, &quarantined], mode, Sync);
        let begun = match first.0 {
            Admitted if admitted != stable => admitted,
            _ => next,
        };
        let again = choose([admitted, stable, begun, &quarantined], mode, No);
        if first.0 == Admitted && admitted != stable {
            prop_assert_eq!(again.0, Admitted);
        } else if first.0 != Admitted {
            prop_assert_eq!(again.0, first.0);
        }
    }
}
