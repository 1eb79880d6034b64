//! What is wrong with a repository's server, in words that help. No text here has credentials in it: an
//! address with some is refused before it is used.

use std::time::Duration;

use reqwest::{StatusCode, Url};

use super::Credentials;
use crate::failure::Failure;

/// The failure that an answer's status means; none for 200.
pub fn status(url: &Url, status: StatusCode, credentials: &Credentials) -> Option<Failure> {
    let permanent = |reason, text: String| Some(Failure::permanent(reason, format!("{url}: {text}")));
    match status.as_u16() {
        200 => None,
        401 | 403 => permanent(
            "AuthenticationFailed",
            format!("the server answers {status}; {}", what_to_check(credentials)),
        ),
        404 | 410 => permanent(
            "RepositoryNotFound",
            format!("the server has no such repository ({status}), or shows it to signed-in users only"),
        ),
        408 | 425 | 429 | 500..=599 => {
            Some(Failure::transient("SourceUnreachable", format!("{url}: the server answers {status}")))
        }
        _ => permanent(
            "RepositoryNotFound",
            format!("the server answers {status}; is this the address of a Git repository?"),
        ),
    }
}

fn what_to_check(credentials: &Credentials) -> &'static str {
    match credentials {
        Credentials::Anonymous => {
            "the repository is private or does not exist; for a private one name a Secret with username and \
             password, or with bearerToken, in secretRef"
        }
        Credentials::Basic { .. } => {
            "check username and password in the Secret of secretRef, and that the account may read the \
             repository"
        }
        Credentials::Bearer { .. } => {
            "check bearerToken in the Secret of secretRef (many servers want a token as password of a \
             username instead), and that it may read the repository"
        }
    }
}

/// A request that got no answer, or only a part of one.
pub fn broken(url: &Url, error: &reqwest::Error) -> Failure {
    let cause = chain(error);
    let hint = if cause.contains("UnknownIssuer") {
        "; no authority that this machine knows has signed the server's certificate: add the one that did to \
         the machine's or the image's certificates"
    } else {
        ""
    };
    Failure::transient("SourceUnreachable", format!("{url}: {cause}{hint}"))
}

/// A server that keeps a connection open and sends nothing.
pub fn silent(url: &Url, stall: Duration) -> Failure {
    Failure::transient(
        "SourceTimeout",
        format!("{url}: the server takes the request and sends nothing for {stall:?}"),
    )
}

/// An error with its causes, without the address.
pub fn chain(error: &reqwest::Error) -> String {
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
