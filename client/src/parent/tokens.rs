//! The poller's tokens: each source of events has its own.

use mio::Token;
use nix::unistd::Pid;

pub(super) const SIGNALS: Token = Token(0);
/// The control connection; during a renewal also the one that it replaces.
pub(super) const CONTROL: Token = Token(1);
/// The socket pair to the API worker.
pub(super) const WORKER: Token = Token(2);
/// A join in progress.
pub(super) const JOIN: Token = Token(3);
/// The channel of the API watcher.
pub(super) const WATCHER: Token = Token(4);
/// Local listeners: this number plus the slot.
const LISTENERS: usize = 16;
/// Channels of children: this number plus the process ID.
const CHILDREN: usize = 1024;

/// The source of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Signals,
    Control,
    Worker,
    Join,
    Watcher,
    /// The listener in this slot.
    Listener(usize),
    /// The channel of this child.
    Child(Pid),
}

/// The source that has this token; none for a number that is not in use.
pub(super) fn source(token: Token) -> Option<Source> {
    match token {
        SIGNALS => Some(Source::Signals),
        CONTROL => Some(Source::Control),
        WORKER => Some(Source::Worker),
        JOIN => Some(Source::Join),
        WATCHER => Some(Source::Watcher),
        Token(number @ LISTENERS..CHILDREN) => Some(Source::Listener(number - LISTENERS)),
        Token(number) => {
            let pid = i32::try_from(number.checked_sub(CHILDREN)?).ok()?;
            Some(Source::Child(Pid::from_raw(pid)))
        }
    }
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
    use super::{CONTROL, JOIN, SIGNALS, Source, WATCHER, WORKER, child, listener, source};
    use mio::Token;
    use nix::unistd::Pid;

    #[test]
    fn each_source_is_found_by_its_token() {
        for (token, its) in [
            (SIGNALS, Source::Signals),
            (CONTROL, Source::Control),
            (WORKER, Source::Worker),
            (JOIN, Source::Join),
            (WATCHER, Source::Watcher),
            (listener(0), Source::Listener(0)),
            (listener(256), Source::Listener(256)),
            (child(Pid::from_raw(1)), Source::Child(Pid::from_raw(1))),
            (child(Pid::from_raw(i32::MAX)), Source::Child(Pid::from_raw(i32::MAX))),
        ] {
            assert_eq!(source(token), Some(its));
        }
        for token in [Token(5), Token(15), Token(usize::MAX)] {
            assert_eq!(source(token), None);
        }
    }
}
