//! The sandboxed child process in which everything runs that reads what strangers wrote.
//!
//! The controller holds rights on clusters; libgit2, YAML and templates chew on hostile input. So the same
//! program runs a second time as `windlass worker`: with an empty environment, its own process group, limits
//! and a [`Sandbox`], and with nothing but three pipes. Four types carry it:
//! - [`Request`] and [`Response`] cross the pipe as length-bounded frames of JSON;
//! - [`Pool`] starts workers on demand, reuses them, lets them go when idle and kills one at its deadline, so
//!   that a hang, a bomb or a crash costs one application one condition;
//! - [`WorkerError`] says how a worker failed, as a [`Failure`] for the user;
//! - [`serve`] is the life of the child.
//!
//! A [`Kind::Fetch`] worker has the network and writes mirrors; a [`Kind::Render`] worker has no network and
//! reads mirrors. Neither starts a program. Offline commands call [`handle`] in their own process.

mod check;
mod error;
mod frame;
mod lane;
mod pool;
mod probe;
mod process;
mod sandbox;
mod serve;
mod spawner;
mod stderr;

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use windlass_core::gate::Look;
use windlass_core::health::Health;

use crate::failure::Failure;
use crate::render::{RenderRequest, Rendered};
use crate::source::git::{PathIdsRequest, ResolveRequest, RestoreRequest, Restored, Revision};

pub use check::{CheckRequest, JudgeRequest};
pub use error::WorkerError;
pub use pool::{Pool, PoolConfig};
#[doc(hidden)]
pub use probe::{Probe, ProbeRequest};
pub use sandbox::{Protection, Sandbox, State};
pub use serve::{Args, serve};

/// What a worker may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// The network, and the cache to write.
    Fetch,
    /// No network, and the cache to read.
    Render,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fetch => "fetch",
            Self::Render => "render",
        })
    }
}

/// What is asked of a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Request {
    /// What references point to now; fetches their commits.
    Resolve(ResolveRequest),
    /// A commit that takes files back, pushed.
    Restore(RestoreRequest),
    /// Object ids of paths at a commit.
    PathIds(PathIdsRequest),
    /// The objects of an Application's sources.
    Render(RenderRequest),
    /// What a user's health check says of objects.
    Check(CheckRequest),
    /// What the expression of a gate says of values.
    Judge(JudgeRequest),
    /// Tries the sandbox itself; for tests.
    #[doc(hidden)]
    Probe(ProbeRequest),
}

impl Request {
    /// The kind of worker that can answer.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Resolve(_) | Self::Restore(_) => Kind::Fetch,
            Self::PathIds(_) | Self::Render(_) | Self::Check(_) | Self::Judge(_) => Kind::Render,
            Self::Probe(request) => request.kind,
        }
    }
}

/// What a worker answers; the variant is that of the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Response {
    /// One entry for each reference, in the order asked for.
    Resolved(Vec<Result<Revision, Failure>>),
    /// The commit, if one was needed.
    Restored(Result<Option<Restored>, Failure>),
    /// One entry for each path, in the order asked for.
    PathIds(Result<Vec<Option<String>>, Failure>),
    /// The objects.
    Rendered(Result<Rendered, Failure>),
    /// One entry for each object, in the order asked for: its health, or what is wrong with the check.
    Checked(Vec<Result<Health, String>>),
    /// What comes of it.
    Judged(Look),
    /// What a probe found: what it could do, or why it could not.
    #[doc(hidden)]
    Probed(Result<String, String>),
}

/// Answers a request in this process: what a worker does inside its sandbox, and what offline commands do
/// with a user's own files. May take as long as the input makes it; a worker is killed at its deadline.
pub fn handle(request: Request) -> Response {
    match request {
        Request::Resolve(request) => Response::Resolved(crate::source::git::resolve(&request)),
        Request::Restore(request) => Response::Restored(crate::source::git::restore(&request)),
        Request::PathIds(request) => Response::PathIds(crate::source::git::path_ids(&request)),
        Request::Render(request) => Response::Rendered(crate::render::render(&request)),
        Request::Check(request) => Response::Checked(check::check(request)),
        Request::Judge(request) => Response::Judged(check::judge(request)),
        Request::Probe(_) => Response::Probed(Err("probes run in a worker only".into())),
    }
}
