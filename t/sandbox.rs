//! A session process under an attacker's control can do nothing. A debugger takes it over in the middle of a file: from
//! then on it makes the system calls of the test, as it would for an attacker who runs code in it.

use nix::libc::{self, c_long};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::CString;
use std::path::Path;
use t::site::{Builder, Flight, Role, Site};
use t::wait::wait_for;

/// System calls that end a process: the number of the call and its first arguments.
#[rustfmt::skip]
const FATAL: &[(&str, c_long, [u64; 4])] = &[
    ("fork", libc::SYS_fork, [0; 4]),
    ("clone", libc::SYS_clone, [libc::SIGCHLD as u64, 0, 0, 0]),
    ("clone3", libc::SYS_clone3, [0; 4]),
    ("execve", libc::SYS_execve, [0; 4]),
    ("execveat", libc::SYS_execveat, [0; 4]),
    ("kill its group", libc::SYS_kill, [0; 4]),
    ("kill all", libc::SYS_kill, [u64::MAX, 0, 0, 0]),
    ("tgkill", libc::SYS_tgkill, [1, 1, 0, 0]),
    ("pidfd_open", libc::SYS_pidfd_open, [1, 0, 0, 0]),
    ("ptrace", libc::SYS_ptrace, [libc::PTRACE_ATTACH as u64, 1, 0, 0]),
    ("process_vm_readv", libc::SYS_process_vm_readv, [1, 0, 0, 0]),
    ("a TCP socket", libc::SYS_socket, [libc::AF_INET as u64, libc::SOCK_STREAM as u64, 0, 0]),
    ("a netlink socket", libc::SYS_socket, [libc::AF_NETLINK as u64, libc::SOCK_RAW as u64, 0, 0]),
    ("connect", libc::SYS_connect, [3, 0, 0, 0]),
    ("bind", libc::SYS_bind, [3, 0, 0, 0]),
    ("listen", libc::SYS_listen, [3, 1, 0, 0]),
    ("a socket pair of TCP", libc::SYS_socketpair, [libc::AF_INET as u64, libc::SOCK_STREAM as u64, 0, 0]),
    ("memory with code", libc::SYS_mmap, [0, 4096, (libc::PROT_READ | libc::PROT_EXEC) as u64, 0]),
    ("code from memory", libc::SYS_mprotect, [0, 4096, (libc::PROT_READ | libc::PROT_EXEC) as u64, 0]),
    ("input to a terminal", libc::SYS_ioctl, [0, libc::TIOCSTI, 0, 0]),
    ("being traced again", libc::SYS_prctl, [libc::PR_SET_DUMPABLE as u64, 1, 0, 0]),
    ("another user", libc::SYS_setuid, [0; 4]),
    ("a namespace", libc::SYS_unshare, [libc::CLONE_NEWUSER as u64, 0, 0, 0]),
    ("a keyring", libc::SYS_keyctl, [0; 4]),
    ("shared memory", libc::SYS_shmget, [0, 4096, 0, 0]),
    ("a mount", libc::SYS_mount, [0; 4]),
    ("bpf", libc::SYS_bpf, [0; 4]),
    ("io_uring", libc::SYS_io_uring_setup, [1, 0, 0, 0]),
    ("userfaultfd", libc::SYS_userfaultfd, [0; 4]),
    ("removal of a file", libc::SYS_unlinkat, [0; 4]),
    ("another name for a file", libc::SYS_renameat2, [0; 4]),
    ("a file cut off", libc::SYS_ftruncate, [3, 0, 0, 0]),
];

/// A process that this test controls.
struct Captive {
    pid: Pid,
    /// Its registers when it was stopped, in a wait.
    before: libc::user_regs_struct,
}

impl Captive {
    fn take(pid: Pid) -> Self {
        ptrace::attach(pid).expect("this test traces other processes, which needs root's rights");
        loop {
            waitpid(pid, Some(WaitPidFlag::__WALL)).unwrap();
            let before = ptrace::getregs(pid).unwrap();
            // The instruction with which it entered the kernel: it waits for its peers.
            if ptrace::read(pid, address(before.rip - 2)).unwrap() & 0xffff == 0x050f {
                return Self { pid, before };
            }
            ptrace::cont(pid, None).unwrap();
            nix::sys::signal::kill(pid, Signal::SIGSTOP).unwrap();
        }
    }

    /// Writes a text onto its stack; returns the address.
    fn write(&self, text: &Path) -> u64 {
        let text = CString::new(text.as_os_str().as_encoded_bytes()).unwrap();
        // Below the octets that the process itself may use without moving the pointer.
        let at = (self.before.rsp - 8192) & !7;
        for (chunk, place) in text.as_bytes_with_nul().chunks(8).zip((at..).step_by(8)) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            ptrace::write(self.pid, address(place), i64::from_ne_bytes(word)).unwrap();
        }
        at
    }

    /// Makes it do a system call; returns the result, or the signal that killed it.
    fn call(&self, number: c_long, [rdi, rsi, rdx, r10]: [u64; 4]) -> Result<i64, Signal> {
        let regs = libc::user_regs_struct {
            rip: self.before.rip - 2,
            rax: number.cast_unsigned(),
            // The interrupted wait must not be started again instead.
            orig_rax: u64::MAX,
            rdi,
            rsi,
            rdx,
            r10,
            r8: 0,
            r9: 0,
            ..self.before
        };
        ptrace::setregs(self.pid, regs).unwrap();
        ptrace::step(self.pid, None).unwrap();
        match waitpid(self.pid, Some(WaitPidFlag::__WALL)).unwrap() {
            WaitStatus::Signaled(_, signal, _) => Err(signal),
            WaitStatus::Stopped(..) => Ok(ptrace::getregs(self.pid).unwrap().rax.cast_signed()),
            other => panic!("{other:?}"),
        }
    }

    /// It continues as if nothing had happened.
    fn release(self) {
        ptrace::setregs(self.pid, self.before).unwrap();
        ptrace::detach(self.pid, None).unwrap();
    }
}

fn address(place: u64) -> ptrace::AddressType {
    std::ptr::with_exposed_provenance_mut(usize::try_from(place).unwrap())
}

/// A session in the middle of a file, and its process in this daemon.
fn session(site: &Site, role: Role) -> (Flight, Pid) {
    let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    let process = wait_for("the session's process", || {
        site.children(role).into_iter().find(|pid| Site::title(*pid).contains("O0013ACME"))
    });
    (flight, process)
}

/// Does each of the calls in a separate session.
fn do_what_is_forbidden(name: &str, role: Role) {
    let mut site = Site::start(name).unwrap();
    for (what, number, arguments) in FATAL {
        let (flight, process) = session(&site, role);
        let captive = Captive::take(process);
        assert_eq!(captive.call(*number, *arguments), Err(Signal::SIGSYS), "{what}");
        assert!(!flight.land().is_ok_and(|report| report.is_good()), "{what}");
        site.wait_log(role, &format!("session_crashed*pid={process} *reason=sandbox"));
    }
    assert!(site.partner("O0013ACME").unwrap().call().is_good());
    site.end();
}

#[test]
fn a_forbidden_system_call_ends_a_session_process_of_the_server_and_nothing_else() {
    do_what_is_forbidden("sandbox-server", Role::Server);
}

#[test]
fn a_forbidden_system_call_ends_a_session_process_of_the_client_and_nothing_else() {
    do_what_is_forbidden("sandbox-client", Role::Client);
}

#[test]
fn a_session_process_opens_no_file_and_its_session_goes_on() {
    let site = Site::start("sandbox-files").unwrap();
    for role in [Role::Server, Role::Client] {
        let (flight, process) = session(&site, role);
        let captive = Captive::take(process);
        let folder = site.folder(role);
        let key = folder.join("os4x_proxyserver.key");
        let log = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let files =
            [key, "/etc/passwd".into(), "/proc/self/mem".into(), "/proc/1/environ".into(), "/".into()];
        for file in files.into_iter().chain(log) {
            let path = captive.write(&file);
            let (here, flags) = (i64::from(libc::AT_FDCWD).cast_unsigned(), libc::O_WRONLY | libc::O_APPEND);
            for (call, arguments) in [
                (libc::SYS_open, [path, 0, 0, 0]),
                (libc::SYS_openat, [here, path, 0, 0]),
                (libc::SYS_openat, [here, path, u64::try_from(flags).unwrap(), 0]),
                (libc::SYS_readlink, [path, path, 1, 0]),
            ] {
                assert_eq!(captive.call(call, arguments), Ok(-i64::from(libc::EACCES)), "{}", file.display());
            }
        }
        captive.release();
        assert!(flight.land().unwrap().is_good());
    }
    site.end();
}

#[test]
fn without_the_sandbox_a_session_process_has_what_its_user_has() {
    let site = Builder::new("sandbox-off").setting("proxy_sandbox", "no").start().unwrap();
    let (flight, process) = session(&site, Role::Server);
    let captive = Captive::take(process);
    let path = captive.write(Path::new("/etc/passwd"));
    let here = i64::from(libc::AT_FDCWD).cast_unsigned();
    assert!(captive.call(libc::SYS_openat, [here, path, 0, 0]).unwrap() > 2);
    captive.release();
    assert!(flight.land().unwrap().is_good());
    site.end();
}

#[test]
fn a_log_file_that_was_removed_is_opened_again_for_session_processes() {
    let mut site = Site::start("sandbox-log").unwrap();
    site.wait_parked(Role::Server);
    site.wait_parked(Role::Client);
    for role in [Role::Server, Role::Client] {
        for entry in std::fs::read_dir(site.folder(role)).unwrap() {
            let path = entry.unwrap().path();
            if path.to_string_lossy().contains(".log.2") {
                std::fs::remove_file(path).unwrap();
            }
        }
        assert_eq!(site.log(role), "");
    }
    site.assert_works();
    for role in [Role::Server, Role::Client] {
        site.wait_log(role, " session_end ");
        assert_eq!(site.log(role).matches(" session_begin ").count(), 1);
    }
    site.end();
}

#[test]
fn a_window_of_log_files_is_rolled_for_session_processes() {
    const FILES: usize = 3;
    let rc = |role: Role| {
        format!(
            "<?xml version=\"1.0\"?>\n<log4c version=\"1.2.4\">\n\
             <category name=\"{stem}\" priority=\"info\" appender=\"os4x_appender\"/>\n\
             <category name=\"{stem}.session\" priority=\"debug\" appender=\"window\"/>\n\
             <rollingpolicy name=\"policy\" type=\"sizewin\" maxsize=\"1500\" maxnum=\"{FILES}\"/>\n\
             <appender name=\"window\" type=\"rollingfile\" logdir=\".\" prefix=\"window\" layout=\"os4x\" \
             rollingpolicy=\"policy\"/>\n<layout name=\"os4x\" type=\"os4x_layout\"/>\n</log4c>\n",
            stem = role.stem()
        )
    };
    let site = [Role::Server, Role::Client]
        .into_iter()
        .fold(Builder::new("sandbox-window"), |builder, role| {
            builder.file(role, &format!("{}.logrc", role.stem()), &rc(role))
        })
        .start()
        .unwrap();
    for role in [Role::Server, Role::Client] {
        let window = || -> Vec<String> {
            let file = |number| std::fs::read_to_string(site.folder(role).join(format!("window.{number}")));
            (0..FILES).filter_map(|number| file(number).ok()).collect()
        };
        // Only session processes write there.
        wait_for("a window of session processes' lines", || {
            assert!(site.partner("O0013ACME").unwrap().call().is_good());
            let now = window();
            let are_theirs = now.iter().all(|text| text.contains(" command side="));
            (now.len() == FILES && are_theirs).then_some(())
        });
        assert!(!site.folder(role).join(format!("window.{FILES}")).exists());
    }
    site.end();
}
