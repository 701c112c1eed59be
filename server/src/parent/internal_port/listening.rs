//! When the internal port listens: while a connection is expected and for a short time after that. Also handles a
//! change that the system has refused.

use std::time::{Duration, Instant};

/// How long it goes on listening: when sessions follow each other, each pair would otherwise close and open the port.
pub(super) const LINGER: Duration = Duration::from_millis(100);
/// How often, and for how long, the port listens while a client is joined and none stands by: longer than the pause of
/// a client between two attempts to connect.
const INVITE_EVERY: Duration = Duration::from_secs(5);
const INVITE_FOR: Duration = Duration::from_millis(300);
/// Pause before a refused change is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The times at which the port listens for a client that wants to stand by.
#[derive(Default)]
pub(super) struct Invitation {
    /// When the current or the next one begins; none: another client is not wanted now.
    begins: Option<Instant>,
}

impl Invitation {
    /// Whether one is open. `wanted`: a client is joined, and none stands by.
    pub(super) fn is_open(&mut self, wanted: bool, now: Instant) -> bool {
        if !wanted {
            self.begins = None;
            return false;
        }
        let begins = *self.begins.get_or_insert(now + INVITE_EVERY);
        if now < begins + INVITE_FOR {
            return now >= begins;
        }
        self.begins = Some(now + INVITE_EVERY);
        false
    }

    /// When the answer of `is_open` changes.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        self.begins.map(|begins| if now < begins { begins } else { begins + INVITE_FOR })
    }
}

/// Whether the port listens, and when that changes.
pub(super) struct Listening {
    state: State,
    /// Since when no connection has been expected.
    idle_since: Option<Instant>,
}

#[derive(Clone, Copy)]
enum State {
    On,
    Off,
    /// A change was refused and may be half done.
    Refused {
        wanted: bool,
        retry_at: Instant,
    },
}

impl Listening {
    /// A port that listens.
    pub(super) fn begun() -> Self {
        Self { state: State::On, idle_since: None }
    }

    pub(super) fn is_on(&self) -> bool {
        matches!(self.state, State::On)
    }

    /// When `next` must be called again, if nothing happens before.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.state {
            State::Refused { retry_at, .. } => Some(retry_at),
            State::On | State::Off => self.idle_since.map(|since| since + LINGER),
        }
    }

    /// The change that must be made now. If the port could not be opened, this is tried until it succeeds, even if the
    /// expected process has given up meanwhile: then the next process finds it open. After a refused change, the next
    /// change is made in any case, because the refused one may be half done.
    pub(super) fn next(&mut self, awaited: bool, now: Instant) -> Option<bool> {
        match self.state {
            State::On if awaited => {
                self.idle_since = None;
                None
            }
            State::On => {
                let lingers = now < *self.idle_since.get_or_insert(now) + LINGER;
                (!lingers).then_some(false)
            }
            State::Off => awaited.then_some(true),
            State::Refused { wanted: refused, retry_at } => {
                let wanted = awaited || refused;
                (wanted != refused || now >= retry_at).then_some(wanted)
            }
        }
    }

    /// The system has made this change, or refused it; returns whether to log that.
    pub(super) fn note(&mut self, on: bool, done: bool, now: Instant) -> bool {
        let news = !done && !matches!(self.state, State::Refused { .. });
        self.idle_since = None;
        self.state = match (done, on) {
            (true, true) => State::On,
            (true, false) => State::Off,
            (false, wanted) => State::Refused { wanted, retry_at: now + RETRY },
        };
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_invites_a_standby_for_a_moment_every_five_seconds() {
        let (mut invitation, start) = (Invitation::default(), Instant::now());
        assert!(!invitation.is_open(false, start) && invitation.due(start).is_none());
        assert!(!invitation.is_open(true, start));
        let first = start + INVITE_EVERY;
        assert_eq!(invitation.due(start), Some(first));
        assert!(invitation.is_open(true, first));
        assert_eq!(invitation.due(first), Some(first + INVITE_FOR));
        assert!(!invitation.is_open(true, first + INVITE_FOR));
        assert_eq!(invitation.due(first + INVITE_FOR), Some(first + INVITE_FOR + INVITE_EVERY));
        // One has come, and is gone again: the time starts again.
        assert!(!invitation.is_open(false, first + INVITE_EVERY) && invitation.due(first).is_none());
        assert!(!invitation.is_open(true, first + INVITE_EVERY));
    }

    fn closed() -> Listening {
        Listening { state: State::Off, idle_since: None }
    }

    #[test]
    fn it_closes_after_a_short_time_without_an_expected_connection() {
        let (mut port, now) = (Listening::begun(), Instant::now());
        assert_eq!((port.next(true, now), port.due()), (None, None));
        assert_eq!((port.next(false, now), port.due()), (None, Some(now + LINGER)));
        // A connection is expected again: the time starts again.
        let later = now + LINGER / 2;
        assert_eq!((port.next(true, later), port.due()), (None, None));
        assert_eq!(port.next(false, later), None);
        assert_eq!(port.next(false, now + LINGER), None);
        assert_eq!(port.next(false, later + LINGER), Some(false));
        assert!(!port.note(false, true, later + LINGER));
        assert_eq!((port.is_on(), port.next(false, later + LINGER), port.due()), (false, None, None));
    }

    #[test]
    fn a_port_that_could_not_be_opened_is_tried_each_second_even_if_nobody_waits_any_more() {
        let (mut port, now) = (closed(), Instant::now());
        assert_eq!(port.next(true, now), Some(true));
        assert!(port.note(true, false, now), "logged");
        for second in 1..4 {
            let retry = now + RETRY * second;
            assert_eq!(
                (port.next(false, retry.checked_sub(LINGER).unwrap()), port.due()),
                (None, Some(retry))
            );
            assert_eq!(port.next(false, retry), Some(true));
            assert!(!port.note(true, false, retry), "logged once");
        }
        let last = now + RETRY * 4;
        assert_eq!(port.next(false, last), Some(true));
        port.note(true, true, last);
        assert_eq!((port.is_on(), port.due()), (true, None));
        assert_eq!((port.next(false, last), port.due()), (None, Some(last + LINGER)));
    }

    #[test]
    fn after_a_refused_change_the_next_one_is_made_in_any_case() {
        let (mut port, now) = (Listening::begun(), Instant::now());
        port.next(false, now);
        let later = now + LINGER;
        assert_eq!(port.next(false, later), Some(false));
        assert!(port.note(false, false, later));
        assert_eq!((port.is_on(), port.next(false, later), port.due()), (false, None, Some(later + RETRY)));
        // A connection is expected; the port may have stopped listening.
        assert_eq!(port.next(true, later), Some(true));
        assert!(!port.note(true, true, later));
        assert_eq!((port.is_on(), port.next(true, later), port.due()), (true, None, None));
    }
}
