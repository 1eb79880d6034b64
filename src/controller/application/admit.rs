//! Stage 3: from manifests to a release that the API server can have.

use std::sync::Arc;

use windlass_core::object::Gvk;
use windlass_core::plan::{Admission, Candidate, Kinds as _, Limits, Violation, ViolationReason, admit};
use windlass_core::release::Release;

use super::render::Rendered;
use super::{Scope, Step};
use crate::cluster::discovery::Served;
use crate::cluster::error::ClusterError;
use crate::controller::context::{Memory, RenderCache};
use crate::failure::Failure;

/// Most violations that one message tells.
const TOLD: usize = 5;

/// Admits what was rendered, or holds the last release and tells everything that stands against this one.
pub async fn check(scope: &Scope<'_>, memory: &mut Memory, rendered: Step<Rendered>) -> Step<Arc<Release>> {
    memory.admitted = false;
    let new = match rendered {
        Step::Held(failure) => return Step::Held(failure),
        Step::Fresh(Rendered::Same(release)) => {
            memory.admitted = true;
            return Step::Fresh(release);
        }
        Step::Fresh(Rendered::New(new)) => new,
    };
    let served = match served(scope, &new.candidates).await {
        Ok(served) => served,
        Err(error) => return Step::Held(Failure::transient("ApiServerUnavailable", error.to_string())),
    };
    let admission = Admission {
        kinds: served.as_ref(),
        cluster: &scope.ctx.cluster,
        namespace: scope.destination(),
        owner: Some((&scope.ctx.instance, scope.key)),
        allow_empty: scope.app.spec.sync.allow_empty,
        limits: Limits::default(),
    };
    match admit(new.revision, new.candidates, &admission) {
        Ok(release) => {
            let release = Arc::new(release);
            memory.admitted = true;
            memory.render = Some(RenderCache { record: new.record, release: release.clone() });
            Step::Fresh(release)
        }
        Err(violations) => Step::Held(failure(&violations)),
    }
}

/// What the API server serves; looked up again where a candidate's kind is missing, since it may have been
/// installed since the last look.
async fn served(scope: &Scope<'_>, candidates: &[Candidate]) -> Result<Arc<Served>, ClusterError> {
    let served = scope.ctx.catalog.served();
    let text = |candidate: &Candidate, field: &str| candidate.body.get(field)?.as_str().map(str::to_owned);
    let unknown = |candidate: &Candidate| match (text(candidate, "apiVersion"), text(candidate, "kind")) {
        (Some(version), Some(kind)) => served.scope(&Gvk::new(&version, &kind)).is_none(),
        _ => false,
    };
    if candidates.iter().any(unknown) { scope.ctx.catalog.refresh().await } else { Ok(served) }
}

/// One failure for all violations.
pub fn failure(violations: &[Violation]) -> Failure {
    let mut messages: Vec<_> = violations.iter().take(TOLD).map(|v| v.message.clone()).collect();
    if violations.len() > TOLD {
        messages.push(format!("and {} more", violations.len() - TOLD));
    }
    let reason = violations.first().map_or_else(String::new, |violation| violation.reason.to_string());
    // A kind may be installed and a namespace made at any time; the other rules wait for a commit.
    let transient = violations.iter().any(|v| v.reason == ViolationReason::UnknownKind);
    Failure { reason, message: messages.join("; "), transient }
}
