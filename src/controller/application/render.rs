//! Stage 2: from files to manifests, unless nothing that was read has changed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use windlass_core::object::Digest;
use windlass_core::plan::Candidate;
use windlass_core::release::Release;

use super::resolve::ResolvedSource;
use super::{Scope, Step};
use crate::controller::context::Memory;
use crate::render::{Context as RenderContext, Files, PathRead, RenderRequest, SourceInput};
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
    /// The revision of each source.
    pub revisions: Vec<String>,
    /// Digest of everything that the render depended on but the files.
    pub inputs: Digest,
    /// For each source its commit and the paths that were read.
    pub sources: Vec<(String, Arc<Vec<PathRead>>)>,
    /// The renderer of each source.
    pub renderers: Vec<String>,
}

/// Renders the resolved sources in a worker.
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
    if let Some(release) = unchanged(memory, &resolved, &inputs).await {
        return Step::Fresh(Rendered::Same(release));
    }
    let timer = scope.ctx.metrics.worker_seconds.with_label_values(&["render"]).start_timer();
    let result = scope.ctx.pool.render(request(scope, &resolved), DEADLINE).await;
    timer.observe_duration();
    let label = result.as_ref().err().map_or("ok", |failure| failure.reason.as_str());
    scope.ctx.metrics.renders.with_label_values(&[label]).inc();
    let rendered = match result {
        Ok(rendered) => rendered,
        Err(failure) => {
            for source in &resolved {
                source.mirror.set_reads(scope.key, &source.name, None);
                if failure.reason == "MirrorFailed" {
                    source.mirror.suspect();
                }
            }
            return Step::Held(failure);
        }
    };
    let mut new = NewRender {
        candidates: Vec::new(),
        revision: String::new(),
        revisions: resolved.iter().map(|source| display(&source.revision)).collect(),
        inputs,
        sources: Vec::new(),
        renderers: Vec::new(),
    };
    new.revision = new.revisions.join(",");
    for (source, rendered) in resolved.iter().zip(rendered.sources) {
        let reads = Arc::new(rendered.reads);
        source.mirror.set_reads(scope.key, &source.name, Some(reads.clone()));
        new.sources.push((source.revision.commit.clone(), reads));
        new.renderers.push(rendered.renderer);
        let objects = rendered.objects.into_iter();
        new.candidates.extend(objects.map(|o| Candidate { body: o.body, origin: o.origin }));
    }
    Step::Fresh(Rendered::New(new))
}

/// The release of the last render, if every input is the same: the specification, and of each source either
/// the commit or all paths that were read.
async fn unchanged(
    memory: &mut Memory,
    resolved: &[ResolvedSource],
    inputs: &Digest,
) -> Option<Arc<Release>> {
    let cache = memory.render.as_mut().filter(|cache| cache.inputs == *inputs)?;
    if cache.sources.len() != resolved.len() {
        return None;
    }
    for (source, (commit, reads)) in resolved.iter().zip(&mut cache.sources) {
        if *commit != source.revision.commit {
            if !source.mirror.unchanged(&source.revision.commit, reads).await {
                return None;
            }
            commit.clone_from(&source.revision.commit);
        }
    }
    Some(cache.release.clone())
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
