//! fork(), and the end of a child. A child never returns into its parent's frames, because their destructors would
//! remove the parent's PID file and end its connections.

use nix::errno::Errno;
use nix::unistd::{self, ForkResult, Pid};
use std::os::unix::fs::MetadataExt;

/// The process in which [`fork`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    /// The process that called; the child has this process ID.
    Parent(Pid),
    /// The new process. It ends with [`exit_now`].
    Child,
}

/// Splits the process in two. Refused with `EDEADLK` while other threads run: a lock that one of them holds would stay
/// locked in the child permanently.
///
/// # Errors
/// `EDEADLK` while other threads run; `EAGAIN` or `ENOMEM` if the system allows no more processes.
pub fn fork() -> nix::Result<Fork> {
    if !single_threaded() {
        return Err(Errno::EDEADLK);
    }
    // SAFETY: this is the process's only thread, so no other one holds a lock or is changing memory that the child
    // gets. A lock that this thread holds is held in the child by the thread that goes on there.
    match unsafe { unistd::fork()? } {
        ForkResult::Parent { child } => Ok(Fork::Parent(child)),
        ForkResult::Child => Ok(Fork::Child),
    }
}

/// Makes a sibling: a process with a copy of this one's memory and descriptors that is a child of this one's parent.
/// The parent collects it. Returns the sibling's process ID in this process.
///
/// # Errors
/// As [`fork`].
pub fn fork_sibling() -> nix::Result<Fork> {
    if !single_threaded() {
        return Err(Errno::EDEADLK);
    }
    let flags = libc::c_long::from(libc::CLONE_PARENT | libc::SIGCHLD);
    // On one architecture the stack comes before the flags.
    let none: libc::c_long = 0;
    let (first, second) = if cfg!(target_arch = "s390x") { (none, flags) } else { (flags, none) };
    // SAFETY: without CLONE_VM and with no stack of its own this is fork: the new process goes on here, on its copy of
    // this stack. What the C library's fork does besides is for other threads, of which there are none: it frees locks
    // that they hold. Its note of the thread's number stays that of this process; it only compares it with itself.
    // OpenSSL tells processes apart by getpid() (openssl_get_fork_id), so the sibling's random numbers are its own.
    let pid = unsafe { libc::syscall(libc::SYS_clone, first, second, none, none, none) };
    match i32::try_from(pid) {
        Ok(0) => Ok(Fork::Child),
        Ok(pid) if pid > 0 => Ok(Fork::Parent(Pid::from_raw(pid))),
        _ => Err(Errno::last()),
    }
}

/// Ends this process at once: no destructor and no exit handler runs, nothing is flushed.
pub fn exit_now(status: u8) -> ! {
    // SAFETY: _exit takes any value, touches no memory of ours and does not return.
    unsafe { libc::_exit(i32::from(status)) }
}

/// Whether this thread is the only one of its process. Without /proc nobody knows, so the answer is no. The folder has
/// one link for each thread besides its own two. Reading the link count needs no descriptor, and there may be none
/// left.
pub(super) fn single_threaded() -> bool {
    std::fs::metadata("/proc/self/task").is_ok_and(|tasks| tasks.nlink() == 3)
}

#[cfg(test)]
mod tests {
    use super::{fork, fork_sibling};
    use nix::errno::Errno;
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn a_process_with_threads_does_not_fork() {
        let (stop, stopped) = mpsc::channel::<()>();
        let other = thread::spawn(move || stopped.recv());
        assert_eq!(fork(), Err(Errno::EDEADLK));
        assert_eq!(fork_sibling(), Err(Errno::EDEADLK));
        drop(stop);
        assert!(other.join().unwrap().is_err());
    }
}
