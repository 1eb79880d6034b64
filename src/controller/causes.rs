//! Why workloads are not healthy. Their pods are looked at only while they are not, less and less often, and
//! their Application is told when the cause changes. Nothing is read at rest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use tokio::sync::Notify;
use tokio::time::Instant;
use windlass_core::api::AppKey;
use windlass_core::health::cause::Cause;
use windlass_core::object::{Digest, ObjectId};

use super::context::Context;
use super::queue::{Queue, Trigger};
use crate::cluster::error::words;
use crate::cluster::evidence;

/// Workloads that are looked at at the same time, and the pause after each look: a thousand of them that start
/// together are not to be slowed down by it.
const LOOKS: usize = 3;
const PACE: Duration = Duration::from_millis(100);
/// Pauses in seconds before the looks at one workload; the last one goes on.
const PAUSES: [u64; 6] = [1, 2, 5, 10, 20, 30];
/// The first look waits longer by this for each workload that is not healthy: where many start together, most
/// need nothing but time.
const EACH: Duration = Duration::from_millis(20);
/// Longest wait for the first look.
const FIRST: Duration = Duration::from_secs(5);
/// Wait for the first look at a workload that its own controller has yet to look at: it has no pods.
const UNSEEN: Duration = Duration::from_secs(10);
/// After as many looks (ten minutes) a workload is looked at only every [`RARELY`], or when its status changes.
const OFTEN: u32 = 24;
const RARELY: Duration = Duration::from_secs(300);

/// A workload that is not healthy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unhealthy {
    /// Which one.
    pub id: ObjectId,
    /// Version of the object that was last seen.
    pub version: u64,
    /// Digest of what its release wants; a cause is of one of them only.
    pub desired: Option<Digest>,
    /// Its own controller has yet to look at it.
    pub unseen: bool,
}

/// The causes that are known, and who is looked at next.
pub struct Causes {
    queue: Arc<Queue>,
    looks: Mutex<HashMap<ObjectId, Look>>,
    changed: Notify,
}

/// What is known of one workload.
struct Look {
    app: AppKey,
    unhealthy: Unhealthy,
    cause: Option<Cause>,
    done: u32,
    /// When it was noted, or its controller looked at it.
    since: Instant,
    /// When to look again; `None` while somebody does. When to look first is [`Look::due`] alone to say.
    due: Option<Instant>,
}

impl Look {
    fn pause(&self) -> Duration {
        let last = PAUSES.len() - 1;
        let seconds = PAUSES.get((self.done as usize).min(last)).copied().unwrap_or_default();
        if self.done < OFTEN { Duration::from_secs(seconds) } else { RARELY }
    }

    /// When the next look is due while so many workloads are not healthy; `None` while somebody looks.
    fn due(&self, unhealthy: usize) -> Option<Instant> {
        let due = self.due?;
        if self.done > 0 {
            return Some(due);
        }
        let others = u32::try_from(unhealthy.saturating_sub(1)).unwrap_or(u32::MAX);
        let pause = self.pause().saturating_add(EACH.saturating_mul(others)).min(FIRST);
        Some(self.since + if self.unhealthy.unseen { UNSEEN } else { pause })
    }
}

impl Causes {
    /// Knows nothing yet; tells `queue` which Application to look at.
    pub fn new(queue: Arc<Queue>) -> Self {
        Self { queue, looks: Mutex::default(), changed: Notify::new() }
    }

    /// Notes which workloads of `app` are not healthy; all others of it are forgotten.
    pub fn watch(&self, app: &AppKey, unhealthy: Vec<Unhealthy>) {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.retain(|id, look| look.app != *app || unhealthy.iter().any(|one| one.id == *id));
        if unhealthy.is_empty() {
            return;
        }
        let now = Instant::now();
        for unhealthy in unhealthy {
            match looks.get_mut(&unhealthy.id) {
                Some(look) if look.app == *app && look.unhealthy.desired == unhealthy.desired => {
                    // One that moves is not stuck; one that moved after long may be.
                    if look.unhealthy.version != unhealthy.version && look.done > 0 {
                        look.due = look.due.map(|due| due.min(now + Duration::from_secs(2)));
                    }
                    if look.unhealthy.unseen && !unhealthy.unseen {
                        look.since = now;
                    }
                    look.unhealthy = unhealthy;
                }
                _ => {
                    let (id, app) = (unhealthy.id.clone(), app.clone());
                    let look = Look { app, unhealthy, cause: None, done: 0, since: now, due: Some(now) };
                    looks.insert(id, look);
                }
            }
        }
        self.changed.notify_one();
    }

    /// The cause of a workload that is not healthy and was applied as `desired`, as far as it is known.
    pub fn of(&self, id: &ObjectId, desired: Option<&Digest>) -> Option<Cause> {
        let looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let look = looks.get(id).filter(|look| look.unhealthy.desired.as_ref() == desired)?;
        look.cause.clone()
    }

    /// Whether a workload that was applied as `desired` was looked at.
    pub fn is_known(&self, id: &ObjectId, desired: Option<&Digest>) -> bool {
        let looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.get(id).is_some_and(|look| look.done > 0 && look.unhealthy.desired.as_ref() == desired)
    }

    /// Looks at workloads when their time has come, for ever.
    pub async fn run(&self, ctx: &Context) {
        let due = futures::stream::unfold((), |()| async { Some((self.next().await, ())) });
        due.for_each_concurrent(LOOKS, |unhealthy| self.look(ctx, unhealthy)).await;
    }

    async fn look(&self, ctx: &Context, unhealthy: Unhealthy) {
        // Its Application may wait long for its turn while many others are looked at.
        if ctx.world.observed(&unhealthy.id).is_some_and(|live| live.health.status.is_good()) {
            return self.recovered(&unhealthy);
        }
        let served = ctx.catalog.served();
        let found = match served.any_version(&unhealthy.id.group, &unhealthy.id.kind) {
            Some((resource, _)) => {
                evidence::cause(&ctx.clients.requests, resource, &unhealthy.id).await.map_err(|e| words(&e))
            }
            None => Ok(None),
        };
        if let Err(error) = &found {
            tracing::debug!(object = %unhealthy.id, error, "the pods of a workload cannot be looked at");
        }
        self.looked(&unhealthy, found.ok());
        tokio::time::sleep(PACE).await;
    }

    /// Forgets a workload that is healthy by now; should it not stay so, it is noted again.
    fn recovered(&self, unhealthy: &Unhealthy) {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.get(&unhealthy.id).is_some_and(|look| look.due.is_none()) {
            looks.remove(&unhealthy.id);
        }
    }

    /// Keeps what a look found; a look that failed leaves the cause as it was.
    fn looked(&self, unhealthy: &Unhealthy, found: Option<Option<Cause>>) {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        // What was found about another template, or for another Application, says nothing here.
        let Some(look) = looks.get_mut(&unhealthy.id) else { return };
        if look.due.is_some() || look.unhealthy.desired != unhealthy.desired {
            return;
        }
        look.done = look.done.saturating_add(1);
        look.due = Some(Instant::now() + look.pause());
        let changed = found.is_some_and(|found| std::mem::replace(&mut look.cause, found.clone()) != found);
        if changed {
            self.queue.trigger(look.app.clone(), Trigger::Event);
        }
        drop(looks);
        self.changed.notify_one();
    }

    /// Waits for the next workload whose time has come.
    async fn next(&self) -> Unhealthy {
        loop {
            let earliest = {
                let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
                let unhealthy = looks.len();
                let waiting = looks.values_mut().filter_map(|look| Some((look.due(unhealthy)?, look)));
                match waiting.min_by_key(|(due, _)| *due) {
                    Some((due, look)) if due <= Instant::now() => {
                        look.due = None;
                        return look.unhealthy.clone();
                    }
                    Some((due, _)) => Some(due),
                    None => None,
                }
            };
            match earliest {
                Some(at) => tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    () = self.changed.notified() => {}
                },
                None => self.changed.notified().await,
            }
        }
    }
}

#[cfg(test)]
mod tests;
