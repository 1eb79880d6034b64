//! An Application whose stored release cannot be read: nobody knows what it has in the cluster, so nothing
//! is applied, pruned or let go until a person decides.

use std::time::Duration;

use windlass_core::api::DeletionPolicy;

use super::{Scope, back_off, conditions, record};
use crate::cluster::error::ClusterError;
use crate::cluster::store::Unreadable;
use crate::controller::context::Memory;
use crate::controller::restore;

/// Reads the stored release again, since somebody may have mended or removed it; gives the time after which
/// to look again where it is still unreadable, and nothing where the reconcile can go on.
///
/// # Errors
/// Where the API server does not answer.
pub async fn hold(scope: &mut Scope<'_>, memory: &mut Memory) -> Result<Option<Duration>, ClusterError> {
    if memory.unreadable.is_none() || lets_go(scope) {
        return Ok(None);
    }
    match scope.ctx.store.load(scope.key).await? {
        None => {
            tracing::warn!(app = %scope.key, "its unreadable release is gone: it starts as if it were new");
            memory.unreadable = None;
            Ok(None)
        }
        Some(Ok(snapshot)) => {
            restore::one(&scope.ctx.world, scope.key, memory, snapshot);
            Ok(None)
        }
        Some(Err(unreadable)) => {
            memory.attempts = memory.attempts.saturating_add(1);
            let again = back_off(memory.attempts);
            tell(scope, memory, &unreadable).await?;
            memory.unreadable = Some(unreadable);
            Ok(Some(again))
        }
    }
}

/// Whether it is to leave everything in the cluster, for which nobody needs to know what that is.
fn lets_go(scope: &Scope<'_>) -> bool {
    scope.app.metadata.deletion_timestamp.is_some()
        && scope.app.spec.deletion_policy == DeletionPolicy::Orphan
}

async fn tell(
    scope: &mut Scope<'_>,
    memory: &mut Memory,
    unreadable: &Unreadable,
) -> Result<(), ClusterError> {
    let mut status = memory.status.clone().unwrap_or_default();
    let message = format!(
        "{unreadable}; nothing is applied or pruned. If a newer Windlass wrote it, run that one; else delete \
         the Secret in namespace {}: the objects are then adopted again, but those that Git no longer has stay",
        scope.ctx.config.namespace
    );
    conditions::unreadable(&mut status, scope.app.metadata.generation, &message);
    record::handled(scope, Some(&message), &mut status);
    record::write(scope, memory, status).await?;
    record::show(scope, memory);
    Ok(())
}
