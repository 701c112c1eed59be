//! Limits: who may come in before anything is known of a peer but its address, and who may have one more session.
//! Pure: counts and limits in, a decision out.

use common::config::Limits;
use common::link::session_id::Direction;
use common::process::status::Status;
use std::net::{IpAddr, Ipv6Addr};

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
}

impl<'a> Conditions<'a> {
    /// The limits, if sessions can be served at all.
    pub(super) fn serving(&self) -> Option<&'a Limits> {
        self.limits.filter(|_| self.joined)
    }
}

/// Connections whose peer is not verified yet.
#[derive(Clone, Copy)]
pub(super) struct Unverified {
    pub(super) all: usize,
    /// Those of the source in question.
    pub(super) of_source: usize,
}

/// Why a connection is refused.
pub(super) type Refusal = (Status, &'static str);

/// Whether one more partner may connect. Between the soft and the hard limit some are refused at random, as OpenSSH's
/// `MaxStartups` does; `chance`: a random octet.
pub(super) fn connection(
    conditions: &Conditions<'_>,
    unverified: Unverified,
    chance: u8,
) -> Result<(), Refusal> {
    let full = |reason| Err((Status::Capacity, reason));
    let Some(limits) = conditions.limits else {
        return Err((Status::ClientDown, "there is no configuration"));
    };
    if !conditions.licensed {
        return Err((Status::Licence, "the licence has expired"));
    }
    let (soft, hard) = (limits.unverified_soft as usize, limits.unverified_hard as usize);
    let early = unverified.all >= soft
        && hard > soft
        && usize::from(chance) < (unverified.all - soft) * 256 / (hard - soft);
    if unverified.all >= hard || early {
        return full("too many connections that are not verified");
    }
    if unverified.of_source >= limits.unverified_per_address as usize {
        return full("too many connections of this address that are not verified");
    }
    Ok(())
}

/// Sessions that a partner has, and all have, in one direction.
#[derive(Clone, Copy)]
pub(super) struct Sessions {
    pub(super) of_partner: usize,
    pub(super) all: usize,
}

/// Whether a partner may have one more session.
pub(super) fn session(limits: &Limits, direction: Direction, sessions: Sessions) -> bool {
    match direction {
        Direction::Incoming => {
            sessions.of_partner < limits.sessions_per_partner as usize
                && sessions.all < limits.sessions as usize
        }
        Direction::Outgoing => sessions.all < limits.outgoing_sessions as usize,
    }
}

/// Whether the client may have one more process for outgoing sessions, parked ones included. The configuration says how
/// many there may be, whatever the client asks for.
pub(super) fn outgoing_process(limits: &Limits, processes: usize) -> bool {
    processes < limits.outgoing_sessions as usize + limits.parked_pairs as usize
}

/// What counts as one source: an IPv4 address, an IPv6 /64.
pub(super) fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            unverified_soft: 10,
            unverified_hard: 20,
            unverified_per_address: 5,
            sessions: 4,
            sessions_per_partner: 2,
            outgoing_sessions: 3,
            parked_pairs: 1,
            ..Limits::default()
        }
    }

    fn connection_at(all: usize, of_source: usize, chance: u8) -> Result<(), Status> {
        let limits = limits();
        let conditions = Conditions { joined: true, limits: Some(&limits), generation: 1, licensed: true };
        connection(&conditions, Unverified { all, of_source }, chance).map_err(|(status, _)| status)
    }

    #[test]
    fn one_source_is_an_ipv4_address_or_an_ipv6_64() {
        let of = |text: &str| source(text.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }

    #[test]
    fn nobody_is_refused_below_the_soft_limit_and_everybody_at_the_hard_one() {
        assert_eq!(connection_at(9, 4, 0), Ok(()));
        // At the soft limit itself the chance is nought.
        assert_eq!(connection_at(10, 0, 0), Ok(()));
        for chance in [0, 127, 255] {
            assert_eq!(connection_at(20, 0, chance), Err(Status::Capacity));
        }
    }

    #[test]
    fn between_the_limits_the_chance_of_a_refusal_grows() {
        let refused = |all| (0..=255).filter(|chance| connection_at(all, 0, *chance).is_err()).count();
        assert_eq!([10, 15, 19].map(refused), [0, 128, 230]);
    }

    #[test]
    fn a_soft_limit_at_or_above_the_hard_one_is_none() {
        let limits = Limits { unverified_soft: 20, ..limits() };
        let conditions = Conditions { joined: true, limits: Some(&limits), generation: 1, licensed: true };
        assert!(connection(&conditions, Unverified { all: 19, of_source: 0 }, 0).is_ok());
        assert!(connection(&conditions, Unverified { all: 20, of_source: 0 }, 255).is_err());
    }

    #[test]
    fn one_source_has_a_limit_of_its_own() {
        assert_eq!(connection_at(5, 4, 255), Ok(()));
        assert_eq!(connection_at(5, 5, 255), Err(Status::Capacity));
    }

    #[test]
    fn without_configuration_or_licence_nobody_comes_in() {
        let limits = limits();
        let none = Unverified { all: 0, of_source: 0 };
        let full = Conditions { joined: true, limits: Some(&limits), generation: 1, licensed: true };
        for (conditions, status) in [
            (Conditions { limits: None, ..full }, Status::ClientDown),
            (Conditions { licensed: false, ..full }, Status::Licence),
        ] {
            assert_eq!(connection(&conditions, none, 255).unwrap_err().0, status);
        }
    }

    #[test]
    fn sessions_are_limited_by_partner_and_in_all() {
        let may = |direction, of_partner, all| session(&limits(), direction, Sessions { of_partner, all });
        assert!(may(Direction::Incoming, 1, 3));
        assert!(!may(Direction::Incoming, 2, 2));
        assert!(!may(Direction::Incoming, 0, 4));
        // Outgoing sessions are limited in all: the station decides whom it calls.
        assert!(may(Direction::Outgoing, 2, 2));
        assert!(!may(Direction::Outgoing, 0, 3));
        assert!(outgoing_process(&limits(), 3) && !outgoing_process(&limits(), 4));
    }
}
