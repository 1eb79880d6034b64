//! Between plan and begin: an update is asked of the API server as a whole before any of it is written.
//!
//! When the server refuses one object, all errors are told and nothing of the new release is written, stored
//! or announced; the release before it goes on being applied and healed in the same reconcile.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use kube::discovery::ApiResource;
use tokio::time::Instant;
use windlass_core::fields::with_live;
use windlass_core::object::{Digest, Object, ObjectId};
use windlass_core::plan::{Plan, Preflight, Refusal, Scope as KindScope, Unchecked, is_update, tell_refused};
use windlass_core::release::{Effective, Release, ReleaseObject};

use super::Scope;
use super::apply::explained;
use super::plan::{Planned, actions};
use super::select::there_was;
use crate::cluster::error::{ClusterError, words};
use crate::controller::context::Memory;
use crate::failure::Failure;

/// First pause before a refused release is asked about again where the cause may pass by itself.
const SOON: Duration = Duration::from_secs(1);
/// First pause where it lasts: webhooks, policies and rights of the cluster may change too, and an API server
/// that has just started forbids everything until it has read its rules.
const LATER: Duration = Duration::from_secs(10);
/// Longest pause.
const LONGEST: Duration = Duration::from_secs(600);

/// A release that the API server refused.
pub struct Refused {
    digest: Digest,
    generation: Option<i64>,
    failure: Failure,
    attempts: u32,
    again: Instant,
}

/// Lets a plan through that is no update or that the API server has nothing against; else plans for the
/// release that is there.
pub async fn check(scope: &Scope<'_>, memory: &mut Memory, mut planned: Planned) -> Planned {
    let Some(release) = planned.chosen.release.clone() else { return planned };
    // What was applied before needs nobody's leave.
    if planned.chosen.effective != Effective::Admitted {
        return planned;
    }
    let status = memory.status.clone().unwrap_or_default();
    if !is_update(&status, memory.current.as_ref().map(|current| current.digest()), release.digest()) {
        return planned;
    }
    if !planned.chosen.failures.is_empty() {
        // It is not even known what there is: the new release waits, and so does everything else.
        planned.chosen = there_was(memory, planned.chosen.failures);
        planned.plan = Plan::default();
        return planned;
    }
    let failure = match remembered(scope, memory, &release) {
        Some(failure) => failure,
        None => match ask_all(scope, &release, &planned).await {
            Ok(()) => {
                memory.refused = None;
                return planned;
            }
            Err(failure) => remember(scope, memory, &release, failure),
        },
    };
    let rest = memory.refused.as_ref().map(|refused| refused.again.saturating_duration_since(Instant::now()));
    let chosen = there_was(memory, vec![failure]);
    let mut planned = actions(scope, memory, chosen).await;
    planned.heal_later = [planned.heal_later, rest].into_iter().flatten().min();
    planned
}

/// The same release of the same specification is not asked about before its time, unless a person asks.
fn remembered(scope: &Scope<'_>, memory: &Memory, release: &Release) -> Option<Failure> {
    let refused = memory.refused.as_ref()?;
    let same = refused.digest == *release.digest() && refused.generation == scope.app.metadata.generation;
    (same && !scope.wants_fresh() && Instant::now() < refused.again).then(|| refused.failure.clone())
}

fn remember(scope: &Scope<'_>, memory: &mut Memory, release: &Release, failure: Failure) -> Failure {
    let generation = scope.app.metadata.generation;
    let same = memory.refused.take().filter(|refused| {
        refused.digest == *release.digest()
            && refused.generation == generation
            && refused.failure.transient == failure.transient
    });
    let attempts = same.map_or(0, |refused| refused.attempts.saturating_add(1));
    let first = if failure.transient { SOON } else { LATER };
    let again = Instant::now() + (first * (1 << attempts.min(10))).min(LONGEST);
    memory.refused = Some(Refused {
        digest: release.digest().clone(),
        generation,
        failure: failure.clone(),
        attempts,
        again,
    });
    failure
}

/// What is to be in the end is asked about, and what is to be on the way there where that is something else.
async fn ask_all(scope: &Scope<'_>, release: &Release, planned: &Planned) -> Result<(), Failure> {
    match &planned.last {
        Some((last, plan)) => ask(scope, last, plan).await,
        None => ask(scope, release, &planned.plan).await,
    }
}

/// Asks the server about every object that the plan makes or changes.
async fn ask(scope: &Scope<'_>, release: &Release, plan: &Plan) -> Result<(), Failure> {
    let namespace = scope.app.spec.sync.create_namespace.then(|| scope.destination());
    let preflight = Preflight::new(release, plan.actions(), namespace);
    let mut answers = preflight
        .objects()
        .map(|(id, object)| {
            let answer = one(scope, &preflight, release, id, object);
            async move { (id, answer.await) }
        })
        .collect::<FuturesUnordered<_>>();
    let (mut errors, mut checked) = (Vec::new(), 0);
    while let Some((id, answer)) = answers.next().await {
        checked += 1;
        let result = match answer {
            Ok(None) => "ok",
            Ok(Some(why)) => {
                tracing::debug!(app = %scope.key, object = %id, ?why, "not checked before it is applied");
                "unchecked"
            }
            Err(failure) => {
                errors.push((id, failure));
                "refused"
            }
        };
        scope.ctx.metrics.preflights.with_label_values(&[result]).inc();
    }
    if errors.is_empty() {
        return Ok(());
    }
    errors.sort_by_key(|(id, _)| *id);
    let transient = errors.iter().any(|(_, failure)| failure.transient);
    let told: Vec<_> = errors.into_iter().map(|(_, failure)| failure.message).collect();
    let message = format!("{}: {}", release.revision(), tell_refused(&told, checked));
    Err(Failure { reason: "PreflightFailed".into(), message, transient })
}

/// Asks about one object: `Ok(Some)` where the answer would say nothing yet.
async fn one(
    scope: &Scope<'_>,
    preflight: &Preflight<'_>,
    release: &Release,
    id: &ObjectId,
    object: &ReleaseObject,
) -> Result<Option<Unchecked>, Failure> {
    let unavailable = |error: ClusterError| Failure::transient("ApiServerUnavailable", error.to_string());
    let Ok(_permit) = scope.ctx.writes.acquire().await else { return Ok(None) };
    let served = scope.ctx.catalog.served().resource(object.object.gvk()).is_some();
    if let Some(why) = preflight.unchecked(object, served) {
        return Ok(Some(why));
    }
    let Some(resource) = scope.ctx.catalog.resource(object.object.gvk()).await.map_err(unavailable)? else {
        let (origin, version) = (&object.origin, object.object.gvk().api_version());
        let message = format!("{origin}: {id}: the API server does not serve {version} {}", id.kind);
        return Err(Failure::transient("KindNotServed", message));
    };
    let whole = whole(scope, release, id, object, &resource).await;
    let whole = whole.as_ref().unwrap_or(&object.object);
    let Err(error) = scope.ctx.applier.dry_run(&resource, whole).await else { return Ok(None) };
    if let kube::Error::Api(status) = &error {
        let refusal = Refusal { code: status.code, message: &words(&error) };
        if let Some(why) = preflight.excuse(object, &resource.0.plural, refusal) {
            return Ok(Some(why));
        }
    }
    Err(explained(scope, id, object, &resource, &error).await)
}

/// What an object will be of which something is left to others; `None` where that is all of Git's or unknown.
async fn whole(
    scope: &Scope<'_>,
    release: &Release,
    id: &ObjectId,
    object: &ReleaseObject,
    resource: &(ApiResource, KindScope),
) -> Option<Object> {
    let left = release.left_fields(id);
    if left.is_empty() {
        return None;
    }
    let live = scope.ctx.applier.get(resource, id).await.ok()??;
    Object::new(with_live(object.object.body(), left, &serde_json::to_value(live).ok()?)).ok()
}
