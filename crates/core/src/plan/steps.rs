use super::decide::{Applied, Observed};
use super::hooks::run_of;
use super::jobs::{ended_health, job_end};
use super::order::{Order, Stage};
use crate::api::{ApplicationStatus, HealthStatus, HookRun, HookState};
use crate::health::{Health, aggregate};
use crate::object::{Digest, ObjectId};
use crate::release::Release;

/// How far a release is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress<'a> {
    /// It was not applied completely yet: its steps wait for each other, and its hooks run.
    pub new: bool,
    /// What is recorded of its hooks and Jobs.
    pub runs: &'a [HookRun],
}

impl<'a> Progress<'a> {
    /// Of the release with a digest, as the status tells.
    pub fn of(status: Option<&'a ApplicationStatus>, digest: &Digest) -> Self {
        let has = |release: &&crate::api::ReleaseRef| release.digest == digest.as_str();
        let next = status.and_then(|status| status.next.as_ref()).filter(has);
        let stable = status.and_then(|status| status.stable.as_ref()).filter(has);
        // The sources can go back to the stable release while another one is under way.
        let complete = next.map_or(stable.is_some(), |next| !next.fields.is_empty());
        Self { new: !complete, runs: next.or(stable).map_or(&[], |release| &release.hooks) }
    }
}

/// The steps of a release held against the cluster.
pub struct Steps<'a> {
    /// The release.
    pub release: &'a Release,
    /// In which step each object is.
    pub order: &'a Order,
    /// The live object as last seen.
    pub observed: &'a dyn Fn(&ObjectId) -> Option<Observed>,
    /// What was applied last.
    pub applied: &'a dyn Fn(&ObjectId) -> Option<Applied>,
    /// What is recorded of its hooks and Jobs.
    pub runs: &'a [HookRun],
}

impl Steps<'_> {
    /// What the step `stage` waits for: objects and hooks of the first step before it that are not applied
    /// or not healthy yet, such as `wave 0: Deployment shop/web: 1 of 2 pods ready`. Whoever stands still on
    /// purpose holds nothing up.
    pub fn held(&self, stage: Stage) -> Option<String> {
        let objects = self.release.ids().iter().filter_map(|id| {
            let own = self.order.stage(id).filter(|own| *own < stage)?;
            let health = self.health(id);
            (health.status > HealthStatus::Suspended).then(|| (own, id.clone(), health))
        });
        first(objects.chain(self.open_hooks(stage)).collect())
    }

    /// The hooks that the release as a whole waits for.
    pub fn held_by_hooks(&self) -> Option<String> {
        first(self.open_hooks(Stage::SyncFail(i32::MIN)).collect())
    }

    fn open_hooks(&self, stage: Stage) -> impl Iterator<Item = (Stage, ObjectId, Health)> {
        let hooks = self.release.hooks().flat_map(|hook| {
            let phases = hook.hook.phases.iter();
            phases.map(move |phase| (Stage::of_hook(*phase, hook.wave), *phase, hook.id))
        });
        hooks.filter(move |(own, ..)| *own < stage).filter_map(|(own, phase, id)| {
            let run = run_of(self.runs, id, phase);
            let live = (self.observed)(id).map(|live| live.health);
            let health = match run.map(|run| run.state) {
                Some(HookState::Succeeded) => return None,
                Some(HookState::Failed) => Health {
                    status: HealthStatus::Degraded,
                    message: run.map_or_else(String::new, |run| run.message.clone()),
                },
                Some(HookState::Running) => live
                    .filter(|health| health.status > HealthStatus::Suspended)
                    .unwrap_or_else(|| progressing("it runs")),
                None => progressing("it has not run yet"),
            };
            Some((own, id.clone(), health))
        })
    }

    /// Health of an object, where one that is not as the release says cannot be healthy yet.
    fn health(&self, id: &ObjectId) -> Health {
        let applied = (self.applied)(id);
        let same = applied.is_some_and(|applied| Some(&applied.digest) == self.release.object_digest(id))
            || self.release.is_left_alone(id);
        match (self.observed)(id) {
            Some(observed) if same => observed.health,
            Some(_) => progressing("not updated yet"),
            None => {
                let digest = self.release.object_digest(id);
                let end = digest.and_then(|digest| job_end(self.runs, id, digest));
                end.map_or_else(Health::missing, ended_health)
            }
        }
    }
}

/// The first step of those that are not ready, with what is not ready in it.
fn first(unready: Vec<(Stage, ObjectId, Health)>) -> Option<String> {
    let stage = unready.iter().map(|(stage, ..)| *stage).min()?;
    let items = unready.iter().filter(|(own, ..)| *own == stage);
    let (_, message) = aggregate(items.map(|(_, id, health)| (id, health)));
    Some(format!("{stage}: {message}"))
}

fn progressing(message: &str) -> Health {
    Health { status: HealthStatus::Progressing, message: message.into() }
}
