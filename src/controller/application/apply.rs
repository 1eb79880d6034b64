//! Stage 6: carries the plan out, tier by tier, with bounded concurrency.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::PostParams;
use kube::core::ObjectMeta;
use kube::discovery::ApiResource;
use windlass_core::api::HealthStatus;
use windlass_core::health::Health;
use windlass_core::object::{Gvk, ObjectId};
use windlass_core::plan::{
    Action, Applied as AppliedRecord, CRD_TIER, Conflict, Input, Ownership, Scope as KindScope, Verb,
    foreign, tier,
};
use windlass_core::release::{Release, ReleaseObject};

use super::Scope;
use super::begin::{Begun, store};
use crate::cluster::error::{ClusterError, object_failure, words};
use crate::cluster::watch::health_of;
use crate::controller::context::Memory;
use crate::failure::Failure;

/// How long a new kind may take to be served.
const ESTABLISH_DEADLINE: Duration = Duration::from_secs(30);

/// How long the answer of the cluster's own controllers is waited for.
const SETTLE: Duration = Duration::from_millis(150);
/// How often it is looked for: in memory, where the watches put it.
const SETTLE_LOOK: Duration = Duration::from_millis(10);

/// What came of a plan.
pub struct Outcome {
    /// What was begun, with conflicts that showed up on the way.
    pub begun: Begun,
    /// What was done, in no particular order.
    pub done: Vec<Action>,
    /// What went wrong, an object each.
    pub errors: Vec<Failure>,
}

enum ActionResult {
    Done(Action),
    /// The object was not ours to prune; it is only forgotten.
    Forgotten(Action),
    Conflict(Conflict),
    Failed(Action, Failure),
}

/// Carries a plan out. Errors of single objects do not stop the others, so that one pass tells all of them;
/// but nothing is pruned after an error.
pub async fn carry_out(scope: &Scope<'_>, memory: &mut Memory, mut begun: Begun) -> Outcome {
    let mut done = Vec::new();
    let mut errors = Vec::new();
    let Some(release) = begun.release.clone() else { return Outcome { begun, done, errors } };
    if !begun.plan.applies.is_empty()
        && scope.app.spec.sync.create_namespace
        && let Err(failure) = create_namespace(scope).await
    {
        errors.push(failure);
        return Outcome { begun, done, errors };
    }
    for actions in std::mem::take(&mut begun.plan.applies) {
        let crds = actions.first().is_some_and(|a| tier(&a.id.group, &a.id.kind) == CRD_TIER);
        let results = run(actions, |action| apply(scope, memory, &release, action)).await;
        sort(results, &mut begun, &mut done, &mut errors);
        if crds && let Err(failure) = established(scope, &release).await {
            errors.push(failure);
        }
    }
    if errors.is_empty() && begun.plan.conflicts.is_empty() {
        let mut forgotten = Vec::new();
        for actions in std::mem::take(&mut begun.plan.prunes) {
            let results = run(actions, |action| prune(scope, action)).await;
            for result in &results {
                if let ActionResult::Done(action) | ActionResult::Forgotten(action) = result {
                    forgotten.push(action.id.clone());
                }
            }
            sort(results, &mut begun, &mut done, &mut errors);
        }
        for id in begun.plan.kept.iter().filter(|_| scope.app.spec.sync.prune) {
            forgotten.push(id.clone());
        }
        for id in &forgotten {
            memory.inventory.remove(id);
            scope.ctx.world.forget(id);
        }
        scope.ctx.world.unclaim(scope.key, forgotten.iter());
        // A claim that outlived its object would stand in another Application's way after a restart. If this
        // fails, the next release stores the inventory again.
        if !forgotten.is_empty()
            && let Err(error) = store(scope, memory, &release, &memory.inventory).await
        {
            tracing::warn!(app = %scope.key, %error, "the inventory could not be stored after pruning");
        }
    }
    Outcome { begun, done, errors }
}

/// Gives the cluster's own controllers a moment to answer what was applied. Most do within milliseconds, and
/// then the status is written once instead of as progressing first.
pub async fn settle(scope: &Scope<'_>, outcome: &Outcome) {
    let progressing = |action: &Action| {
        let observed = scope.ctx.world.observed(&action.id);
        observed.is_some_and(|observed| observed.health.status == HealthStatus::Progressing)
    };
    let moved = async {
        while outcome.done.iter().any(progressing) {
            tokio::time::sleep(SETTLE_LOOK).await;
        }
    };
    // What takes longer is told as progressing.
    let _ = tokio::time::timeout(SETTLE, moved).await;
}

async fn run<F>(actions: Vec<Action>, f: impl Fn(Action) -> F) -> Vec<ActionResult>
where
    F: Future<Output = ActionResult>,
{
    actions.into_iter().map(f).collect::<FuturesUnordered<_>>().collect().await
}

fn sort(results: Vec<ActionResult>, begun: &mut Begun, done: &mut Vec<Action>, errors: &mut Vec<Failure>) {
    for result in results {
        match result {
            ActionResult::Done(action) => done.push(action),
            ActionResult::Forgotten(_) => {}
            ActionResult::Conflict(conflict) => begun.plan.conflicts.push(conflict),
            ActionResult::Failed(action, failure) => {
                tracing::debug!(object = %action.id, verb = ?action.verb, %failure, "an action failed");
                errors.push(failure);
            }
        }
    }
}

async fn apply(scope: &Scope<'_>, memory: &Memory, release: &Release, action: Action) -> ActionResult {
    let Some(desired) = release.get(&action.id) else { return ActionResult::Forgotten(action) };
    let Ok(_permit) = scope.ctx.writes.acquire().await else { return ActionResult::Forgotten(action) };
    let resource = match resource(scope, desired).await {
        Ok(resource) => resource,
        Err(failure) => return failed(scope, action, failure),
    };
    if action.verb == Verb::Create {
        match owner_conflict(scope, memory, release, &action.id, &resource).await {
            Ok(None) => {}
            Ok(Some(message)) => return ActionResult::Conflict(Conflict { id: action.id, message }),
            Err(error) => {
                let failure = object_failure(&action.id, &desired.origin.to_string(), &error);
                return failed(scope, action, failure);
            }
        }
    }
    match scope.ctx.applier.apply(&resource, &desired.object, false).await {
        Ok(mut live) => {
            let health = health_of(&mut live);
            let observed = scope.ctx.world.observation(&action.id, &live.metadata, health);
            let digest =
                release.object_digest(&action.id).cloned().unwrap_or_else(|| desired.object.digest());
            let applied = AppliedRecord { digest, fields: observed.fields.clone() };
            scope.ctx.world.record_applied(&action.id, applied, observed);
            count(scope, &action, "ok");
            ActionResult::Done(action)
        }
        Err(error) => {
            let failure = object_failure(&action.id, &desired.origin.to_string(), &error);
            failed(scope, action, failure)
        }
    }
}

/// An object that the watch does not show may still exist without our label: who owns it?
async fn owner_conflict(
    scope: &Scope<'_>,
    memory: &Memory,
    release: &Release,
    id: &ObjectId,
    resource: &(ApiResource, KindScope),
) -> Result<Option<String>, kube::Error> {
    let Some(meta) = scope.ctx.applier.metadata(resource, id).await? else { return Ok(None) };
    let ownership = scope.ctx.world.observation(id, &meta, Health::missing()).ownership;
    let namespaces = &scope.ctx.config.watch_namespaces;
    let input = Input {
        app: scope.key,
        release,
        inventory: &memory.inventory,
        policy: &scope.app.spec.sync,
        prune_approved: false,
        observed: &|_| None,
        applied: &|_| None,
        claimed: &|_| None,
        elsewhere: &|key| !namespaces.is_empty() && !namespaces.contains(&key.namespace),
    };
    Ok(foreign(&input, id, &ownership))
}

async fn resource(scope: &Scope<'_>, desired: &ReleaseObject) -> Result<(ApiResource, KindScope), Failure> {
    let gvk = desired.object.gvk();
    match scope.ctx.catalog.resource(gvk).await {
        Ok(Some(resource)) => Ok(resource),
        Ok(None) => Err(Failure::transient(
            "KindNotServed",
            format!("{}: the API server does not serve {} {}", desired.origin, gvk.api_version(), gvk.kind),
        )),
        Err(error) => Err(Failure::transient("ApiServerUnavailable", error.to_string())),
    }
}

async fn prune(scope: &Scope<'_>, action: Action) -> ActionResult {
    let Ok(_permit) = scope.ctx.writes.acquire().await else { return ActionResult::Forgotten(action) };
    match prune_one(scope, &action.id).await {
        Ok(true) => {
            count(scope, &action, "ok");
            ActionResult::Done(action)
        }
        Ok(false) => ActionResult::Forgotten(action),
        Err(failure) => failed(scope, action, failure),
    }
}

/// Deletes a live object that still carries our annotation; whether it did. An object that is gone, that
/// asks to be kept, that belongs to somebody else now or that another Application waits for is left alone.
pub(super) async fn prune_one(scope: &Scope<'_>, id: &ObjectId) -> Result<bool, Failure> {
    if scope.ctx.world.is_wanted(id) {
        return Ok(false);
    }
    let Some((resource, meta)) = find(scope, id).await? else { return Ok(false) };
    let failure = |error: kube::Error| object_failure(id, "", &error);
    let live = scope.ctx.world.observation(id, &meta, Health::missing());
    if live.ownership != Ownership::App(scope.key.clone()) || live.keep {
        return Ok(false);
    }
    if !live.deleting {
        scope.ctx.applier.delete(&resource, id, Some(live.uid)).await.map_err(failure)?;
    }
    Ok(true)
}

/// The metadata of a live object, in any version of its kind. What is of a kind that is not served any more
/// does not exist.
pub(super) async fn find(
    scope: &Scope<'_>,
    id: &ObjectId,
) -> Result<Option<((ApiResource, KindScope), ObjectMeta)>, Failure> {
    let unavailable = |error: ClusterError| Failure::transient("ApiServerUnavailable", error.to_string());
    let found = scope.ctx.catalog.any_version(&id.group, &id.kind).await.map_err(unavailable)?;
    let Some(resource) = found else { return Ok(None) };
    match scope.ctx.applier.metadata(&resource, id).await {
        Ok(meta) => Ok(meta.map(|meta| (resource, meta))),
        // A missing object is no error, so the path is what is missing: the kind went since the last look.
        Err(kube::Error::Api(status)) if status.code == 404 => {
            let served = scope.ctx.catalog.refresh().await.map_err(unavailable)?;
            match served.any_version(&id.group, &id.kind) {
                Some(_) => Err(object_failure(id, "", &kube::Error::Api(status))),
                None => Ok(None),
            }
        }
        Err(error) => Err(object_failure(id, "", &error)),
    }
}

/// Waits until the API server serves what the CustomResourceDefinitions of the release define.
async fn established(scope: &Scope<'_>, release: &Release) -> Result<(), Failure> {
    let wanted: Vec<_> = release
        .iter()
        .filter(|(id, _)| id.kind == "CustomResourceDefinition")
        .filter_map(|(_, object)| {
            let body = object.object.body();
            let text = |pointer: &str| Some(body.pointer(pointer)?.as_str()?.to_owned());
            let (group, kind) = (text("/spec/group")?, text("/spec/names/kind")?);
            let versions = body.pointer("/spec/versions")?.as_array()?;
            let version = versions.iter().find(|v| v["served"] == true)?["name"].as_str()?.to_owned();
            Some(Gvk { group, version, kind })
        })
        .collect();
    let all_served = async {
        loop {
            match scope.ctx.catalog.refresh().await {
                Ok(served) if wanted.iter().all(|gvk| served.resource(gvk).is_some()) => return,
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    tokio::time::timeout(ESTABLISH_DEADLINE, all_served).await.map_err(|_| {
        let kinds: Vec<_> = wanted.iter().map(|gvk| gvk.kind.as_str()).collect();
        Failure::transient(
            "CustomResourceDefinitionNotEstablished",
            format!("{} not served {} s after being applied", kinds.join(", "), ESTABLISH_DEADLINE.as_secs()),
        )
    })
}

async fn create_namespace(scope: &Scope<'_>) -> Result<(), Failure> {
    let name = scope.destination();
    let api = Api::<Namespace>::all(scope.ctx.clients.requests.clone());
    let failure = |error: kube::Error| {
        Failure::transient("NamespaceNotCreated", format!("namespace {name}: {}", words(&error)))
    };
    if api.get_metadata_opt(name).await.map_err(failure)?.is_some() {
        return Ok(());
    }
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(name.to_owned());
    let params =
        PostParams { field_manager: Some(scope.ctx.applier.manager().to_owned()), ..PostParams::default() };
    match api.create(&params, &namespace).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        other => other.map(|_| ()).map_err(failure),
    }
}

fn failed(scope: &Scope<'_>, action: Action, failure: Failure) -> ActionResult {
    count(scope, &action, &failure.reason);
    ActionResult::Failed(action, failure)
}

fn count(scope: &Scope<'_>, action: &Action, result: &str) {
    scope.ctx.metrics.actions.with_label_values(&[&format!("{:?}", action.verb), result]).inc();
}
