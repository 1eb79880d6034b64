//! Until when the Lease is surely ours, and the fence that every write passes.
//!
//! A write is sent only while the Lease has more left than [`WRITE_DEADLINE`], after which the write is given
//! up by us and by the API server. So a controller that lost its Lease, and one that was stopped and comes
//! back, sends nothing any more, without asking anybody.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Method, Request, Response, Uri};
use kube::client::Body;
use tokio::sync::{OwnedRwLockReadGuard, RwLock, watch};
use tower::{BoxError, Layer, Service};

use super::clock;

/// How long one attempt to write may take. Admission webhooks are part of it.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(7);

/// Whether this controller may write: never yet, until some time, for ever, or never again.
#[derive(Clone)]
pub struct Leadership {
    term: Arc<watch::Sender<Term>>,
    writing: Arc<RwLock<()>>,
}

/// Times are of [`clock::now`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Term {
    NotYet,
    Until(Duration),
    Unlimited,
    Over,
}

/// This controller may not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not written: this controller does not hold the Lease")]
pub struct NotLeading;

/// A write that may be under way as long as this lives.
#[derive(Debug)]
pub struct Permit(#[expect(dead_code, reason = "held, not read")] OwnedRwLockReadGuard<()>);

impl Leadership {
    /// Of a controller that does not lead yet.
    pub fn none() -> Self {
        Self::of(Term::NotYet)
    }

    /// Of a controller that needs no Lease.
    pub fn unlimited() -> Self {
        Self::of(Term::Unlimited)
    }

    fn of(term: Term) -> Self {
        Self { term: Arc::new(watch::Sender::new(term)), writing: Arc::default() }
    }

    /// The Lease is ours until `until`, a time of [`clock::now`].
    pub fn extend(&self, until: Duration) {
        self.term.send_if_modified(|term| match term {
            Term::NotYet | Term::Until(_) => {
                *term = Term::Until(until);
                true
            }
            Term::Unlimited | Term::Over => false,
        });
    }

    /// Until when the Lease is ours, a time of [`clock::now`]; `None` where it is not, or needs not be.
    pub fn until(&self) -> Option<Duration> {
        match *self.term.borrow() {
            Term::Until(until) => Some(until),
            Term::NotYet | Term::Unlimited | Term::Over => None,
        }
    }

    /// Lets no write begin any more and waits for the end of those that are under way.
    pub async fn end(&self) {
        self.term.send_replace(Term::Over);
        drop(self.writing.write().await);
    }

    /// Waits until a write that takes at most `deadline` may begin: at rest at once, else until the Lease is
    /// renewed.
    ///
    /// # Errors
    /// [`NotLeading`] where it never may.
    pub async fn permit(&self, deadline: Duration) -> Result<Permit, NotLeading> {
        let mut term = self.term.subscribe();
        loop {
            let now = *term.borrow_and_update();
            match now {
                Term::NotYet | Term::Over => return Err(NotLeading),
                Term::Unlimited => {}
                Term::Until(until) if clock::now() + deadline <= until => {}
                // The sender lives as long as this.
                Term::Until(_) => {
                    term.changed().await.map_err(|_| NotLeading)?;
                    continue;
                }
            }
            // Not while the end waits for those before us: then it is over.
            if let Ok(writing) = self.writing.clone().try_read_owned() {
                return Ok(Permit(writing));
            }
            if *self.term.borrow() == Term::Over {
                return Err(NotLeading);
            }
        }
    }
}

/// Puts [`Fenced`] around a service.
#[derive(Clone)]
pub struct Fence(pub Leadership);

impl<S> Layer<S> for Fence {
    type Service = Fenced<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Fenced { inner, leadership: self.0.clone() }
    }
}

/// A connection to the API server on which requests that change something wait for their [`Permit`] and have
/// [`WRITE_DEADLINE`].
#[derive(Clone)]
pub struct Fenced<S> {
    inner: S,
    leadership: Leadership,
}

impl<S, B> Service<Request<Body>> for Fenced<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if !writes(&request) {
            return self.inner.call(request).map(|result| result.map_err(Into::into)).boxed();
        }
        // The clone is not ready, so the one that is goes along.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let leadership = self.leadership.clone();
        async move {
            let _permit = leadership.permit(WRITE_DEADLINE).await?;
            bound(request.uri_mut());
            let written = tokio::time::timeout(WRITE_DEADLINE, inner.call(request)).await;
            written.map_err(BoxError::from)?.map_err(Into::into)
        }
        .boxed()
    }
}

/// Whether a request changes something.
fn writes<B>(request: &Request<B>) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let query = request.uri().query().unwrap_or_default();
    !reads && !query.split('&').any(|part| part == "dryRun=All")
}

/// Has the API server give the request up, too: it may have it in a queue when we do.
fn bound(uri: &mut Uri) {
    let separator = if uri.query().is_some() { '&' } else { '?' };
    let path = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let bounded = format!("{path}{separator}timeout={}s", WRITE_DEADLINE.as_secs());
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = bounded.parse().ok();
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_write_needs_more_of_the_lease_than_its_deadline() {
        let leadership = Leadership::none();
        assert_eq!(leadership.permit(SECOND).await.unwrap_err(), NotLeading);
        leadership.extend(clock::now() + 10 * SECOND);
        assert!(leadership.permit(SECOND).await.is_ok());
        leadership.extend(clock::now() + SECOND / 2);
        let mut waits = Box::pin(leadership.permit(SECOND));
        assert!(waits.as_mut().now_or_never().is_none(), "it waits for a renewal");
        leadership.extend(clock::now() + 10 * SECOND);
        assert!(waits.await.is_ok());
    }

    #[tokio::test]
    async fn the_end_waits_for_writes_and_lets_none_begin() {
        let leadership = Leadership::unlimited();
        let permit = leadership.permit(SECOND).await.unwrap();
        let mut end = Box::pin(leadership.end());
        assert!(end.as_mut().now_or_never().is_none(), "a write is under way");
        assert_eq!(leadership.permit(SECOND).await.unwrap_err(), NotLeading);
        drop(permit);
        end.await;
        leadership.extend(clock::now() + 10 * SECOND);
        assert_eq!(leadership.permit(SECOND).await.unwrap_err(), NotLeading, "the end is final");
    }

    #[tokio::test]
    async fn who_waits_for_a_renewal_hears_of_the_end() {
        let leadership = Leadership::none();
        leadership.extend(clock::now());
        let mut waits = Box::pin(leadership.permit(SECOND));
        assert!(waits.as_mut().now_or_never().is_none());
        leadership.end().await;
        assert_eq!(waits.await.unwrap_err(), NotLeading);
    }

    #[test]
    fn reads_and_dry_runs_need_no_lease() {
        let request = |method: &str, uri: &str| Request::builder().method(method).uri(uri).body(()).unwrap();
        assert!(writes(&request("PATCH", "/api/v1/namespaces/a/configmaps/b?force=true")));
        assert!(writes(&request("DELETE", "/api/v1/namespaces/a/configmaps/b")));
        assert!(!writes(&request("GET", "/api/v1/namespaces/a/configmaps/b")));
        assert!(!writes(&request("PATCH", "/api/v1/namespaces/a/configmaps/b?dryRun=All&force=true")));
    }

    #[test]
    fn the_server_is_told_the_deadline() {
        for (uri, expected) in [("/a?b=c", "/a?b=c&timeout=7s"), ("http://h:1/a", "http://h:1/a?timeout=7s")]
        {
            let mut uri: Uri = uri.parse().unwrap();
            bound(&mut uri);
            assert_eq!(uri.to_string(), expected);
        }
    }
}
