//! What is stored before and after the effects: the snapshot, the status, and what becomes of the release on trial.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Sim;
use super::reconcile::{Chosen, Stop};

use super::advance::{Rolled, moment};
use crate::api::{
    Action, ApplicationStatus, HealthStatus, OnFailure, OnNoVerdict, Quarantined, ReleaseRef, TargetStatus,
};
use crate::plan::{Plan, release_fields};
use crate::release::{
    Effective, Failed, Fate, Gates, Kept, Release, Releases, Snapshot, Trial, WayBack, fate,
};
use crate::rollout::{ABORTED, essential};

impl Sim {
    /// Stores what must be stored before the first write: the snapshot, then the status.
    pub fn begin(
        &mut self,
        chosen: &Chosen,
        release: &Arc<Release>,
        rolled: Option<&Rolled>,
        plan: &Plan,
    ) -> Result<bool, Stop> {
        let new_release = self.pointer(chosen, release).is_none_or(|pointer| pointer.fields.is_empty());
        let base = rolled.map_or_else(|| release.clone(), |rolled| rolled.base.clone());
        let memory = &self.memory;
        let inventory: BTreeSet<_> = memory.inventory.iter().chain(release.ids()).cloned().collect();
        let mut releases = memory.releases.clone();
        let same = |kept: &Kept| kept.release.digest() == release.digest();
        let known = match chosen.effective {
            Effective::Admitted | Effective::Next => match &releases.next {
                Some(next) => same(next),
                None => releases.stable.as_ref().is_some_and(same),
            },
            _ => true,
        };
        if !known {
            self.commits += 1;
            let kept = Kept { release: base.clone(), render: None, number: self.commits };
            let status = &memory.status;
            let proved = status.next.is_none()
                && status.stable.as_ref().is_some_and(|stable| stable.digest == release.digest().as_str());
            if proved && releases.next.is_none() {
                releases.stable = Some(kept);
            } else {
                releases.begin(kept);
            }
        }
        let unstored = !holds(&memory.stored, &releases) || inventory.len() > memory.inventory.len();
        if unstored {
            let snapshot =
                Snapshot { releases: releases.clone(), inventory: inventory.iter().cloned().collect() };
            self.effect(
                || "store the snapshot".into(),
                |cluster| {
                    (cluster.snapshot, cluster.writes) = (snapshot, cluster.writes + 1);
                },
            )?;
            (self.memory.stored, self.memory.inventory) = (releases.clone(), inventory);
        }
        self.memory.releases = releases;
        self.memory.current = Some(base);
        self.announce(chosen, release, rolled, plan, new_release)?;
        if let Some(rolled) = rolled {
            self.memory.targets = Some(rolled.targets.clone());
        }
        Ok(new_release)
    }

    fn announce(
        &mut self,
        chosen: &Chosen,
        release: &Release,
        rolled: Option<&Rolled>,
        plan: &Plan,
        new_release: bool,
    ) -> Result<(), Stop> {
        let memory = &self.memory;
        let before = memory.status.clone();
        let mut status = before.clone();
        let digests = |status: &ApplicationStatus| {
            status.quarantined.iter().map(|e| e.digest.clone()).collect::<Vec<_>>()
        };
        status.quarantined.clone_from(&memory.releases.quarantined);
        let judged = digests(&before) != digests(&status);
        let stable = memory.releases.stable.as_ref().map(|kept| kept.release.as_ref());
        let is = |reference: &ReleaseRef, release: &Release| reference.digest == release.digest().as_str();
        let moved =
            stable.is_some_and(|stable| status.stable.as_ref().is_none_or(|known| !is(known, stable)));
        let mut begins = false;
        let now = self.cluster.now;
        match chosen.effective {
            Effective::Undone if judged || moved => {
                begins = true;
                status.next = None;
                if let Some(stable) = stable {
                    let known = status.stable.take().filter(|known| is(known, stable));
                    let known = known.unwrap_or_else(|| reference(stable, now));
                    status.stable = Some(ReleaseRef { fields: String::new(), healthy_since: None, ..known });
                }
                status.handled_request =
                    self.request().map(|(id, ..)| id.to_string()).or(status.handled_request);
            }
            Effective::Admitted | Effective::Next if chosen.retried || new_release && !plan.is_empty() => {
                begins = true;
                if chosen.retried || status.next.as_ref().is_none_or(|next| !is(next, release)) {
                    note_began(&mut self.began, now, &before, release);
                    if status.stable.is_none() {
                        let stable = stable.filter(|stable| stable.digest() != release.digest());
                        status.stable = stable.map(|stable| reference(stable, now));
                    }
                    status.next = Some(reference(release, now));
                }
            }
            _ => {}
        }
        let plain = |targets: &[TargetStatus]| targets.iter().map(essential).collect::<Vec<_>>();
        if let Some(rolled) = rolled.filter(|rolled| plain(&rolled.targets) != plain(&before.targets)) {
            status.targets.clone_from(&rolled.targets);
            // Carried out with this write: after a crash it must not be carried out again.
            let about_rollouts = |(_, action, _): &(u64, Action, Option<String>)| {
                !matches!(action, Action::Sync | Action::Rollback | Action::Retry)
            };
            if let Some((id, ..)) = self.request().filter(about_rollouts) {
                status.handled_request = Some(id.to_string());
            }
        } else if !begins && !judged {
            return Ok(());
        }
        self.write_status(status)
    }

    pub fn write_status(&mut self, status: ApplicationStatus) -> Result<(), Stop> {
        if self.memory.status == status {
            return Ok(());
        }
        let stored = status.clone();
        self.effect(
            || "write the status".into(),
            |cluster| {
                if cluster.status != stored {
                    (cluster.status, cluster.status_version) = (stored, cluster.status_version + 1);
                    cluster.writes += 1;
                }
            },
        )?;
        self.memory.status = status;
        Ok(())
    }

    /// Whether the release on trial proved itself, and the status at the end.
    pub fn prove(
        &mut self,
        chosen: &Chosen,
        release: &Release,
        rolled: Option<&Rolled>,
        complete: bool,
    ) -> Result<Option<Duration>, Stop> {
        let mut status = self.memory.status.clone();
        let pointer = self.pointer(chosen, release).cloned();
        let settled = matches!(chosen.effective, Effective::Stable | Effective::Undone | Effective::Nothing);
        let on_trial = !settled && (status.next.is_some() || pointer.is_none());
        let health =
            release.ids().iter().map(|id| self.cluster.health(id)).max().unwrap_or(HealthStatus::Healthy);
        let rolls = rolled.is_some_and(|rolled| !rolled.active.is_empty());
        let health = if rolls { HealthStatus::Progressing } else { health };
        let fields =
            release_fields(release, &|id| self.memory.observed.get(id).and_then(|o| o.fields.clone()));
        let (digest, now) = (release.digest().as_str().to_owned(), self.cluster.now);
        let mut again = None;
        let mut proves = false;
        if on_trial {
            let stable = self.memory.releases.stable.as_ref().map(|kept| kept.release.clone());
            let stable = stable.filter(|stable| stable.digest() != release.digest());
            let failure = rolled.and_then(|rolled| rolled.failed.as_ref());
            let aborted = failure.is_some_and(|(_, failure)| failure.reason == ABORTED);
            let trial = Trial {
                failed: failure.map(|(_, failure)| Failed {
                    reason: &failure.reason,
                    message: &failure.message,
                    excuse: None,
                }),
                complete,
                health,
                message: "",
                excuse: None,
                gates: Gates::Passed,
                on_no_verdict: OnNoVerdict::Hold,
                on_failure: if aborted { OnFailure::Rollback } else { OnFailure::Auto },
                verify: rolled.is_some(),
                way_back: if stable.is_some() { WayBack::Open } else { WayBack::NoStable },
            };
            let fate = fate(&trial);
            if let Fate::Undone { reason, .. } = &fate {
                self.memory.undo = Some(entry(release, reason, Time(moment(now))));
                again = Some(Duration::ZERO);
            }
            if status.next.as_ref().is_none_or(|next| next.digest != digest) {
                note_began(&mut self.began, now, &status, release);
                status.next = Some(reference(release, now));
            }
            if let Some(next) = &mut status.next
                && complete
            {
                next.fields.clone_from(&fields);
            }
            if fate == Fate::Proved {
                proves = true;
                status.stable = status.next.take().map(|next| next.proved());
            }
        } else if let (Some(stable), true) = (&mut status.stable, complete) {
            stable.fields.clone_from(&fields);
        }
        match (rolled, &self.memory.targets) {
            (Some(_), Some(targets)) => status.targets.clone_from(targets),
            _ => status.targets.clear(),
        }
        if let Some((id, ..)) = self.request() {
            status.handled_request = Some(id.to_string());
        }
        self.write_status(status)?;
        if proves {
            self.memory.releases.prove();
        }
        Ok(again)
    }
}

pub fn entry(release: &Release, reason: &str, since: Time) -> Quarantined {
    Quarantined {
        digest: release.digest().as_str().to_owned(),
        revision: release.revision().to_owned(),
        reason: reason.to_owned(),
        message: String::new(),
        since,
        hooks: Vec::new(),
        write_back: String::new(),
    }
}

fn reference(release: &Release, now: i64) -> ReleaseRef {
    ReleaseRef {
        digest: release.digest().as_str().to_owned(),
        revision: release.revision().to_owned(),
        since: Time(moment(now)),
        fields: String::new(),
        hooks: Vec::new(),
        healthy_since: None,
        gates: Vec::new(),
        unhealthy_before: Vec::new(),
    }
}

/// What a release left that did not prove itself is undone with the one after it.
fn note_began(began: &mut BTreeMap<String, i64>, now: i64, before: &ApplicationStatus, release: &Release) {
    let former = before.next.as_ref().and_then(|next| began.get(&next.digest)).copied();
    began.insert(release.digest().as_str().to_owned(), former.unwrap_or(now / 1000));
}

fn holds(stored: &Releases, releases: &Releases) -> bool {
    let has = |kept: &Kept| stored.find(kept.release.digest().as_str()).is_some();
    let digests =
        |releases: &Releases| releases.quarantined.iter().map(|e| e.digest.clone()).collect::<Vec<_>>();
    releases.stable.iter().chain(&releases.next).all(has) && digests(stored) == digests(releases)
}
