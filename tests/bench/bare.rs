//! The bare loop: the writes that must be made, by somebody who knows nothing and only sends them.

use std::time::Duration;

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use windlass_core::api::{Application, ApplicationStatus};

use crate::figures::Loop;
use crate::objects::{self, Object};
use crate::options::Options;
use crate::processes;
use crate::testbed::{SYSTEM, Testbed};

const MANAGER: &str = "bench";

/// Applies the objects of all applications.
pub async fn objects_only(testbed: &Testbed, options: &Options, namespace: &str) -> anyhow::Result<Loop> {
    testbed.namespace(namespace).await?;
    testbed.audit.quiet().await?;
    let all: Vec<_> = (0..options.apps).flat_map(|app| objects::of(app, options.replicas())).collect();
    let writes = all.len();
    let client = &testbed.bare.client;
    let before = processes::cpu(testbed.pid()?)?;
    let began = Instant::now();
    stream::iter(all)
        .map(|object| apply(client, namespace, object))
        .buffer_unordered(options.concurrency.into())
        .try_collect::<()>()
        .await?;
    finish(testbed, began.elapsed(), before, writes)
}

/// Applies the objects of all applications, and for each makes writes like Windlass's own: a finalizer and
/// two statuses on an Application, a Secret, an Event, of the sizes of `own`.
pub async fn same_writes(
    testbed: &Testbed,
    options: &Options,
    namespace: &str,
    own: &Own,
) -> anyhow::Result<Loop> {
    testbed.namespace(namespace).await?;
    let client = &testbed.bare.client;
    let applications = Api::<Application>::namespaced(client.clone(), namespace);
    let mut created = Vec::new();
    for app in 0..options.apps {
        let body = serde_json::from_value(objects::application(app, "http://127.0.0.1/nowhere.git"))?;
        created.push(applications.create(&PostParams::default(), &body).await?);
    }
    testbed.audit.quiet().await?;
    let before = processes::cpu(testbed.pid()?)?;
    let slots = Semaphore::new(options.concurrency.into());
    let began = Instant::now();
    let counts: Vec<usize> = stream::iter((0..options.apps).zip(created))
        .map(|(app, application)| one(client, &slots, options, namespace, app, application, own))
        .buffer_unordered(options.concurrency.into())
        .try_collect()
        .await?;
    finish(testbed, began.elapsed(), before, counts.into_iter().sum())
}

fn finish(testbed: &Testbed, took: Duration, before: Duration, writes: usize) -> anyhow::Result<Loop> {
    let cluster = processes::cpu(testbed.pid()?)?.saturating_sub(before);
    Ok(Loop { seconds: took.as_secs_f64(), writes, cluster_cpu_seconds: cluster.as_secs_f64() })
}

async fn apply(client: &Client, namespace: &str, object: Object) -> anyhow::Result<()> {
    let body = objects::marked(object.body, namespace);
    let name =
        body.pointer("/metadata/name").and_then(|name| name.as_str()).context("an object has a name")?;
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &object.resource);
    api.patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&body)).await?;
    Ok(())
}

/// What Windlass wrote for one of its applications besides the objects.
pub struct Own {
    secret: Secret,
    status: ApplicationStatus,
}

impl Own {
    /// Reads it of the first application of a namespace that is in sync.
    pub async fn of(testbed: &Testbed, namespace: &str) -> anyhow::Result<Self> {
        let client = &testbed.admin;
        let application =
            Api::<Application>::namespaced(client.clone(), namespace).get(&objects::name(0)).await?;
        let owner = format!("{namespace}/{}", objects::name(0));
        let secrets = Api::<Secret>::namespaced(client.clone(), SYSTEM).list(&ListParams::default()).await?;
        let stored = secrets
            .into_iter()
            .find(|secret| secret.metadata.annotations.iter().flatten().any(|(_, value)| *value == owner));
        let stored = stored.with_context(|| format!("there is no stored release of {owner}"))?;
        let secret = Secret {
            metadata: ObjectMeta { annotations: stored.metadata.annotations, ..ObjectMeta::default() },
            type_: stored.type_,
            data: stored.data,
            ..Secret::default()
        };
        Ok(Self { secret, status: application.status.context("Windlass wrote no status")? })
    }
}

/// One application with everything around it, in Windlass's order; gives the number of writes.
async fn one(
    client: &Client,
    slots: &Semaphore,
    options: &Options,
    namespace: &str,
    app: u32,
    mut application: Application,
    own: &Own,
) -> anyhow::Result<usize> {
    let name = &objects::name(app);
    let applications = Api::<Application>::namespaced(client.clone(), namespace);
    let finalizer = Patch::Merge(json!({"metadata": {"finalizers": ["bench.example.com/own"]}}));
    let slot = slots.acquire().await?;
    application.metadata = applications.patch(name, &PatchParams::default(), &finalizer).await?.metadata;
    let mut secret = own.secret.clone();
    secret.metadata.name = Some(format!("release-{name}"));
    Api::<Secret>::namespaced(client.clone(), namespace)
        .patch(&format!("release-{name}"), &PatchParams::apply(MANAGER).force(), &Patch::Apply(&secret))
        .await?;
    let post = PostParams::default();
    application.status = Some(ApplicationStatus { next: own.status.stable.clone(), ..own.status.clone() });
    application.metadata = applications.replace_status(name, &post, &application).await?.metadata;
    drop(slot);
    let objects = objects::of(app, options.replicas());
    let writes = objects.len() + 5;
    let sent = objects.into_iter().map(|object| async {
        let _slot = slots.acquire().await?;
        apply(client, namespace, object).await
    });
    futures::future::try_join_all(sent).await?;
    let _slot = slots.acquire().await?;
    Api::namespaced(client.clone(), namespace).create(&post, &event(namespace, &application)).await?;
    application.status = Some(own.status.clone());
    applications.replace_status(name, &post, &application).await?;
    Ok(writes)
}

fn event(namespace: &str, application: &Application) -> Event {
    let mut regarding = kube::Resource::object_ref(application, &());
    regarding.namespace = Some(namespace.to_owned());
    Event {
        metadata: ObjectMeta { generate_name: Some("bench-".into()), ..ObjectMeta::default() },
        action: Some("Sync".into()),
        reason: Some("Synced".into()),
        note: Some("main@0123456789abcdef0123456789abcdef01234567: 4 created".into()),
        type_: Some("Normal".into()),
        event_time: Some(MicroTime(Timestamp::now())),
        regarding: Some(regarding),
        reporting_controller: Some(MANAGER.into()),
        reporting_instance: Some(MANAGER.into()),
        ..Event::default()
    }
}
