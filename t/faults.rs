//! Errors that the system may return at any time: no descriptors, processes or buffers, one system call after the
//! other. strace(1) makes the calls of a daemon's processes fail. Sessions may fail because of them; no parent ends,
//! and sessions work again when the calls do.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use t::site::{Role, Site};
use t::wait::wait_for;

/// Calls that a daemon's processes make for sessions, with the errors for a lack of resources (section ERRORS of each
/// call's manual page).
const CALLS: [(Role, &str, &[&str]); 19] = [
    (Role::Server, "accept4", &["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]),
    (Role::Server, "clone", &["EAGAIN", "ENOMEM"]),
    (Role::Server, "epoll_create1", &["EMFILE", "ENOMEM"]),
    (Role::Server, "epoll_ctl", &["ENOSPC", "ENOMEM"]),
    (Role::Server, "listen", &["EADDRINUSE"]),
    (Role::Server, "openat", &["EMFILE", "ENOSPC", "EROFS", "EACCES", "EIO"]),
    (Role::Server, "sendmsg", &["ENOBUFS", "ENOMEM"]),
    (Role::Server, "setsockopt", &["ENOMEM"]),
    (Role::Server, "signalfd4", &["EMFILE", "ENOMEM"]),
    (Role::Server, "socketpair", &["EMFILE", "ENFILE"]),
    (Role::Client, "clone", &["EAGAIN", "ENOMEM"]),
    (Role::Client, "connect", &["EADDRNOTAVAIL", "ENETUNREACH", "ENOBUFS"]),
    (Role::Client, "epoll_create1", &["EMFILE", "ENOMEM"]),
    (Role::Client, "epoll_ctl", &["ENOSPC", "ENOMEM"]),
    (Role::Client, "openat", &["EMFILE", "ENOSPC", "EROFS", "EACCES", "EIO"]),
    (Role::Client, "setsockopt", &["ENOMEM"]),
    (Role::Client, "signalfd4", &["EMFILE", "ENOMEM"]),
    (Role::Client, "socket", &["EMFILE", "ENOBUFS"]),
    (Role::Client, "socketpair", &["EMFILE", "ENFILE"]),
];

/// How often a call fails in each process: a process that tries again succeeds in the end.
const TIMES: u32 = 3;

/// A running strace(1).
struct Faults {
    tracer: Child,
    log: PathBuf,
}

impl Faults {
    /// Makes this call fail in all processes of a daemon and in their later children.
    fn inject(site: &Site, role: Role, call: &str, error: &str) -> Self {
        let (log, pids) = (site.directory().join("strace"), site.all_of(role));
        let mut command = Command::new("strace");
        command.args([
            "-f",
            "-qq",
            "-e",
            &format!("trace={call}"),
            "-e",
            &format!("inject={call}:error={error}:when=1..{TIMES}"),
        ]);
        command.arg("-o").arg(&log);
        for pid in &pids {
            command.args(["-p", &pid.to_string()]);
        }
        let tracer = command.stderr(Stdio::null()).spawn().unwrap();
        // A process that has ended meanwhile has no such file.
        let is_traced = |pid: &Pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            !status.contains("TracerPid:\t0\n")
        };
        wait_for("strace to be attached", || pids.iter().all(is_traced).then_some(()));
        Self { tracer, log }
    }

    /// How many calls have failed.
    fn count(&self) -> usize {
        fs::read_to_string(&self.log).unwrap_or_default().matches("(INJECTED)").count()
    }

    fn end(mut self) {
        kill(Pid::from_raw(self.tracer.id().cast_signed()), Signal::SIGINT).unwrap();
        self.tracer.wait().unwrap();
    }
}

fn call(site: &Site) -> Option<()> {
    site.partner("O0013ACME").unwrap().call().ending.is_normal().then_some(())
}

#[test]
fn after_errors_of_any_system_call_no_daemon_has_ended_and_sessions_work_again() {
    let site = Site::start("faults").unwrap();
    let parents = Role::ALL.map(|role| site.pid(role));
    for (role, name, errors) in CALLS {
        for error in errors {
            let what = format!("{} without {name}, {error}", role.binary());
            let faults = Faults::inject(&site, role, name, error);
            wait_for(&format!("a call that fails: {what}"), || {
                if name == "listen" {
                    // The internal port keeps listening while sessions follow each other.
                    site.wait_pool();
                }
                call(&site);
                (faults.count() > 0).then_some(())
            });
            faults.end();
            wait_for(&format!("a session that works: {what}"), || call(&site));
        }
    }
    assert_eq!(Role::ALL.map(|role| site.pid(role)), parents);
    site.wait_idle();
    for role in [Role::Server, Role::Client] {
        let log = site.log(role);
        let count = |event| log.matches(event).count();
        assert_eq!(count(" session_begin "), count(" session_end "), "{log}");
        // A process that cannot start says so, and its parent names the partner that it was for.
        let crashed = log.lines().filter(|line| line.contains(" session_crashed "));
        assert!(crashed.into_iter().all(|line| line.contains("reason=internal-error")), "{log}");
    }
    site.end();
}
