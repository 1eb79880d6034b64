//! A moment for the cluster's own controllers to answer what was applied.

use std::time::Duration;

use windlass_core::api::HealthStatus;
use windlass_core::plan::Action;

use crate::controller::application::Scope;

/// How long the answer of the cluster's own controllers is waited for.
const SETTLE: Duration = Duration::from_millis(150);
/// How often it is looked for: in memory, where the watches put it.
const SETTLE_LOOK: Duration = Duration::from_millis(10);

/// Gives the cluster's own controllers a moment to answer what was applied. Most do within milliseconds, and
/// then the status is written once instead of as progressing first.
pub async fn settled(scope: &Scope<'_>, done: &[Action]) {
    let progressing = |action: &Action| {
        let observed = scope.ctx.world.observed(&action.id);
        observed.is_some_and(|observed| observed.health.status == HealthStatus::Progressing)
    };
    let moved = async {
        while done.iter().any(progressing) {
            tokio::time::sleep(SETTLE_LOOK).await;
        }
    };
    // What takes longer is told as progressing.
    let _ = tokio::time::timeout(SETTLE, moved).await;
}
