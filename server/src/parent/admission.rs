//! Limits: whether partners are served at all, and who may have one more session. `source_limits` decides about
//! connections of which only the address is known. Pure: counts and limits in, a decision out.

use crate::addresses::Addresses;
use crate::messages::SessionLimit;
use common::config::Limits;
use common::link::session_id::Direction;
use common::process::drain::Cause;
use common::process::end_reasons::Status;

/// The state on which a decision depends.
#[derive(Clone, Copy)]
pub(super) struct Conditions<'a> {
    /// Whether a client is joined.
    pub(super) joined: bool,
    /// The limits of the configuration in force; none: there is no configuration.
    pub(super) limits: Option<&'a Limits>,
    /// The generation of the configuration in force.
    pub(super) generation: u64,
    /// Whether the licence is valid.
    pub(super) licensed: bool,
    /// Why no new sessions are taken; none: they are.
    pub(super) draining: Option<Cause>,
    /// What the configuration says about addresses; none: there is no configuration.
    pub(super) addresses: Option<&'a Addresses>,
    /// This host's clock, which decides when a ban ends: seconds since 1970-01-01 UTC.
    pub(super) time: i64,
}

impl<'a> Conditions<'a> {
    /// The limits, if new sessions can be served at all.
    pub(super) fn serving(&self) -> Option<&'a Limits> {
        self.limits.filter(|_| self.joined && self.draining.is_none())
    }
}

/// Why a partner is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EntryRefusal {
    pub(super) status: Status,
    /// A sentence for the log.
    pub(super) reason: &'static str,
}

impl EntryRefusal {
    pub(super) fn new(status: Status, reason: &'static str) -> Self {
        Self { status, reason }
    }
}

/// Whether partners are served at all, and by which limits.
pub(super) fn connection<'a>(conditions: &Conditions<'a>) -> Result<&'a Limits, EntryRefusal> {
    match conditions.limits {
        None => Err(EntryRefusal::new(Status::ClientDown, "there is no configuration")),
        Some(_) if !conditions.licensed => Err(EntryRefusal::new(Status::Licence, "the licence has expired")),
        Some(limits) => Ok(limits),
    }
}

/// Number of sessions of one partner, and of all partners, in one direction.
#[derive(Clone, Copy)]
pub(super) struct Sessions {
    pub(super) of_partner: usize,
    pub(super) all: usize,
}

/// Whether a partner may have one more session; if not, which limit is reached.
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

/// Whether the client may have one more process for outgoing sessions, including parked ones. The limit comes from the
/// configuration, not from the client.
pub(super) fn outgoing_process(limits: &Limits, processes: usize) -> bool {
    processes < limits.outgoing_sessions as usize + limits.most_parked_pairs()
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
            max_parked_pairs: 0,
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
            draining: None,
            addresses: None,
            time: 0,
        };
        for (conditions, status) in [
            (Conditions { limits: None, ..full }, Status::ClientDown),
            (Conditions { licensed: false, ..full }, Status::Licence),
        ] {
            assert_eq!(connection(&conditions).unwrap_err().status, status);
        }
    }

    #[test]
    fn sessions_are_limited_by_partner_and_in_all() {
        let may = |direction, of_partner, all| session(&limits(), direction, Sessions { of_partner, all });
        assert_eq!(may(Direction::Incoming, 1, 3), Ok(()));
        assert_eq!(may(Direction::Incoming, 2, 2), Err(SessionLimit::OfPartner));
        assert_eq!(may(Direction::Incoming, 0, 4), Err(SessionLimit::Incoming));
        // Outgoing sessions are only limited in all, because the station decides which partners it calls.
        assert_eq!(may(Direction::Outgoing, 2, 2), Ok(()));
        assert_eq!(may(Direction::Outgoing, 0, 3), Err(SessionLimit::Outgoing));
        assert!(outgoing_process(&limits(), 3) && !outgoing_process(&limits(), 4));
    }
}
