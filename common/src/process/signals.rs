//! Signals: blocked from the first statement on, then read from one signalfd in each process. A signal without a
//! meaning is logged and has no effect, so that a mistake (`kill -25` for 24) does no harm.
//!
//! Every process (parents, session children, API worker) makes its own [`Signals`] after its fork; an inherited one is
//! only dropped. None of our code runs in a handler, and no system call is interrupted.

use crate::log::{Event, Priority, catalogue};
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

/// The request that a signal makes to its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// 20 to 24: log at this level from now on.
    Level(Priority),
    /// 1, 3, 15 or, in the foreground, 2: end.
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
    /// 3
    Quit,
    /// 15
    Term,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hup => "SIGHUP",
            Self::Int => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Term => "SIGTERM",
        })
    }
}

/// The signals that keep their usual effect. The first six mean that a program is broken; an ignored signal must not be
/// blocked; the next two have no effect by default (a terminal sends one when its size changes); two cannot be blocked.
const NOT_OURS: [signal::Signal; 11] = [
    signal::SIGILL,
    signal::SIGTRAP,
    signal::SIGABRT,
    signal::SIGBUS,
    signal::SIGFPE,
    signal::SIGSEGV,
    signal::SIGPIPE,
    signal::SIGCONT,
    signal::SIGWINCH,
    signal::SIGKILL,
    signal::SIGSTOP,
];

/// All others, including the real-time signals. Users know ours by number (`kill -20 PID`); most of the names mean
/// something else here.
fn ours() -> SigSet {
    let mut set = SigSet::all();
    for signal in NOT_OURS {
        set.remove(signal);
    }
    set
}

fn meaning(number: i32) -> Option<Signal> {
    match signal::Signal::try_from(number) {
        Ok(signal::SIGHUP) => Some(Signal::End(End::Hup)),
        Ok(signal::SIGINT) => Some(Signal::End(End::Int)),
        Ok(signal::SIGQUIT) => Some(Signal::End(End::Quit)),
        Ok(signal::SIGTERM) => Some(Signal::End(End::Term)),
        Ok(signal::SIGCHLD) => Some(Signal::Child),
        _ => Priority::of_signal(number).map(Signal::Level),
    }
}

/// What `kill -l` calls the signal. The first two real-time signals belong to the C library.
fn name(number: i32) -> String {
    const FIRST_REAL_TIME: i32 = 34;
    match signal::Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) if number > FIRST_REAL_TIME => format!("SIGRTMIN+{}", number - FIRST_REAL_TIME),
        Err(_) => "SIGRTMIN".to_owned(),
    }
}

fn log_ignored(number: i32) {
    Event::new(&catalogue::SIGNAL_IGNORED).field("signal", name(number)).field_num("number", number).log();
}

/// Blocks our signals. This is the first statement of `main`, because by default 20 to 22 stop a process and most
/// others kill it, which leaves a stale PID file. A write to a closed connection is handled as an error, so SIGPIPE is
/// ignored.
///
/// # Errors
/// The system refuses the mask.
pub fn block_all() -> nix::Result<()> {
    ours().thread_block()?;
    sys::ignore(signal::SIGPIPE)
}

/// Lets 1, 2, 3 and 15 end this process as they do by default: for the starting process, which only waits.
pub(crate) fn default_ends() -> nix::Result<()> {
    [signal::SIGHUP, signal::SIGINT, signal::SIGQUIT, signal::SIGTERM]
        .into_iter()
        .collect::<SigSet>()
        .thread_unblock()
}

/// For a daemon that has detached: Ctrl-C at the terminal must not end it.
pub(crate) fn ignore_interrupt() -> nix::Result<()> {
    sys::ignore(signal::SIGINT)
}

/// This process's signals, one after the other. Non-blocking; readable when there is one.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Begins to receive the signals that [`block_all`] has blocked.
    ///
    /// # Errors
    /// The system has no more descriptors.
    pub fn new() -> io::Result<Self> {
        Ok(Self(SignalFd::with_flags(&ours(), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
    }

    /// The next signal with a meaning; none if there is none now. Call it until it returns none: mio reports readiness
    /// once.
    ///
    /// # Errors
    /// The descriptor cannot be read.
    pub fn next_signal(&mut self) -> io::Result<Option<Signal>> {
        loop {
            let received = match self.0.read_signal() {
                Ok(Some(received)) => received,
                Ok(None) => return Ok(None),
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            // The kernel has no numbers beyond 64.
            let number = i32::try_from(received.ssi_signo).unwrap_or_default();
            match meaning(number) {
                // The CPU time limit (setrlimit(2)) is reached: do not take that for a request to change the level.
                Some(_) if number == signal::SIGXCPU as i32 && received.ssi_code == nix::libc::SI_KERNEL => {
                    log_ignored(number);
                }
                Some(meaning) => return Ok(Some(meaning)),
                // A file has reached the size limit (setrlimit(2)), and the write has failed. A log line about it would
                // fail, too, and cause the next such signal.
                None if number == signal::SIGXFSZ as i32 && received.ssi_pid == std::process::id() => {}
                None => log_ignored(number),
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
    use super::{End, Signal, Signals, name, ours};
    use crate::log::Priority;
    use nix::sys::signal::{self, raise};

    #[test]
    fn each_number_means_what_is_documented() {
        ours().thread_block().unwrap();
        let mut signals = Signals::new().unwrap();
        assert_eq!(signals.next_signal().unwrap(), None);
        for (number, meaning) in [
            (1, Some(Signal::End(End::Hup))),
            (2, Some(Signal::End(End::Int))),
            (3, Some(Signal::End(End::Quit))),
            (10, None),
            (15, Some(Signal::End(End::Term))),
            (17, Some(Signal::Child)),
            (20, Some(Signal::Level(Priority::Trace))),
            (21, Some(Signal::Level(Priority::Debug))),
            (22, Some(Signal::Level(Priority::Info))),
            (23, Some(Signal::Level(Priority::Error))),
            (24, Some(Signal::Level(Priority::Fatal))),
            (25, None),
        ] {
            raise(signal::Signal::try_from(number).unwrap()).unwrap();
            assert_eq!(signals.next_signal().unwrap(), meaning, "{number}");
        }
    }

    #[test]
    fn names_are_those_of_the_shell() {
        let names = [(25, "SIGXFSZ"), (34, "SIGRTMIN"), (40, "SIGRTMIN+6"), (64, "SIGRTMIN+30")];
        for (number, named) in names {
            assert_eq!(name(number), named);
        }
    }
}
