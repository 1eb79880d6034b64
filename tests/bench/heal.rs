//! From a change by hand until it is healed.

use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::figures::{Heal, Latency};
use crate::live::{Live, Seen};
use crate::objects;
use crate::options::Options;
use crate::testbed::Testbed;

/// More than a heal takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two changes, so that each meets a controller at rest.
const PAUSE: Duration = Duration::from_millis(200);

/// Changes objects one after another.
pub async fn measure(testbed: &Testbed, options: &Options, namespace: &str) -> anyhow::Result<Vec<Heal>> {
    testbed.audit.quiet().await?;
    let api = |resource: &ApiResource| -> Api<DynamicObject> {
        Api::namespaced_with(testbed.admin.clone(), namespace, resource)
    };
    let mut kinds = [
        Changed::new("ConfigMap changed", api(&ApiResource::erase::<ConfigMap>(&()))).await?,
        Changed::new("Deployment scaled", api(&ApiResource::erase::<Deployment>(&()))).await?,
        Changed::new("Service deleted", api(&ApiResource::erase::<Service>(&()))).await?,
    ];
    let count = kinds.len();
    for sample in 0..options.samples {
        // A stride that shares no factor with any likely number visits the applications out of order.
        let app = (u64::from(sample) * 7919) % u64::from(options.apps);
        let name = objects::name(u32::try_from(app)?);
        let index = usize::try_from(sample)? % count;
        let changed = kinds.get_mut(index).context("there are three")?;
        let took = match index {
            0 => {
                changed
                    .patch(&name, json!({"data": {"MODE": format!("by-hand-{sample}")}}), "/data/MODE")
                    .await
            }
            1 => {
                let replicas = options.replicas() + 1;
                changed.patch(&name, json!({"spec": {"replicas": replicas}}), "/spec/replicas").await
            }
            _ => changed.delete(&name).await,
        };
        changed.samples.push(took?);
        tokio::time::sleep(PAUSE).await;
    }
    let heal = |changed: Changed| Heal {
        change: changed.what.into(),
        from_request: Latency::of(changed.samples.iter().map(|sample| sample.from_request)),
        from_answer: Latency::of(changed.samples.iter().map(|sample| sample.from_answer)),
    };
    Ok(kinds.into_iter().map(heal).collect())
}

/// How long one heal took.
struct Sample {
    from_request: Duration,
    from_answer: Duration,
}

/// A kind whose objects are changed in one way.
struct Changed {
    what: &'static str,
    api: Api<DynamicObject>,
    live: Live,
    samples: Vec<Sample>,
}

impl Changed {
    async fn new(what: &'static str, api: Api<DynamicObject>) -> anyhow::Result<Self> {
        Ok(Self { what, live: Live::start(api.clone()).await?, api, samples: Vec::new() })
    }

    /// Changes the field at `pointer` and waits until it is again what it was.
    async fn patch(&mut self, name: &str, patch: Value, pointer: &str) -> anyhow::Result<Sample> {
        let before = self.api.get(name).await?.data.pointer(pointer).cloned();
        self.live.forget();
        let params = PatchParams { field_manager: Some("by-hand".into()), ..PatchParams::default() };
        let sent = Instant::now();
        let changed = self.api.patch(name, &params, &Patch::Merge(patch)).await?;
        let answered = Instant::now();
        self.healed(name, sent, answered, |seen| {
            version(&seen.object) > version(&changed) && seen.object.data.pointer(pointer) == before.as_ref()
        })
        .await
    }

    /// Deletes an object and waits until there is another one of its name.
    async fn delete(&mut self, name: &str) -> anyhow::Result<Sample> {
        let uid = self.api.get(name).await?.metadata.uid;
        self.live.forget();
        let sent = Instant::now();
        self.api.delete(name, &DeleteParams::default()).await?;
        let answered = Instant::now();
        self.healed(name, sent, answered, |seen| !seen.gone && seen.object.metadata.uid != uid).await
    }

    async fn healed(
        &mut self,
        name: &str,
        sent: Instant,
        answered: Instant,
        is: impl Fn(&Seen) -> bool,
    ) -> anyhow::Result<Sample> {
        let what = format!("{}: {name} healed", self.what);
        let at = self.live.until(&what, PATIENCE, |seen| seen.object.name_any() == name && is(seen)).await?;
        // Windlass's watch may be quicker than the answer.
        Ok(Sample {
            from_request: at.duration_since(sent),
            from_answer: at.saturating_duration_since(answered),
        })
    }
}

/// Resource versions are numbers that grow (KEP-5504).
fn version(object: &DynamicObject) -> u64 {
    object.metadata.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or(0)
}
