//! Git over smart HTTP: one bare mirror per repository and credentials.
//!
//! [`resolve`] asks the server what references point to with one small request ([`refs`]) and fetches by
//! libgit2 ([`mirror`], over [`transport`] and [`http`]) only when the mirror lacks a commit; [`path_ids`]
//! tells what a commit changed without reading files; [`restore()`] commits earlier files and pushes that.

mod client;
mod compact;
mod http;
mod mirror;
mod objects;
mod paths;
mod pktline;
mod problem;
mod push;
mod refs;
mod resolve;
mod restore;
#[cfg(test)]
mod tests;
mod transport;

use std::fmt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use serde::{Deserialize, Serialize};

pub use http::Patience;
pub use mirror::open_mirror;
pub use objects::{Item, Kind, Names, Objects};
pub use paths::path_ids;
pub use resolve::{resolve, resolve_with};
pub use restore::{RestoreRequest, Restored, restore};

/// What a user wants of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reference {
    /// The head of a branch.
    Branch(String),
    /// A tag; an annotated tag is peeled to its commit.
    Tag(String),
    /// A commit by its full id.
    Commit(String),
}

/// How to sign in. Never printed: `Debug` shows only which kind it is.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Credentials {
    /// No credentials.
    Anonymous,
    /// HTTP basic authentication.
    Basic {
        /// User name.
        username: String,
        /// Password or token.
        password: String,
    },
    /// `Authorization: Bearer`.
    Bearer {
        /// The token.
        token: String,
    },
}

impl Credentials {
    /// The value of the header `Authorization`, which is never shown; none without credentials.
    ///
    /// # Errors
    /// What in the Secret keeps it from being sent.
    pub fn authorization(&self) -> Result<Option<HeaderValue>, &'static str> {
        let text = match self {
            Self::Anonymous => return Ok(None),
            Self::Basic { username, password } => {
                format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
            }
            Self::Bearer { token } => format!("Bearer {token}"),
        };
        let mut value = HeaderValue::from_str(&text).map_err(
            |_| "bearerToken in the Secret of secretRef has a line break or control character in it",
        )?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Basic { .. } => "Basic(redacted)",
            Self::Bearer { .. } => "Bearer(redacted)",
        })
    }
}

/// Asks what references point to now, and has their commits in the mirror afterwards.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResolveRequest {
    /// Address of the repository, without credentials.
    pub url: String,
    /// How to sign in.
    pub credentials: Credentials,
    /// Directory of the bare mirror; created when missing, made anew when it is damaged.
    pub mirror: PathBuf,
    /// What to resolve.
    pub references: Vec<Reference>,
    /// Whether to fetch everything anew, since a render could not read the mirror. One that cannot be
    /// fetched stays as it is.
    #[serde(default)]
    pub renew: bool,
}

/// What a reference points to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// Branch, tag or the word `commit`.
    pub reference: String,
    /// Full id of the commit.
    pub commit: String,
}

/// Asks for the object ids of paths at a commit of a mirror: a blob's or a tree's id, `None` where there is
/// nothing. Two commits in which all paths that a render read have equal ids render to the same release.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PathIdsRequest {
    /// Directory of the bare mirror.
    pub mirror: PathBuf,
    /// Full id of the commit.
    pub commit: String,
    /// Paths relative to the root of the repository; `.` is the root.
    pub paths: Vec<String>,
}
