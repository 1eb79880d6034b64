use crate::api::{HealthStatus, OnFailure, OnNoVerdict};

/// A release that has not proved itself yet, as it stands.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// What ended it before all of its objects were applied, if anything did.
    pub failed: Option<Failed<'a>>,
    /// All of its objects are applied.
    pub complete: bool,
    /// The health of its objects, where what took too long counts as Degraded.
    pub health: HealthStatus,
    /// What is not healthy, for people.
    pub message: &'a str,
    /// Why something else than the release is to blame for what is Degraded, if that is so.
    pub excuse: Option<&'a str>,
    /// What its gates say.
    pub gates: Gates<'a>,
    /// What happens when gates say nothing.
    pub on_no_verdict: OnNoVerdict,
    /// What happens when it fails.
    pub on_failure: OnFailure,
    /// There are gates.
    pub verify: bool,
    /// Whether it can be undone.
    pub way_back: WayBack<'a>,
}

/// What ends a release on its way, whatever its objects do: a hook of it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed<'a> {
    /// In one word.
    pub reason: &'a str,
    /// In words.
    pub message: &'a str,
    /// Why something else than the release is to blame, if that is so.
    pub excuse: Option<&'a str>,
}

/// What the gates of a release say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gates<'a> {
    /// All of them passed, or there are none.
    Passed,
    /// They are being judged.
    Judging,
    /// One of them failed: why.
    Failed(&'a str),
    /// Their time is over and one of them has no data: why.
    Silent(&'a str),
}

/// Whether a release can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayBack<'a> {
    /// It can.
    Open,
    /// No other release proved itself before it.
    NoStable,
    /// It changed objects that say that this cannot be undone: which.
    Irreversible(&'a str),
    /// So many Applications fail at once that none is rolled back by itself.
    Paused,
}

/// What becomes of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is not known yet.
    Open,
    /// It proved itself and becomes the stable one.
    Proved,
    /// It failed and stays as it is.
    Held {
        /// Why, in one word.
        reason: String,
        /// Why, in words.
        message: String,
        /// Something else is to blame, so it may become healthy by itself.
        excused: bool,
    },
    /// It failed, is quarantined and undone.
    Undone {
        /// Why, in one word.
        reason: String,
        /// Why, in words.
        message: String,
    },
}

/// What becomes of a release that has not proved itself.
pub fn fate(trial: &Trial<'_>) -> Fate {
    if let Some(Failed { reason, message, excuse }) = trial.failed {
        // It has ended, so it does not become better by itself, whoever is to blame.
        return match failed(&Trial { excuse, ..*trial }, reason, message) {
            Fate::Held { reason, message, .. } => Fate::Held { reason, message, excused: false },
            other => other,
        };
    }
    if trial.health == HealthStatus::Degraded {
        return failed(trial, "Degraded", trial.message);
    }
    if !trial.complete || !trial.health.is_good() {
        return Fate::Open;
    }
    match trial.gates {
        Gates::Passed => Fate::Proved,
        Gates::Judging => Fate::Open,
        Gates::Failed(why) => failed(&Trial { excuse: None, ..*trial }, "VerifyFailed", why),
        Gates::Silent(why) => match trial.on_no_verdict {
            OnNoVerdict::Continue => Fate::Proved,
            OnNoVerdict::Rollback => {
                let trial = Trial { excuse: None, on_failure: OnFailure::Rollback, ..*trial };
                failed(&trial, "NoVerdict", why)
            }
            OnNoVerdict::Hold => {
                Fate::Held { reason: "NoVerdict".into(), message: why.to_owned(), excused: true }
            }
        },
    }
}

fn failed(trial: &Trial<'_>, reason: &str, why: &str) -> Fate {
    let rolls_back = match trial.on_failure {
        OnFailure::Rollback => true,
        OnFailure::Auto => trial.verify,
        OnFailure::Hold => false,
    };
    let held = |reason: &str, because: &str| Fate::Held {
        reason: reason.to_owned(),
        message: format!("{why}; not rolled back: {because}"),
        excused: false,
    };
    if !rolls_back {
        return Fate::Held { reason: reason.to_owned(), message: why.to_owned(), excused: false };
    }
    if let Some(excuse) = trial.excuse {
        let message = format!("{why}; not rolled back: {excuse}");
        return Fate::Held { reason: reason.to_owned(), message, excused: true };
    }
    match trial.way_back {
        WayBack::Open => Fate::Undone { reason: reason.to_owned(), message: why.to_owned() },
        WayBack::NoStable => held(reason, "no release proved itself before this one"),
        WayBack::Irreversible(objects) => {
            held("Irreversible", &format!("it changed {objects}, which says that it is irreversible"))
        }
        WayBack::Paused => held(
            "RollbackPaused",
            "so many Applications fail at the same time that something else may be wrong; \
             `windlass rollback` still works",
        ),
    }
}
