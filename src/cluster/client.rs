//! Clients with deadlines of our own: by default kube retries for a quarter of an hour and reads for ever.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::client::ClientBuilder;
use kube::client::retry::RetryPolicy;
use kube::{Api, Client, Config};
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;
use tower::timeout::TimeoutLayer;
use windlass_core::plan::Instance;

use super::error::ClusterError;
use super::leadership::{Fence, Leadership};

/// How long one request to the API server may take, retries included.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

/// Longest silence on a watch before its connection counts as dead; the server sends bookmarks about once
/// a minute.
const WATCH_SILENCE: Duration = Duration::from_secs(240);

/// Clients whose deadlines differ.
#[derive(Clone)]
pub struct Clients {
    /// For everything that is answered at once; its writes wait for the Lease.
    pub requests: Client,
    /// For watches only.
    pub watches: Client,
    /// For the Lease only: nothing is before it in a line, and nothing is tried again behind its back.
    pub lease: Client,
}

/// Clients for `config`, which write only while `leadership` has enough left.
///
/// # Errors
/// [`ClusterError::Config`] where TLS material cannot be used.
pub fn connect(mut config: Config, leadership: &Leadership) -> Result<Clients, ClusterError> {
    let failed = |error: kube::Error| ClusterError::Config(error.to_string());
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(10));
    config.reset_reader_on_write = true;
    let mut watching = config.clone();
    watching.read_timeout = Some(WATCH_SILENCE + Duration::from_secs(10));
    config.read_timeout = Some(REQUEST_DEADLINE);
    let electing = config.clone();
    let policy = RetryPolicy::new(Duration::from_millis(50), Duration::from_secs(1), 3, true)
        .map_err(|error| ClusterError::Config(error.to_string()))?;
    let requests = ClientBuilder::try_from(config)
        .map_err(failed)?
        .with_layer(&BufferLayer::<http::Request<kube::client::Body>>::new(1024))
        // Within the retries: each attempt is a write of its own.
        .with_layer(&Fence(leadership.clone()))
        .with_layer(&RetryLayer::new(policy))
        .with_layer(&TimeoutLayer::new(REQUEST_DEADLINE))
        .build();
    let watches = ClientBuilder::try_from(watching).map_err(failed)?.build();
    let lease = ClientBuilder::try_from(electing).map_err(failed)?.build();
    Ok(Clients { requests, watches, lease })
}

/// Which install of Windlass this is, in which cluster.
///
/// # Errors
/// [`ClusterError::Request`] where the `kube-system` namespace cannot be read.
pub async fn instance(client: &Client, install: &str) -> Result<Instance, ClusterError> {
    let namespace = Api::<Namespace>::all(client.clone()).get("kube-system").await?;
    Ok(Instance::new(install, namespace.metadata.uid.as_deref().unwrap_or_default()))
}
