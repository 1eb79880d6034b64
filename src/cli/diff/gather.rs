use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use windlass_core::api::{Application, Source};
use windlass_core::object::Digest;
use windlass_core::plan::Candidate;

use super::super::connection::Connection;
use super::super::{offline, text};
use crate::controller::application::render::display;
use crate::controller::application::resolve::{from_secret, reference};
use crate::render::{Context, Files, RenderRequest, SourceInput};
use crate::source::git::{Credentials, ResolveRequest, Revision};
use crate::worker::{Request, Response, handle};

/// Fetches and renders the sources of `app` in this process, with credentials that the user may read.
/// Answers with the revisions for people and the objects.
pub(super) async fn from_git(
    connection: &Connection,
    app: &Application,
) -> anyhow::Result<(String, Vec<Candidate>)> {
    let scratch = Scratch::new()?;
    let (mut revisions, mut inputs) = (Vec::new(), Vec::new());
    for source in &app.spec.sources {
        text::progress(format!("fetching {}", source.git.url));
        let credentials = credentials(connection, source).await?;
        let mirror = scratch.mirror(source);
        let revision = resolve(ResolveRequest {
            url: source.git.url.clone(),
            credentials,
            mirror: mirror.clone(),
            references: vec![reference(&source.git)],
            renew: false,
        })
        .await
        .with_context(|| format!("source {}", source.name))?;
        revisions.push(display(&revision));
        inputs.push(SourceInput {
            name: source.name.clone(),
            files: Files::Git { mirror, commit: revision.commit.clone() },
            revision: revision.commit,
            path: source.git.path.clone(),
            render: source.render.clone(),
        });
    }
    let request = RenderRequest {
        context: Context {
            app: app.metadata.name.clone().unwrap_or_default(),
            namespace: offline::destination(app),
            cluster: windlass_core::object::Cluster::default().as_str().to_owned(),
        },
        sources: inputs,
    };
    // The mirrors must outlive the render.
    let (candidates, _scratch) = blocking(move || (offline::render(request), scratch)).await?;
    Ok((revisions.join(","), candidates?))
}

async fn resolve(request: ResolveRequest) -> anyhow::Result<Revision> {
    match blocking(move || handle(Request::Resolve(request))).await? {
        Response::Resolved(revisions) => {
            let revision = revisions.into_iter().next();
            Ok(revision
                .ok_or_else(|| anyhow!("a reference was not answered; this is a bug in Windlass"))??)
        }
        other => Err(anyhow!("a look at a repository was answered by {other:?}; this is a bug in Windlass")),
    }
}

/// Runs what blocks beside the runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    Ok(tokio::task::spawn_blocking(work).await?)
}

async fn credentials(connection: &Connection, source: &Source) -> anyhow::Result<Credentials> {
    let Some(reference) = &source.secret_ref else { return Ok(Credentials::Anonymous) };
    let secrets = Api::<Secret>::namespaced(connection.client.clone(), &connection.namespace);
    let found = connection.answer(secrets.get_opt(&reference.name)).await?;
    let name = format!("source {}: Secret {}/{}", source.name, connection.namespace, reference.name);
    let secret = found.with_context(|| format!("{name} does not exist"))?;
    from_secret(&secret).with_context(|| format!("{name} must have username and password, or bearerToken"))
}

/// A private directory that is gone when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        let directory = std::env::temp_dir().join(format!("windlass-diff-{:016x}", rand::random::<u64>()));
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        ensure!(directory.is_dir(), "{} is no directory", directory.display());
        Ok(Self(directory))
    }

    /// One mirror a repository and credentials.
    fn mirror(&self, source: &Source) -> PathBuf {
        let secret = source.secret_ref.as_ref().map_or("", |reference| reference.name.as_str());
        let digest = Digest::of_bytes(format!("{}\n{secret}", source.git.url).as_bytes());
        Path::new(&self.0).join(digest.short(16))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left over lies in the directory for temporary files and is private.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
