//! Stage 1: what the sources point to.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use windlass_core::api::{self, AppKey};

use super::{Scope, Step};
use crate::controller::context::Memory;
use crate::controller::mirrors::{Fresh, Mirror};
use crate::failure::Failure;
use crate::source::git::{Credentials, Reference, Revision};

/// A source as subscribed to: as long as it is held, its repository is looked at.
pub struct Subscription {
    app: AppKey,
    name: String,
    mirror: Arc<Mirror>,
}

impl Subscription {
    /// Name of the source.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The mirror of its repository.
    pub fn mirror(&self) -> &Arc<Mirror> {
        &self.mirror
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.mirror.unsubscribe(&self.app, &self.name);
    }
}

/// A source and what it points to.
pub struct ResolvedSource {
    /// Name of the source.
    pub name: String,
    /// The mirror that has the commit.
    pub mirror: Arc<Mirror>,
    /// Address of the repository.
    pub url: String,
    /// What it points to.
    pub revision: Revision,
    /// Directory of the manifests.
    pub path: String,
    /// How files become manifests.
    pub render: api::Render,
}

/// Resolves every source, side by side, to a commit that the mirror has.
pub async fn sources(scope: &Scope<'_>, memory: &mut Memory) -> Step<Vec<ResolvedSource>> {
    let mut wanted = Vec::new();
    for source in &scope.app.spec.sources {
        let credentials = match credentials(scope, source).await {
            Ok(credentials) => credentials,
            Err(failure) => return Step::Held(failure),
        };
        let mirror = scope.ctx.mirrors.get(&source.git.url, &credentials);
        wanted.push((source, mirror, reference(&source.git)));
    }
    subscribe(scope, memory, &wanted);
    let fresh = match scope.ctx.apps.news.since(scope.key) {
        _ if scope.wants_fresh() => Fresh::Now,
        Some(moment) => Fresh::Since(moment),
        None => Fresh::Any,
    };
    let looks = wanted.iter().map(|(_, mirror, reference)| mirror.revision(reference, fresh));
    let mut resolved = Vec::new();
    for ((source, mirror, _), revision) in wanted.iter().zip(futures::future::join_all(looks).await) {
        match revision {
            Ok(revision) => resolved.push(ResolvedSource {
                name: source.name.clone(),
                mirror: mirror.clone(),
                url: source.git.url.clone(),
                revision,
                path: source.git.path.clone(),
                render: source.render.clone(),
            }),
            Err(failure) => {
                let message = format!("source {}: {}", source.name, failure.message);
                // Nothing tells when a Secret is mended, so it has to be read again.
                let mendable = source.secret_ref.is_some() && failure.reason == "AuthenticationFailed";
                return Step::Held(Failure { message, transient: failure.transient || mendable, ..failure });
            }
        }
    }
    Step::Fresh(resolved)
}

/// Ends the subscriptions that are no longer wanted, then begins those that are new.
fn subscribe(scope: &Scope<'_>, memory: &mut Memory, wanted: &[(&api::Source, Arc<Mirror>, Reference)]) {
    let same = |subscription: &Subscription, source: &api::Source, mirror: &Arc<Mirror>| {
        subscription.name == source.name && Arc::ptr_eq(&subscription.mirror, mirror)
    };
    memory.subscriptions.retain(|old| wanted.iter().any(|(source, mirror, _)| same(old, source, mirror)));
    for (source, mirror, reference) in wanted {
        mirror.subscribe(scope.key, &source.name, reference);
        if !memory.subscriptions.iter().any(|old| same(old, source, mirror)) {
            memory.subscriptions.push(Subscription {
                app: scope.key.clone(),
                name: source.name.clone(),
                mirror: mirror.clone(),
            });
        }
    }
}

/// What the user wants of the repository. The schema lets exactly one member through.
pub fn reference(git: &api::GitSource) -> Reference {
    if let Some(commit) = &git.commit {
        Reference::Commit(commit.clone())
    } else if let Some(tag) = &git.tag {
        Reference::Tag(tag.clone())
    } else {
        Reference::Branch(git.branch.clone().unwrap_or_else(|| "main".into()))
    }
}

/// The credentials of a source.
///
/// # Errors
/// As [`secret_credentials`].
pub async fn credentials(scope: &Scope<'_>, source: &api::Source) -> Result<Credentials, Failure> {
    match &source.secret_ref {
        Some(reference) => secret_credentials(scope, &format!("source {}", source.name), reference).await,
        None => Ok(Credentials::Anonymous),
    }
}

/// The credentials in a Secret of the Application's namespace; `what` is for whom, as a user is told.
///
/// # Errors
/// Where the Secret cannot be read, or holds none.
pub async fn secret_credentials(
    scope: &Scope<'_>,
    what: &str,
    reference: &api::LocalReference,
) -> Result<Credentials, Failure> {
    let api = Api::<Secret>::namespaced(scope.ctx.clients.requests.clone(), &scope.key.namespace);
    let secret = api.get_opt(&reference.name).await.map_err(|error| {
        let text = crate::cluster::error::words(&error);
        Failure::transient("SecretUnreadable", format!("{what}: {text}"))
    })?;
    let secret = secret.ok_or_else(|| {
        let namespace = &scope.key.namespace;
        let text = format!("{what}: there is no Secret {} in namespace {namespace}", reference.name);
        Failure::transient("SecretNotFound", text)
    })?;
    from_secret(&secret).ok_or_else(|| {
        let name = &reference.name;
        let text = format!("{what}: Secret {name} must have username and password, or bearerToken");
        Failure::transient("SecretInvalid", text)
    })
}

/// The credentials that a Secret holds: `username` and `password`, or `bearerToken`.
pub fn from_secret(secret: &Secret) -> Option<Credentials> {
    let field = |key: &str| {
        let bytes = secret.data.as_ref()?.get(key)?;
        String::from_utf8(bytes.0.clone()).ok().map(|text| text.trim_end_matches(['\n', '\r']).to_owned())
    };
    if let Some(token) = field("bearerToken") {
        return Some(Credentials::Bearer { token });
    }
    Some(Credentials::Basic { username: field("username")?, password: field("password")? })
}
