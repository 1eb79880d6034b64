//! Stage 4: which release the cluster should have: what the sources say, or what there was.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use windlass_core::api::{
    Action, ApplicationStatus, OnNewRelease, Quarantined, ReleaseRef, SyncMode, bounded_message,
};
use windlass_core::object::ObjectId;
use windlass_core::plan::Progress;
use windlass_core::release::{Asked, Effective, Release, Standing, Why, select};
use windlass_core::rollout::policies;

use super::history::claimed;
use super::rollout::Rolled;
use super::{Scope, Step, moving};
use crate::controller::context::Memory;
use crate::failure::Failure;

/// The release that the cluster should have.
#[derive(Clone)]
pub struct Chosen {
    /// The release; `None` where there is none.
    pub release: Option<Arc<Release>>,
    /// Which one it is.
    pub effective: Effective,
    /// What the sources say and what is not served, because it failed.
    pub quarantined: Option<Quarantined>,
    /// A person wants it tried again from the start.
    pub retried: bool,
    /// Why something is held back.
    pub failures: Vec<Failure>,
    /// What rollouts make of it, where it has any.
    pub rolled: Option<Rolled>,
}

impl Chosen {
    /// The release as its sources have it, without what rollouts make of it.
    pub fn base(&self) -> Option<&Arc<Release>> {
        self.rolled.as_ref().map(|rolled| &rolled.base).or(self.release.as_ref())
    }

    /// Whether the rollout of a workload is under way.
    pub fn rolls(&self, id: &ObjectId) -> bool {
        self.rolled.as_ref().is_some_and(|rolled| rolled.active.contains_key(id))
    }

    /// What a status says of this release; nothing where it is new.
    pub fn pointer<'a>(&self, status: &'a ApplicationStatus) -> Option<&'a ReleaseRef> {
        let digest = self.release.as_ref()?.digest().as_str();
        match self.effective {
            Effective::Stable | Effective::Undone => status.stable.as_ref(),
            _ => status.next.as_ref().or(status.stable.as_ref()).filter(|pointer| pointer.digest == digest),
        }
    }

    /// How far it is. What is restored waits for nothing and runs no hooks.
    pub fn progress<'a>(&self, status: Option<&'a ApplicationStatus>) -> Progress<'a> {
        match (&self.release, self.effective) {
            (None, _) | (_, Effective::Stable | Effective::Undone) => Progress::default(),
            (Some(release), _) => Progress::of(status, release.digest()),
        }
    }

    /// Whether it has yet to prove itself.
    pub fn on_trial(&self, status: &ApplicationStatus) -> bool {
        let settled = matches!(self.effective, Effective::Stable | Effective::Undone | Effective::Nothing);
        !settled && (status.next.is_some() || self.pointer(status).is_none())
    }
}

/// Chooses the effective release.
pub fn release(scope: &Scope<'_>, memory: &mut Memory, admitted: Step<Arc<Release>>) -> Chosen {
    align(scope, memory);
    let mut failures = Vec::new();
    let admitted = match admitted {
        Step::Fresh(release) => Some(release),
        Step::Held(failure) => {
            failures.push(failure);
            None
        }
    };
    fail(memory);
    go_back(scope, memory);
    let asked = asked(scope);
    let releases = &memory.releases;
    let quarantined: Vec<_> = releases.quarantined.iter().map(|entry| entry.digest.as_str()).collect();
    let selected = select(&Standing {
        admitted: admitted.as_deref().map(Release::digest),
        stable: releases.stable.as_ref().map(|kept| kept.release.digest()),
        next: releases.next.as_ref().map(|kept| kept.release.digest()),
        quarantined: &quarantined,
        mode: scope.app.spec.sync.mode,
        asked,
        busy: is_busy(memory),
    });
    let of_sources = admitted.as_ref().and_then(|release| releases.quarantine_of(release.digest()));
    let quarantined = match (selected.why, releases.undone()) {
        (Why::Quarantined, _) => of_sources.cloned(),
        (Why::Unreadable, Some((_, entry))) => Some(entry.clone()),
        _ => None,
    };
    let mut effective = selected.effective;
    let release = match effective {
        Effective::Nothing => None,
        Effective::Admitted => admitted.clone(),
        _ => present(memory, effective),
    };
    match (selected.why, &admitted) {
        (Why::AwaitingSync, Some(waiting)) => failures.push(Failure::permanent(
            "AwaitingSync",
            format!("{} waits for `windlass sync {}`", waiting.revision(), scope.key.name),
        )),
        (Why::RolloutUnderWay, Some(waiting)) => failures.push(Failure::transient(
            "RolloutUnderWay",
            format!("{} waits until the rollout under way has ended", waiting.revision()),
        )),
        (Why::Retried, _) => {
            if let Some(release) = &release {
                memory.releases.free(release.digest());
            }
        }
        _ => {}
    }
    if effective == Effective::Admitted && is_what_was_restored(memory, release.as_deref()) {
        memory.releases.next = None;
        effective = Effective::Stable;
    }
    // What waits for a person is wanted before it is applied, what is quarantined is not.
    let waits = matches!(selected.why, Why::AwaitingSync | Why::RolloutUnderWay);
    let wants = if waits { &admitted } else { &release };
    if let (Some(wants), false) = (wants, selected.why == Why::Unreadable) {
        moving::want(scope, wants);
    }
    let retried = asked == Asked::Retry && matches!(effective, Effective::Admitted | Effective::Next);
    Chosen { release, effective, quarantined, retried, failures, rolled: None }
}

/// What there was, where what the sources say cannot be had, for these reasons.
pub fn there_was(memory: &Memory, failures: Vec<Failure>) -> Chosen {
    let releases = &memory.releases;
    let quarantined: Vec<_> = releases.quarantined.iter().map(|entry| entry.digest.as_str()).collect();
    let effective = select(&Standing {
        admitted: None,
        stable: releases.stable.as_ref().map(|kept| kept.release.digest()),
        next: releases.next.as_ref().map(|kept| kept.release.digest()),
        quarantined: &quarantined,
        mode: SyncMode::Auto,
        asked: Asked::Nothing,
        busy: false,
    })
    .effective;
    let quarantined = releases.undone().map(|(_, entry)| entry.clone());
    Chosen {
        release: present(memory, effective),
        effective,
        quarantined,
        retried: false,
        failures,
        rolled: None,
    }
}

/// What there was. The bytes of an undone release are put together once.
fn present(memory: &Memory, effective: Effective) -> Option<Arc<Release>> {
    match effective {
        Effective::Next => memory.releases.next.as_ref().map(|kept| kept.release.clone()),
        Effective::Nothing => None,
        Effective::Stable => memory.releases.stable.as_ref().map(|kept| kept.release.clone()),
        _ => memory.releases.present().map(|kept| kept.release),
    }
}

/// The sources went back to what a rollback restored, so there is nothing to begin.
fn is_what_was_restored(memory: &Memory, admitted: Option<&Release>) -> bool {
    let Some(admitted) = admitted.filter(|_| memory.releases.undone().is_some()) else { return false };
    let same = |release: &Arc<Release>| release.digest() == admitted.digest();
    memory.releases.stable.as_ref().is_some_and(|stable| same(&stable.release))
        && memory.releases.present().is_some_and(|present| same(&present.release))
}

/// After a start: gives the stored releases their roles, and notes what the last controller left.
fn align(scope: &Scope<'_>, memory: &mut Memory) {
    if std::mem::replace(&mut memory.aligned, true) {
        return;
    }
    let status = memory.status.clone().unwrap_or_default();
    let (releases, ahead) = std::mem::take(&mut memory.releases).align(&status);
    memory.releases = releases;
    memory.ahead = ahead;
    memory.current = memory.releases.present().map(|kept| kept.release).or(memory.current.take());
    let pointer = match &memory.releases.next {
        Some(next) if memory.releases.quarantine_of(next.release.digest()).is_none() => status.next,
        _ => status.stable,
    };
    // Where the store is ahead of the status, what the status says was complete is so no more.
    memory.left =
        memory.current.clone().zip(pointer.filter(|_| !ahead)).map(|(release, at)| (release, at.fields));
    tracing::debug!(app = %scope.key, ahead, undone = memory.releases.undone().is_some(), "aligned");
}

/// Carries out what was decided when the release under way failed.
fn fail(memory: &mut Memory) {
    let Some(entry) = memory.undo.take() else { return };
    let next = memory.releases.next.as_ref();
    if memory.releases.stable.is_some()
        && next.is_some_and(|next| next.release.digest().as_str() == entry.digest)
    {
        memory.releases.quarantine(entry);
    }
}

/// Carries out a rollback that a person asks for.
fn go_back(scope: &Scope<'_>, memory: &mut Memory) {
    // Done before a crash, when only its status was not written.
    let done = std::mem::take(&mut memory.ahead);
    let Some(request) = scope.request.as_ref().filter(|request| request.action == Action::Rollback && !done)
    else {
        return;
    };
    let wish = request.release.as_deref().map(|wish| named(memory, wish));
    match memory.releases.choose(wish.as_deref()) {
        Ok(target) => {
            let by = claimed(&request.by);
            let message =
                if by.is_empty() { "rolled back by hand".into() } else { format!("rolled back by {by}") };
            let since = Time(Timestamp::now());
            memory.releases.go_back(&target, |release| entry(release, "RolledBack", &message, since.clone()));
        }
        Err(why) => memory.refused_request = Some((request.id.clone(), why)),
    }
}

/// A number in the history stands for the digest that it had, since a release that was taken back has more
/// than one.
fn named(memory: &Memory, wish: &str) -> String {
    let history = memory.status.iter().flat_map(|status| &status.history);
    let number: Option<u64> = wish.parse().ok();
    let entry = history.filter(|entry| number == Some(entry.number)).map(|entry| entry.digest.clone()).next();
    entry.unwrap_or_else(|| wish.to_owned())
}

/// An entry of the quarantine.
pub fn entry(release: &Release, reason: &str, message: &str, since: Time) -> Quarantined {
    Quarantined {
        digest: release.digest().as_str().to_owned(),
        revision: release.revision().to_owned(),
        reason: reason.to_owned(),
        message: bounded_message(message),
        since,
        hooks: Vec::new(),
        write_back: String::new(),
    }
}

/// Whether a rollout must end before another release begins: its stable pods are going already, or its policy
/// says so.
fn is_busy(memory: &Memory) -> bool {
    let targets = memory.status.iter().flat_map(|status| &status.targets);
    let mut under_way =
        targets.filter(|target| target.rollout.as_ref().is_some_and(|r| r.failed.is_none())).peekable();
    if under_way.peek().is_none() {
        return false;
    }
    let policies = memory.releases.next.as_ref().map(|next| policies(&next.release)).unwrap_or_default();
    under_way.any(|target| {
        let queue = policies
            .values()
            .any(|policy| policy.is_about(target) && policy.spec.on_new_release == OnNewRelease::Queue);
        target.phase.is_finishing() || queue
    })
}

fn asked(scope: &Scope<'_>) -> Asked {
    match scope.request.as_ref().map(|request| request.action) {
        Some(Action::Sync | Action::AllowPrune) => Asked::Sync,
        Some(Action::Retry) => Asked::Retry,
        _ => Asked::Nothing,
    }
}
