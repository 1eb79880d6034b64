//! From an application becoming ready until one that depends on it begins.

use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::ResourceExt as _;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use windlass_core::api::{Action, REQUEST_ANNOTATION, Request};

use crate::figures::Latency;
use crate::live::Live;
use crate::objects;
use crate::options::Options;
use crate::repository::Repository;
use crate::sync::{is_ready, ready};
use crate::testbed::Testbed;

/// More than an application takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes pairs of new applications one after another: the second waits before the first is there. Gives the
/// times from the watch that shows the first Ready to the one that shows the second's first object.
pub async fn measure(
    testbed: &Testbed,
    options: &Options,
    repository: &Repository,
    namespace: &str,
) -> anyhow::Result<Latency> {
    let mut files = Vec::new();
    for app in options.apps..options.apps + 2 * options.pairs {
        files.extend(objects::files(app, options.replicas())?);
    }
    repository.push(&files).await?;
    testbed.audit.quiet().await?;
    let applications = objects::applications(&testbed.admin, namespace);
    // One of the kinds that are applied first.
    let first_kind = ApiResource::erase::<ServiceAccount>(&());
    let mut begun = Live::start(Api::namespaced_with(testbed.admin.clone(), namespace, &first_kind)).await?;
    let mut live = Live::start(applications.clone()).await?;
    let mut waits = Vec::new();
    for pair in 0..options.pairs {
        let (first, second) = (options.apps + 2 * pair, options.apps + 2 * pair + 1);
        let (first_name, second_name) = (objects::name(first), objects::name(second));
        let mut body = asking(second, repository)?;
        let spec = body.pointer_mut("/spec").and_then(Value::as_object_mut).context("it has a spec")?;
        spec.insert("dependsOn".into(), json!([{"name": first_name}]));
        make(&applications, &body).await?;
        live.until(&format!("{second_name} waiting for {first_name}"), PATIENCE, |seen| {
            seen.object.name_any() == second_name
                && ready(&seen.object)
                    .is_some_and(|ready| ready.get("reason") == Some(&json!("DependencyNotReady")))
        })
        .await?;
        make(&applications, &asking(first, repository)?).await?;
        let ready_at = live
            .until(&format!("{first_name} Ready"), PATIENCE, |seen| {
                seen.object.name_any() == first_name && is_ready(&seen.object)
            })
            .await?;
        let began_at = begun
            .until(&format!("{second_name} begun"), PATIENCE, |seen| {
                seen.object.name_any() == second_name && !seen.gone
            })
            .await?;
        waits.push(began_at.saturating_duration_since(ready_at));
        live.until(&format!("{second_name} Ready"), PATIENCE, |seen| {
            seen.object.name_any() == second_name && is_ready(&seen.object)
        })
        .await?;
    }
    Ok(Latency::of(waits))
}

/// An Application that asks to look at its sources as `windlass refresh` does.
fn asking(app: u32, repository: &Repository) -> anyhow::Result<Value> {
    let request = Request {
        id: format!("bench-{app}"),
        action: Action::Refresh,
        by: "bench".into(),
        revision: None,
        release: None,
        target: None,
    };
    let mut body = objects::application(app, &repository.url);
    let metadata = body.pointer_mut("/metadata").and_then(Value::as_object_mut).context("it has metadata")?;
    metadata.insert("annotations".into(), json!({REQUEST_ANNOTATION: serde_json::to_string(&request)?}));
    Ok(body)
}

async fn make(applications: &Api<DynamicObject>, body: &Value) -> anyhow::Result<()> {
    let name = body.pointer("/metadata/name").and_then(Value::as_str).context("it has a name")?;
    applications.patch(name, &PatchParams::apply("bench"), &Patch::Apply(body)).await?;
    Ok(())
}
