//! The controller's loop over core, stage by stage: select, advance, plan, begin, apply, prove, record. Each effect on the
//! cluster may fail, be lost, or be the last thing that this controller does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::Sim;
use super::advance::{Rolled, rested};
use super::cluster::{Cluster, Refused, app};
use crate::api::{Action, ApplicationStatus, Quarantined, ReleaseRef, TargetStatus};
use crate::object::ObjectId;
use crate::plan::{Applied, Due, Input, Observed, Plan, Progress, Verb, decide, due};
use crate::release::{Effective, Release, Releases};

/// Why a reconcile ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The controller is gone.
    Crash,
    /// The API server did not do it, as far as we know.
    Error,
}

/// What one controller remembers.
#[derive(Default)]
pub struct Memory {
    pub started: bool,
    pub status: ApplicationStatus,
    pub releases: Releases,
    pub stored: Releases,
    pub inventory: BTreeSet<ObjectId>,
    pub current: Option<Arc<Release>>,
    pub ahead: bool,
    pub left: Option<(Arc<Release>, String)>,
    pub undo: Option<Quarantined>,
    pub targets: Option<Vec<TargetStatus>>,
    pub observed: BTreeMap<ObjectId, Observed>,
    pub applied: BTreeMap<ObjectId, Applied>,
}

pub struct Chosen {
    pub effective: Effective,
    pub retried: bool,
}

impl Sim {
    /// The open request of a person.
    pub fn request(&self) -> Option<(u64, Action, Option<String>)> {
        let (id, ..) = self.asked.as_ref()?;
        let handled = self.memory.status.handled_request.as_deref() == Some(id.to_string().as_str());
        self.asked.clone().filter(|_| !handled)
    }

    /// One reconcile, and when to look again.
    pub fn reconcile(&mut self) -> Result<Option<Duration>, Stop> {
        if !self.memory.started {
            self.start();
        }
        self.hear();
        let chosen = self.choose();
        let release = match chosen.effective {
            Effective::Nothing => return Ok(Some(Duration::from_secs(5))),
            Effective::Admitted => super::fixtures::release(self.shape, self.git),
            Effective::Next => self.memory.releases.next.as_ref().unwrap().release.clone(),
            Effective::Stable => self.memory.releases.stable.as_ref().unwrap().release.clone(),
            Effective::Undone => self.memory.releases.present().unwrap().release,
        };
        if let Some((left, fields)) = self.memory.left.take() {
            self.compare(&rested(&left, &self.memory.status.targets), &fields);
        }
        let (release, rolled) = self.advance(chosen.effective, release);
        let (plan, progress_new) = self.plan(&chosen, &release);
        let new_release = self.begin(&chosen, &release, rolled.as_ref(), &plan)?;
        let _ = (progress_new, new_release);
        let complete = self.carry_out(&release, rolled.as_ref(), plan)?;
        let again = self.prove(&chosen, &release, rolled.as_ref(), complete)?;
        Ok([rolled.and_then(|rolled| rolled.wake), again].into_iter().flatten().min())
    }

    fn plan(&self, chosen: &Chosen, release: &Release) -> (Plan, bool) {
        let memory = &self.memory;
        let undone = memory.releases.undone().filter(|_| chosen.effective == Effective::Undone);
        let inventory = match undone {
            None => memory.inventory.clone(),
            Some((undone, _)) => {
                let began = self.began.get(undone.release.digest().as_str());
                let known = |id: &&ObjectId| {
                    let created = memory.observed.get(*id).map(|observed| observed.created);
                    release.get(id).is_some()
                        || undone.release.get(id).is_some()
                        || created.zip(began.copied()).is_some_and(|(created, began)| created >= began)
                };
                memory.inventory.iter().filter(known).cloned().collect()
            }
        };
        let progress = match chosen.effective {
            Effective::Stable | Effective::Undone => Progress::default(),
            _ => Progress::of(Some(&memory.status), release.digest()),
        };
        let plan = decide(&Input {
            app: &app(),
            release,
            inventory: &inventory,
            policy: &self.policy,
            prune_approved: true,
            observed: &|id| memory.observed.get(id).cloned(),
            applied: &|id| memory.applied.get(id).cloned(),
            claimed: &|_| None,
            elsewhere: &|_| false,
            progress,
        });
        (plan, progress.new)
    }

    pub fn pointer(&self, chosen: &Chosen, release: &Release) -> Option<&ReleaseRef> {
        let status = &self.memory.status;
        match chosen.effective {
            Effective::Stable | Effective::Undone => status.stable.as_ref(),
            _ => {
                let digest = release.digest().as_str();
                status.next.as_ref().or(status.stable.as_ref()).filter(|pointer| pointer.digest == digest)
            }
        }
    }

    /// Carries the plan out; whether everything is as the release says.
    fn carry_out(&mut self, release: &Release, rolled: Option<&Rolled>, plan: Plan) -> Result<bool, Stop> {
        let mut errors = 0;
        for mut tier in plan.applies {
            self.cluster.random.shuffle(&mut tier);
            for action in tier {
                if !self.apply(release, &action.id, action.verb)? {
                    errors += 1;
                }
            }
        }
        let waits = rolled.is_some_and(|rolled| !rolled.active.is_empty());
        if errors == 0 && !waits {
            for action in plan.prunes.into_iter().flatten() {
                let id = action.id.clone();
                match self.effect(|| format!("delete {id}"), |cluster| cluster.delete(&id)) {
                    Ok(()) => {
                        self.memory.inventory.remove(&id);
                        self.memory.applied.remove(&id);
                        self.memory.observed.remove(&id);
                    }
                    Err(Stop::Error) => errors += 1,
                    Err(Stop::Crash) => return Err(Stop::Crash),
                }
            }
        }
        self.rules.errors = errors;
        Ok(errors == 0 && !waits && release.ids().iter().all(|id| self.is_applied(release, id)))
    }

    fn apply(&mut self, release: &Release, id: &ObjectId, verb: Verb) -> Result<bool, Stop> {
        let Some(desired) = release.get(id) else { return Ok(true) };
        let digest = release.object_digest(id).unwrap().clone();
        let mut live = self.memory.observed.get(id).cloned();
        for _ in 0..5 {
            let memory = &self.memory;
            let input = Input {
                app: &app(),
                release,
                inventory: &memory.inventory,
                policy: &self.policy,
                prune_approved: false,
                observed: &|_| None,
                applied: &|id| memory.applied.get(id).cloned(),
                claimed: &|_| None,
                elsewhere: &|_| false,
                progress: Progress::default(),
            };
            if due(&input, id, verb, live.as_ref()) != Due::Write {
                return Ok(true);
            }
            let (seen, body) = (live.as_ref().map(|live| live.resource_version), desired.object.body());
            self.check_write(id, desired.object.body());
            let written = self
                .effect(|| format!("apply {id}"), |cluster: &mut Cluster| cluster.put(id, body, seen, false));
            match written {
                Err(Stop::Error) => return Ok(false),
                Err(Stop::Crash) => return Err(Stop::Crash),
                Ok(Err(Refused::Conflict)) => live = self.cluster.observed(id),
                Ok(Ok(stored)) => {
                    self.memory.applied.insert(id.clone(), Applied { digest, fields: stored.fields.clone() });
                    let known = self.memory.observed.get(id).map_or(0, |known| known.resource_version);
                    if let Some(mut observed) = self.cluster.observed(id)
                        && stored.version >= known
                    {
                        (observed.resource_version, observed.fields) = (stored.version, stored.fields);
                        self.memory.observed.insert(id.clone(), observed);
                    }
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}
