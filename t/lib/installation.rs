//! One installation of the daemons: a directory of the test with copies of the binaries, its own address on the
//! loopback network, and the files that the daemons leave there. It ends the daemons that it started, prints the logs
//! of a test that fails, and makes a test fail whose logs are not as documented.

use crate::loglines::{Documented, Line};
use crate::{binaries, licence, wait};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU8, AtomicU16, Ordering};
use std::thread;

/// The server's binary.
pub const SERVER: &str = "os4x_proxyserver2";
/// The client's binary.
pub const CLIENT: &str = "os4x_proxyclient2";

/// A directory with both daemons.
#[derive(Debug)]
pub struct Installation {
    directory: PathBuf,
    /// Where the server listens for the client.
    pub internal: SocketAddr,
}

impl Installation {
    /// A new one for the test `name`.
    pub fn new(name: &str) -> io::Result<Self> {
        let directory = std::env::temp_dir().join(format!("os4x-t-{}-{name}", std::process::id()));
        make_folder(&directory)?;
        for program in [SERVER, CLIENT] {
            place(&binaries::path(program), &directory.join(program))?;
        }
        Ok(Self { directory, internal: free_address()? })
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A file of it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A command that runs one of the daemons, with another current directory.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.directory.join(program));
        command.current_dir("/");
        command
    }

    /// Runs a daemon's command line to its end.
    pub fn run<const N: usize>(&self, program: &str, arguments: [&str; N]) -> io::Result<Output> {
        self.command(program).args(arguments).output()
    }

    /// The server's Proxy ID, by `-L`.
    pub fn proxy_id(&self) -> io::Result<String> {
        let output = self.run(SERVER, ["-L"])?;
        let text = String::from_utf8_lossy(&output.stdout);
        let proxy_id = text.trim_end().strip_prefix("OS4X Proxy ID: ").map(str::to_owned);
        proxy_id.ok_or_else(|| io::Error::other(format!("-L printed {text:?}")))
    }

    /// A licence file for this installation, valid from `days.0` to `days.1` days from now.
    pub fn licence(&self, days: (i32, i32)) -> io::Result<PathBuf> {
        let path = self.file("os4x_proxy.lic");
        fs::write(&path, licence::licence(&self.proxy_id()?, days)?)?;
        Ok(path)
    }

    /// The server with its port and a good licence.
    pub fn server(&self) -> io::Result<Command> {
        let mut command = self.command(SERVER);
        command.arg("-i").arg(self.internal.to_string()).arg("-l").arg(self.licence((-1, 365))?);
        Ok(command)
    }

    /// The process ID in the PID file of `stem`.
    pub fn pid(&self, stem: &str) -> Option<Pid> {
        let text = fs::read_to_string(self.file(&format!("{stem}.pid"))).ok()?;
        text.strip_suffix('\n')?.parse().ok().map(Pid::from_raw)
    }

    /// Everything that the daemon of `stem` has logged, all days in their order.
    pub fn log(&self, stem: &str) -> String {
        daily_log(&self.directory, stem)
    }

    /// Faults in the logs that no test may leave: a line that os4x_proxy-log(5) does not describe, or one of FATAL.
    fn log_faults(&self) -> Vec<String> {
        let documented = match Documented::read() {
            Ok(documented) => documented,
            Err(error) => return vec![format!("os4x_proxy-log.5 cannot be read: {error}")],
        };
        let mut faults = Vec::new();
        for stem in ["os4x_proxyserver", "os4x_proxyclient"] {
            let log = self.log(stem);
            faults.extend(documented.faults(&log));
            let fatal = log.lines().filter(|line| {
                Line::read(line).is_some_and(|line| line.level == "FATAL" && line.event() != "level")
            });
            faults.extend(fatal.map(|line| format!("FATAL: {line}")));
        }
        faults
    }

    /// Waits until a line of the log of `stem` contains `text`, and returns that line.
    pub fn wait_for_log(&self, stem: &str, text: &str) -> String {
        let look = || self.log(stem).lines().find(|line| line.contains(text)).map(str::to_owned);
        wait::wait_for(&format!("{text:?} in the log of {stem}"), look)
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        for stem in ["os4x_proxyserver", "os4x_proxyclient"] {
            if thread::panicking() {
                eprintln!("--- log of {stem}:\n{}", self.log(stem));
            }
            // Only one of our processes: the number in a stale file may belong to another program.
            if let Some(pid) = self.pid(stem).filter(|pid| is_of(*pid, stem)) {
                let _ = kill(pid, Signal::SIGKILL);
            }
        }
        let faults = self.log_faults();
        let _ = fs::remove_dir_all(&self.directory);
        assert!(
            thread::panicking() || faults.is_empty(),
            "the logs are not as they should be:\n{}",
            faults.join("\n")
        );
    }
}

/// Everything that the daemon of `stem` in `directory` has logged, all days in their order.
pub(crate) fn daily_log(directory: &Path, stem: &str) -> String {
    day_files(directory, stem).iter().filter_map(|day| fs::read_to_string(day).ok()).collect()
}

/// Its log files, in the order of their days.
pub(crate) fn day_files(directory: &Path, stem: &str) -> Vec<PathBuf> {
    let prefix = format!("{stem}.log.");
    let is_log =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix));
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut days: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_log).collect();
    days.sort();
    days
}

/// Puts a binary into an installation: as a link, or as a copy if the directory is on another file system. Another
/// process makes the copy: if this one did, a child that another test has just forked would have the file open, too,
/// and it could not be run ("text file busy").
pub(crate) fn place(binary: &Path, to: &Path) -> io::Result<()> {
    if fs::hard_link(binary, to).is_ok() {
        return Ok(());
    }
    let copied = Command::new("cp").arg(binary).arg(to).status()?.success();
    if copied { Ok(()) } else { Err(io::Error::other(format!("cannot copy {}", binary.display()))) }
}

/// Whether process `pid` runs and is a daemon of `stem`.
fn is_of(pid: Pid, stem: &str) -> bool {
    // The kernel keeps 15 octets of the name.
    runs(pid) && name(pid).is_some_and(|name| stem.starts_with(&name))
}

/// The name of the binary that `pid` runs, as `ps -o comm` and lsof show it.
pub fn name(pid: Pid) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned())
}

/// Whether `pid` runs; a process that has ended but was not collected does not.
pub fn runs(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let ended = stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'));
    kill(pid, None) != Err(Errno::ESRCH) && !ended
}

/// A port on an address that no other installation of this machine uses.
pub fn free_address() -> io::Result<SocketAddr> {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, high, low, NEXT.fetch_add(1, Ordering::Relaxed));
    listener_at(address.into())?.local_addr()
}

/// A listener at a port of `address` that stays free after the listener is dropped: the port is below those that the
/// system gives to programs that ask for any port, on the same address, too.
pub fn listener_at(address: IpAddr) -> io::Result<TcpListener> {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 20_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test processes begin at different ports, because of those that listen on all addresses.
    let start = u16::try_from(std::process::id() * 37 % u32::from(COUNT)).unwrap_or_default();
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        match TcpListener::bind((address, FIRST + (start + step % COUNT) % COUNT)) {
            Err(e) if e.kind() == io::ErrorKind::AddrInUse && step < COUNT => {}
            bound => return bound,
        }
    }
}

/// A port of `address` at which nobody listens, and which the system gives to no process that asks for any port.
pub fn closed_port(address: IpAddr) -> io::Result<u16> {
    Ok(listener_at(address)?.local_addr()?.port())
}

/// Creates the folder of a test, whose name has the ID of this process: an existing one was left by an earlier process.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_dir_all(path)?;
            fs::create_dir(path)
        }
        made => made,
    }
}
