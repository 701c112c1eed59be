//! The poller's tokens: each source of events has its own.

use super::place::{MOST, Place};
use mio::Token;
use nix::unistd::Pid;

pub(super) const SIGNALS: Token = Token(0);
/// The socket pair to the API worker.
pub(super) const WORKER: Token = Token(1);
/// The channel of the API watcher.
pub(super) const WATCHER: Token = Token(2);
/// Control connections: this number plus the server's place; during a renewal also the one that is replaced.
const CONTROLS: usize = 16;
/// Joins in progress: this number plus the server's place.
const JOINS: usize = CONTROLS + MOST;
/// Local listeners: this number plus the slot.
const LISTENERS: usize = JOINS + MOST;
/// Channels of children: this number plus the process ID.
const CHILDREN: usize = 1024;

/// The source of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Signals,
    Worker,
    Watcher,
    /// The control connection to this server.
    Control(Place),
    /// The join of this server.
    Join(Place),
    /// The listener in this slot.
    Listener(usize),
    /// The channel of this child.
    Child(Pid),
}

/// The source that has this token; none for a number that is not in use.
pub(super) fn source(token: Token) -> Option<Source> {
    match token {
        SIGNALS => Some(Source::Signals),
        WORKER => Some(Source::Worker),
        WATCHER => Some(Source::Watcher),
        Token(number @ CONTROLS..JOINS) => Some(Source::Control(Place(number - CONTROLS))),
        Token(number @ JOINS..LISTENERS) => Some(Source::Join(Place(number - JOINS))),
        Token(number @ LISTENERS..CHILDREN) => Some(Source::Listener(number - LISTENERS)),
        Token(number) => {
            let pid = i32::try_from(number.checked_sub(CHILDREN)?).ok()?;
            Some(Source::Child(Pid::from_raw(pid)))
        }
    }
}

/// The token of the control connection to this server.
pub(super) fn control(place: Place) -> Token {
    Token(CONTROLS + place.0)
}

/// The token of the join of this server.
pub(super) fn join(place: Place) -> Token {
    Token(JOINS + place.0)
}

/// The token of the listener in this slot.
pub(super) fn listener(slot: usize) -> Token {
    Token(LISTENERS + slot)
}

/// The token of a child's channel.
pub(super) fn child(pid: Pid) -> Token {
    Token(CHILDREN + usize::try_from(pid.as_raw()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{SIGNALS, Source, WATCHER, WORKER, child, control, join, listener, source};
    use crate::parent::place::{MOST, Place};
    use mio::Token;
    use nix::unistd::Pid;

    #[test]
    fn each_source_is_found_by_its_token() {
        for (token, its) in [
            (SIGNALS, Source::Signals),
            (control(Place(0)), Source::Control(Place(0))),
            (control(Place(MOST - 1)), Source::Control(Place(MOST - 1))),
            (WORKER, Source::Worker),
            (join(Place(0)), Source::Join(Place(0))),
            (join(Place(MOST - 1)), Source::Join(Place(MOST - 1))),
            (WATCHER, Source::Watcher),
            (listener(0), Source::Listener(0)),
            (listener(256), Source::Listener(256)),
            (child(Pid::from_raw(1)), Source::Child(Pid::from_raw(1))),
            (child(Pid::from_raw(i32::MAX)), Source::Child(Pid::from_raw(i32::MAX))),
        ] {
            assert_eq!(source(token), Some(its));
        }
        for token in [Token(3), Token(15), Token(usize::MAX)] {
            assert_eq!(source(token), None);
        }
    }
}
