//! The first sync of all applications.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use kube::ResourceExt as _;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::Value;
use tokio::time::Instant;

use crate::audit::{Request, counts};
use crate::controller::Controller;
use crate::figures::FirstSync;
use crate::live::Live;
use crate::objects;
use crate::options::Options;
use crate::processes::{self, Memory};
use crate::repository::Repository;
use crate::testbed::Testbed;

/// How often the memory is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// A namespace that a controller brought in sync.
pub struct Synced {
    /// The namespace.
    pub namespace: String,
    /// The controller, still running.
    pub controller: Controller,
}

/// Measures the first sync of applications in a new namespace. They and the repository are there before the
/// controller is.
pub async fn first(
    testbed: &Testbed,
    options: &Options,
    repository: &Repository,
    namespace: &str,
) -> anyhow::Result<(Synced, FirstSync)> {
    let mut files = Vec::new();
    for app in 0..options.apps {
        files.extend(objects::files(app, options.replicas())?);
    }
    repository.push(&files).await?;
    testbed.namespace(namespace).await?;
    let applications = objects::applications(&testbed.admin, namespace);
    for app in 0..options.apps {
        let body = objects::application(app, &repository.url);
        applications.patch(&objects::name(app), &PatchParams::apply("bench"), &Patch::Apply(&body)).await?;
    }
    testbed.audit.quiet().await?;
    let mut live = Live::start(applications).await?;
    let mark = testbed.audit.mark().await?;
    let cluster_before = processes::cpu(testbed.pid()?)?;
    let controller = Controller::start(testbed, options, namespace).await?;
    let pid = controller.pid()?;
    let peak = Arc::new(Mutex::new(Memory::default()));
    let watching = tokio::spawn(watch_memory(pid, peak.clone()));
    let (synced, ready) = all(&mut live, options).await.with_context(|| controller.tail())?;
    let cluster = processes::cpu(testbed.pid()?)?.saturating_sub(cluster_before);
    let cpu = processes::cpu(pid)?;
    testbed.audit.quiet().await?;
    watching.abort();
    let requests = testbed.audit.since(mark, &testbed.windlass.user).await?;
    let writes: Vec<_> = requests.iter().filter(|r| r.writes() && !r.is_lease()).collect();
    let object_writes = writes.iter().filter(|write| is_object(write, namespace)).count();
    let peak = *peak.lock().unwrap_or_else(PoisonError::into_inner);
    let figures = FirstSync {
        seconds: synced.duration_since(controller.leading).as_secs_f64(),
        ready_seconds: ready.duration_since(controller.leading).as_secs_f64(),
        start_seconds: controller.leading.duration_since(controller.started).as_secs_f64(),
        cpu_seconds: cpu.as_secs_f64(),
        cluster_cpu_seconds: cluster.as_secs_f64(),
        peak,
        object_writes,
        own_writes: writes.len() - object_writes,
        refused: requests.iter().filter(|r| r.code >= 400 && r.code != 404).count(),
        writes: counts(writes),
        reads: counts(requests.iter().filter(|r| !r.writes())),
    };
    Ok((Synced { namespace: namespace.to_owned(), controller }, figures))
}

/// Deletes all applications and waits until Windlass pruned their objects and let them go.
pub async fn remove_all(testbed: &Testbed, options: &Options, synced: &Synced) -> anyhow::Result<()> {
    let applications = objects::applications(&testbed.admin, &synced.namespace);
    applications.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
    let deadline = Instant::now() + patience(options);
    while !applications.list_metadata(&ListParams::default()).await?.items.is_empty() {
        ensure!(Instant::now() < deadline, "applications that do not go:\n{}", synced.controller.tail());
        tokio::time::sleep(LOOK).await;
    }
    testbed.audit.quiet().await
}

/// More than the applications need to come or to go.
fn patience(options: &Options) -> Duration {
    Duration::from_secs(120 + u64::from(options.apps))
}

/// Whether a request is about an object of an application.
pub fn is_object(request: &Request, namespace: &str) -> bool {
    let kinds = ["serviceaccounts", "configmaps", "services", "deployments"];
    request.namespace == namespace && kinds.contains(&request.resource.as_str())
}

/// When the last application was Synced, and when the last one was Ready.
async fn all(live: &mut Live, options: &Options) -> anyhow::Result<(Instant, Instant)> {
    let count = usize::try_from(options.apps)?;
    let (mut synced, mut ready) = (HashSet::new(), HashSet::new());
    let mut last_synced = None;
    let what = format!("all of {count} applications Synced and Ready");
    let last_ready = live
        .until(&what, patience(options), |seen| {
            if is_synced(&seen.object) && synced.insert(seen.object.name_any()) {
                last_synced = Some(seen.at);
            }
            is_ready(&seen.object) && ready.insert(seen.object.name_any()) && ready.len() == count
        })
        .await?;
    Ok((last_synced.context("none was Synced")?, last_ready))
}

fn is_synced(application: &DynamicObject) -> bool {
    application.data.pointer("/status/sync/status").is_some_and(|status| status == "Synced")
}

/// Whether an Application is Ready.
pub fn is_ready(application: &DynamicObject) -> bool {
    ready(application).is_some_and(|ready| ready.get("status").is_some_and(|status| status == "True"))
}

/// The condition Ready of an Application.
pub fn ready(application: &DynamicObject) -> Option<&Value> {
    let conditions = application.data.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| condition.get("type").is_some_and(|kind| kind == "Ready"))
}

/// Keeps the most memory that a process and its children had.
async fn watch_memory(pid: u32, peak: Arc<Mutex<Memory>>) {
    loop {
        if let Ok(memory) = processes::memory(pid) {
            let mut peak = peak.lock().unwrap_or_else(PoisonError::into_inner);
            if memory.sum_kib() > peak.sum_kib() {
                *peak = memory;
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}
