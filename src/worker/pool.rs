//! Workers on demand: bounded in number, reused, killed at their deadline, gone when idle.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::SemaphorePermit;
use windlass_core::gate::Look;
use windlass_core::health::Health;

use super::frame::{self, REQUEST_LIMIT};
use super::lane::Lane;
use super::process::Process;
use super::spawner::Spawner;
use super::{CheckRequest, JudgeRequest, Kind, Request, Response, Sandbox, WorkerError, sandbox};
use crate::failure::Failure;
use crate::render::{RenderRequest, Rendered};
use crate::source::git::{PathIdsRequest, ResolveRequest, RestoreRequest, Restored, Revision};

/// The program of this process, even where its file was replaced since.
pub(super) const OWN_PROGRAM: &str = "/proc/self/exe";

/// How a [`Pool`] works.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Program that knows the `worker` command.
    pub program: PathBuf,
    /// Directory of the mirrors, which must exist; all that a fetch worker may write.
    pub cache: PathBuf,
    /// How many fetch workers may run at once.
    pub fetch: usize,
    /// How many render workers may run at once.
    pub render: usize,
    /// How long an unused worker stays.
    pub idle: Duration,
    /// How long a request may wait for a free worker. That time is no part of its deadline: what queues
    /// behind slow work of others is not slow itself.
    pub queue: Duration,
    /// Bytes of memory that one worker may allocate.
    pub memory: u64,
}

impl PoolConfig {
    /// The program itself with a cache: 4 workers of each kind with 512 MiB that stay for a minute.
    pub fn new(cache: PathBuf) -> Self {
        let program = if cfg!(target_os = "linux") {
            PathBuf::from(OWN_PROGRAM)
        } else {
            std::env::current_exe().unwrap_or_else(|_| PathBuf::from("windlass"))
        };
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Self { program, cache, fetch: 4, render: 4, idle: minutes(1), queue: minutes(5), memory: 512 << 20 }
    }
}

/// Runs requests in workers. One pool serves the whole process; it is shared by reference.
pub struct Pool(Arc<Inner>);

struct Inner {
    config: PoolConfig,
    spawner: Spawner,
    fetch: Lane,
    render: Lane,
}

impl Pool {
    /// A pool without workers yet. Must be called within a tokio runtime. Closes the memory of this process
    /// to others of the same user (`PR_SET_DUMPABLE`).
    pub fn new(config: PoolConfig) -> Self {
        sandbox::protect_parent();
        let (fetch, render) = (Lane::new(config.fetch), Lane::new(config.render));
        let inner = Arc::new(Inner { config, spawner: Spawner::new(), fetch, render });
        tokio::spawn(retire(Arc::downgrade(&inner), inner.config.idle));
        Self(inner)
    }

    /// Answers a request in a worker. The deadline counts from the moment a worker has the request; at it the
    /// worker is killed. A future that is dropped early kills its worker too.
    ///
    /// # Errors
    /// [`WorkerError`] where the worker, and not the work, failed; what is wrong with the input is a
    /// [`Failure`] in the response.
    pub async fn call(&self, request: Request, deadline: Duration) -> Result<Response, WorkerError> {
        let kind = request.kind();
        let frame = frame::encode(&request, REQUEST_LIMIT);
        drop(request);
        let frame =
            frame.map_err(|_| WorkerError::TooLarge { kind, what: "request", limit: REQUEST_LIMIT })?;
        let _permit = self.0.permit(kind).await?;
        let mut process = self.0.obtain(kind).await?;
        let answer = tokio::time::timeout(deadline, process.exchange(&frame)).await;
        let response = answer.map_err(|_| WorkerError::Timeout { kind, deadline })??;
        self.0.lane(kind).put_back(process);
        Ok(response)
    }

    /// What references point to now, and fetches their commits.
    pub async fn resolve(
        &self,
        request: ResolveRequest,
        deadline: Duration,
    ) -> Result<Vec<Result<Revision, Failure>>, Failure> {
        let what = format!("fetch of {}", request.url);
        match self.call(Request::Resolve(request), deadline).await {
            Ok(Response::Resolved(revisions)) => Ok(revisions),
            other => Err(unexpected(other, Kind::Fetch, &what)),
        }
    }

    /// A commit that takes files back, pushed; `None` where the branch has them already.
    pub async fn restore(
        &self,
        request: RestoreRequest,
        deadline: Duration,
    ) -> Result<Option<Restored>, Failure> {
        let what = format!("push to {}", request.url);
        match self.call(Request::Restore(request), deadline).await {
            Ok(Response::Restored(restored)) => restored,
            other => Err(unexpected(other, Kind::Fetch, &what)),
        }
    }

    /// Object ids of paths at a commit.
    pub async fn path_ids(
        &self,
        request: PathIdsRequest,
        deadline: Duration,
    ) -> Result<Vec<Option<String>>, Failure> {
        match self.call(Request::PathIds(request), deadline).await {
            Ok(Response::PathIds(ids)) => ids,
            other => Err(unexpected(other, Kind::Render, "look at the paths of the commit")),
        }
    }

    /// The objects of an Application's sources.
    pub async fn render(&self, request: RenderRequest, deadline: Duration) -> Result<Rendered, Failure> {
        match self.call(Request::Render(request), deadline).await {
            Ok(Response::Rendered(rendered)) => rendered,
            other => Err(unexpected(other, Kind::Render, "render")),
        }
    }

    /// What a user's health check says of each object, in their order.
    ///
    /// # Errors
    /// [`WorkerError`] where the worker, and not the check, failed.
    pub async fn check(
        &self,
        request: CheckRequest,
        deadline: Duration,
    ) -> Result<Vec<Result<Health, String>>, WorkerError> {
        let count = request.objects.len();
        match self.call(Request::Check(request), deadline).await? {
            Response::Checked(all) if all.len() == count => Ok(all),
            _ => Err(WorkerError::Protocol {
                kind: Kind::Render,
                message: "it answers another question".into(),
            }),
        }
    }

    /// What the expression of a gate says of values.
    ///
    /// # Errors
    /// [`WorkerError`] where the worker failed, or the expression took too long.
    pub async fn judge(&self, request: JudgeRequest, deadline: Duration) -> Result<Look, WorkerError> {
        match self.call(Request::Judge(request), deadline).await? {
            Response::Judged(look) => Ok(look),
            _ => Err(WorkerError::Protocol {
                kind: Kind::Render,
                message: "it answers another question".into(),
            }),
        }
    }

    /// What protects this machine from a worker of a kind, as such a worker reports it; starts one.
    ///
    /// # Errors
    /// [`WorkerError`] where no worker can be started or all stay busy.
    pub async fn sandbox(&self, kind: Kind) -> Result<Sandbox, WorkerError> {
        let _permit = self.0.permit(kind).await?;
        let process = self.0.obtain(kind).await?;
        let sandbox = process.sandbox().clone();
        self.0.lane(kind).put_back(process);
        Ok(sandbox)
    }
}

impl Inner {
    fn lane(&self, kind: Kind) -> &Lane {
        match kind {
            Kind::Fetch => &self.fetch,
            Kind::Render => &self.render,
        }
    }

    async fn permit(&self, kind: Kind) -> Result<SemaphorePermit<'_>, WorkerError> {
        let waited = self.config.queue;
        match tokio::time::timeout(waited, self.lane(kind).permits.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(WorkerError::Busy { kind, waited }),
        }
    }

    async fn obtain(&self, kind: Kind) -> Result<Process, WorkerError> {
        match self.lane(kind).take() {
            Some(process) => Ok(process),
            None => Process::start(kind, &self.config, &self.spawner).await,
        }
    }
}

fn unexpected(outcome: Result<Response, WorkerError>, kind: Kind, what: &str) -> Failure {
    let error = outcome
        .err()
        .unwrap_or_else(|| WorkerError::Protocol { kind, message: "it answers another question".into() });
    error.failure(what)
}

/// Lets idle workers go, until the pool itself is gone.
async fn retire(pool: Weak<Inner>, idle: Duration) {
    loop {
        tokio::time::sleep((idle / 2).max(Duration::from_millis(50))).await;
        let Some(pool) = pool.upgrade() else { return };
        pool.fetch.retire(idle);
        pool.render.retire(idle);
    }
}
