use crate::api::SyncMode;
use crate::object::Digest;

/// Everything that decides which release the cluster should have.
///
/// Digests that are not quarantined stand for releases as they are; `next` may be quarantined, and then it
/// is what was undone, or is to be.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// What the sources say; `None` where they cannot be read, rendered or admitted now.
    pub admitted: Option<&'a Digest>,
    /// The last release that proved itself.
    pub stable: Option<&'a Digest>,
    /// The release that was begun after it.
    pub next: Option<&'a Digest>,
    /// Digests of the releases that failed.
    pub quarantined: &'a [&'a str],
    /// Whether a new release waits for a person.
    pub mode: SyncMode,
    /// What a person asks.
    pub asked: Asked,
    /// A rollout of the release that was begun must end before another release begins.
    pub busy: bool,
}

/// What a person asks of the choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asked {
    /// Nothing.
    #[default]
    Nothing,
    /// Apply what the sources say, even where the mode is Manual. What is quarantined stays held.
    Sync,
    /// As [`Self::Sync`], out of quarantine too.
    Retry,
}

/// Which release the cluster should have, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Which.
    pub effective: Effective,
    /// Why.
    pub why: Why,
}

/// Which release the cluster should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effective {
    /// None: nothing was ever admitted, or there is nothing good to serve.
    Nothing,
    /// The one that the sources say.
    Admitted,
    /// The one that was begun.
    Next,
    /// The one that proved itself.
    Stable,
    /// The one that proved itself, with everything undone that the one begun after it changed.
    Undone,
}

/// Why the cluster should have a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The sources say it.
    Sources,
    /// The sources say it, it was quarantined, and a person wants it tried again.
    Retried,
    /// The sources say nothing now: it is what there was.
    Unreadable,
    /// What the sources say waits for a person: it is what there was.
    AwaitingSync,
    /// What the sources say is quarantined.
    Quarantined,
    /// What the sources say waits until a rollout has ended.
    RolloutUnderWay,
}

/// Which release the cluster should have. The same inputs give the same answer, whatever was written so far,
/// so a controller that was killed anywhere goes on where it stopped.
pub fn select(standing: &Standing<'_>) -> Selected {
    let kept = kept(standing);
    let Some(admitted) = standing.admitted else {
        let retried = standing.asked == Asked::Retry && kept == Effective::Undone;
        return if retried {
            Selected { effective: Effective::Next, why: Why::Retried }
        } else {
            Selected { effective: kept, why: Why::Unreadable }
        };
    };
    let (effective, why) = if is_quarantined(standing, admitted) {
        match standing.asked {
            Asked::Retry => (Effective::Admitted, Why::Retried),
            Asked::Nothing | Asked::Sync => (kept, Why::Quarantined),
        }
    } else {
        let has = match kept {
            Effective::Next => standing.next,
            Effective::Stable | Effective::Undone => standing.stable,
            Effective::Nothing | Effective::Admitted => None,
        };
        let at_once =
            standing.mode == SyncMode::Auto || standing.asked != Asked::Nothing || has == Some(admitted);
        if standing.busy && kept == Effective::Next && has != Some(admitted) {
            (kept, Why::RolloutUnderWay)
        } else if at_once {
            (Effective::Admitted, Why::Sources)
        } else {
            (kept, Why::AwaitingSync)
        }
    };
    Selected { effective, why }
}

/// What the cluster should have as long as nothing new comes.
fn kept(standing: &Standing<'_>) -> Effective {
    let stable = standing.stable.filter(|stable| !is_quarantined(standing, stable));
    match (standing.next, stable) {
        (Some(next), _) if !is_quarantined(standing, next) => Effective::Next,
        (Some(_), Some(_)) => Effective::Undone,
        (None, Some(_)) => Effective::Stable,
        (_, None) => Effective::Nothing,
    }
}

fn is_quarantined(standing: &Standing<'_>, digest: &Digest) -> bool {
    standing.quarantined.contains(&digest.as_str())
}
