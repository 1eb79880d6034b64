//! Stage 2: from files to manifests, unless nothing that was read has changed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use windlass_core::api::bounded_message;
use windlass_core::object::Digest;
use windlass_core::plan::Candidate;
use windlass_core::release::{Release, RenderRecord, SourceRecord};

use super::resolve::ResolvedSource;
use super::{Scope, Step, back_off};
use crate::controller::context::{FailedRender, Memory};
use crate::failure::Failure;
use crate::render::{Context as RenderContext, Files, RenderRequest, SourceInput};
use crate::source::git::Revision;

/// How long a render may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a render gave.
pub enum Rendered {
    /// The inputs are those of the last render, and this came of it then.
    Same(Arc<Release>),
    /// Manifests that were not admitted yet.
    New(NewRender),
}

/// Manifests that were not admitted yet, with what they were made from.
pub struct NewRender {
    /// The manifests of all sources.
    pub candidates: Vec<Candidate>,
    /// The revisions of the sources, joined for people.
    pub revision: String,
    /// What they were made from.
    pub record: RenderRecord,
}

/// Renders the resolved sources in a worker, unless the same was rendered before.
pub async fn release(
    scope: &Scope<'_>,
    memory: &mut Memory,
    resolved: Step<Vec<ResolvedSource>>,
) -> Step<Rendered> {
    let resolved = match resolved {
        Step::Fresh(resolved) => resolved,
        Step::Held(failure) => return Step::Held(failure),
    };
    let inputs = inputs(scope, &resolved);
    if let Some(release) = unchanged(scope, memory, &resolved, &inputs).await {
        return Step::Fresh(Rendered::Same(release));
    }
    if let Some(failure) = failed_before(scope, memory, &resolved, &inputs) {
        return Step::Held(failure);
    }
    // A commit that comes while this renders is news, whatever the last render read.
    for source in &resolved {
        source.mirror.set_reads(scope.key, &source.name, None);
    }
    let timer = scope.ctx.metrics.worker_seconds.with_label_values(&["render"]).start_timer();
    let result = scope.ctx.pool.render(request(scope, &resolved), DEADLINE).await;
    timer.observe_duration();
    let label = result.as_ref().err().map_or("ok", |failure| failure.reason.as_str());
    scope.ctx.metrics.renders.with_label_values(&[label]).inc();
    match result {
        Ok(rendered) => {
            memory.failed = None;
            Step::Fresh(Rendered::New(new_render(scope, &resolved, inputs, rendered)))
        }
        Err(failure) => {
            if failure.reason == "MirrorFailed" {
                resolved.iter().for_each(|source| source.mirror.suspect());
            }
            let pause = failure.transient.then(|| back_off(memory.attempts));
            memory.failed = Some(FailedRender {
                inputs,
                commits: commits(&resolved),
                failure: failure.clone(),
                again: pause.map(|pause| Instant::now() + pause),
            });
            Step::Held(failure)
        }
    }
}

fn new_render(
    scope: &Scope<'_>,
    resolved: &[ResolvedSource],
    inputs: Digest,
    rendered: crate::render::Rendered,
) -> NewRender {
    let mut candidates = Vec::new();
    let mut sources = Vec::new();
    for (source, rendered) in resolved.iter().zip(rendered.sources) {
        let reads = Arc::new(rendered.reads);
        source.mirror.set_reads(scope.key, &source.name, Some(reads.clone()));
        sources.push(SourceRecord {
            revision: display(&source.revision),
            commit: source.revision.commit.clone(),
            renderer: rendered.renderer,
            reads,
        });
        let objects = rendered.objects.into_iter();
        candidates.extend(objects.map(|o| Candidate { body: o.body, origin: o.origin }));
    }
    let revisions: Vec<_> = sources.iter().map(|source| source.revision.as_str()).collect();
    let revision = bounded_message(&revisions.join(","));
    NewRender { candidates, revision, record: RenderRecord { inputs, sources } }
}

fn commits(resolved: &[ResolvedSource]) -> Vec<String> {
    resolved.iter().map(|source| source.revision.commit.clone()).collect()
}

/// The release of the last render, if every input is the same: the specification, and of each source either
/// the commit or all paths that were read.
async fn unchanged(
    scope: &Scope<'_>,
    memory: &mut Memory,
    resolved: &[ResolvedSource],
    inputs: &Digest,
) -> Option<Arc<Release>> {
    let cache = memory.render.as_mut().filter(|cache| cache.record.inputs == *inputs)?;
    if cache.record.sources.len() != resolved.len() {
        return None;
    }
    for (source, record) in resolved.iter().zip(&mut cache.record.sources) {
        if record.commit != source.revision.commit {
            if !source.mirror.unchanged(&source.revision.commit, &record.reads).await {
                return None;
            }
            record.commit.clone_from(&source.revision.commit);
        }
    }
    for (source, record) in resolved.iter().zip(&cache.record.sources) {
        source.mirror.set_reads(scope.key, &source.name, Some(record.reads.clone()));
    }
    Some(cache.release.clone())
}

/// The failure of the last render, if the same would be rendered again, its time has not come and no person
/// asks for it: an object that drifts must not wait for a template that fails.
fn failed_before(
    scope: &Scope<'_>,
    memory: &Memory,
    resolved: &[ResolvedSource],
    inputs: &Digest,
) -> Option<Failure> {
    let failed = memory.failed.as_ref().filter(|_| !scope.wants_fresh())?;
    let same = failed.inputs == *inputs && failed.commits == commits(resolved);
    let due = failed.again.is_some_and(|again| Instant::now() >= again);
    (same && !due).then(|| failed.failure.clone())
}

fn inputs(scope: &Scope<'_>, resolved: &[ResolvedSource]) -> Digest {
    // `windlass.revision` is an input of templates, but the paths that were read decide: a commit that
    // touches nothing of this Application must not restart its pods.
    let sources: Vec<_> = resolved
        .iter()
        .map(|s| json!({"name": s.name, "url": s.url, "path": s.path, "render": s.render}))
        .collect();
    Digest::of_json(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "app": scope.key.to_string(),
        "namespace": scope.destination(),
        "cluster": scope.ctx.cluster.as_str(),
        "allowEmpty": scope.app.spec.sync.allow_empty,
        "sources": sources
    }))
}

fn request(scope: &Scope<'_>, resolved: &[ResolvedSource]) -> RenderRequest {
    RenderRequest {
        context: RenderContext {
            app: scope.key.name.clone(),
            namespace: scope.destination().to_owned(),
            cluster: scope.ctx.cluster.as_str().to_owned(),
        },
        sources: resolved
            .iter()
            .map(|source| SourceInput {
                name: source.name.clone(),
                files: Files::Git {
                    mirror: source.mirror.directory().to_owned(),
                    commit: source.revision.commit.clone(),
                },
                revision: source.revision.commit.clone(),
                path: source.path.clone(),
                render: source.render.clone(),
            })
            .collect(),
    }
}

/// `main@3f2a9c1`: what people read.
pub fn display(revision: &Revision) -> String {
    format!("{}@{}", revision.reference, revision.commit.get(..7).unwrap_or(&revision.commit))
}
