//! HTTP for Git: one request at a time, every silence bounded, credentials for one host only.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, Response, StatusCode, Url};

use super::Credentials;
use super::client::{Shared, shared};
use super::problem;
use crate::failure::Failure;

/// How long a server is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the next byte.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { stall: Duration::from_secs(20) }
    }
}

const MAX_REDIRECTS: usize = 5;

/// A conversation with one repository.
pub struct Session {
    shared: &'static Shared,
    /// Where the repository is now, after redirects.
    base: Url,
    /// Where the user said it is; only this host gets the credentials.
    asked: Url,
    credentials: Credentials,
    authorization: Option<HeaderValue>,
    patience: Patience,
    last_status: Option<StatusCode>,
}

impl Session {
    /// A conversation with the repository at `url`.
    ///
    /// # Errors
    /// `InvalidSource` where the address makes no sense or has credentials in it, `AuthenticationFailed`
    /// where the credentials cannot be sent, `SourceUnreachable` where no client can be made.
    pub fn new(url: &str, credentials: &Credentials, patience: Patience) -> Result<Self, Failure> {
        let asked = address(url)?;
        let authorization = credentials
            .authorization()
            .map_err(|text| Failure::permanent("AuthenticationFailed", format!("{asked}: {text}")))?;
        Ok(Self {
            shared: shared()?,
            base: asked.clone(),
            asked,
            credentials: credentials.clone(),
            authorization,
            patience,
            last_status: None,
        })
    }

    /// What the server answered last; `None` where it did not answer.
    pub fn last_status(&self) -> Option<StatusCode> {
        self.last_status
    }

    /// The address that the user gave; nothing secret is in it.
    pub fn url(&self) -> &Url {
        &self.asked
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
            self.last_status = None;
            let response = self.once(suffix, body.clone(), headers)?;
            let status = response.status();
            self.last_status = Some(status);
            if !status.is_redirection() {
                return match problem::status(&self.asked, status, &self.credentials) {
                    None => Ok(Body {
                        shared: self.shared,
                        response,
                        rest: bytes::Bytes::new(),
                        url: self.asked.clone(),
                        patience: self.patience,
                    }),
                    Some(failure) => Err(failure),
                };
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
        let address = format!("{}{suffix}", self.base.as_str().trim_end_matches('/'));
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut request = self.shared.client.request(method, address);
        for (name, value) in headers {
            request = request.header(name, HeaderValue::from_static(value));
        }
        if let Some(value) = &self.authorization
            && self.base.origin() == self.asked.origin()
        {
            request = request.header(AUTHORIZATION, value);
        }
        if let Some((content_type, bytes)) = body {
            request = request.header(CONTENT_TYPE, content_type).body(bytes);
        }
        // Timers need the runtime when they are made, not only when they are waited for.
        let answer = self
            .shared
            .runtime
            .block_on(async { tokio::time::timeout(self.patience.stall, request.send()).await });
        answer
            .map_err(|_| problem::silent(&self.asked, self.patience.stall))?
            .map_err(|error| problem::broken(&self.asked, &error))
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
        let base = target.as_str().strip_suffix(suffix);
        base.and_then(|base| address(base).ok()).ok_or_else(|| {
            refuse("to something that is no Git repository; to a page for signing in, perhaps")
        })
    }
}

/// A repository's address: http or https, a host, a path.
fn address(url: &str) -> Result<Url, Failure> {
    let invalid = |place: &str, why: &str| Failure::permanent("InvalidSource", format!("{place}: {why}"));
    let parsed = Url::parse(url.trim_end_matches('/'))
        // Not shown: what cannot be parsed may hold a password anywhere.
        .map_err(|error| invalid("the address of the repository makes no sense", &error.to_string()))?;
    let host = parsed.host_str().unwrap_or("the address of the repository");
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(invalid(host, "only https:// and http:// addresses can be read"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(invalid(
            host,
            "the address has a user or password in it; put them into a Secret and name it in secretRef",
        ));
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(invalid(host, "the address has a ? or # in it; a repository has neither"));
    }
    Ok(parsed)
}

/// The body of an answer, read as it comes.
pub struct Body {
    shared: &'static Shared,
    response: Response,
    rest: bytes::Bytes,
    url: Url,
    patience: Patience,
}

impl Body {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// `SourceTimeout` after a silence, `SourceUnreachable` where the connection breaks.
    pub fn chunk(&mut self) -> Result<Option<bytes::Bytes>, Failure> {
        let stall = self.patience.stall;
        let chunk =
            self.shared.runtime.block_on(async { tokio::time::timeout(stall, self.response.chunk()).await });
        chunk.map_err(|_| problem::silent(&self.url, stall))?.map_err(|e| problem::broken(&self.url, &e))
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
