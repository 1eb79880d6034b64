use super::decide::{Applied, Observed};
use super::order::{Order, Stage};
use crate::api::{ApplicationStatus, HealthStatus, HookRun};
use crate::health::{Health, aggregate};
use crate::object::{Digest, ObjectId};
use crate::release::Release;

/// How far a release is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress<'a> {
    /// It was not applied completely yet: its steps wait for each other, and its hooks run.
    pub new: bool,
    /// What is recorded of its hooks.
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
}

impl Steps<'_> {
    /// What the step `stage` waits for: objects of the first step before it that are not applied or not
    /// healthy yet, such as `wave 0: Deployment shop/web: 1 of 2 pods ready`. Whoever stands still on purpose
    /// holds nothing up.
    pub fn held(&self, stage: Stage) -> Option<String> {
        let earlier = self.release.ids().iter().filter_map(|id| {
            let own = self.order.stage(id).filter(|own| *own < stage)?;
            let health = self.health(id);
            (health.status > HealthStatus::Suspended).then_some((own, id, health))
        });
        let earlier: Vec<_> = earlier.collect();
        let first = earlier.iter().map(|(own, ..)| *own).min()?;
        let unready = earlier.iter().filter(|(own, ..)| *own == first);
        let (_, message) = aggregate(unready.map(|(_, id, health)| (*id, health)));
        Some(format!("{first}: {message}"))
    }

    /// Health of an object, where one that is not as the release says cannot be healthy yet.
    fn health(&self, id: &ObjectId) -> Health {
        let applied = (self.applied)(id);
        let same = applied.is_some_and(|applied| Some(&applied.digest) == self.release.object_digest(id))
            || self.release.is_left_alone(id);
        match (self.observed)(id) {
            Some(observed) if same => observed.health,
            Some(_) => Health { status: HealthStatus::Progressing, message: "not updated yet".into() },
            None => Health::missing(),
        }
    }
}
