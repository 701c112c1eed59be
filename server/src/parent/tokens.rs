//! The tokens of the parent's poller: one for each source, a range for newcomers and one for children.

use mio::Token;
use nix::unistd::Pid;

pub(super) const SIGNALS: Token = Token(0);
pub(super) const INTERNAL_PORT: Token = Token(1);
pub(super) const LISTENER: Token = Token(2);
pub(super) const CONTROL: Token = Token(3);
pub(super) const RESOLVER: Token = Token(4);
/// Newcomers on the internal port: this number plus the slot.
const NEWCOMERS: usize = 16;
/// A child's channel: this number plus its process ID.
const CHILDREN: usize = 1024;

/// The source of an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    Signals,
    InternalPort,
    Listener,
    Control,
    Resolver,
    /// The newcomer in this slot.
    Newcomer(usize),
    Child(Pid),
}

/// The token of the newcomer in this slot.
pub(super) fn newcomer(slot: usize) -> Token {
    Token(NEWCOMERS + slot)
}

/// The token of a child's channel.
pub(super) fn child(pid: Pid) -> Token {
    Token(usize::try_from(pid.as_raw()).map_or(CHILDREN, |pid| CHILDREN + pid))
}

/// The source that has this token; none for a number that is not in use.
pub(super) fn source(token: Token) -> Option<Source> {
    Some(match token {
        SIGNALS => Source::Signals,
        INTERNAL_PORT => Source::InternalPort,
        LISTENER => Source::Listener,
        CONTROL => Source::Control,
        RESOLVER => Source::Resolver,
        Token(number) if number >= CHILDREN => {
            Source::Child(Pid::from_raw(i32::try_from(number - CHILDREN).ok()?))
        }
        Token(number) => Source::Newcomer(number.checked_sub(NEWCOMERS)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_is_found_by_its_token() {
        for token in [SIGNALS, INTERNAL_PORT, LISTENER, CONTROL, RESOLVER] {
            assert!(!matches!(source(token), None | Some(Source::Newcomer(_) | Source::Child(_))));
        }
        for slot in [0, 9] {
            assert_eq!(source(newcomer(slot)), Some(Source::Newcomer(slot)));
        }
        for pid in [1, 4_194_304].map(Pid::from_raw) {
            assert_eq!(source(child(pid)), Some(Source::Child(pid)));
        }
        assert_eq!(source(Token(NEWCOMERS - 1)), None);
    }
}
