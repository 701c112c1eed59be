//! Limits: whether partners are served at all, and who may have one more session. Who may come in before anything is
//! known of a peer but its address is decided in `screening`. Pure: counts and limits in, a decision out.

use crate::addresses::Addresses;
use crate::messages::SessionLimit;
use common::config::Limits;
use common::link::session_id::Direction;
use common::process::status::Status;

/// What is in force while a decision is made.
#[derive(Clone, Copy)]
pub(super) struct Conditions<'a> {
    /// A client is joined.
    pub(super) joined: bool,
    /// The limits of the configuration in force; none: there is no configuration.
    pub(super) limits: Option<&'a Limits>,
    /// Its generation.
    pub(super) generation: u64,
    /// The licence has not expired.
    pub(super) licensed: bool,
    /// What the configuration says of addresses; none: there is none.
    pub(super) addresses: Option<&'a Addresses>,
    /// By the clock of this host, which bans end by: seconds since 1970-01-01 UTC.
    pub(super) time: i64,
}

impl<'a> Conditions<'a> {
    /// The limits, if sessions can be served at all.
    pub(super) fn serving(&self) -> Option<&'a Limits> {
        self.limits.filter(|_| self.joined)
    }
}

/// Why a connection is refused.
pub(super) type Refusal = (Status, &'static str);

/// Whether partners are served at all, and by which limits.
pub(super) fn connection<'a>(conditions: &Conditions<'a>) -> Result<&'a Limits, Refusal> {
    match conditions.limits {
        None => Err((Status::ClientDown, "there is no configuration")),
        Some(_) if !conditions.licensed => Err((Status::Licence, "the licence has expired")),
        Some(limits) => Ok(limits),
    }
}

/// Sessions that a partner has, and all have, in one direction.
#[derive(Clone, Copy)]
pub(super) struct Sessions {
    pub(super) of_partner: usize,
    pub(super) all: usize,
}

/// Whether a partner may have one more session; if not, which limit it is.
pub(super) fn session(limits: &Limits, direction: Direction, sessions: Sessions) -> Result<(), SessionLimit> {
    let (all, limit) = match direction {
        Direction::Incoming if sessions.of_partner >= limits.sessions_per_partner as usize => {
            return Err(SessionLimit::OfPartner);
        }
        Direction::Incoming => (limits.sessions, SessionLimit::Incoming),
        Direction::Outgoing => (limits.outgoing_sessions, SessionLimit::Outgoing),
    };
    if sessions.all < all as usize { Ok(()) } else { Err(limit) }
}

/// Whether the client may have one more process for outgoing sessions, parked ones included. The configuration says how
/// many there may be, whatever the client asks for.
pub(super) fn outgoing_process(limits: &Limits, processes: usize) -> bool {
    processes < limits.outgoing_sessions as usize + limits.parked_pairs as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            sessions: 4,
            sessions_per_partner: 2,
            outgoing_sessions: 3,
            parked_pairs: 1,
            ..Limits::default()
        }
    }

    #[test]
    fn without_configuration_or_licence_nobody_comes_in() {
        let limits = limits();
        let full = Conditions {
            joined: true,
            limits: Some(&limits),
            generation: 1,
            licensed: true,
            addresses: None,
            time: 0,
        };
        for (conditions, status) in [
            (Conditions { limits: None, ..full }, Status::ClientDown),
            (Conditions { licensed: false, ..full }, Status::Licence),
        ] {
            assert_eq!(connection(&conditions).unwrap_err().0, status);
        }
    }

    #[test]
    fn sessions_are_limited_by_partner_and_in_all() {
        let may = |direction, of_partner, all| session(&limits(), direction, Sessions { of_partner, all });
        assert_eq!(may(Direction::Incoming, 1, 3), Ok(()));
        assert_eq!(may(Direction::Incoming, 2, 2), Err(SessionLimit::OfPartner));
        assert_eq!(may(Direction::Incoming, 0, 4), Err(SessionLimit::Incoming));
        // Outgoing sessions are limited in all: the station decides whom it calls.
        assert_eq!(may(Direction::Outgoing, 2, 2), Ok(()));
        assert_eq!(may(Direction::Outgoing, 0, 3), Err(SessionLimit::Outgoing));
        assert!(outgoing_process(&limits(), 3) && !outgoing_process(&limits(), 4));
    }
}
