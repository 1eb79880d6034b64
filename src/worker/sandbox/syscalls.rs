//! seccomp: system calls that no fetch and no render needs, and that others use to break out.
//!
//! A list of refusals and not of permissions: what libc, libgit2 and the runtime call differs between their
//! versions, and a call missing from a list of permissions would break fetches on somebody's machine.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

use super::State;
use crate::worker::Kind;

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// Refused whatever their arguments are.
const REFUSED: [c_long; 68] = [
    // Other processes' memory and files, and the ways to signal them that name no process we can compare.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_kcmp,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    // Programs.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_personality,
    // Mounts and name spaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    // Large parts of the kernel, rich in past holes.
    libc::SYS_bpf,
    libc::SYS_userfaultfd,
    libc::SYS_perf_event_open,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_fanotify_init,
    // Memory that RLIMIT_DATA does not count.
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_shmget,
    // Servers.
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    // The machine.
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_quotactl,
    libc::SYS_vhangup,
    libc::SYS_setpriority,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setscheduler,
];

/// Refused besides where the architecture has them.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: [c_long; 5] =
    [libc::SYS_fork, libc::SYS_vfork, libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_kexec_file_load];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: [c_long; 0] = [];

/// Installs the filters. They hold for this thread and for all it starts.
pub(super) fn restrict(kind: Kind) -> State {
    match apply(kind) {
        Ok(()) => State::Full,
        Err(why) => State::Missing(why),
    }
}

fn apply(kind: Kind) -> Result<(), String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    // glibc starts threads by clone3, whose flags are in memory that a filter can't read; told that there is
    // no such call, it takes clone.
    let unknown = Rules::from([(libc::SYS_clone3, Vec::new())]);
    let refused = refusals(kind).map_err(|error| text(&error))?;
    for (rules, errno) in [(unknown, libc::ENOSYS), (refused, libc::EPERM)] {
        apply_filter(&compile(rules, errno).map_err(|error| text(&error))?).map_err(|error| text(&error))?;
    }
    #[cfg(target_arch = "x86_64")]
    apply_filter(&x32()).map_err(|error| text(&error))?;
    Ok(())
}

fn compile(rules: Rules, errno: i32) -> Result<BpfProgram, seccompiler::BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let refuse = SeccompAction::Errno(errno.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()
}

fn refusals(kind: Kind) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = REFUSED.into_iter().chain(REFUSED_HERE).map(|call| (call, Vec::new())).collect();
    // Threads but no processes.
    let thread = libc::CLONE_THREAD.unsigned_abs().into();
    rules.insert(libc::SYS_clone, vec![when([(0, Op::MaskedEq(thread), 0)])?]);
    // Signals and limits for itself alone; abort() signals itself.
    let own = u64::from(std::process::id());
    rules.insert(libc::SYS_kill, vec![when([(0, Op::Ne, own)])?]);
    rules.insert(libc::SYS_tgkill, vec![when([(0, Op::Ne, own)])?]);
    rules.insert(libc::SYS_prlimit64, vec![when([(0, Op::Ne, 0)])?]);
    rules.insert(libc::SYS_socket, sockets(kind)?);
    Ok(rules)
}

/// Which sockets are refused: all for a render, all but plain internet ones for a fetch. Pairs
/// (`socketpair`) stay allowed, since runtimes wake themselves with them.
fn sockets(kind: Kind) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let number = |value: i32| u64::from(value.unsigned_abs());
    match kind {
        Kind::Render => Ok(Vec::new()),
        Kind::Fetch => Ok(vec![
            when([(0, Op::Ne, number(libc::AF_INET)), (0, Op::Ne, number(libc::AF_INET6))])?,
            when([(1, Op::MaskedEq(0xf), number(libc::SOCK_RAW))])?,
        ]),
    }
}

/// A rule that matches when all comparisons (argument, operator, value) do.
fn when<const N: usize>(comparisons: [(u8, Op, u64); N]) -> Result<SeccompRule, seccompiler::BackendError> {
    let condition =
        |(argument, operator, value)| SeccompCondition::new(argument, Length::Dword, operator, value);
    SeccompRule::new(comparisons.into_iter().map(condition).collect::<Result<_, _>>()?)
}

/// Refuses the calls of the x32 interface, which are the same ones with bit 30 set in their numbers. The
/// instructions: load the number, compare it, refuse, allow.
#[cfg(target_arch = "x86_64")]
fn x32() -> BpfProgram {
    use seccompiler::sock_filter;
    let code = |code: u32| code as u16;
    let refuse = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    vec![
        sock_filter { code: code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS), jt: 0, jf: 0, k: 0 },
        sock_filter { code: code(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K), jt: 0, jf: 1, k: 1 << 30 },
        sock_filter { code: code(libc::BPF_RET | libc::BPF_K), jt: 0, jf: 0, k: refuse },
        sock_filter { code: code(libc::BPF_RET | libc::BPF_K), jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW },
    ]
}
