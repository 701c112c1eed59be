//! The first and the last step of a start as a daemon. Between them, the parents check licence and PID file, bind, and
//! drop root.
//!
//! The starting process waits until the daemon reports that it is ready, or why it is not, and exits with 0 or 1. Only
//! `execute` of the crate daemonize is used, and only here. Creates no file.

use super::{notify, options, signals};
use crate::log::{self, Event, LogError, Priority, catalogue};
use crate::process::end_reasons::Status;
use crate::process::pidfile::{PidFile, PidFileError};
use crate::process::signals::{End, Signals};
use crate::process::site::{Site, SiteError};
use crate::sys;
use daemonize::{Daemonize, Outcome};
use nix::sys::stat::{Mode as FileMode, umask};
use nix::unistd::{Uid, User};
use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufRead, BufReader, PipeWriter, Write};
use std::panic;
use std::process;

/// How a daemon runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// In the background, without a terminal.
    #[default]
    Detached,
    /// `--foreground`: attached to the terminal, the log goes to standard error, too.
    Foreground,
    /// The client's `-d`: attached to the terminal, nothing is printed.
    Quiet,
}

impl Mode {
    /// Whether Ctrl-C ends the daemon.
    pub fn attached(self) -> bool {
        self != Self::Detached
    }

    /// Whether the log goes to standard error, too.
    pub fn logs_to_stderr(self) -> bool {
        self == Self::Foreground
    }
}

/// The first statement of `main`: blocks signals, closes inherited descriptors, finds the site, and takes and hides the
/// arguments, because the token may be among them. Returns the arguments after the program's name. `stem` as for
/// [`Site::of_this_binary`].
///
/// # Errors
/// The signals cannot be blocked, OpenSSL is in use already, or there is no /proc to find and hide the arguments in.
pub fn begin(stem: &'static str) -> Result<(Site, Vec<OsString>), StartError> {
    signals::block_all().map_err(|cause| StartError::System(cause.into()))?;
    sys::wipe_what_openssl_frees().map_err(StartError::System)?;
    sys::close_inherited();
    let site = Site::of_this_binary(stem).map_err(StartError::Site)?;
    let arguments = std::env::args_os().skip(1).collect();
    sys::title::init(site.program()).map_err(StartError::Arguments)?;
    Ok((site, arguments))
}

/// The umask: only the user and its group may read new files.
const UMASK: u32 = 0o027;

/// A started daemon: what its parent process owns besides its work.
#[derive(Debug)]
pub struct Started {
    /// Its signals.
    pub signals: Signals,
    /// The report that the starting process waits for.
    pub ready: Ready,
    /// Its PID file; [`stop`] removes it.
    pub pid_file: PidFile,
    /// The user that it runs as: a name, or the number of a user without a name.
    pub user: String,
}

/// Why a parent ends.
#[derive(Debug)]
pub enum Finish {
    /// A signal asked for it.
    Signal(End),
    /// It cannot go on; a complete sentence says why.
    Failed(String),
}

/// The last step of a parent: removes the PID file and logs why it ends.
pub fn stop(pid_file: PidFile, finish: &Finish) -> Status {
    drop(pid_file);
    match finish {
        Finish::Signal(end) => {
            Event::new(&catalogue::DAEMON_STOP).field_display("signal", end).log();
            Status::Normal
        }
        Finish::Failed(reason) => {
            Event::new(&catalogue::DAEMON_STOP).field("reason", reason).log_at(Priority::Error);
            Status::Failed
        }
    }
}

/// Everything between binding and the loop, in this order: drop root, detach, signals, log, PID file. Returns only in
/// the daemon. An error is the exit status; its reason was printed already. The caller has checked the PID file before
/// it bound anything, and calls [`Ready::succeed`] or [`Ready::fail`] once it knows the result.
///
/// # Errors
/// The exit status. The reason was printed already.
pub fn become_daemon(site: &Site, mode: Mode) -> Result<Started, Status> {
    let complain = |error: StartError| options::complain(site.program(), &error, Status::Failed);
    let privileges = site.drop_root().map_err(|error| complain(StartError::Site(error)))?;
    let ready = detach_unless(mode).map_err(complain)?;
    if let Some(warning) = privileges.warning() {
        ready.warn(&format_args!("{}: {warning}", site.program()));
    }
    match begin_daemon(site, mode, &ready) {
        Ok((signals, pid_file)) => {
            if let Some(warning) = privileges.warning() {
                crate::warn!("{warning}");
            }
            Ok(Started { signals, ready, pid_file, user: user_name() })
        }
        Err(error) => Err(ready.fail(&format_args!("{}: {error}", site.program()))),
    }
}

/// The name of this process's user.
fn user_name() -> String {
    let user = Uid::current();
    let entry = User::from_uid(user).ok().flatten();
    entry.map_or_else(|| user.to_string(), |entry| entry.name)
}

/// The first steps of the daemon process itself.
fn begin_daemon(site: &Site, mode: Mode, ready: &Ready) -> Result<(Signals, PidFile), StartError> {
    sys::harden().map_err(|cause| StartError::System(cause.into()))?;
    let signals = Signals::new().map_err(StartError::System)?;
    let warnings = log::init(log::Init {
        name: site.stem(),
        directory: site.directory().to_owned(),
        also_stderr: mode.logs_to_stderr(),
    })
    .map_err(StartError::Log)?;
    for warning in warnings {
        ready.warn(&format_args!("{}: {warning}", site.program()));
    }
    // Standard error leads nowhere in a daemon. The layout escapes the line end in the text.
    panic::set_hook(Box::new(|panic| crate::fatal!("{panic}")));
    let pid_file = PidFile::create(&site.file("pid")).map_err(StartError::PidFile)?;
    Ok((signals, pid_file))
}

/// Returns only in the daemon. The starting process waits here for [`Ready`] and exits.
fn detach_unless(mode: Mode) -> Result<Ready, StartError> {
    if mode.attached() {
        std::env::set_current_dir("/").map_err(StartError::System)?;
        umask(FileMode::from_bits_truncate(UMASK));
        return Ok(Ready { starter: None });
    }
    Ok(Ready { starter: Some(detach()?) })
}

fn detach() -> Result<PipeWriter, StartError> {
    let (reader, writer) = io::pipe().map_err(StartError::System)?;
    match Daemonize::new().working_directory("/").umask(UMASK).execute() {
        Outcome::Parent(Ok(_)) => {
            drop(writer);
            // An operator must be able to stop the wait. If this fails, kill -9 still works.
            let _ = signals::default_ends();
            process::exit(i32::from(wait(reader, &mut io::stderr()).number()))
        }
        Outcome::Parent(Err(cause)) => Err(StartError::Detach(cause)),
        Outcome::Child(Ok(_)) => {
            drop(reader);
            signals::ignore_interrupt().map_err(|cause| StartError::System(cause.into()))?;
            Ok(writer)
        }
        Outcome::Child(Err(cause)) => {
            // A process between the two forks: all that it may do is to report.
            Ready { starter: Some(writer) }.send(FAILED, &StartError::Detach(cause));
            sys::exit_now(Status::Failed.number())
        }
    }
}

const READY: u8 = b'R';
const WARNED: u8 = b'W';
const FAILED: u8 = b'F';

/// The starting process prints the daemon's lines to `shown` until it knows the result of the start.
fn wait(daemon: impl io::Read, shown: &mut impl Write) -> Status {
    for line in BufReader::new(daemon).split(b'\n').map_while(Result::ok) {
        let Some((kind, text)) = line.split_first() else { break };
        if *kind == READY {
            return Status::Normal;
        }
        let _ = writeln!(shown, "{}", String::from_utf8_lossy(text));
        if *kind == FAILED {
            return Status::Failed;
        }
    }
    let _ = writeln!(shown, "the daemon died before it was ready; its log may say why");
    Status::Failed
}

/// The report of a daemon about its start. If it is dropped without a report, the starting process says that the daemon
/// died.
#[derive(Debug)]
#[must_use]
pub struct Ready {
    starter: Option<PipeWriter>,
}

impl Ready {
    /// The start has succeeded: the starting process exits with 0; in the foreground, the service manager is told.
    pub fn succeed(self) {
        if self.starter.is_none() {
            notify::ready();
        }
        self.send(READY, &"");
    }

    /// Prints one line on the starting terminal; the start goes on.
    pub fn warn(&self, warning: &dyn fmt::Display) {
        self.send(WARNED, warning);
    }

    /// The daemon cannot start: the starting process prints `reason` and exits with 1. The caller ends with the status.
    pub fn fail(self, reason: &dyn fmt::Display) -> Status {
        self.send(FAILED, reason);
        Status::Failed
    }

    /// The parent cannot begin its work: the starting process prints the reason, and the daemon ends.
    pub fn give_up(self, program: &str, reason: &dyn fmt::Display) -> Finish {
        self.fail(&format_args!("{program}: {reason}"));
        Finish::Failed(reason.to_string())
    }

    fn send(&self, kind: u8, text: &dyn fmt::Display) {
        let text = text.to_string().replace('\n', " ");
        let line = [&[kind], text.as_bytes(), b"\n"].concat();
        // The starting process may be gone; the daemon goes on without it.
        let _ = match &self.starter {
            Some(pipe) => (&mut &*pipe).write_all(&line),
            None if kind == READY => Ok(()),
            None => io::stderr().write_all(&line[1..]),
        };
    }
}

/// Why the daemon could not start.
#[derive(Debug)]
pub enum StartError {
    /// The directory of the binary cannot be used.
    Site(SiteError),
    /// The arguments cannot be hidden from other users.
    Arguments(io::Error),
    /// fork, setsid or /dev/null failed.
    Detach(daemonize::Error),
    /// The log cannot be set up.
    Log(LogError),
    /// Another daemon was faster, or the directory cannot be used.
    PidFile(PidFileError),
    /// Another system call.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site(cause) => write!(f, "{cause}"),
            Self::Log(cause) => write!(f, "{cause}"),
            Self::PidFile(cause) => write!(f, "{cause}"),
            Self::Arguments(cause) => {
                write!(f, "cannot hide the arguments from other users: {cause}; is /proc mounted?")
            }
            Self::Detach(cause) => write!(f, "cannot detach from the terminal: {cause}"),
            Self::System(cause) => write!(f, "cannot become a daemon: {cause}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Site(cause) => Some(cause),
            Self::Log(cause) => Some(cause),
            Self::PidFile(cause) => Some(cause),
            Self::Detach(cause) => Some(cause),
            Self::Arguments(cause) | Self::System(cause) => Some(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ready, wait};
    use crate::process::end_reasons::Status;
    use std::io::pipe;

    fn outcome(start: impl FnOnce(Ready)) -> (Status, String) {
        let (reader, writer) = pipe().unwrap();
        start(Ready { starter: Some(writer) });
        let mut shown = Vec::new();
        let status = wait(reader, &mut shown);
        (status, String::from_utf8(shown).unwrap())
    }

    #[test]
    fn the_starting_process_tells_the_truth() {
        assert_eq!(outcome(Ready::succeed), (Status::Normal, String::new()));
        let failed = outcome(|ready| assert_eq!(ready.fail(&"port 2878\nis taken"), Status::Failed));
        assert_eq!(failed, (Status::Failed, "port 2878 is taken\n".into()));
        let (status, shown) = outcome(drop);
        assert_eq!(status, Status::Failed);
        assert!(shown.contains("died before it was ready"), "{shown}");
    }

    #[test]
    fn warnings_do_not_end_the_wait() {
        let warned = outcome(|ready| {
            ready.warn(&"runs as root");
            ready.succeed();
        });
        assert_eq!(warned, (Status::Normal, "runs as root\n".into()));
    }
}
