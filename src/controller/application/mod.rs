//! One reconcile of an Application: a file for each of its stages, with types that make this order the only
//! one that compiles.
//!
//! A source, a render or an admission that fails does not end the reconcile: the last release goes on
//! being applied, judged and healed, and the failure becomes a condition.

pub mod admit;
mod apply;
mod assess;
mod begin;
mod blame;
mod checks;
mod conditions;
mod contend;
mod delete;
pub mod dependencies;
mod events;
mod gates;
mod history;
mod hooks;
mod last_hooks;
pub mod leave;
mod left;
mod moving;
mod plan;
mod preflight;
mod prove;
mod record;
mod renaming;
pub mod render;
pub mod resolve;
mod rollout;
mod select;
mod undone;
mod unreadable;
mod verify;
mod write_back;

pub use preflight::Refused;
pub use rollout::Resting;

use std::sync::Arc;
use std::time::Duration;

use windlass_core::api::{AppKey, Application, REQUEST_ANNOTATION, Request};

use self::dependencies::Gate;
use self::select::Chosen;
use super::context::{Context, Memory};
use super::queue::Trigger;
use crate::cluster::error::ClusterError;
use crate::failure::Failure;

/// What one reconcile is about.
pub struct Scope<'a> {
    /// What every reconcile works with.
    pub ctx: &'a Context,
    /// Which Application.
    pub key: &'a AppKey,
    /// The resource.
    pub app: Arc<Application>,
    /// What a person asks and what was not carried out yet.
    pub request: Option<Request>,
    /// Why it is looked at.
    pub trigger: Trigger,
}

impl Scope<'_> {
    /// Namespace of objects that name none.
    pub fn destination(&self) -> &str {
        self.app.spec.destination.namespace.as_deref().unwrap_or(&self.key.namespace)
    }

    /// Whether a person asks to look at the sources now.
    pub fn wants_fresh(&self) -> bool {
        self.request.is_some()
    }
}

/// The outcome of a stage that reads what strangers wrote.
pub enum Step<T> {
    /// Something to go on with.
    Fresh(T),
    /// Nothing new: the last release stays, for this reason.
    Held(Failure),
}

/// Reconciles an Application once and gives the time after which to look again, if any.
///
/// # Errors
/// Only where our own bookkeeping in the API server fails; everything else is told in the status.
pub async fn reconcile(
    ctx: &Context,
    key: &AppKey,
    app: Arc<Application>,
    memory: &mut Memory,
    trigger: Trigger,
) -> Result<Option<Duration>, ClusterError> {
    if memory.uid != app.metadata.uid {
        memory.about(app.metadata.uid.as_ref());
        // What others took since the one before it went is theirs.
        let refused = ctx.world.claim(key, memory.inventory.iter());
        memory.inventory.retain(|id| !refused.contains(id));
    }
    let status = memory.status.get_or_insert_with(|| app.status.clone().unwrap_or_default());
    let request = open_request(&app, status.handled_request.as_deref());
    let mut scope = Scope { ctx, key, request, app, trigger };
    if let Some(again) = unreadable::hold(&mut scope, memory).await? {
        return Ok(Some(again));
    }
    if let renaming::Place::Taken(again) = renaming::give(&mut scope, memory).await? {
        return Ok(again);
    }
    if scope.app.metadata.deletion_timestamp.is_some() {
        if let Some(chosen) = rollout::leave::first(&scope, memory) {
            return carry_on(&mut scope, memory, chosen).await;
        }
        return delete::objects(&scope, memory).await;
    }
    if scope.app.spec.suspend {
        return record::suspended(&mut scope, memory).await;
    }
    hooks::try_again(&mut scope, memory).await?;
    let resolved = resolve::sources(&scope, memory).await;
    let rendered = render::release(&scope, memory, resolved).await;
    let admitted = admit::check(&scope, memory, rendered).await;
    if let Some(again) = renaming::take(&scope, memory, &admitted).await {
        return Ok(Some(again));
    }
    checks::judge(&scope, memory.current.as_deref()).await;
    let admitted = match dependencies::gate(&scope, memory, admitted) {
        Gate::Open(admitted) => admitted,
        Gate::Moment(again) => return Ok(Some(again)),
    };
    let chosen = select::release(&scope, memory, admitted);
    carry_on(&mut scope, memory, chosen).await
}

/// The stages after the choice of a release.
async fn carry_on(
    scope: &mut Scope<'_>,
    memory: &mut Memory,
    chosen: Chosen,
) -> Result<Option<Duration>, ClusterError> {
    let planned = plan::actions(scope, memory, chosen).await;
    let planned = preflight::check(scope, memory, planned).await;
    let planned = contend::paced(scope, memory, planned);
    let begun = begin::release(scope, memory, planned).await?;
    let applied = apply::carry_out(scope, memory, begun).await?;
    if let Some(again) = apply::untold(memory, &applied) {
        return Ok(Some(again));
    }
    apply::settled(scope, &applied.done).await;
    checks::judge(scope, applied.begun.chosen.release.as_deref()).await;
    let assessed = assess::judge(scope, memory, applied);
    let proved = prove::release(scope, memory, assessed).await;
    let proved = last_hooks::after_failure(scope, memory, proved).await?;
    let proved = write_back::rollback(scope, memory, proved).await;
    record::status(scope, memory, proved).await
}

/// The request that the annotation holds, unless it was carried out already or makes no sense.
fn open_request(app: &Application, handled: Option<&str>) -> Option<Request> {
    let text = app.metadata.annotations.as_ref()?.get(REQUEST_ANNOTATION)?;
    let request: Request = serde_json::from_str(text).ok()?;
    (request.id.len() <= 64 && handled != Some(request.id.as_str())).then_some(request)
}

/// A pause before the next attempt: doubling from one second to five minutes, by a tenth more or less.
pub fn back_off(attempts: u32) -> Duration {
    use rand::RngExt as _;
    let pause = Duration::from_secs(1u64 << attempts.min(9)).min(Duration::from_secs(300));
    pause.mul_f64(rand::rng().random_range(0.9..1.1))
}
