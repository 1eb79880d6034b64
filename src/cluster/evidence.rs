//! Reads what a workload and its pods say of its health: a few bounded requests, only on demand.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{DynamicObject, ListParams};
use kube::core::ObjectMeta;
use kube::discovery::ApiResource;
use kube::{Api, Client};
use serde_json::Value;
use windlass_core::health::cause::{Cause, Evidence, FailureClass, Selection, selection, selector};
use windlass_core::object::ObjectId;

/// Pods of the newest template that are looked at, and as many older ones.
const PODS: u32 = 50;
/// ReplicaSets of a Deployment; more than `revisionHistoryLimit` keeps by default.
const REPLICA_SETS: u32 = 200;
/// Events of one object.
const EVENTS: u32 = 50;

/// Why a workload of which `resource` says how it is addressed is not healthy; `None` when nothing says so,
/// or it is gone.
///
/// # Errors
/// What the API server answers to any of the requests.
pub async fn cause(
    client: &Client,
    resource: &ApiResource,
    id: &ObjectId,
) -> Result<Option<Cause>, kube::Error> {
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), &id.namespace, resource);
    let Some(workload) = api.get_opt(&id.name).await? else { return Ok(None) };
    let workload = body(workload, &id.kind);
    if id.kind == "Pod" {
        let owner = workload.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned();
        let (pods, owners) = (std::slice::from_ref(&workload), [owner.as_str()]);
        let evidence = Evidence { workload: &workload, newest: None, pods, owners: &owners, events: &[] };
        return told(client, id, evidence).await;
    }
    let replica_sets = match id.kind.as_str() {
        "Deployment" => replica_sets(client, id, &workload).await?,
        _ => Vec::new(),
    };
    let Some(selection) = selection(&workload, &replica_sets) else { return Ok(None) };
    let owners: Vec<&str> = selection.owners.iter().map(String::as_str).collect();
    let newest = selection.newest.as_ref().map(|(label, value)| (label.as_str(), value.as_str()));
    let mut pods = pods(client, id, &selection, "=").await?;
    let evidence = Evidence { workload: &workload, newest, pods: &[], owners: &owners, events: &[] };
    let known = Evidence { pods: &pods, ..evidence }.cause();
    // Older pods matter only to say whose fault it is.
    if newest.is_some() && known.is_some_and(|cause| cause.class == FailureClass::Release) {
        pods.extend(self::pods(client, id, &selection, "!=").await?);
    }
    told(client, id, Evidence { pods: &pods, ..evidence }).await
}

/// The cause, after a look at Events if they would tell more.
async fn told(client: &Client, id: &ObjectId, evidence: Evidence<'_>) -> Result<Option<Cause>, kube::Error> {
    let Some(uid) = evidence.question() else { return Ok(evidence.cause()) };
    let fields = format!("involvedObject.uid={uid},type=Warning");
    let params = ListParams::default().fields(&fields).limit(EVENTS);
    let events = list::<Event>(client, id, &params).await?;
    Ok(Evidence { events: &events, ..evidence }.cause())
}

async fn replica_sets(client: &Client, id: &ObjectId, workload: &Value) -> Result<Vec<Value>, kube::Error> {
    let Some(selector) = selector(workload) else { return Ok(Vec::new()) };
    let api = Api::<ReplicaSet>::namespaced(client.clone(), &id.namespace);
    let params = ListParams::default().labels(&selector).limit(REPLICA_SETS);
    let sets = api.list_metadata(&params).await?.items.into_iter();
    Ok(sets.filter_map(|set| serde_json::to_value(set).ok()).collect())
}

/// Pods whose label of the newest template is (`=`), or is not (`!=`), the newest; all pods where there is
/// only one template.
async fn pods(
    client: &Client,
    id: &ObjectId,
    selection: &Selection,
    relation: &str,
) -> Result<Vec<Value>, kube::Error> {
    let selector = match &selection.newest {
        Some((label, value)) => format!("{},{label}{relation}{value}", selection.selector),
        None => selection.selector.clone(),
    };
    list::<Pod>(client, id, &ListParams::default().labels(&selector).limit(PODS)).await
}

async fn list<K>(client: &Client, id: &ObjectId, params: &ListParams) -> Result<Vec<Value>, kube::Error>
where
    K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    let resource = ApiResource::erase::<K>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &id.namespace, &resource);
    Ok(api.list(params).await?.items.into_iter().map(|object| body(object, &resource.kind)).collect())
}

/// One JSON value of an object; items of a list have no kind of their own.
fn body(object: DynamicObject, kind: &str) -> Value {
    let mut body = object.data;
    if let Some(map) = body.as_object_mut() {
        map.insert("kind".into(), kind.into());
        let metadata = ObjectMeta { managed_fields: None, ..object.metadata };
        // Metadata that was just parsed can be written again.
        map.insert("metadata".into(), serde_json::to_value(metadata).unwrap_or_default());
    }
    body
}
