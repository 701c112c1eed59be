//! The system calls that forkers and session processes may make, by seccomp(2). A process that makes another call is
//! killed (SIGSYS); its parent logs that with the reason `sandbox`. Only opening a file is refused with an error,
//! because libraries try it.

use libc::{self as c, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Is, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, sock_filter,
};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A condition on one argument: its index from 0, its length, the comparison, the value.
type Argument = (u8, Length, Is, u64);

/// A system call that is allowed: its number, the conditions on its arguments, and why it is needed.
type Row = (c_long, &'static [Argument], &'static str);

const ANY: &[Argument] = &[];
/// No memory page may become executable.
const NOT_CODE: &[Argument] = &[(2, Length::Dword, Is::MaskedEq(c::PROT_EXEC as u64), 0)];

/// Needed by a forker and by its children.
#[rustfmt::skip]
const NEEDED: &[Row] = &[
    // Sockets and descriptors.
    (c::SYS_read, ANY, "a signal from the signalfd; octets"),
    (c::SYS_write, ANY, "a line of the log"),
    (c::SYS_writev, ANY, "a line of the log, by the C library"),
    (c::SYS_close, ANY, "a descriptor that is done with"),
    (c::SYS_recvfrom, ANY, "octets of a peer"),
    (c::SYS_recvmsg, ANY, "messages of the parent, and descriptors"),
    // Without an address: only the connected peer can be reached.
    (c::SYS_sendto, &[(4, Length::Qword, Is::Eq, 0)], "octets to a peer, messages to the parent, lines to syslog"),
    (c::SYS_sendmsg, ANY, "messages with a descriptor"),
    (c::SYS_shutdown, ANY, "the end of a connection"),
    (c::SYS_getsockopt, ANY, "whether a connect has succeeded"),
    (c::SYS_setsockopt, ANY, "no delay, keep-alive, reset at close"),
    (c::SYS_getpeername, ANY, "the peer's address, for the log"),
    (c::SYS_getsockname, ANY, "the own address"),
    (c::SYS_socketpair, &[(0, Length::Dword, Is::Eq, c::AF_UNIX as u64)], "where an errand's answer comes"),
    (c::SYS_fcntl, ANY, "flags; a second number for a descriptor"),
    (c::SYS_ioctl, &[(1, Length::Dword, Is::Eq, c::FIONBIO)], "a socket that does not block"),
    (c::SYS_ioctl, &[(1, Length::Dword, Is::Eq, c::TIOCOUTQ)], "what a peer has not taken yet"),
    (c::SYS_ioctl, &[(1, Length::Dword, Is::Eq, c::FIONREAD)], "what there is to read"),
    (c::SYS_fstat, ANY, "the log's file: its size, and whether it was removed"),
    (c::SYS_newfstatat, ANY, "the log's file; the number of threads before a fork"),
    (c::SYS_statx, ANY, "the same, by the Rust library"),
    (c::SYS_lseek, ANY, "the same"),
    // Waiting.
    (c::SYS_epoll_create1, ANY, "the loop that waits"),
    (c::SYS_epoll_ctl, ANY, "what it waits for"),
    (c::SYS_epoll_pwait, ANY, "the wait"),
    (c::SYS_ppoll, ANY, "a wait for one descriptor"),
    (c::SYS_signalfd4, ANY, "signals as documented, by number"),
    (c::SYS_rt_sigprocmask, ANY, "the same"),
    (c::SYS_rt_sigaction, ANY, "the same"),
    (c::SYS_rt_sigreturn, ANY, "back from a handler"),
    (c::SYS_sigaltstack, ANY, "the Rust library's stack for overflows"),
    (c::SYS_restart_syscall, ANY, "a wait that a debugger has stopped"),
    (c::SYS_clock_gettime, ANY, "the time, where the kernel gives it by a call"),
    (c::SYS_gettimeofday, ANY, "the same"),
    (c::SYS_clock_nanosleep, ANY, "a pause"),
    (c::SYS_nanosleep, ANY, "the same"),
    (c::SYS_futex, ANY, "locks"),
    (c::SYS_sched_yield, ANY, "the same"),
    // Memory.
    (c::SYS_brk, ANY, "the heap"),
    (c::SYS_mmap, NOT_CODE, "buffers"),
    (c::SYS_mprotect, NOT_CODE, "the heap's growth"),
    (c::SYS_munmap, ANY, "buffers given back"),
    (c::SYS_mremap, ANY, "buffers that grow"),
    (c::SYS_madvise, ANY, "pages given back"),
    (c::SYS_getrandom, ANY, "TLS"),
    // The process itself.
    (c::SYS_getpid, ANY, "the log; OpenSSL, to tell processes apart"),
    (c::SYS_gettid, ANY, "a panic's message"),
    (c::SYS_getppid, ANY, "whether the parent is there"),
    (c::SYS_uname, ANY, "the name of the host, for the backend"),
    (c::SYS_setpgid, ANY, "a process group of its own"),
    (c::SYS_prlimit64, &[(0, Length::Dword, Is::Eq, 0)], "limits of its own"),
    (c::SYS_prctl, &[(0, Length::Dword, Is::Eq, c::PR_SET_NO_NEW_PRIVS as u64)], "the next stage of the sandbox"),
    (c::SYS_seccomp, ANY, "the same"),
    (c::SYS_exit, ANY, "the end"),
    (c::SYS_exit_group, ANY, "the same"),
];

/// The same calls by their older names, which only this architecture has.
#[cfg(target_arch = "x86_64")]
const NEEDED_BY_OLD_NAMES: &[Row] = &[
    (c::SYS_epoll_wait, ANY, "the wait"),
    (c::SYS_poll, ANY, "a wait for one descriptor"),
    (c::SYS_stat, ANY, "the log's file"),
    (c::SYS_lstat, ANY, "the same"),
    (c::SYS_time, ANY, "the time"),
];
#[cfg(not(target_arch = "x86_64"))]
const NEEDED_BY_OLD_NAMES: &[Row] = &[];

/// Only needed by a forker.
const FORKS: &[c_long] = &[c::SYS_clone];

/// Only needed by a session process that does not have both its connections yet.
const CONNECTS: &[c_long] = &[c::SYS_socket, c::SYS_connect, c::SYS_bind];

/// Calls that libraries try; they work without them.
const OPENS: &[c_long] = &[
    c::SYS_openat,
    c::SYS_openat2,
    c::SYS_faccessat,
    c::SYS_faccessat2,
    c::SYS_readlinkat,
    c::SYS_getdents64,
];
#[cfg(target_arch = "x86_64")]
const OPENS_BY_OLD_NAMES: &[c_long] = &[c::SYS_open, c::SYS_access, c::SYS_readlink];
#[cfg(not(target_arch = "x86_64"))]
const OPENS_BY_OLD_NAMES: &[c_long] = &[];

/// Calls that no helper process of a daemon ever needs, although it opens files and connects: programs, other
/// processes' memory, and the parts of the kernel that had most security faults.
const NEVER: &[c_long] = &[
    c::SYS_execve,
    c::SYS_execveat,
    c::SYS_ptrace,
    c::SYS_process_vm_readv,
    c::SYS_process_vm_writev,
    c::SYS_pidfd_getfd,
    c::SYS_kcmp,
    c::SYS_bpf,
    c::SYS_perf_event_open,
    c::SYS_userfaultfd,
    c::SYS_io_uring_setup,
    c::SYS_add_key,
    c::SYS_request_key,
    c::SYS_keyctl,
    c::SYS_mount,
    c::SYS_umount2,
    c::SYS_pivot_root,
    c::SYS_chroot,
    c::SYS_unshare,
    c::SYS_setns,
    c::SYS_init_module,
    c::SYS_finit_module,
    c::SYS_delete_module,
    c::SYS_kexec_load,
    c::SYS_shmget,
    c::SYS_msgget,
    c::SYS_semget,
];

/// The filters, compiled once: the forker does this for its children.
static PROGRAMS: LazyLock<Result<BTreeMap<Stage, BpfProgram>, seccompiler::Error>> =
    LazyLock::new(|| Stage::ALL.into_iter().map(|stage| Ok((stage, stage.program()?))).collect());

/// One filter; each later one removes more rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Opening files is refused, permanently.
    Files,
    /// Only the calls that forkers and session processes need.
    Forker,
    /// No forks.
    Session,
    /// No new connections either.
    Connected,
    /// For a process that serves no session: the API worker and watcher, the resolver, the attendant.
    Helper,
}

impl Stage {
    const ALL: [Self; 5] = [Self::Files, Self::Forker, Self::Session, Self::Connected, Self::Helper];

    /// Applies this filter to this process and its children.
    pub(super) fn apply(self) -> Result<(), String> {
        let programs = PROGRAMS.as_ref().map_err(ToString::to_string)?;
        let program = programs.get(&self).ok_or("a filter is missing")?;
        seccompiler::apply_filter(program).map_err(|e| e.to_string())
    }

    fn program(self) -> Result<BpfProgram, seccompiler::Error> {
        let kill = SeccompAction::KillProcess;
        let refuse = SeccompAction::Errno(c::EACCES.unsigned_abs());
        let (rules, listed, others) = match self {
            Self::Files => (whole(OPENS.iter().chain(OPENS_BY_OLD_NAMES)), refuse, SeccompAction::Allow),
            Self::Forker => (allowed()?, SeccompAction::Allow, kill),
            Self::Session => (whole(FORKS), kill, SeccompAction::Allow),
            Self::Connected => (whole(FORKS.iter().chain(CONNECTS)), kill, SeccompAction::Allow),
            Self::Helper => (whole(NEVER), kill, SeccompAction::Allow),
        };
        let machine = TargetArch::try_from(std::env::consts::ARCH)?;
        let program: BpfProgram = SeccompFilter::new(rules, others, listed, machine)?.try_into()?;
        Ok(but_for_none(program))
    }
}

/// Allows the call number -1, which is no call: a tracer such as strace(1) uses it to make a call fail.
fn but_for_none(program: BpfProgram) -> BpfProgram {
    let instruction = |code: u32, skipped_if_not: u8, k: u32| sock_filter {
        code: u16::try_from(code).unwrap_or(u16::MAX),
        jt: 0,
        jf: skipped_if_not,
        k,
    };
    let head = [
        // A filter reads the number of the call first.
        instruction(c::BPF_LD | c::BPF_W | c::BPF_ABS, 0, 0),
        instruction(c::BPF_JMP | c::BPF_JEQ | c::BPF_K, 1, u32::MAX),
        instruction(c::BPF_RET | c::BPF_K, 0, c::SECCOMP_RET_ALLOW),
    ];
    head.into_iter().chain(program).collect()
}

/// These calls, with any arguments.
fn whole<'a>(calls: impl IntoIterator<Item = &'a c_long>) -> BTreeMap<c_long, Vec<SeccompRule>> {
    calls.into_iter().map(|call| (*call, Vec::new())).collect()
}

fn allowed() -> Result<BTreeMap<c_long, Vec<SeccompRule>>, seccompiler::Error> {
    let mut rules = whole(FORKS.iter().chain(CONNECTS).chain(OPENS).chain(OPENS_BY_OLD_NAMES));
    for (call, arguments, _) in NEEDED.iter().chain(NEEDED_BY_OLD_NAMES) {
        let rule = rules.entry(*call).or_default();
        if !arguments.is_empty() {
            let conditions = arguments.iter().map(|(place, length, is, value)| {
                SeccompCondition::new(*place, length.clone(), is.clone(), *value)
            });
            rule.push(SeccompRule::new(conditions.collect::<Result<_, _>>()?)?);
        }
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_stage_compiles_and_every_row_has_a_reason() {
        for stage in Stage::ALL {
            assert!(!stage.program().unwrap().is_empty(), "{stage:?}");
        }
        assert!(NEEDED.iter().chain(NEEDED_BY_OLD_NAMES).all(|(_, _, why)| !why.is_empty()));
    }

    /// A call that is listed both with and without a condition would be allowed without one.
    #[test]
    fn no_call_is_listed_with_a_condition_and_without() {
        let (any, some): (Vec<&Row>, Vec<&Row>) =
            NEEDED.iter().partition(|(_, arguments, _)| arguments.is_empty());
        let any: BTreeSet<c_long> = any.iter().map(|(call, _, _)| *call).collect();
        assert!(some.iter().all(|(call, _, _)| !any.contains(call)));
    }
}
