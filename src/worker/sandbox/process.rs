//! Limits and attributes of the process itself.

use std::io;

use libc::c_ulong;

use super::State;
use crate::worker::Kind;

/// The kernel reads whole words, so the numbers have the type of one.
const YES: c_ulong = 1;
const NO: c_ulong = 0;

/// Refuses to go on with more than one thread: the other one would stay outside the sandbox.
pub(super) fn require_single_thread() -> io::Result<()> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads == 1 { Ok(()) } else { Err(io::Error::other("a worker must start before any thread")) }
}

/// Has the kernel kill this process when the thread that started it ends.
pub(super) fn die_with(parent: u32) -> io::Result<()> {
    // SAFETY: PR_SET_PDEATHSIG takes a number.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, c_ulong::from(libc::SIGKILL.unsigned_abs())) })?;
    // The parent may have died before the call above.
    if std::os::unix::process::parent_id() == parent {
        Ok(())
    } else {
        Err(io::Error::other("the process that started this worker is gone"))
    }
}

/// Bounds what the process may use. No bound on CPU time, since a worker serves many requests and each has
/// its deadline; none on processes, since the kernel counts them per user across the node's containers.
pub(super) fn limit(kind: Kind, memory: u64) -> State {
    let file_size = match kind {
        Kind::Fetch => 4 << 30,
        Kind::Render => 0,
    };
    // DATA and not AS: libgit2 maps packs of any size into the address space, which costs no memory.
    let limits = [
        (libc::RLIMIT_DATA, memory),
        (libc::RLIMIT_NOFILE, 512),
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_FSIZE, file_size),
    ];
    for (resource, value) in limits {
        let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
        // SAFETY: the pointer is to a value that outlives the call.
        if let Err(error) = check(unsafe { libc::setrlimit(resource, &limit) }) {
            return State::Missing(error.to_string());
        }
    }
    // A write past the limit then is an error that names the file, not a signal.
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    // Where memory runs out for all, a worker goes before the controller; best effort.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    State::Full
}

/// No program started from here gains rights, and no process of the same user reads this one's memory.
pub(super) fn give_up_privileges() -> State {
    // SAFETY: both take numbers.
    let outcome = check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, YES, NO, NO, NO) })
        .and_then(|()| check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, NO, NO, NO, NO) }));
    match outcome {
        Ok(()) => State::Full,
        Err(error) => State::Missing(error.to_string()),
    }
}

/// Keeps workers, which run as the same user, from the memory, environment and files of this process, even
/// where the kernel lacks Landlock. It also means no core dump and no debugger without rights.
pub(in crate::worker) fn protect_parent() {
    // SAFETY: PR_SET_DUMPABLE takes a number.
    if let Err(error) = check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, NO, NO, NO, NO) }) {
        tracing::warn!(%error, "workers may be able to read the memory of this process");
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
