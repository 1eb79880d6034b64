//! From a commit that touches one application of many until it is live.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ApiResource, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use tokio::time::Instant;
use windlass_core::api::{Action, REQUEST_ANNOTATION, Request};

use crate::audit::counts;
use crate::controller::Controller;
use crate::figures::{Commits, Latency};
use crate::live::Live;
use crate::objects;
use crate::options::Options;
use crate::processes;
use crate::repository::Repository;
use crate::sync::{is_object, is_ready};
use crate::testbed::Testbed;

/// More than a commit takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two commits, so that each meets a controller at rest.
const PAUSE: Duration = Duration::from_millis(500);

/// Pushes commits one after another and asks to look as `windlass refresh` does.
pub async fn measure(
    testbed: &Testbed,
    options: &Options,
    repository: &Repository,
    controller: &Controller,
    namespace: &str,
) -> anyhow::Result<Commits> {
    testbed.audit.quiet().await?;
    let applications = objects::applications(&testbed.admin, namespace);
    let config_maps = ApiResource::erase::<ConfigMap>(&());
    let mut objects_live =
        Live::start(Api::namespaced_with(testbed.admin.clone(), namespace, &config_maps)).await?;
    let mut applications_live = Live::start(applications.clone()).await?;
    let (mut live, mut ready) = (Vec::new(), Vec::new());
    let mark = testbed.audit.mark().await?;
    let pid = controller.pid()?;
    let (metrics, cpu) = (controller.metrics().await?, processes::cpu(pid)?);
    for commit in 0..options.commits {
        let app = u32::try_from((u64::from(commit) * 7919 + 1) % u64::from(options.apps))?;
        let name = objects::name(app);
        let mode = format!("commit-{commit}");
        let commit_id = repository.push(&[objects::file(app, &objects::config_map(app, &mode))?]).await?;
        let short = commit_id.get(..7).unwrap_or(&commit_id);
        let request = Request {
            id: format!("bench-{commit}"),
            action: Action::Refresh,
            by: "bench".into(),
            revision: None,
            release: None,
            target: None,
        };
        let annotation = serde_json::to_string(&request)?;
        let patch = json!({"metadata": {"annotations": {REQUEST_ANNOTATION: annotation}}});
        objects_live.forget();
        applications_live.forget();
        let asked = Instant::now();
        applications.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        let at = objects_live
            .until(&format!("commit {commit} live"), PATIENCE, |seen| {
                seen.object.name_any() == name
                    && seen.object.data.pointer("/data/MODE").is_some_and(|value| *value == mode)
            })
            .await?;
        live.push(at.saturating_duration_since(asked));
        let at = applications_live
            .until(&format!("commit {commit} Ready"), PATIENCE, |seen| {
                let text = |pointer: &str| seen.object.data.pointer(pointer).and_then(|text| text.as_str());
                seen.object.name_any() == name
                    && is_ready(&seen.object)
                    && text("/status/handledRequest") == Some(&request.id)
                    && text("/status/sync/revision").is_some_and(|revision| revision.contains(short))
            })
            .await?;
        ready.push(at.saturating_duration_since(asked));
        tokio::time::sleep(PAUSE).await;
    }
    let cpu = processes::cpu(pid)?.saturating_sub(cpu);
    let after = controller.metrics().await?;
    let requests = testbed.audit.since(mark, &testbed.windlass.user).await?;
    let writes: Vec<_> = requests.iter().filter(|r| r.writes() && !r.is_lease()).collect();
    Ok(Commits {
        live: Latency::of(live),
        ready: Latency::of(ready),
        renders: after.renders() - metrics.renders(),
        looks: after.looks() - metrics.looks(),
        cpu_seconds: cpu.as_secs_f64(),
        object_writes: writes.iter().filter(|write| is_object(write, namespace)).count(),
        writes: counts(writes),
        reads: counts(requests.iter().filter(|r| !r.writes())),
    })
}
