//! Signals: blocked from the first statement on, then read from one signalfd in each process.
//!
//! Every process (parents, session children, API worker) makes its own [`Signals`] after it was forked; an inherited
//! one is only dropped. No code of ours runs inside a handler, and no system call is interrupted.

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
    Level(Level),
    /// 1, 15 or, in the foreground, 2: end.
    End(End),
    /// 17: at least one child has ended; [`sys::reap`] says which.
    Child,
}

/// The level that a signal chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// 20
    Trace,
    /// 21
    Debug,
    /// 22
    Info,
    /// 23
    Error,
    /// 24
    Fatal,
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

/// Signal numbers as users know them (`kill -20 PID`), and what they ask. The names differ from what they do here.
const TABLE: [(signal::Signal, Signal); 9] = [
    (signal::SIGHUP, Signal::End(End::Hup)),
    (signal::SIGINT, Signal::End(End::Int)),
    (signal::SIGTERM, Signal::End(End::Term)),
    (signal::SIGCHLD, Signal::Child),
    (signal::SIGTSTP, Signal::Level(Level::Trace)),
    (signal::SIGTTIN, Signal::Level(Level::Debug)),
    (signal::SIGTTOU, Signal::Level(Level::Info)),
    (signal::SIGURG, Signal::Level(Level::Error)),
    (signal::SIGXCPU, Signal::Level(Level::Fatal)),
];

fn ours() -> SigSet {
    TABLE.iter().map(|(number, _)| *number).collect()
}

/// Blocks our signals: the first statement of `main`, since by default 20 to 22 stop a process and 24 kills it. A
/// closed connection is an error where it is written to, so SIGPIPE is ignored.
pub fn block_all() -> nix::Result<()> {
    ours().thread_block()?;
    sys::ignore(signal::SIGPIPE)
}

/// Lets 1, 2 and 15 end this process as they do by default: for the starting process, which only waits.
pub(crate) fn default_ends() -> nix::Result<()> {
    [signal::SIGHUP, signal::SIGINT, signal::SIGTERM].into_iter().collect::<SigSet>().thread_unblock()
}

/// For a daemon that has detached: Ctrl-C is none of its business.
pub(crate) fn ignore_interrupt() -> nix::Result<()> {
    sys::ignore(signal::SIGINT)
}

/// This process's signals, one after the other. Non-blocking; readable when one is there.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Begins to receive what [`block_all`] holds back.
    pub fn new() -> io::Result<Self> {
        Ok(Self(SignalFd::with_flags(&ours(), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
    }

    /// The next signal; none if there is none now. Call it until then: readiness is told once.
    pub fn next_signal(&mut self) -> io::Result<Option<Signal>> {
        loop {
            let received = match self.0.read_signal() {
                Ok(Some(received)) => received.ssi_signo,
                Ok(None) => return Ok(None),
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let known = TABLE.iter().find(|(number, _)| u32::try_from(*number as i32) == Ok(received));
            if let Some((_, meaning)) = known {
                return Ok(Some(*meaning));
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
    use super::{End, Level, Signal, Signals, TABLE, ours};
    use nix::sys::signal::raise;

    #[test]
    fn the_numbers_are_the_documented_ones() {
        let numbers: Vec<i32> = TABLE.iter().map(|(number, _)| *number as i32).collect();
        assert_eq!(numbers, [1, 2, 15, 17, 20, 21, 22, 23, 24]);
    }

    #[test]
    fn blocked_signals_are_read_in_full() {
        ours().thread_block().unwrap();
        let mut signals = Signals::new().unwrap();
        assert_eq!(signals.next_signal().unwrap(), None);
        for (number, meaning) in TABLE {
            raise(number).unwrap();
            assert_eq!(signals.next_signal().unwrap(), Some(meaning));
        }
        assert_eq!(TABLE[4].1, Signal::Level(Level::Trace));
        assert_eq!(TABLE[2].1, Signal::End(End::Term));
    }
}
