//! What people see of Windlass in a browser: server-rendered pages with real URLs, kept live by fragments
//! over server-sent events, and the same data as JSON.
//!
//! Everything here only reads [`Views`]. The pure [`model`] turns them into what a page shows; a file in
//! `pages` or `api` per endpoint answers a request with it; the templates turn it into HTML. Until sign-in
//! exists, the pages are served on loopback only, where [`security`] also turns away requests that a
//! hostile website made a browser send by rebinding its name.

mod api;
mod assets;
mod events;
pub mod model;
mod operations;
mod pages;
mod security;
mod server;
#[cfg(test)]
pub(crate) mod tests;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::controller::view::Views;

pub use operations::operations_router;
pub use server::serve;

/// Most live pages at once; a page beyond that is told to try again later.
const MAX_STREAMS: usize = 256;

/// Where the pages are served and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebConfig {
    /// Address to listen on; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Serves people who are not signed in on any address, not on loopback only.
    pub anonymous: bool,
}

/// Why the pages cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The address can be reached from other machines and nobody said that this is meant.
    #[error(
        "the web address {address} can be reached from other machines, and everybody there could read the \
         state of all applications: listen on a loopback address such as 127.0.0.1:{port} (and reach it by \
         kubectl port-forward), or start with --anonymous if this is meant",
        port = address.port()
    )]
    NotLoopback {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The system refused the address.
    #[error("cannot listen on {address}: {source}; is another program using the port?")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A web server that has its address and does not answer yet.
#[derive(Debug)]
pub struct Web {
    listener: TcpListener,
    address: SocketAddr,
    anonymous: bool,
}

impl Web {
    /// Takes the address.
    ///
    /// # Errors
    /// [`WebError::NotLoopback`] for another address than loopback without `anonymous`, and
    /// [`WebError::Bind`] where the system refuses it.
    pub async fn bind(config: WebConfig) -> Result<Self, WebError> {
        let WebConfig { address, anonymous } = config;
        if !anonymous && !address.ip().to_canonical().is_loopback() {
            return Err(WebError::NotLoopback { address });
        }
        let failed = |source| WebError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, anonymous })
    }

    /// The address that it listens on, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `shutdown` completes, then ends the live pages and returns.
    pub async fn serve(self, views: Arc<Views>, shutdown: impl Future<Output = ()> + Send) {
        let (stop, stopped) = watch::channel(false);
        let mut app = routes(Shared::new(views, stopped));
        if !self.anonymous {
            app = app.layer(axum::middleware::from_fn(security::loopback_host_only));
        }
        serve(self.listener, app, async {
            shutdown.await;
            // Live pages never end by themselves.
            stop.send_replace(true);
        })
        .await;
    }
}

/// All pages and endpoints without the check of the Host header, for tests.
pub fn router(views: Arc<Views>) -> Router {
    routes(Shared::new(views, watch::channel(false).1))
}

/// What every endpoint needs.
#[derive(Clone)]
struct Shared {
    views: Arc<Views>,
    /// A permit for each live page.
    streams: Arc<Semaphore>,
    /// One live page renders at a time, so that any number of them uses at most one core.
    rendering: Arc<Semaphore>,
    /// Becomes true when the server stops.
    stopped: watch::Receiver<bool>,
}

impl Shared {
    fn new(views: Arc<Views>, stopped: watch::Receiver<bool>) -> Self {
        let streams = Arc::new(Semaphore::new(MAX_STREAMS));
        Self { views, streams, rendering: Arc::new(Semaphore::new(1)), stopped }
    }
}

fn routes(shared: Shared) -> Router {
    Router::new()
        .route("/", get(pages::applications))
        .route("/applications/{namespace}/{name}", get(pages::application))
        .route("/applications/{namespace}/{name}/events", get(events::application))
        .route("/events", get(events::page))
        .route("/api/v1/applications", get(api::applications))
        .route("/api/v1/applications/{namespace}/{name}", get(api::application))
        .route("/assets/{file}", get(assets::file))
        .fallback(pages::not_found)
        .layer(axum::middleware::map_response(security::harden))
        .with_state(shared)
}
