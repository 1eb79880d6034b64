//! One worker as its parent sees it.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::frame::{self, FrameError, RESPONSE_LIMIT};
use super::serve::Message;
use super::spawner::Spawner;
use super::stderr::{self, Printed};
use super::{Kind, PoolConfig, Response, Sandbox, WorkerError};

/// How long a worker may take to close its sandbox and say so.
const START: Duration = Duration::from_secs(30);

/// How long a worker that closed its pipe may take to be gone.
const END: Duration = Duration::from_secs(2);

/// Frames above this many bytes are parsed on a thread that may block.
const LARGE: usize = 256 << 10;

/// A running worker. Dropped, it is killed with all its process group.
pub(super) struct Process {
    kind: Kind,
    memory: u64,
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    printed: Printed,
    printing: JoinHandle<()>,
    sandbox: Sandbox,
}

impl Process {
    /// Starts a worker and waits until it is ready.
    pub(super) async fn start(
        kind: Kind,
        config: &PoolConfig,
        spawner: &Spawner,
    ) -> Result<Self, WorkerError> {
        let failed = |source| WorkerError::Spawn { kind, source };
        let mut child = spawner.spawn(command(kind, config)).await.map_err(failed)?;
        let pid = child.id().unwrap_or_default();
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(failed(io::Error::other("its pipes are missing")));
        };
        let printed = Printed::default();
        let printing = tokio::spawn(stderr::drain(stderr, kind, pid, printed.clone()));
        let sandbox = Sandbox { protections: Vec::new() };
        let memory = config.memory;
        let mut process = Self { kind, memory, child, stdin, stdout, printed, printing, sandbox };
        let ready = tokio::time::timeout(START, process.receive()).await;
        match ready.map_err(|_| failed(io::Error::from(io::ErrorKind::TimedOut)))? {
            Ok(Message::Ready(sandbox)) => process.sandbox = sandbox,
            Ok(_) => return Err(failed(io::Error::other("it answered before it was asked"))),
            Err(WorkerError::Crashed { status, .. }) => {
                // It has read nothing of anybody yet, so what it printed is its own.
                let said = process.printed.last_line();
                return Err(failed(io::Error::other(format!("it ended at once ({status}): {said}"))));
            }
            Err(error) => return Err(failed(io::Error::other(error))),
        }
        tracing::debug!(%kind, pid, sandbox = %process.sandbox, "worker started");
        Ok(process)
    }

    pub(super) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Whether it can take a request.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a framed request and waits for its answer. After an error, and when the future is dropped before
    /// it is done, the process must not be used again.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> Result<Response, WorkerError> {
        if self.stdin.write_all(request).await.is_err() {
            return Err(self.ended().await);
        }
        match self.receive().await? {
            Message::Answer(response) => Ok(*response),
            Message::TooLarge => {
                Err(WorkerError::TooLarge { kind: self.kind, what: "answer", limit: RESPONSE_LIMIT })
            }
            Message::Ready(_) => Err(self.protocol("it said again that it is ready")),
        }
    }

    async fn receive(&mut self) -> Result<Message, WorkerError> {
        match frame::read_async(&mut self.stdout, RESPONSE_LIMIT).await {
            Ok(Some(body)) => parse(body).await.map_err(|message| self.protocol(message)),
            Ok(None) | Err(FrameError::Truncated) => Err(self.ended().await),
            Err(error) => Err(self.protocol(error.to_string())),
        }
    }

    fn protocol(&self, message: impl Into<String>) -> WorkerError {
        WorkerError::Protocol { kind: self.kind, message: message.into() }
    }

    /// Why the pipe was closed.
    async fn ended(&mut self) -> WorkerError {
        let kind = self.kind;
        let Ok(Ok(status)) = tokio::time::timeout(END, self.child.wait()).await else {
            return self.protocol("it closed its pipe");
        };
        // The line may still be on its way.
        let _ = tokio::time::timeout(END, &mut self.printing).await;
        if self.printed.out_of_memory() {
            return WorkerError::OutOfMemory { kind, limit: self.memory };
        }
        WorkerError::Crashed { kind, status: describe(status) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // None once it was waited for: the number may be another process's then.
        if let Some(pid) = self.child.id() {
            kill_group(pid);
        }
        let _ = self.child.start_kill();
    }
}

fn command(kind: Kind, config: &PoolConfig) -> Command {
    let mut command = Command::new(&config.program);
    command
        .arg("worker")
        .arg("--kind")
        .arg(kind.to_string())
        .arg("--cache")
        .arg(&config.cache)
        .arg("--memory")
        .arg(config.memory.to_string())
        .arg("--parent")
        .arg(std::process::id().to_string())
        .env_clear()
        .current_dir(&config.cache)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    if config.program == Path::new(super::pool::OWN_PROGRAM) {
        command.arg0("windlass");
    }
    command
}

async fn parse(body: Vec<u8>) -> Result<Message, String> {
    let parse = |body: Vec<u8>| {
        // Where and not what: the text of serde's error may quote the answer.
        let place =
            |error: serde_json::Error| format!("{:?} error at byte {}", error.classify(), error.column());
        serde_json::from_slice(&body).map_err(place)
    };
    if body.len() < LARGE {
        return parse(body);
    }
    tokio::task::spawn_blocking(move || parse(body)).await.unwrap_or_else(|error| Err(error.to_string()))
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;

    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "for no known reason".into(),
    }
}

#[cfg(target_os = "linux")]
fn kill_group(pid: u32) {
    if let Ok(group) = i32::try_from(pid) {
        // SAFETY: kill takes no pointer; the child was not waited for yet, so the number is still its own.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
}

#[cfg(not(target_os = "linux"))]
fn kill_group(_: u32) {}
