//! What of a release is left to others.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use tokio::time::Instant;
use windlass_core::api::IgnoreRule;
use windlass_core::fields::replicas;
use windlass_core::object::{Digest, ObjectId};
use windlass_core::plan::{ScaleTarget, left};
use windlass_core::release::{Left, Release};

use super::Scope;
use crate::cluster::error::words;
use crate::controller::context::Memory;
use crate::failure::Failure;

/// How long it is remembered which autoscalers a namespace has.
const REMEMBERED: Duration = Duration::from_secs(30);

/// The autoscalers of a namespace and what they scale; `None` where they may not be listed.
type Autoscalers = Option<Vec<(String, ScaleTarget)>>;

/// What autoscalers were seen in which namespace, and when.
pub type Seen = HashMap<String, (Instant, Autoscalers)>;

/// What is left to others whatever is seen in the cluster, kept because the bodies of all objects must be
/// read to find it.
pub struct Known {
    release: Digest,
    rules: Vec<IgnoreRule>,
    left: BTreeMap<ObjectId, Left>,
}

/// The same release, knowing what of it is left to others.
///
/// # Errors
/// Where `spec.sync.ignore` makes no sense: then nothing may be applied, or what is to be ignored would not be.
pub async fn fields(
    scope: &Scope<'_>,
    memory: &mut Memory,
    release: Arc<Release>,
) -> Result<Arc<Release>, Failure> {
    let rules = &scope.app.spec.sync.ignore;
    let wrong = |error| Failure::permanent("InvalidIgnoreRule", format!("{error}"));
    let mut found = match &memory.left_to_others {
        Some(known) if known.release == *release.digest() && known.rules == *rules => known.left.clone(),
        _ => {
            let left = left(&release, rules, &|_| false).map_err(wrong)?;
            let (release, rules) = (release.digest().clone(), rules.clone());
            memory.left_to_others = Some(Known { release, rules, left: left.clone() });
            left
        }
    };
    // An autoscaler outside of the release shows itself by what it wrote; whether it is still there must be
    // asked, and only then.
    let mut scaled = Vec::new();
    for id in release.ids() {
        let is_left = matches!(found.get(id), Some(Left::Fields(paths)) if paths.contains(&replicas()));
        let shows = || scope.ctx.world.observed(id).is_some_and(|observed| observed.managers.scaled);
        if !is_left
            && !release.is_left_alone(id)
            && shows()
            && has_autoscaler(scope, memory, &release, id).await
        {
            scaled.push(id.clone());
        }
    }
    if !scaled.is_empty() {
        found = left(&release, rules, &|id| scaled.contains(id)).map_err(wrong)?;
    }
    if let Some(current) = &memory.current
        && current.digest() == release.digest()
        && current.revision() == release.revision()
        && *current.left() == found
    {
        return Ok(current.clone());
    }
    Ok(if *release.left() == found { release } else { Arc::new(Release::clone(&release).leaving(found)) })
}

/// Whether an autoscaler scales a workload, other than one that the Application is about to prune.
async fn has_autoscaler(scope: &Scope<'_>, memory: &mut Memory, release: &Release, id: &ObjectId) -> bool {
    let fresh = memory.autoscalers.get(&id.namespace).filter(|(at, _)| at.elapsed() < REMEMBERED);
    let seen = match fresh {
        Some((_, seen)) => seen.clone(),
        None => {
            let seen = list(scope, &id.namespace).await;
            memory.autoscalers.insert(id.namespace.clone(), (Instant::now(), seen.clone()));
            seen
        }
    };
    // Where nobody may look, what an autoscaler wrote last stays.
    let Some(seen) = seen else { return true };
    let target = (id.namespace.clone(), id.group.clone(), id.kind.clone(), id.name.clone());
    seen.iter().any(|(name, scaled)| {
        let autoscaler = ObjectId {
            group: "autoscaling".into(),
            kind: "HorizontalPodAutoscaler".into(),
            name: name.clone(),
            ..id.clone()
        };
        let goes = memory.inventory.contains(&autoscaler) && release.get(&autoscaler).is_none();
        *scaled == target && !goes
    })
}

async fn list(scope: &Scope<'_>, namespace: &str) -> Autoscalers {
    let api = Api::<HorizontalPodAutoscaler>::namespaced(scope.ctx.clients.requests.clone(), namespace);
    match api.list(&ListParams::default()).await {
        Ok(list) => {
            let target = |hpa: HorizontalPodAutoscaler| {
                let target = hpa.spec.as_ref()?.scale_target_ref.clone();
                let version = target.api_version.unwrap_or_default();
                let group = version.split_once('/').map_or("", |(group, _)| group).to_owned();
                Some((hpa.name_any(), (namespace.to_owned(), group, target.kind, target.name)))
            };
            Some(list.items.into_iter().filter_map(target).collect())
        }
        Err(error) => {
            let error = words(&error);
            tracing::warn!(
                namespace,
                error,
                "autoscalers cannot be listed: replicas that one set are left alone"
            );
            None
        }
    }
}
