//! Stage 3: from manifests to a release that the API server can have.

use std::sync::Arc;

use windlass_core::plan::{Admission, Candidate, Limits, Violation, ViolationReason, admit};
use windlass_core::release::Release;

use super::render::{NewRender, Rendered};
use super::{Scope, Step};
use crate::cluster::discovery::Served;
use crate::controller::context::{Memory, RenderCache};
use crate::failure::Failure;

/// Most violations that one message tells.
const TOLD: usize = 5;

/// Admits what was rendered, or holds the last release and tells everything that stands against this one.
pub async fn check(scope: &Scope<'_>, memory: &mut Memory, rendered: Step<Rendered>) -> Step<Arc<Release>> {
    let new = match rendered {
        Step::Held(failure) => return Step::Held(failure),
        Step::Fresh(Rendered::Same(release)) => return Step::Fresh(release),
        Step::Fresh(Rendered::New(new)) => new,
    };
    let mut result = with_kinds(scope, &new, &scope.ctx.catalog.served());
    let unknown = |v: &Violation| v.reason == ViolationReason::UnknownKind;
    if result.as_ref().is_err_and(|violations| violations.iter().any(unknown)) {
        // The kind may have been installed since the last look.
        match scope.ctx.catalog.refresh().await {
            Ok(served) => result = with_kinds(scope, &new, &served),
            Err(error) => return Step::Held(Failure::transient("ApiServerUnavailable", error.to_string())),
        }
    }
    match result {
        Ok(release) => {
            let release = Arc::new(release);
            memory.render = Some(RenderCache {
                inputs: new.inputs,
                sources: new.sources,
                renderers: new.renderers,
                revisions: new.revisions,
                release: release.clone(),
            });
            Step::Fresh(release)
        }
        Err(violations) => Step::Held(failure(&violations)),
    }
}

fn with_kinds(scope: &Scope<'_>, new: &NewRender, served: &Served) -> Result<Release, Vec<Violation>> {
    let candidates: Vec<Candidate> = new.candidates.clone();
    admit(
        new.revision.clone(),
        candidates,
        &Admission {
            kinds: served,
            cluster: &scope.ctx.cluster,
            namespace: scope.destination(),
            owner: Some((&scope.ctx.instance, scope.key)),
            allow_empty: scope.app.spec.sync.allow_empty,
            limits: Limits::default(),
        },
    )
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
