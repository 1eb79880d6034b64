//! Users' health checks: judged in a worker, because an expression may cost whatever its author likes, and
//! again only when the object or the expression has changed.

use std::time::Duration;

use serde_json::Value;
use windlass_core::api::HealthCheck;
use windlass_core::object::{Digest, ObjectId};
use windlass_core::release::Release;

use super::Scope;
use crate::controller::world::Verdict;
use crate::failure::Failure;
use crate::worker::{CheckRequest, WorkerError};

/// How long one check may take for one batch of objects.
const DEADLINE: Duration = Duration::from_secs(5);
/// Objects judged at once, so that they fit into a request.
const BATCH: usize = 20;

/// An object to be judged, and the version of the body.
struct Open {
    id: ObjectId,
    version: u64,
    body: Value,
}

/// Judges the objects of a release for which there are checks, as far as that was not done yet.
pub async fn judge(scope: &Scope<'_>, release: Option<&Release>) {
    let checks = &scope.app.spec.health.checks;
    let Some(release) = release else { return };
    let mut open: Vec<Vec<Open>> = checks.iter().map(|_| Vec::new()).collect();
    for id in release.ids() {
        match first(checks, id) {
            Some((at, check)) => {
                if let (Some(due), Some(open)) = (due(scope, id, check), open.get_mut(at)) {
                    open.push(due);
                }
            }
            None => scope.ctx.world.judged(id, None),
        }
    }
    for (check, open) in checks.iter().zip(open) {
        for batch in open.chunks(BATCH) {
            ask(scope, check, batch).await;
        }
    }
}

/// The first check that is wrong, named with what is wrong with it.
pub fn failure(scope: &Scope<'_>, release: &Release) -> Option<Failure> {
    let checks = &scope.app.spec.health.checks;
    release.ids().iter().find_map(|id| {
        let (at, check) = first(checks, id)?;
        let verdict = scope.ctx.world.verdict(id).filter(|verdict| verdict.version > 0)?;
        let error = verdict.health.err()?;
        let message = format!("spec.health.checks[{at}] for {check}, of {id}: {error}");
        Some(Failure::permanent("HealthCheckFailed", message))
    })
}

fn first<'a>(checks: &'a [HealthCheck], id: &ObjectId) -> Option<(usize, &'a HealthCheck)> {
    checks.iter().enumerate().find(|(_, check)| check.fits(&id.group, &id.kind))
}

/// The object, if its present version was not judged by this check yet and its body is known.
fn due(scope: &Scope<'_>, id: &ObjectId, check: &HealthCheck) -> Option<Open> {
    let world = &scope.ctx.world;
    let expression = Digest::of_bytes(check.cel.as_bytes());
    let known = world.verdict(id).filter(|verdict| verdict.expression == expression);
    let body = world.body(id);
    if known.is_none() {
        let health = Err("it was not asked yet".to_owned());
        world.judged(id, Some(Verdict { version: 0, expression, health }));
    }
    let (version, body) = body?;
    let judged = known.is_some_and(|verdict| verdict.version >= version);
    (!judged).then(|| Open { id: id.clone(), version, body: Value::clone(&body) })
}

async fn ask(scope: &Scope<'_>, check: &HealthCheck, batch: &[Open]) {
    let objects = batch.iter().map(|open| open.body.clone()).collect();
    let request = CheckRequest { expression: check.cel.clone(), objects };
    let answer = match scope.ctx.pool.check(request, DEADLINE).await {
        Ok(answer) => answer,
        // Nobody was asked: the next event or the next look at the sources tries again.
        Err(error @ (WorkerError::Busy { .. } | WorkerError::Spawn { .. })) => {
            tracing::warn!(app = %scope.key, %error, "a health check could not be judged");
            return;
        }
        // What took too long or too much memory once will do so again for the same object.
        Err(error) => vec![Err(error.to_string()); batch.len()],
    };
    let expression = Digest::of_bytes(check.cel.as_bytes());
    for (open, health) in batch.iter().zip(answer) {
        let verdict = Verdict { version: open.version, expression: expression.clone(), health };
        scope.ctx.world.judged(&open.id, Some(verdict));
    }
}
