//! What a controller that starts knows from the store: what each Application wants and has in the cluster.

use std::collections::BTreeSet;

use windlass_core::api::AppKey;
use windlass_core::object::ObjectId;
use windlass_core::release::{Snapshot, compact};

use super::context::{Context, Memory};
use super::world::World;
use crate::cluster::error::ClusterError;

/// Reads all that is stored. Claims come before the first reconcile, so that no Application takes what
/// another one has.
///
/// # Errors
/// Where the store cannot be listed.
pub async fn all(ctx: &Context) -> Result<(), ClusterError> {
    let ours = |key: &AppKey| {
        let namespaces = &ctx.config.watch_namespaces;
        namespaces.is_empty() || namespaces.contains(&key.namespace)
    };
    let mut stored = Vec::new();
    ctx.store
        .load_all(ours, |key, snapshot| match snapshot {
            Ok(mut snapshot) => {
                // Never all of them whole at the same time.
                if let Err(error) = compact(snapshot.releases.slots()) {
                    tracing::warn!(app = %key, %error, "a release takes more memory than it should");
                }
                // What a release wants comes before what another one only had.
                ctx.world.claim(&key, wanted(&snapshot).iter());
                stored.push((key, Ok(snapshot)));
            }
            Err(unreadable) => {
                tracing::error!(app = %key, %unreadable, "a stored release cannot be read");
                stored.push((key, Err(unreadable)));
            }
        })
        .await?;
    tracing::info!(releases = stored.len(), "restored");
    for (key, snapshot) in stored {
        let memory = ctx.apps.memory(&key);
        let mut memory = memory.lock().await;
        match snapshot {
            Ok(snapshot) => one(&ctx.world, &key, &mut memory, snapshot),
            Err(unreadable) => memory.unreadable = Some(unreadable),
        }
    }
    Ok(())
}

/// Takes a stored snapshot over, but for what another Application has by now.
pub fn one(world: &World, key: &AppKey, memory: &mut Memory, mut snapshot: Snapshot) {
    let refused = world.claim(key, snapshot.inventory.iter());
    snapshot.inventory.retain(|id| !refused.contains(id));
    memory.restore(snapshot);
}

/// What of the inventory stable or next wants.
fn wanted(snapshot: &Snapshot) -> BTreeSet<ObjectId> {
    let releases = [&snapshot.releases.stable, &snapshot.releases.next];
    let inventory = snapshot.inventory.iter();
    let wanted =
        inventory.filter(|id| releases.iter().copied().flatten().any(|kept| kept.release.get(id).is_some()));
    wanted.cloned().collect()
}
