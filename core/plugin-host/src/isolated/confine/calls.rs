//! System calls, by a seccomp filter: what is not listed here fails with EPERM.
//!
//! The list is what Rust, tokio, the C library and an embedded database need for files, threads, timers and the sockets
//! they are granted, and the one call by which a program takes the place of the process. Not on it: other programs and processes, mounts, keys, BPF, `io_uring`, `memfd`, System V's shared
//! memory, tracing, clocks, anything that changes limits, owners or the modes of files by path. Of what is on it, taken
//! away by arguments: files that run as their owner or group, signals sent by the kernel on somebody's behalf, and memory
//! that no limit counts.

use super::Exec;
use crate::Connect;
use seccompiler::{
    BpfProgram, SeccompAction,
    SeccompCmpArgLen::{self, Dword, Qword},
    SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use std::{collections::BTreeMap, io};

/// Calls that are allowed whatever their arguments.
const ALLOWED: &[libc::c_long] = &[
    // memory
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_msync,
    libc::SYS_munmap,
    // threads, signals to itself, the end
    libc::SYS_clone3, // answered by `unknown`
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_get_robust_list,
    libc::SYS_getcpu,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_membarrier,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_sigaltstack,
    // who and where it is
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getgroups,
    libc::SYS_getrandom,
    libc::SYS_getresgid,
    libc::SYS_getresuid,
    libc::SYS_getrusage,
    libc::SYS_getuid,
    libc::SYS_sysinfo,
    libc::SYS_umask,
    libc::SYS_uname,
    // time
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_gettime,
    libc::SYS_timerfd_settime,
    libc::SYS_times,
    // files, as far as Landlock lets it
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_copy_file_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fadvise64,
    libc::SYS_fallocate,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_rm_watch,
    libc::SYS_linkat,
    libc::SYS_lseek,
    libc::SYS_newfstatat,
    libc::SYS_openat2, // answered by `unknown`
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_renameat2,
    libc::SYS_sendfile,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_symlinkat,
    libc::SYS_sync_file_range,
    libc::SYS_truncate,
    libc::SYS_unlinkat,
    libc::SYS_write,
    libc::SYS_writev,
    // waiting, pipes, and sockets that it has
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
];

/// The older forms of some of them, which only older machines have.
#[cfg(target_arch = "x86_64")]
const OLDER: &[libc::c_long] = &[
    libc::SYS_access,
    libc::SYS_arch_prctl,
    libc::SYS_dup2,
    libc::SYS_epoll_wait,
    libc::SYS_getdents,
    libc::SYS_link,
    libc::SYS_lstat,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_rmdir,
    libc::SYS_select,
    libc::SYS_stat,
    libc::SYS_symlink,
    libc::SYS_time,
    libc::SYS_unlink,
];
#[cfg(target_arch = "aarch64")]
const OLDER: &[libc::c_long] = &[libc::SYS_renameat];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const OLDER: &[libc::c_long] = &[];

/// What `ioctl` may ask: whether it is a terminal, how much there is to read, not to block, to close on exec.
const ASKED: [libc::Ioctl; 5] = [
    libc::TCGETS,
    libc::TIOCGWINSZ,
    libc::FIONREAD,
    libc::FIONBIO,
    libc::FIOCLEX,
];
/// What `fcntl` may do besides setting flags: not whom signals go to, not the size of pipes, no leases. `F_SETFL` is
/// looked at by itself.
const CONTROLLED: [libc::c_int; 13] = [
    libc::F_DUPFD,
    libc::F_DUPFD_CLOEXEC,
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_GETLK,
    libc::F_SETLK,
    libc::F_SETLKW,
    libc::F_OFD_GETLK,
    libc::F_OFD_SETLK,
    libc::F_OFD_SETLKW,
    libc::F_GETPIPE_SZ,
    libc::F_GET_SEALS,
];
/// Mode bits that make others run a file as its owner or group.
const SET_ID: u64 = 0o6000;
/// What makes a file, so that there is a mode: without it, that argument may hold anything.
const MAKES_FILES: libc::c_int = libc::O_CREAT | (libc::O_TMPFILE & !libc::O_DIRECTORY);
/// What `prctl` may do: names for threads and for memory.
const NAMED: [libc::c_int; 3] = [libc::PR_SET_NAME, libc::PR_GET_NAME, libc::PR_SET_VMA];

/// Takes away every call that is not allowed; answers what this kernel cannot take away.
pub(super) fn confine(connect: &Connect, exec: Option<&Exec<'_>>) -> io::Result<Option<String>> {
    let Ok(machine) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Ok(Some(format!(
            "system calls cannot be taken away on {}, so it can start programs and open sockets",
            std::env::consts::ARCH
        )));
    };
    let filters = [
        unknown(machine).map_err(io::Error::other)?,
        allowed(connect, exec, machine).map_err(io::Error::other)?,
    ];
    for filter in &filters {
        match seccompiler::apply_filter(filter) {
            Ok(()) => {}
            Err(seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error))
                if error.raw_os_error() == Some(libc::EINVAL)
                    || error.raw_os_error() == Some(libc::ENOSYS) =>
            {
                return Ok(Some(
                    "this kernel has no seccomp filters, so it can start programs and open sockets"
                        .to_owned(),
                ));
            }
            Err(error) => return Err(io::Error::other(error)),
        }
    }
    Ok(None)
}

/// `clone3` and `openat2` hide what they make from a filter, so they are unknown here: programs then take `clone` and
/// `openat`, whose flags are seen.
fn unknown(machine: TargetArch) -> seccompiler::Result<BpfProgram> {
    let hidden = [libc::SYS_clone3, libc::SYS_openat2];
    let rules = hidden.into_iter().map(|call| (call, Vec::new())).collect();
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS.unsigned_abs()),
        machine,
    )?;
    Ok(filter.try_into()?)
}

fn allowed(
    connect: &Connect,
    exec: Option<&Exec<'_>>,
    machine: TargetArch,
) -> seccompiler::Result<BpfProgram> {
    let plain = ALLOWED.iter().chain(OLDER);
    let mut rules: BTreeMap<_, _> = plain.map(|call| (*call, Vec::new())).collect();
    let mut allow = |call, conditions: Vec<Vec<Condition>>| -> seccompiler::Result<()> {
        let rule = |all: Vec<Condition>| {
            let all: Result<_, _> = all.into_iter().map(Condition::made).collect();
            SeccompRule::new(all?)
        };
        let any: Result<_, _> = conditions.into_iter().map(rule).collect();
        rules.insert(call, any?);
        Ok(())
    };
    for (call, arguments) in files() {
        allow(call, arguments)?;
    }
    allow(libc::SYS_mmap, mappings())?;
    let itself = u64::from(std::process::id());
    allow(libc::SYS_tgkill, vec![vec![is(0, itself)]])?;
    let thread = number(libc::CLONE_THREAD);
    allow(libc::SYS_clone, vec![vec![has(0, thread, thread)]])?;
    let each = |argument, values: &[u64]| values.iter().map(|it| vec![is(argument, *it)]).collect();
    allow(libc::SYS_ioctl, each(1, &ASKED))?;
    allow(libc::SYS_prctl, each(0, &NAMED.map(number)))?;
    // Times of a file that is open, not of one by its path.
    allow(libc::SYS_utimensat, vec![vec![null(1)]])?;
    // Limits are asked for, not set.
    allow(libc::SYS_prlimit64, vec![vec![null(2)]])?;
    if let Some(exec) = exec {
        allow(libc::SYS_execve, vec![vec![at(0, exec.path.as_ptr())]])?;
    }
    let unix = number(libc::AF_UNIX);
    allow(libc::SYS_socketpair, vec![vec![is(0, unix)]])?;
    let [internet, internet6] = [libc::AF_INET, libc::AF_INET6].map(number);
    match connect {
        Connect::Nowhere => {}
        Connect::Ports(_) => {
            // The flags beside the type say how the descriptor behaves.
            let stream = || has(1, 0xf, number(libc::SOCK_STREAM));
            let tcp = |domain| vec![is(0, domain), stream(), has(2, !0x6, 0)];
            allow(libc::SYS_socket, vec![tcp(internet), tcp(internet6)])?;
            allow(libc::SYS_connect, Vec::new())?;
        }
        Connect::Anywhere => {
            let domains = [internet, internet6, unix, number(libc::AF_NETLINK)];
            allow(libc::SYS_socket, each(0, &domains))?;
            allow(libc::SYS_connect, Vec::new())?;
            allow(libc::SYS_bind, Vec::new())?;
        }
    }
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Errno(libc::EPERM.unsigned_abs()),
        SeccompAction::Allow,
        machine,
    )?;
    Ok(filter.try_into()?)
}

/// Calls that make files or change how they behave, with what their arguments may be.
fn files() -> Vec<(libc::c_long, Vec<Vec<Condition>>)> {
    let plain = |mode| vec![vec![has(mode, SET_ID, 0)]];
    // Without a new file, or with a mode that is harmless.
    let opened = |flags, mode| {
        vec![
            vec![has(flags, number(MAKES_FILES), 0)],
            vec![has(mode, SET_ID, 0)],
        ]
    };
    let mut controlled: Vec<_> = CONTROLLED
        .iter()
        .map(|command| vec![is(1, number(*command))])
        .collect();
    // Not to be told of input by signals.
    controlled.push(vec![
        is(1, number(libc::F_SETFL)),
        has(2, number(libc::O_ASYNC), 0),
    ]);
    vec![
        (libc::SYS_fchmod, plain(1)),
        (libc::SYS_mkdirat, plain(2)),
        (libc::SYS_openat, opened(2, 3)),
        (libc::SYS_fcntl, controlled),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_mkdir, plain(1)),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_open, opened(1, 2)),
    ]
}

/// What `mmap` may make: memory of its own, which a limit counts, or a view of a file. Memory that is shared without a
/// file, that grows like a stack, or that is huge is counted by no limit.
fn mappings() -> Vec<Vec<Condition>> {
    let uncounted = number(libc::MAP_GROWSDOWN | libc::MAP_HUGETLB);
    let without = |flag| vec![has(3, uncounted | number(flag), 0)];
    vec![without(libc::MAP_SHARED), without(libc::MAP_ANONYMOUS)]
}

/// A condition on an argument: all of some bits have a value.
struct Condition {
    argument: u8,
    width: SeccompCmpArgLen,
    how: SeccompCmpOp,
    value: u64,
}

impl Condition {
    fn made(self) -> Result<SeccompCondition, seccompiler::BackendError> {
        SeccompCondition::new(self.argument, self.width, self.how, self.value)
    }
}

const fn is(argument: u8, value: u64) -> Condition {
    Condition {
        argument,
        width: Dword,
        how: SeccompCmpOp::Eq,
        value,
    }
}

/// No pointer.
fn null(argument: u8) -> Condition {
    at(argument, std::ptr::null())
}

/// This pointer: all of its bits.
fn at(argument: u8, place: *const libc::c_char) -> Condition {
    Condition {
        argument,
        width: Qword,
        how: SeccompCmpOp::Eq,
        value: place.addr() as u64,
    }
}

const fn has(argument: u8, bits: u64, value: u64) -> Condition {
    Condition {
        argument,
        width: Dword,
        how: SeccompCmpOp::MaskedEq(bits),
        value,
    }
}

fn number(constant: libc::c_int) -> u64 {
    u64::from(constant.unsigned_abs())
}
