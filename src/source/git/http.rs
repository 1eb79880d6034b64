//! HTTP for Git: one request at a time, every silence bounded, credentials for one host only.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Client, Method, Response, Url};
use tokio::runtime::Runtime;

use super::Credentials;
use crate::failure::Failure;

/// Bounds of every request.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection, its TLS handshake included.
    pub connect: Duration,
    /// For the next byte.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), stall: Duration::from_secs(20) }
    }
}

const MAX_REDIRECTS: usize = 5;

/// A conversation with one repository.
pub struct Session {
    runtime: Arc<Runtime>,
    client: Client,
    /// Where the repository is now, after redirects.
    base: Url,
    /// Where the user said it is; only this host gets the credentials.
    asked: Url,
    credentials: Credentials,
}

impl Session {
    /// A conversation with the repository at `url`.
    ///
    /// # Errors
    /// `SourceUnreachable` where the address makes no sense or no client can be made.
    pub fn new(url: &str, credentials: &Credentials, patience: Patience) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::permanent("SourceUnreachable", format!("{url}: {error}"))
        };
        let base = Url::parse(url.trim_end_matches('/')).map_err(|error| failed(&error))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(failed(&"only https:// and http:// addresses can be read"));
        }
        // The program installs it at its start; tests and fuzzers come here without. Once is enough.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed(&error))?;
        let client = Client::builder()
            .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(patience.connect)
            .read_timeout(patience.stall)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| failed(&chain(&error)))?;
        let runtime = Arc::new(runtime);
        Ok(Self { runtime, client, asked: base.clone(), base, credentials: credentials.clone() })
    }

    /// Sends a request to `suffix` of the repository (`/info/refs?…` or `/git-upload-pack`) and gives the
    /// answer's body. Redirects are followed and remembered.
    ///
    /// # Errors
    /// Every answer but 200 as a [`Failure`].
    pub fn send(
        &mut self,
        suffix: &str,
        body: Option<(&'static str, Vec<u8>)>,
        headers: &[(HeaderName, &'static str)],
    ) -> Result<Body, Failure> {
        for _ in 0..=MAX_REDIRECTS {
            let response = self.once(suffix, body.clone(), headers)?;
            if !response.status().is_redirection() {
                check_status(&self.asked, &response)?;
                return Ok(Body {
                    runtime: self.runtime.clone(),
                    response,
                    rest: bytes::Bytes::new(),
                    url: self.asked.clone(),
                });
            }
            self.base = self.redirected(suffix, &response)?;
        }
        Err(Failure::permanent(
            "SourceUnreachable",
            format!("{}: more than {MAX_REDIRECTS} redirects", self.asked),
        ))
    }

    fn once(
        &self,
        suffix: &str,
        body: Option<(&'static str, Vec<u8>)>,
        headers: &[(HeaderName, &'static str)],
    ) -> Result<Response, Failure> {
        let address = format!("{}{suffix}", self.base);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(name.clone(), HeaderValue::from_static(value));
        }
        if same_host(&self.base, &self.asked)
            && let Some(value) = authorization(&self.credentials)
        {
            map.insert(AUTHORIZATION, value);
        }
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut request = self.client.request(method, address).headers(map);
        if let Some((content_type, bytes)) = body {
            request = request.header("content-type", content_type).body(bytes);
        }
        // Its timers need the runtime when they are made, not only when they are waited for.
        let answer = self.runtime.block_on(async { request.send().await });
        answer.map_err(|error| transport_failure(&self.asked, &error))
    }

    fn redirected(&self, suffix: &str, response: &Response) -> Result<Url, Failure> {
        let refuse = |why: &str| {
            Failure::permanent("SourceUnreachable", format!("{}: the server redirects {why}", self.asked))
        };
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.ok_or_else(|| refuse("to nowhere"))?;
        let target =
            response.url().join(location).map_err(|_| refuse("to an address that makes no sense"))?;
        if self.base.scheme() == "https" && target.scheme() != "https" {
            return Err(refuse("from https to an unprotected address"));
        }
        let target = target.as_str().strip_suffix(suffix).and_then(|base| Url::parse(base).ok());
        target.ok_or_else(|| refuse("to something that is no Git repository"))
    }
}

fn same_host(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host() == b.host() && a.port_or_known_default() == b.port_or_known_default()
}

fn authorization(credentials: &Credentials) -> Option<HeaderValue> {
    let text = match credentials {
        Credentials::Anonymous => return None,
        Credentials::Basic { username, password } => {
            format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
        }
        Credentials::Bearer { token } => format!("Bearer {token}"),
    };
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn check_status(url: &Url, response: &Response) -> Result<(), Failure> {
    let status = response.status();
    match status.as_u16() {
        200 => Ok(()),
        401 | 403 => Err(Failure::permanent(
            "AuthenticationFailed",
            format!(
                "{url}: the server answers {status}; name a Secret with username and password, or with \
                 bearerToken, in secretRef, and check that the account may read the repository"
            ),
        )),
        404 | 410 => Err(Failure::permanent(
            "RepositoryNotFound",
            format!(
                "{url}: the server has no such repository ({status}), or shows it to signed-in users only"
            ),
        )),
        429 | 500..=599 => {
            Err(Failure::transient("SourceUnreachable", format!("{url}: the server answers {status}")))
        }
        _ => Err(Failure::permanent(
            "RepositoryNotFound",
            format!("{url}: the server answers {status}; is this the address of a Git repository?"),
        )),
    }
}

fn transport_failure(url: &Url, error: &reqwest::Error) -> Failure {
    if error.is_timeout() && !error.is_connect() {
        return Failure::transient(
            "SourceTimeout",
            format!("{url}: the server accepts the request and never answers"),
        );
    }
    Failure::transient("SourceUnreachable", format!("{url}: {}", chain(error)))
}

/// An error with its causes, without the address (which could hold a token).
fn chain(error: &reqwest::Error) -> String {
    let mut text = String::from(if error.is_connect() { "cannot connect" } else { "the request failed" });
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}

/// The body of an answer, read as it comes.
pub struct Body {
    runtime: Arc<Runtime>,
    response: Response,
    rest: bytes::Bytes,
    url: Url,
}

impl Body {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// `SourceTimeout` after a silence, `SourceUnreachable` where the connection breaks.
    pub fn chunk(&mut self) -> Result<Option<bytes::Bytes>, Failure> {
        let chunk = self.runtime.block_on(async { self.response.chunk().await });
        chunk.map_err(|error| transport_failure(&self.url, &error))
    }

    /// Everything, up to `limit` bytes.
    ///
    /// # Errors
    /// As [`Self::chunk`], and `RepositoryTooLarge` beyond the limit.
    pub fn all(mut self, limit: usize) -> Result<Vec<u8>, Failure> {
        let mut all = Vec::new();
        while let Some(chunk) = self.chunk()? {
            if all.len() + chunk.len() > limit {
                let message = format!("{}: an answer of more than {limit} bytes", self.url);
                return Err(Failure::permanent("RepositoryTooLarge", message));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }

    /// Fills `buffer` with what came, at least one byte; 0 at the end.
    ///
    /// # Errors
    /// As [`Self::chunk`].
    pub fn take(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        while self.rest.is_empty() {
            match self.chunk()? {
                Some(chunk) => self.rest = chunk,
                None => return Ok(0),
            }
        }
        let taken = self.rest.split_to(buffer.len().min(self.rest.len()));
        buffer.get_mut(..taken.len()).unwrap_or_default().copy_from_slice(&taken);
        Ok(taken.len())
    }
}
