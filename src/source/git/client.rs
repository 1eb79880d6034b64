//! The HTTP client of this process. One for all repositories: making one reads every root certificate of
//! the machine, and a fetch can go on with the connection of the listing before it.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::Client;
use tokio::runtime::Runtime;

use super::problem::chain;
use crate::failure::Failure;

/// How long a connection may take, its TLS handshake included.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(15);

/// A client with the runtime that drives its connections, on the thread of whoever waits.
pub struct Shared {
    /// Runs only while somebody waits for an answer.
    pub runtime: Runtime,
    /// Follows no redirect by itself and reads no proxy from the environment.
    pub client: Client,
}

/// The client, made at the first use.
///
/// # Errors
/// `SourceUnreachable` where the machine has no root certificates or no resources for a client.
pub fn shared() -> Result<&'static Shared, Failure> {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    if let Some(shared) = SHARED.get() {
        return Ok(shared);
    }
    let made = make()?;
    Ok(SHARED.get_or_init(|| made))
}

fn make() -> Result<Shared, Failure> {
    let failed = |cause: String| {
        Failure::transient("SourceUnreachable", format!("cannot make an HTTP client: {cause}"))
    };
    // The program installs it at its start; tests and fuzzers come here without. Once is enough.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let client = Client::builder()
        // Some servers serve Git only to clients that call themselves git.
        .user_agent(concat!("git/2.0 (windlass ", env!("CARGO_PKG_VERSION"), ")"))
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(|error| failed(format!("{} (is ca-certificates installed?)", chain(&error))))?;
    Ok(Shared { runtime, client })
}
