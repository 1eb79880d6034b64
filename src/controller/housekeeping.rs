//! What has to be done now and then, whatever happens.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::orphans::Orphans;
use crate::cluster::watch::GroupKind;
use crate::heap;

/// Time between two rounds.
const PAUSE: Duration = Duration::from_secs(60);

/// Ends watches of kinds that nobody uses any more, and lets go of memory and of what is stored for nobody.
pub async fn run(ctx: Arc<Context>) {
    let mut unused = HashSet::new();
    let mut orphans = Orphans::default();
    loop {
        tokio::time::sleep(PAUSE.min(ctx.config.keep_releases)).await;
        ctx.fleet.look();
        orphans.collect(&ctx).await;
        ctx.store.collect(None).await;
        ctx.apps.rest();
        heap::give_back();
        let used: HashSet<_> = ctx.apps.inventories().await.iter().map(GroupKind::of).collect();
        // Twice in a row, since a reconcile may just be about to use it.
        let keep: HashSet<_> =
            ctx.watches.kinds().into_iter().filter(|k| used.contains(k) || !unused.contains(k)).collect();
        ctx.watches.retain(&keep);
        unused = ctx.watches.kinds().into_iter().filter(|kind| !used.contains(kind)).collect();
    }
}
