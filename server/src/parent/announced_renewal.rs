//! The renewal of the control connection: the client announces it on the old connection, and then connects again. Pure.

use common::link::ticket::Ticket;
use std::time::{Duration, Instant};

/// Longest time of an announced renewal.
const RENEWAL: Duration = Duration::from_secs(10);

/// An announced renewal: the client will connect again and prove with this secret that it is the same client.
#[derive(Default)]
pub(super) struct Renewal(Option<(Ticket, Instant)>);

impl Renewal {
    /// The client announces that it renews its connection.
    pub(super) fn announce(&mut self, secret: Ticket, now: Instant) {
        self.0 = Some((secret, now + RENEWAL));
    }

    /// Drops an announcement whose time is over.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.due().is_some_and(|until| until <= now) {
            self.0 = None;
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.0.as_ref().map(|(_, until)| *until)
    }

    pub(super) fn secret(&self) -> Option<&Ticket> {
        self.0.as_ref().map(|(secret, _)| secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_that_does_not_come_is_forgotten_and_the_last_announcement_counts() {
        let (mut renewal, now) = (Renewal::default(), Instant::now());
        renewal.expire(now);
        assert_eq!((renewal.due(), renewal.secret().is_none()), (None, true));
        let (first, second) = (Ticket::random().unwrap(), Ticket::random().unwrap());
        renewal.announce(first, now);
        renewal.announce(second.clone(), now + RENEWAL / 2);
        renewal.expire(now + RENEWAL);
        assert_eq!(renewal.secret(), Some(&second));
        renewal.expire(now + RENEWAL + RENEWAL / 2);
        assert_eq!(renewal.secret(), None);
    }
}
