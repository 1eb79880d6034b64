//! The one thread that starts workers.
//!
//! A worker asks the kernel to die with the thread that started it. A thread of the runtime may end long
//! before the process does; this one lives as long as the pool.

use std::io;
use std::sync::mpsc;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

struct Job {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// Starts programs; the thread ends when this is dropped, and with it every worker it started.
pub(super) struct Spawner(mpsc::Sender<Job>);

impl Spawner {
    pub(super) fn new() -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        let work = move || {
            for Job { mut command, runtime, reply } in queue {
                let _entered = runtime.enter();
                // Where nobody waits any more, dropping the child kills it.
                let _ = reply.send(command.spawn());
            }
        };
        // Without the thread every start fails with the error below.
        if let Err(error) = std::thread::Builder::new().name("worker-spawner".into()).spawn(work) {
            tracing::error!(%error, "cannot start the thread that starts workers");
        }
        Self(jobs)
    }

    /// Starts a program. Must be called within a tokio runtime.
    pub(super) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let gone = || io::Error::other("the thread that starts workers is gone");
        let (reply, answer) = oneshot::channel();
        self.0.send(Job { command, runtime: Handle::current(), reply }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}
