//! How a session child waits: with its own readiness loop and its own signals. It handles a signal that changes the
//! level, and the end of DEBUG for a partner, without ending the wait. A signal to end interrupts the wait.

use crate::process::signals::{End, Signal, Signals};
use mio::event::Source;
use mio::{Events, Interest, Poll as Poller, Token};
use std::fmt;
use std::io::{self, ErrorKind};
use std::task::Poll;
use std::time::Instant;

const SIGNALS: Token = Token(0);
const OTHER: Token = Token(1);
const PARENT: Token = Token(2);

/// Why waiting ended before its event came.
#[derive(Debug)]
pub enum Interrupted {
    /// The deadline has passed.
    Late,
    /// This process was told to end, by this signal.
    Ended(End),
    /// Waiting itself failed.
    Failed(io::Error),
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("the time limit has passed"),
            Self::Ended(signal) => write!(f, "the process was told to end by {signal}"),
            Self::Failed(e) => write!(f, "waiting failed: {e}"),
        }
    }
}

impl std::error::Error for Interrupted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(e) => Some(e),
            _ => None,
        }
    }
}

/// The readiness loop and the signals of one process. Create it after the fork: an inherited one would change the
/// parent's loop.
pub struct Waiter {
    poller: Poller,
    events: Events,
    signals: Signals,
    /// Whether the channel to the parent has had an event since the last question.
    parent_moved: bool,
}

impl Waiter {
    /// A loop that only watches this process's signals so far.
    ///
    /// # Errors
    /// The system has no more descriptors.
    pub fn new() -> io::Result<Self> {
        let poller = Poller::new()?;
        let mut signals = Signals::new()?;
        poller.registry().register(&mut signals, SIGNALS, Interest::READABLE)?;
        Ok(Self { poller, events: Events::with_capacity(16), signals, parent_moved: true })
    }

    /// Also wakes up for the channel to the parent.
    ///
    /// # Errors
    /// The source is watched already or is closed.
    pub fn watch_parent(&self, channel: &mut impl Source) -> io::Result<()> {
        self.poller.registry().register(channel, PARENT, Interest::READABLE)
    }

    /// Whether there may be messages of the parent since the last call: if so, read all of them.
    pub fn take_parent_moved(&mut self) -> bool {
        std::mem::take(&mut self.parent_moved)
    }

    /// Wakes up from now on whenever `source` becomes readable or writable.
    ///
    /// # Errors
    /// The source is watched already or is closed.
    pub fn watch(&self, source: &mut impl Source) -> io::Result<()> {
        self.poller.registry().register(source, OTHER, Interest::READABLE | Interest::WRITABLE)
    }

    /// Stops watching `source`.
    ///
    /// # Errors
    /// The source is not watched.
    pub fn unwatch(&self, source: &mut impl Source) -> io::Result<()> {
        self.poller.registry().deregister(source)
    }

    /// Waits until a watched source has become readable or writable. It may also return without such an event.
    ///
    /// # Errors
    /// The deadline has passed, a signal asks this process to end, or the system cannot wait.
    pub fn wait(&mut self, deadline: Option<Instant>) -> Result<(), Interrupted> {
        // Callers try before they wait, so a caller whose deadline is over has tried without success. A peer that keeps
        // the loop busy must not postpone the deadline.
        let now = Instant::now();
        let late = deadline.is_some_and(|at| at <= now);
        let wakes = deadline.into_iter().chain(crate::log::debug_until(now)).min();
        let timeout = wakes.map(|at| at.saturating_duration_since(now));
        match self.poller.poll(&mut self.events, timeout) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(e) => return Err(Interrupted::Failed(e)),
        }
        self.parent_moved |= self.events.iter().any(|event| event.token() == PARENT);
        if self.events.iter().any(|event| event.token() == SIGNALS) {
            self.handle_signals()?;
        }
        if late || (self.events.is_empty() && deadline.is_some_and(|at| at <= Instant::now())) {
            return Err(Interrupted::Late);
        }
        Ok(())
    }

    /// Tries `step` until it is ready, and waits between the attempts.
    ///
    /// # Errors
    /// Those of `step`, and those of [`Waiter::wait`].
    pub fn drive<T, E: From<Interrupted>>(
        &mut self,
        deadline: Option<Instant>,
        mut step: impl FnMut() -> Result<Poll<T>, E>,
    ) -> Result<T, E> {
        loop {
            if let Poll::Ready(value) = step()? {
                return Ok(value);
            }
            self.wait(deadline)?;
        }
    }

    fn handle_signals(&mut self) -> Result<(), Interrupted> {
        while let Some(signal) = self.signals.next_signal().map_err(Interrupted::Failed)? {
            match signal {
                Signal::Level(level) => crate::log::change_level(level),
                Signal::End(signal) => return Err(Interrupted::Ended(signal)),
                Signal::Child => {}
            }
        }
        Ok(())
    }
}
