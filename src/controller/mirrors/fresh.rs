//! Which look at a repository is fresh enough for whom.

use std::time::Duration;

use tokio::time::Instant;

use super::State;
use crate::failure::Failure;
use crate::source::git::{Reference, Revision};

/// Shortest time between two looks that begin for new Applications: a thousand that come at once share a few.
const TOGETHER: Duration = Duration::from_millis(500);

/// How fresh the look at a repository has to be.
#[derive(Clone, Copy, Debug)]
pub enum Fresh {
    /// Any look will do.
    Any,
    /// It began no earlier than this: the Application did not exist before.
    Since(Instant),
    /// It begins now: a person asks for it.
    Now,
}

/// What is known of a reference, or what to wait for.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// This.
    Is(Result<Revision, Failure>),
    /// The look that would tell did not.
    Never,
    /// The end of the look that is under way, of this number.
    Under(u64),
    /// The end of the next look, of this number, which has to be asked for.
    Next(u64),
    /// This moment; then it is to be asked again.
    NotBefore(Instant),
}

impl State {
    /// What is known of a reference for somebody who `asked` then.
    pub(super) fn answer(&self, reference: &Reference, fresh: Fresh, asked: Instant) -> Answer {
        let known = self.results.get(reference);
        let since = match (fresh, known) {
            (Fresh::Now, _) => Some(asked),
            // One that does not answer is looked at when its pause is over, whoever is new.
            (Fresh::Since(moment), Some(_)) if self.failures == 0 => Some(moment),
            (_, Some(_)) => None,
            (_, None) => Some(asked),
        };
        let serves = |look: &Instant| since.is_none_or(|since| *look >= since);
        match (known, self.looked.filter(serves)) {
            (Some(result), Some(_)) => return Answer::Is(result.clone()),
            (None, Some(_)) => return Answer::Never,
            _ => {}
        }
        // It may tell of a reference that others read too.
        let may_serve = |look: &Instant| serves(look) || known.is_none() && !matches!(fresh, Fresh::Now);
        if self.looking.as_ref().is_some_and(may_serve) {
            return Answer::Under(self.begun);
        }
        let last =
            self.looking.or(self.looked).filter(|_| matches!(fresh, Fresh::Since(_)) && known.is_some());
        match last.map(|last| last + TOGETHER) {
            Some(moment) if moment > Instant::now() => Answer::NotBefore(moment),
            _ => Answer::Next(self.begun + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ASKED: u64 = 1000;

    /// Looks at these milliseconds: what was known of the reference, when the last one that ended and the one
    /// that is under way began, and for whom it is asked now, at 1000.
    #[rstest]
    #[case::known(true, Some(10), None, "any", 0, "known")]
    #[case::nothing_yet(false, None, None, "any", 0, "next")]
    #[case::another_may_read_it_too(false, None, Some(900), "any", 0, "under way")]
    #[case::none_did(false, Some(900), None, "any", 0, "next")]
    #[case::a_look_that_began_later_does_not_tell(false, Some(1001), None, "any", 0, "never")]
    #[case::a_person(true, Some(990), None, "now", 0, "next")]
    #[case::a_person_while_one_is_under_way(true, Some(10), Some(990), "now", 0, "next")]
    #[case::a_person_is_served(true, Some(1001), None, "now", 0, "known")]
    #[case::older_than_the_application(true, Some(10), None, "since", 0, "next")]
    #[case::younger_than_the_application(true, Some(801), None, "since", 0, "known")]
    #[case::soon_younger(true, Some(10), Some(801), "since", 0, "under way")]
    #[case::under_way_and_too_old(true, Some(10), Some(790), "since", 0, "at 1290")]
    #[case::not_so_soon_again(true, Some(700), None, "since", 0, "at 1200")]
    #[case::another_reference_waits_for_nobody(false, Some(700), None, "since", 0, "next")]
    #[case::one_that_does_not_answer(true, Some(10), None, "since", 3, "known")]
    #[tokio::test(start_paused = true)]
    async fn what_to_wait_for(
        #[case] known: bool,
        #[case] looked: Option<u64>,
        #[case] looking: Option<u64>,
        #[case] fresh: &str,
        #[case] failures: u32,
        #[case] expected: &str,
    ) {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        tokio::time::advance(Duration::from_millis(ASKED)).await;
        let fresh = match fresh {
            "since" => Fresh::Since(at(800)),
            "now" => Fresh::Now,
            _ => Fresh::Any,
        };
        let reference = Reference::Branch("main".into());
        let result = Err(Failure::permanent("RevisionNotFound", "no such branch"));
        let results = known.then(|| (reference.clone(), result.clone())).into_iter().collect();
        let (looked, looking) = (looked.map(at), looking.map(at));
        let state = State { begun: 7, results, looked, looking, failures, ..State::default() };
        let answer = match state.answer(&reference, fresh, at(ASKED)) {
            Answer::Is(found) if found == result => "known".to_owned(),
            Answer::Never => "never".to_owned(),
            Answer::Under(7) => "under way".to_owned(),
            Answer::Next(8) => "next".to_owned(),
            Answer::NotBefore(moment) => format!("at {}", (moment - start).as_millis()),
            other => format!("{other:?}"),
        };
        assert_eq!(answer, expected);
    }
}
