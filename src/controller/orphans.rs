//! Stored releases of Applications that are gone: deleted while no controller ran, with the finalizer taken
//! off by hand. They are kept for a while, since Applications may come back, from a backup for example, and
//! then know what they have in the cluster.

use std::collections::HashMap;
use std::time::Duration;

use kube::Api;
use tokio::time::Instant;
use windlass_core::api::{AppKey, Application};

use super::context::{Context, Memory};
use super::dispatch;
use crate::cluster::error::ClusterError;

/// Since when there are stored releases without an Application.
#[derive(Default)]
pub struct Orphans {
    since: HashMap<AppKey, Instant>,
}

impl Orphans {
    /// Forgets the stored releases of Applications that are gone for as long as the configuration says.
    pub async fn collect(&mut self, ctx: &Context) {
        for key in self.due(ctx.apps.without_resource(), Instant::now(), ctx.config.keep_releases) {
            match forget(ctx, &key).await {
                Ok(true) => tracing::info!(app = %key, "its stored releases are forgotten: it is gone"),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(app = %key, %error, "its stored releases cannot be forgotten yet");
                }
            }
        }
    }

    /// Those of `orphans` that have been there for as long as `keep`; the time begins anew for one that was
    /// not among them meanwhile.
    fn due(&mut self, orphans: Vec<AppKey>, now: Instant, keep: Duration) -> Vec<AppKey> {
        self.since.retain(|key, _| orphans.contains(key));
        let mut due = Vec::new();
        for key in orphans {
            let since = self.since.entry(key.clone()).or_insert(now);
            if now.duration_since(*since) >= keep {
                due.push(key);
            }
        }
        due
    }
}

/// Asks the API server whether an Application is really gone: that no watch showed it may mean that the
/// watch does not work. Whether it is forgotten now.
async fn forget(ctx: &Context, key: &AppKey) -> Result<bool, ClusterError> {
    let api = Api::<Application>::namespaced(ctx.clients.requests.clone(), &key.namespace);
    match api.get_metadata(&key.name).await {
        Ok(_) => return Ok(false),
        // An API server that starts answers so too, but names no object: it does not know the kind yet.
        Err(kube::Error::Api(status)) if status.details.as_ref().is_some_and(|d| d.name == key.name) => {
            if status.code != 404 {
                return Err(kube::Error::Api(status).into());
            }
        }
        Err(error) => return Err(error.into()),
    }
    let memory = ctx.apps.memory(key);
    let mut memory = memory.lock().await;
    if ctx.apps.get(key).is_some() {
        return Ok(false);
    }
    ctx.store.delete(key).await?;
    *memory = Memory::default();
    dispatch::forget(ctx, key, &mut memory);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_orphan_is_due_when_it_was_one_all_the_time() {
        let (a, b) = (AppKey::new("team", "a"), AppKey::new("team", "b"));
        let keep = Duration::from_secs(100);
        let mut orphans = Orphans::default();
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(orphans.due(vec![a.clone(), b.clone()], at(0), keep), []);
        assert_eq!(orphans.due(vec![a.clone()], at(60), keep), []);
        assert_eq!(orphans.due(vec![a.clone(), b.clone()], at(99), keep), []);
        assert_eq!(orphans.due(vec![a.clone(), b.clone()], at(100), keep), vec![a.clone()]);
        assert_eq!(orphans.due(vec![a.clone(), b.clone()], at(198), keep), vec![a.clone()]);
        assert_eq!(orphans.due(vec![a.clone(), b.clone()], at(199), keep), [a, b]);
    }
}
