//! Tries, inside a worker, what its sandbox is there to prevent; only tests ask for it. It reaches nothing
//! that a worker could not reach anyway, and the controller never sends it on behalf of anybody.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Kind;

/// One attempt in a worker of a kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeRequest {
    /// Which kind of worker.
    pub kind: Kind,
    /// What it tries.
    pub probe: Probe,
}

/// What a probe tries.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Probe {
    /// Tells the process id, the open files, the environment and the directory.
    Describe,
    /// Gives the bytes back.
    Echo(String),
    /// Answers with so many bytes.
    Flood(usize),
    /// Reads a file.
    Open(PathBuf),
    /// Writes a file.
    Write(PathBuf),
    /// Connects by TCP.
    Connect(SocketAddr),
    /// Starts a program.
    Run(PathBuf),
    /// Allocates and touches so many bytes.
    Allocate(usize),
    /// Never ends.
    Spin,
    /// Crashes.
    Abort,
    /// Ends the process with a code.
    Exit(i32),
    /// Stops itself as SIGSTOP does.
    Stop,
    /// Attaches to the process that started the worker.
    TraceParent,
    /// Sends signal 0, which asks only for permission, to the process that started the worker.
    SignalParent,
    /// Starts a thread.
    Thread,
}

/// What the attempt gave: what was read or done, or the error.
pub(super) fn run(probe: Probe) -> Result<String, String> {
    let text = |error: std::io::Error| error.to_string();
    match probe {
        Probe::Describe => Ok(describe()),
        Probe::Echo(bytes) => Ok(bytes),
        Probe::Flood(length) => Ok("x".repeat(length)),
        Probe::Open(path) => std::fs::read_to_string(path).map_err(text),
        Probe::Write(path) => std::fs::write(path, "written").map(|()| "written".into()).map_err(text),
        Probe::Connect(address) => TcpStream::connect_timeout(&address, Duration::from_secs(5))
            .map(|_| "connected".into())
            .map_err(text),
        Probe::Run(program) => {
            std::process::Command::new(program).status().map(|status| status.to_string()).map_err(text)
        }
        Probe::Allocate(length) => {
            Ok(vec![1_u8; length].iter().map(|byte| u64::from(*byte)).sum::<u64>().to_string())
        }
        Probe::Spin => loop {
            std::hint::spin_loop();
        },
        Probe::Abort => std::process::abort(),
        Probe::Exit(code) => std::process::exit(code),
        Probe::Stop => system::stop().map_err(text),
        Probe::TraceParent => system::trace_parent().map_err(text),
        Probe::SignalParent => system::signal_parent().map_err(text),
        Probe::Thread => std::thread::Builder::new()
            .spawn(|| "ran".to_owned())
            .map_err(text)?
            .join()
            .map_err(|_| "the thread panicked".to_owned()),
    }
}

fn describe() -> String {
    let environment: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
    let directory = std::env::current_dir().unwrap_or_default();
    let (pid, files) = (std::process::id(), system::open_files());
    format!("pid={pid} files={files:?} environment={environment:?} directory={}", directory.display())
}

#[cfg(target_os = "linux")]
mod system {
    use std::io;

    fn outcome(result: libc::c_long) -> io::Result<String> {
        if result == -1 { Err(io::Error::last_os_error()) } else { Ok("allowed".into()) }
    }

    pub(super) fn open_files() -> Vec<i32> {
        // SAFETY: F_GETFD only asks, whatever the number stands for.
        (0..512).filter(|number| unsafe { libc::fcntl(*number, libc::F_GETFD) } != -1).collect()
    }

    pub(super) fn stop() -> io::Result<String> {
        // SAFETY: raise takes no pointer.
        outcome(unsafe { libc::raise(libc::SIGSTOP) }.into())
    }

    pub(super) fn trace_parent() -> io::Result<String> {
        // SAFETY: PTRACE_SEIZE ignores both pointers.
        outcome(unsafe {
            libc::ptrace(
                libc::PTRACE_SEIZE,
                libc::getppid(),
                std::ptr::null_mut::<u8>(),
                std::ptr::null_mut::<u8>(),
            )
        })
    }

    pub(super) fn signal_parent() -> io::Result<String> {
        // SAFETY: kill takes no pointer.
        outcome(unsafe { libc::kill(libc::getppid(), 0) }.into())
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;

    pub(super) fn open_files() -> Vec<i32> {
        Vec::new()
    }

    fn unsupported() -> io::Result<String> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    pub(super) use {unsupported as signal_parent, unsupported as stop, unsupported as trace_parent};
}
