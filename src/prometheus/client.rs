use std::time::Duration;

use reqwest::{Client, Url};
use windlass_core::gate::Sample;

use super::address::Guard;
use super::answer;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a query may take in all.
const DEADLINE: Duration = Duration::from_secs(5);
/// Largest answer, in bytes: one number is wanted.
const MAX_ANSWER: usize = 1 << 20;

/// A server and how it is asked.
#[derive(Clone)]
pub struct Endpoint {
    /// Its address, to which `/api/v1/query` is added.
    pub address: String,
    /// What proves to it who we are; never shown.
    pub authorization: Option<http::HeaderValue>,
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make an HTTP client for Prometheus: {0} (is ca-certificates installed?)")]
pub struct QueryError(#[from] reqwest::Error);

/// Asks Prometheus servers. Follows no redirect and reads no proxy from the environment.
#[derive(Clone)]
pub struct Prometheus {
    client: Client,
    guard: Guard,
}

impl Prometheus {
    /// A client that asks only where `guard` allows it.
    ///
    /// # Errors
    /// [`QueryError`] where the machine has no root certificates.
    pub fn new(guard: Guard) -> Result<Self, QueryError> {
        // The program installs it at its start; tests come here without. Once is enough.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(DEADLINE)
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(guard.clone())
            .no_proxy()
            .build()?;
        Ok(Self { client, guard })
    }

    /// The value of `query` now. Whatever keeps it from being known is a [`Sample::NoData`].
    pub async fn query(&self, endpoint: &Endpoint, query: &str) -> Sample {
        match self.ask(endpoint, query).await {
            Ok(sample) => sample,
            Err(problem) => Sample::NoData(problem),
        }
    }

    async fn ask(&self, endpoint: &Endpoint, query: &str) -> Result<Sample, String> {
        let mut url =
            Url::parse(&endpoint.address).map_err(|error| format!("{}: {error}", endpoint.address))?;
        if !self.guard.allows_literal(&url) {
            return Err(format!("{} may not be asked for metrics", endpoint.address));
        }
        url.path_segments_mut()
            .map_err(|()| format!("{} is no address of a Prometheus", endpoint.address))?
            .pop_if_empty()
            .extend(["api", "v1", "query"]);
        let form: String = [("query", query), ("timeout", "4s")]
            .map(|(key, value)| {
                format!(
                    "{key}={}",
                    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC)
                )
            })
            .join("&");
        let mut request = self
            .client
            .post(url)
            .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        if let Some(authorization) = &endpoint.authorization {
            request = request.header(http::header::AUTHORIZATION, authorization.clone());
        }
        let mut response = request.send().await.map_err(|error| words(&error))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| words(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                return Err("the answer is larger than 1 MiB; aggregate the series to one".into());
            }
        }
        match status.as_u16() {
            // A refused query comes with its reason.
            200 | 400 | 422 => {
                answer::sample(&body).map_err(|error| format!("the query is refused: {error}"))
            }
            401 | 403 => Err(format!("Prometheus answered {status}; check the Secret of the gate")),
            _ => Err(format!("Prometheus answered {status}")),
        }
    }
}

/// What went wrong on the way, without the address, which the user knows.
fn words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", DEADLINE.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    format!("cannot be reached: {cause}")
}
