use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use kube::Api;
use kube::api::{DynamicObject, ListParams};
use kube::core::ApiResource;
use kube::discovery::{Discovery, Scope as KubeScope, verbs};
use windlass_core::api::{AppKey, Application};
use windlass_core::object::{Cluster, ObjectId};
use windlass_core::plan::{Keep, Ownership, ownership};
use windlass_core::release::Release;

use super::super::connection::Connection;
use super::present::{self, Side};
use super::{Action, CONCURRENCY, Change, Moment, Report};
use crate::cluster::client;

/// Kinds whose objects come and go by themselves; asking for them is wasted.
const NEVER_MANAGED: [&str; 4] = ["Event", "Lease", "EndpointSlice", "ControllerRevision"];

/// Adds to `report` the objects of `app` that the release no longer has. Without the controller's inventory
/// they are found by their label, in every kind that the user may list.
pub(super) async fn look(
    connection: &Connection,
    app: &Application,
    release: &Release,
    install: &str,
    report: &mut Report,
) -> anyhow::Result<()> {
    let instance = client::instance(&connection.client, install).await?;
    let key = AppKey::new(&connection.namespace, app.metadata.name.as_deref().unwrap_or_default());
    let selector = format!("{}={}", windlass_core::api::APPLICATION_LABEL, instance.label(&key));
    let discovery = connection.answer(Discovery::new(connection.client.clone()).run_aggregated()).await?;
    let kinds: Vec<_> = discovery
        .groups()
        .flat_map(|group| group.recommended_resources())
        .filter(|(resource, capabilities)| {
            capabilities.supports_operation(verbs::LIST)
                && capabilities.supports_operation(verbs::DELETE)
                && !NEVER_MANAGED.contains(&resource.kind.as_str())
        })
        .collect();
    let destination = super::super::offline::destination(app);
    let lists = stream::iter(kinds)
        .map(|(resource, capabilities)| {
            let (selector, destination) = (&selector, &destination);
            async move {
                let namespaced = capabilities.scope == KubeScope::Namespaced;
                let found = list(connection, &resource, namespaced, selector, destination).await;
                (resource, found)
            }
        })
        .buffered(CONCURRENCY)
        .collect::<Vec<_>>()
        .await;
    let mut unlisted = Vec::new();
    let mut found = BTreeMap::new();
    for (resource, list) in lists {
        let Some(objects) = list else {
            unlisted.push(resource.plural);
            continue;
        };
        for object in objects {
            let id = identity(&resource, &object);
            let ours = ownership(&instance, &id, &object.metadata) == Ownership::App(key.clone());
            if ours && release.get(&id).is_none() {
                found.insert(id, (resource.clone(), object));
            }
        }
    }
    if !unlisted.is_empty() {
        report.notes.push(format!("objects to prune were not looked for in: {}", unlisted.join(", ")));
    }
    for (id, (resource, object)) in found {
        if !app.spec.sync.prune || Keep::of(object.metadata.annotations.as_ref()).on_prune {
            report.notes.push(format!("{id} is no longer wanted and stays, as asked"));
        } else if let Some(change) = change(release, &id, &resource, object) {
            report.changes.push(change);
        }
    }
    Ok(())
}

/// The labelled objects of a kind, of all namespaces or, without that right, of the destination. `None`
/// where they may not be listed at all.
async fn list(
    connection: &Connection,
    resource: &ApiResource,
    namespaced: bool,
    selector: &str,
    destination: &str,
) -> Option<Vec<DynamicObject>> {
    let params = ListParams::default().labels(selector);
    let everywhere = Api::<DynamicObject>::all_with(connection.client.clone(), resource);
    let answer = connection.answer(everywhere.list(&params)).await;
    let answer = match answer {
        Err(_) if namespaced => {
            let there = Api::namespaced_with(connection.client.clone(), destination, resource);
            connection.answer(there.list(&params)).await
        }
        answer => answer,
    };
    Some(answer.ok()?.items)
}

fn identity(resource: &ApiResource, object: &DynamicObject) -> ObjectId {
    ObjectId {
        cluster: Cluster::default(),
        group: resource.group.clone(),
        kind: resource.kind.clone(),
        namespace: object.metadata.namespace.clone().unwrap_or_default(),
        name: object.metadata.name.clone().unwrap_or_default(),
    }
}

fn change(release: &Release, id: &ObjectId, resource: &ApiResource, object: DynamicObject) -> Option<Change> {
    let mut body = serde_json::to_value(object).ok()?;
    body["apiVersion"] = resource.api_version.clone().into();
    body["kind"] = resource.kind.clone().into();
    let from = Side { title: format!("live/{id}"), object: Some(body) };
    let to = Side { title: "no longer in the sources".into(), object: None };
    Some(Change {
        api_version: resource.api_version.clone(),
        kind: id.kind.clone(),
        namespace: id.namespace.clone(),
        name: id.name.clone(),
        action: Action::Prune,
        origin: String::new(),
        diff: present::unified(id, from, to),
        rollout: Moment::of(release, id, None, Action::Prune),
    })
}
