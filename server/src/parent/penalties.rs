//! Penalties for sources whose connections go wrong again and again, as OpenSSH's PerSourcePenalties: each fault adds
//! seconds, seconds pass, and while many are left connections of that source are refused before anything is done for
//! them. Pure: times and addresses in, a decision out.

use super::sources::source;
use common::process::status::Status;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// A source is refused from so much penalty on: single faults of an honest partner are forgotten before.
const LEAST: Duration = Duration::from_secs(15);
/// More does not add up: a source that has mended its ways waits no longer.
const MOST: Duration = Duration::from_mins(10);
/// Sources that are remembered. A new one takes the place of the one whose penalty is over first.
const SOURCES: usize = 10_000;

/// What each source has left to wait.
#[derive(Default)]
pub(super) struct Penalties {
    until: HashMap<IpAddr, Instant>,
}

impl Penalties {
    /// Whether connections of `address` are refused now.
    pub(super) fn refuses(&self, address: IpAddr, now: Instant) -> bool {
        self.until.get(&source(address)).is_some_and(|until| until.saturating_duration_since(now) >= LEAST)
    }

    /// A connection of `address` that was not verified has ended like this.
    pub(super) fn note(&mut self, address: IpAddr, ended: Status, now: Instant) {
        let penalty = penalty(ended);
        if penalty.is_zero() {
            return;
        }
        let source = source(address);
        if self.until.len() >= SOURCES && !self.until.contains_key(&source) {
            self.make_room(now);
        }
        let until = self.until.entry(source).or_insert(now);
        *until = ((*until).max(now) + penalty).min(now + MOST);
    }

    fn make_room(&mut self, now: Instant) {
        self.until.retain(|_, until| *until > now);
        if self.until.len() >= SOURCES {
            let first = self.until.iter().min_by_key(|(_, until)| **until).map(|(source, _)| *source);
            first.and_then(|source| self.until.remove(&source));
        }
    }
}

/// What a fault costs. Nothing: it is ours, or a health check's. Little: a partner's certificate or list is out of
/// date, and its station goes on calling.
fn penalty(ended: Status) -> Duration {
    Duration::from_secs(match ended {
        Status::PartnerViolation | Status::UnknownPartner | Status::NotThisPartner => 10,
        Status::Tls
        | Status::Protocol
        | Status::NoCertificate
        | Status::UnknownCa
        | Status::BadCertificate
        | Status::WeakKey
        | Status::WrongUsage
        | Status::NoSsid
        | Status::Timeout => 5,
        Status::Expired | Status::NotYetValid | Status::Revoked | Status::Disabled | Status::WrongNetwork => {
            2
        }
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::{LEAST, MOST, Penalties, SOURCES};
    use common::process::status::Status;
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::{Duration, Instant};

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from(0xc633_6400 + number).into()
    }

    #[test]
    fn faults_add_up_and_pass() {
        let (mut penalties, start) = (Penalties::default(), Instant::now());
        for _ in 0..2 {
            penalties.note(address(1), Status::Tls, start);
            assert!(!penalties.refuses(address(1), start));
        }
        penalties.note(address(1), Status::Tls, start);
        assert!(penalties.refuses(address(1), start) && !penalties.refuses(address(2), start));
        assert!(!penalties.refuses(address(1), start + Duration::from_secs(1)), "below the least again");
        // One a minute never comes to it: a station that calls with a certificate that has expired.
        let later = |minute: u64| start + Duration::from_mins(1 + minute);
        for minute in 0..10 {
            penalties.note(address(1), Status::NotThisPartner, later(minute));
            assert!(!penalties.refuses(address(1), later(minute)));
        }
    }

    #[test]
    fn there_is_a_most_and_what_is_no_fault_of_the_peer_costs_nothing() {
        let (mut penalties, start) = (Penalties::default(), Instant::now());
        for _ in 0..1_000 {
            penalties.note(address(1), Status::PartnerViolation, start);
            for status in [Status::Probe, Status::Capacity, Status::ClientDown, Status::CrlMissing] {
                penalties.note(address(2), status, start);
            }
        }
        let last = start + MOST.saturating_sub(LEAST);
        assert!(penalties.refuses(address(1), last));
        assert!(!penalties.refuses(address(1), last + Duration::from_secs(1)));
        assert!(!penalties.refuses(address(2), start));
    }

    #[test]
    fn many_sources_take_bounded_memory_and_the_worst_stay() {
        let (mut penalties, start) = (Penalties::default(), Instant::now());
        for _ in 0..9 {
            penalties.note(address(0), Status::Tls, start);
        }
        for number in 1..=u32::try_from(2 * SOURCES).unwrap() {
            penalties.note(address(number), Status::Tls, start);
        }
        assert_eq!(penalties.until.len(), SOURCES);
        assert!(penalties.refuses(address(0), start));
    }
}
