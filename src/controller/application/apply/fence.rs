//! A write that lands on exactly the object it was decided by.
//!
//! ```text
//! look ──▶ decide ──(to be written)──▶ write ──(409: something newer is stored)──▶ look, after a pause
//! ```
//! The first look is free: what the watch does not show is taken to be new, and the write tells where it still
//! exists without our label. Only after a failure it is looked for first, so that an object of somebody else is
//! not written at again and again.

use std::time::Duration;

use kube::Error;
use kube::api::DynamicObject;
use kube::discovery::ApiResource;
use rand::RngExt as _;
use windlass_core::health::Health;
use windlass_core::object::ObjectId;
use windlass_core::plan::{Due, Input, Observed, Progress, Scope as KindScope, Verb, due};
use windlass_core::release::{Release, ReleaseObject};

use super::replace;
use super::send::{Sending, send};
use crate::cluster::error::{WRITE_CONFLICT, is_conflict, object_failure};
use crate::controller::application::Scope;
use crate::controller::context::Memory;
use crate::failure::Failure;

/// Writes of one object that are tried in one reconcile, as long as somebody else is faster.
const TRIES: u32 = 5;
/// Shortest pause between two of them; it doubles.
const PAUSE: Duration = Duration::from_millis(10);

/// What came of a write.
pub enum Written {
    /// The object as it is stored now.
    Stored(Box<DynamicObject>),
    /// There was nothing to do any more.
    Nothing,
    /// It belongs to somebody else: who, and what to do.
    Foreign(String),
}

/// Writes what the release says of `id`, for which the plan says `verb`, unless it is not ours to write.
pub async fn write(
    scope: &Scope<'_>,
    memory: &Memory,
    release: &Release,
    (id, verb): (&ObjectId, Verb),
    desired: &ReleaseObject,
    resource: &(ApiResource, KindScope),
) -> Result<Written, Failure> {
    let failure = |error: Error| object_failure(id, &desired.origin.to_string(), &error);
    let mut live = match scope.ctx.world.observed(id) {
        None if memory.attempts > 0 => look(scope, resource, id).await.map_err(failure)?,
        observed => observed,
    };
    for attempt in 1.. {
        match decision(scope, memory, release, (id, verb), live.as_ref()) {
            Due::Write => {}
            Due::Nothing => return Ok(Written::Nothing),
            Due::Foreign(message) => return Ok(Written::Foreign(message)),
            Due::Wait => {
                let at = &desired.origin;
                let message = format!("{at}: {id} is being deleted; it is applied again when it is gone");
                return Err(Failure::transient("ObjectTerminating", message));
            }
        }
        let seen = live.as_ref().map(|observed| observed.resource_version);
        let sending = Sending { id, release, desired, resource };
        match send(scope, &sending, live.as_ref()).await {
            Ok(stored) => return Ok(Written::Stored(Box::new(stored))),
            Err(error) if is_conflict(&error) && attempt < TRIES => {
                tracing::debug!(object = %id, attempt, seen, "something newer is stored; deciding again");
            }
            Err(error) => {
                let anew = replace::refused(scope, &sending, error).await?;
                return Ok(Written::Stored(Box::new(anew)));
            }
        }
        pause(attempt).await;
        live = look(scope, resource, id).await.map_err(failure)?;
    }
    Ok(Written::Nothing)
}

fn decision(
    scope: &Scope<'_>,
    memory: &Memory,
    release: &Release,
    (id, verb): (&ObjectId, Verb),
    live: Option<&Observed>,
) -> Due {
    let world = &scope.ctx.world;
    let namespaces = &scope.ctx.config.watch_namespaces;
    let input = Input {
        app: scope.key,
        release,
        inventory: &memory.inventory,
        policy: &scope.app.spec.sync,
        prune_approved: false,
        observed: &|_| None,
        applied: &|id| world.applied(id),
        claimed: &|_| None,
        elsewhere: &|key| !namespaces.is_empty() && !namespaces.contains(&key.namespace),
        progress: Progress::default(),
    };
    due(&input, id, verb, live)
}

/// Carries `f` out, which looks, decides and writes, and does so again as long as something newer turns out
/// to be stored.
pub async fn until_settled<T, F>(f: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    for attempt in 1..TRIES {
        match f().await {
            Err(failure) if failure.reason == WRITE_CONFLICT => pause(attempt).await,
            other => return other,
        }
    }
    f().await
}

async fn pause(attempt: u32) {
    let jitter = rand::rng().random_range(0.5..1.5);
    tokio::time::sleep((PAUSE * (1 << attempt)).mul_f64(jitter)).await;
}

/// The object as it is now, by its metadata.
async fn look(
    scope: &Scope<'_>,
    resource: &(ApiResource, KindScope),
    id: &ObjectId,
) -> Result<Option<Observed>, Error> {
    let meta = scope.ctx.applier.metadata(resource, id).await?;
    Ok(meta.map(|meta| scope.ctx.world.observation(id, &meta, Health::missing())))
}
