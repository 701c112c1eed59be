//! Features of this kernel.

use nix::errno::Errno;
use std::ptr;

/// The version of Landlock's interface (`landlock_create_ruleset(2)`); 0: there is none, or it is switched off.
pub fn landlock_version() -> i32 {
    const VERSION: libc::c_uint = 1;
    let none = ptr::null::<libc::c_void>();
    // SAFETY: with this flag the call reads no memory: it gives a number, and changes nothing.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, VERSION) };
    i32::try_from(version).unwrap_or(0).max(0)
}

/// Whether the kernel can filter system calls and kill a process that makes a forbidden one (`seccomp(2)`, Linux 4.14).
pub fn has_seccomp() -> bool {
    let action = libc::SECCOMP_RET_KILL_PROCESS;
    let flags: libc::c_uint = 0;
    // SAFETY: the call reads the action, which lives longer than it, and changes nothing.
    let answer =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, flags, &raw const action) };
    Errno::result(answer).is_ok()
}
