//! Signals: blocked from the first statement on, then read from one signalfd in each process.
//!
//! Every process (parents, session children, API worker) makes its own [`Signals`] after it was forked; an inherited
//! one is only dropped. No code of ours runs inside a handler, and no system call is interrupted.

use crate::log::Priority;
use crate::sys;
use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use nix::sys::signal::{self, SigSet};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// What a signal asks of the process that got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// 20 to 24: log at this level from now on.
    Level(Priority),
    /// 1, 15 or, in the foreground, 2: end.
    End(End),
    /// 17: at least one child has ended; [`sys::reap`] says which.
    Child,
}

/// Which signal asked for the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// 1
    Hup,
    /// 2: never in a daemon that has detached.
    Int,
    /// 15
    Term,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hup => "SIGHUP",
            Self::Int => "SIGINT",
            Self::Term => "SIGTERM",
        })
    }
}

/// The signals that are ours. Users know them by number (`kill -20 PID`); most of the names mean something else here.
const OURS: [signal::Signal; 9] = [
    signal::SIGHUP,
    signal::SIGINT,
    signal::SIGTERM,
    signal::SIGCHLD,
    signal::SIGTSTP,
    signal::SIGTTIN,
    signal::SIGTTOU,
    signal::SIGURG,
    signal::SIGXCPU,
];

fn ours() -> SigSet {
    OURS.into_iter().collect()
}

fn meaning(number: signal::Signal) -> Option<Signal> {
    match number {
        signal::SIGHUP => Some(Signal::End(End::Hup)),
        signal::SIGINT => Some(Signal::End(End::Int)),
        signal::SIGTERM => Some(Signal::End(End::Term)),
        signal::SIGCHLD => Some(Signal::Child),
        other => Priority::of_signal(other as i32).map(Signal::Level),
    }
}

/// Blocks our signals: the first statement of `main`, since by default 20 to 22 stop a process and 24 kills it. A
/// closed connection is an error where it is written to, so SIGPIPE is ignored.
///
/// # Errors
/// The system refuses the mask.
pub fn block_all() -> nix::Result<()> {
    ours().thread_block()?;
    sys::ignore(signal::SIGPIPE)
}

/// Lets 1, 2 and 15 end this process as they do by default: for the starting process, which only waits.
pub(crate) fn default_ends() -> nix::Result<()> {
    [signal::SIGHUP, signal::SIGINT, signal::SIGTERM].into_iter().collect::<SigSet>().thread_unblock()
}

/// For a daemon that has detached: Ctrl-C at the terminal must not end it.
pub(crate) fn ignore_interrupt() -> nix::Result<()> {
    sys::ignore(signal::SIGINT)
}

/// This process's signals, one after the other. Non-blocking; readable when one is there.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Begins to receive what [`block_all`] holds back.
    ///
    /// # Errors
    /// The system has no more descriptors.
    pub fn new() -> io::Result<Self> {
        Ok(Self(SignalFd::with_flags(&ours(), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
    }

    /// The next signal; none if there is none now. Call it until then: mio reports readiness once.
    ///
    /// # Errors
    /// The descriptor cannot be read.
    pub fn next_signal(&mut self) -> io::Result<Option<Signal>> {
        loop {
            let received = match self.0.read_signal() {
                Ok(Some(received)) => received.ssi_signo,
                Ok(None) => return Ok(None),
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let number =
                i32::try_from(received).ok().and_then(|number| signal::Signal::try_from(number).ok());
            if let Some(meaning) = number.and_then(meaning) {
                return Ok(Some(meaning));
            }
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Source for Signals {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&self.as_raw_fd()).register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&self.as_raw_fd()).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.as_raw_fd()).deregister(registry)
    }
}

#[cfg(test)]
mod tests {
    use super::{End, OURS, Signal, Signals, ours};
    use crate::log::Priority;
    use nix::sys::signal::raise;

    #[test]
    fn each_number_means_what_is_documented() {
        ours().thread_block().unwrap();
        let mut signals = Signals::new().unwrap();
        assert_eq!(signals.next_signal().unwrap(), None);
        let mut seen = Vec::new();
        for number in OURS {
            raise(number).unwrap();
            seen.push((number as i32, signals.next_signal().unwrap().unwrap()));
        }
        let documented = [
            (1, Signal::End(End::Hup)),
            (2, Signal::End(End::Int)),
            (15, Signal::End(End::Term)),
            (17, Signal::Child),
            (20, Signal::Level(Priority::Trace)),
            (21, Signal::Level(Priority::Debug)),
            (22, Signal::Level(Priority::Info)),
            (23, Signal::Level(Priority::Error)),
            (24, Signal::Level(Priority::Fatal)),
        ];
        assert_eq!(seen, documented);
    }
}
