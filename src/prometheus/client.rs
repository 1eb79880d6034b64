use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use reqwest::{Client, Url};
use serde_json::Value;
use windlass_core::api::Ratio;
use windlass_core::gate::Sample;
use windlass_core::gate::ratio::{Counters, Selector, lookback};

use super::address::Guard;
use super::answer;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a query may take in all.
const DEADLINE: Duration = Duration::from_secs(5);
/// Largest answer where one number is wanted, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// Largest answer with the points of many series, in bytes.
const MAX_POINTS: usize = 16 << 20;

/// Largest answer of a web service, in bytes.
const MAX_VERDICT: usize = 64 << 10;

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
        self.query_at(endpoint, query, None).await
    }

    /// The value of `query` at a time, now where that is `None`.
    pub async fn query_at(&self, endpoint: &Endpoint, query: &str, at: Option<Timestamp>) -> Sample {
        let answer = self.ask(endpoint, query, at, MAX_ANSWER).await;
        let sample = answer.and_then(|body| answer::sample(&body).map_err(refused));
        sample.unwrap_or_else(Sample::NoData)
    }

    /// The counters of a `ratio` gate as they were scraped, of the pods that a regular expression names: all
    /// points that [`window`](windlass_core::gate::ratio::window) needs for what came after `since` up to `now`.
    ///
    /// # Errors
    /// Why they are not known, in words: that is no data.
    pub async fn counters(
        &self,
        endpoint: &Endpoint,
        spec: &Ratio,
        (namespace, pods): (&str, &str),
        (since, now): (Timestamp, Timestamp),
    ) -> Result<Counters, String> {
        let seconds = lookback(since, now).as_secs() + 1;
        let read = async |text: &str| {
            let selector = Selector::parse(text).map_err(|error| error.to_string())?;
            let query = format!("{}[{seconds}s]", selector.of_pods(namespace, pods));
            let body = self.ask(endpoint, &query, Some(now), MAX_POINTS).await?;
            answer::series(&body).map_err(refused)
        };
        let (bad, total) = futures::future::try_join(read(&spec.bad), read(&spec.total)).await?;
        Ok(Counters { bad, total })
    }

    /// Posts JSON to the service of a `webhook` gate: the status and the body of its answer.
    ///
    /// # Errors
    /// Why there is none, in words: that is no data.
    pub async fn post(&self, endpoint: &Endpoint, told: &Value) -> Result<(u16, Vec<u8>), String> {
        let url = Url::parse(&endpoint.address).map_err(|error| format!("{}: {error}", endpoint.address))?;
        if !self.guard.allows_literal(&url) {
            return Err(format!("{} may not be asked", endpoint.address));
        }
        let mut request = self
            .client
            .post(url)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(told.to_string());
        if let Some(authorization) = &endpoint.authorization {
            request = request.header(http::header::AUTHORIZATION, authorization.clone());
        }
        let mut response = request.send().await.map_err(|error| words(&error))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| words(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_VERDICT {
                return Err(format!("the answer is larger than {} KiB", MAX_VERDICT >> 10));
            }
        }
        Ok((response.status().as_u16(), body))
    }

    /// The body of the answer to a query.
    async fn ask(
        &self,
        endpoint: &Endpoint,
        query: &str,
        at: Option<Timestamp>,
        most: usize,
    ) -> Result<Vec<u8>, String> {
        let mut url =
            Url::parse(&endpoint.address).map_err(|error| format!("{}: {error}", endpoint.address))?;
        if !self.guard.allows_literal(&url) {
            return Err(format!("{} may not be asked for metrics", endpoint.address));
        }
        url.path_segments_mut()
            .map_err(|()| format!("{} is no address of a Prometheus", endpoint.address))?
            .pop_if_empty()
            .extend(["api", "v1", "query"]);
        let at = at.map(|at| at.to_string());
        let form = [("query", Some(query)), ("timeout", Some("4s")), ("time", at.as_deref())]
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .map(|(key, value)| {
                format!(
                    "{key}={}",
                    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC)
                )
            })
            .collect::<Vec<_>>()
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
            if body.len() > most {
                let mebibytes = most >> 20;
                return Err(format!("the answer is larger than {mebibytes} MiB; select fewer series"));
            }
        }
        match status.as_u16() {
            // A refused query comes with its reason.
            200 | 400 | 422 => Ok(body),
            401 | 403 => Err(format!("Prometheus answered {status}; check the Secret of the gate")),
            _ => Err(format!("Prometheus answered {status}")),
        }
    }
}

fn refused(error: String) -> String {
    format!("the query is refused: {error}")
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
