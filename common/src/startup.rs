//! Becoming a daemon. Both parents run it once, after their port is bound and root is dropped.
//!
//! The starting process stays until the daemon says that it is ready, or why it is not, and exits 0 or 1 accordingly:
//! whoever started it gets an honest answer. Of daemonize, `execute` alone is used, and only here. Creates no file.

use crate::exit::Status;
use crate::{signals, sys};
use daemonize::{Daemonize, Outcome};
use nix::sys::stat::{Mode as FileMode, umask};
use std::fmt;
use std::io::{self, BufRead, BufReader, PipeWriter, Write};
use std::process;

/// How a daemon runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// In the background, without a terminal.
    #[default]
    Detached,
    /// `--foreground`: attached, the log goes to standard error too.
    Foreground,
    /// The client's `-d`: attached, nothing is shown.
    Quiet,
}

impl Mode {
    /// Ctrl-C ends the daemon.
    pub fn attached(self) -> bool {
        self != Self::Detached
    }

    /// The log goes to standard error too.
    pub fn logs_to_stderr(self) -> bool {
        self == Self::Foreground
    }
}

/// New files are nobody's but the user's and its group's.
const UMASK: u32 = 0o027;

/// Detaches (unless `mode` says otherwise) and hardens this process. Returns in the daemon only; the starting process
/// waits here for [`Ready`] and exits.
pub fn become_daemon(mode: Mode) -> Result<Ready, StartError> {
    let starter = if mode.attached() {
        std::env::set_current_dir("/").map_err(StartError::System)?;
        umask(FileMode::from_bits_truncate(UMASK));
        None
    } else {
        Some(detach()?)
    };
    let ready = Ready { starter };
    sys::harden().map_err(|cause| StartError::System(cause.into()))?;
    Ok(ready)
}

fn detach() -> Result<PipeWriter, StartError> {
    let (reader, writer) = io::pipe().map_err(StartError::System)?;
    match Daemonize::new().working_directory("/").umask(UMASK).execute() {
        Outcome::Parent(Ok(_)) => {
            drop(writer);
            // Nothing must keep an operator from giving up; were this to fail, he would still have kill -9.
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
            // A process between the two forks: it may only report.
            Ready { starter: Some(writer) }.say(FAILED, &StartError::Detach(cause));
            sys::exit_now(Status::Failed.number())
        }
    }
}

const READY: u8 = b'R';
const WARNED: u8 = b'W';
const FAILED: u8 = b'F';

/// What the starting process does: passes the daemon's lines on to `shown` until it knows how the start ended.
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

/// A daemon that has not yet said how its start went. Dropped unsaid, the starting process reports a death.
#[derive(Debug)]
#[must_use]
pub struct Ready {
    starter: Option<PipeWriter>,
}

impl Ready {
    /// All is well: the starting process exits 0.
    pub fn tell(self) {
        self.say(READY, &"");
    }

    /// One line for whoever started the daemon, which goes on.
    pub fn warn(&self, warning: &dyn fmt::Display) {
        self.say(WARNED, warning);
    }

    /// The daemon cannot start: the starting process prints `reason` and exits 1. The caller ends with the status.
    pub fn fail(self, reason: &dyn fmt::Display) -> Status {
        self.say(FAILED, reason);
        Status::Failed
    }

    fn say(&self, kind: u8, text: &dyn fmt::Display) {
        let text = text.to_string().replace('\n', " ");
        let line = [&[kind], text.as_bytes(), b"\n"].concat();
        // Whoever started us may have gone meanwhile; the daemon goes on without him.
        let _ = match &self.starter {
            Some(pipe) => (&mut &*pipe).write_all(&line),
            None if kind == READY => Ok(()),
            None => io::stderr().write_all(&line[1..]),
        };
    }
}

/// Why no daemon came of it.
#[derive(Debug)]
pub enum StartError {
    /// fork, setsid or /dev/null.
    Detach(daemonize::Error),
    /// Another system call.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Detach(cause) => write!(f, "cannot detach from the terminal: {cause}"),
            Self::System(cause) => write!(f, "cannot become a daemon: {cause}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Detach(cause) => Some(cause),
            Self::System(cause) => Some(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ready, wait};
    use crate::exit::Status;
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
        assert_eq!(outcome(Ready::tell), (Status::Normal, String::new()));
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
            ready.tell();
        });
        assert_eq!(warned, (Status::Normal, "runs as root\n".into()));
    }
}
