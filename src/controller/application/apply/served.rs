//! Kinds that the release itself defines.

use std::time::Duration;

use windlass_core::object::Gvk;
use windlass_core::release::Release;

use crate::controller::application::Scope;
use crate::failure::Failure;

/// How long a new kind may take to be served.
const ESTABLISH_DEADLINE: Duration = Duration::from_secs(30);

/// Waits until the API server serves what the CustomResourceDefinitions of the release define.
pub async fn established(scope: &Scope<'_>, release: &Release) -> Result<(), Failure> {
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
