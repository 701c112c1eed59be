//! System calls that the crates do not offer safely: the only unsafe code of the project, one folder for an auditor.
//!
//! Every process uses it. Each unsafe block says in its SAFETY line why it is sound. No exported function is unsafe,
//! and none needs a caller that keeps memory or descriptors in order. This module knows nothing of the proxy: it
//! imports none of its siblings and writes no log line.
#![allow(unsafe_code)]

mod crl;
mod descriptors;
mod fork;
mod kernel;
pub mod localtime;
mod memory;
mod sealed;
pub mod title;
mod x509;

pub use crl::{RevocationList, x509_crl_answered_by};
pub use descriptors::{
    close_inherited, linger_default, linger_reset, listen_off, listen_on, recv_fd, send_fd, unacknowledged,
};
pub use fork::{Fork, exit_now, fork, fork_sibling};
pub use kernel::{has_seccomp, landlock_version};
pub use memory::{WipedHeap, settle_heap, wipe_what_openssl_frees};
pub use sealed::SealedOctets;
pub use title::set as set_title;
pub use x509::{ssl_forget_certificate, verify_result, x509_store_add_crl, x509_verify};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, setpgid};
use std::iter;

/// Protects private keys in memory from other processes of this user (`PR_SET_DUMPABLE` 0, no core dump) and raises the
/// number of descriptors to the hard limit. A change of the user would reset the protection, so call it after root was
/// dropped.
///
/// # Errors
/// The system refuses one of the three.
pub fn harden() -> nix::Result<()> {
    prctl::set_dumpable(false)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
}

/// Leaves the parent's process group, so that Ctrl-C at the parent's terminal does not reach this process.
///
/// # Errors
/// The process leads a session.
pub fn own_process_group() -> nix::Result<()> {
    setpgid(Pid::from_raw(0), Pid::from_raw(0))
}

/// The children that have ended and were not collected yet. Never waits. `SIGCHLD` may stand for several of them.
pub fn reap() -> impl Iterator<Item = (Pid, WaitStatus)> {
    iter::from_fn(|| {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(status) => return status.pid().map(|pid| (pid, status)),
                Err(Errno::EINTR) => {}
                Err(_) => return None,
            }
        }
    })
}

/// Discards the signal `which` from now on, here and in children: it neither ends a process nor reaches a signalfd.
///
/// # Errors
/// The signal cannot be ignored (SIGKILL, SIGSTOP).
pub fn ignore(which: Signal) -> nix::Result<()> {
    // SAFETY: SIG_IGN installs no code of ours, so there is nothing that could break async-signal-safety.
    unsafe { signal(which, SigHandler::SigIgn) }?;
    // A blocked signal stays pending even if it is ignored.
    SigSet::from(which).thread_unblock()
}
