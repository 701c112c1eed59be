//! Penalties for sources whose connections fail repeatedly, like OpenSSH's PerSourcePenalties: each fault adds seconds,
//! and the seconds run down. While a source has many seconds left, its connections are refused at once. Pure: times and
//! addresses in, a decision out.

use super::known_sources::source;
use common::process::end_reasons::Status;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// From this penalty on a source is refused. Single faults of an honest partner run down before.
const LEAST: Duration = Duration::from_secs(15);
/// The penalty does not grow further, so that a source without new faults waits no longer than this.
const MOST: Duration = Duration::from_mins(10);
/// Most sources that are remembered.
const SOURCES: usize = 10_000;
/// How many of them are dropped at a time when there is no room. This looks at all of them, so it must be rare.
const ROOM: usize = SOURCES / 10;

/// The remaining penalty of each source.
#[derive(Default)]
pub(super) struct Penalties {
    until: HashMap<IpAddr, Instant>,
}

impl Penalties {
    /// Whether connections of `address` are refused now.
    pub(super) fn refuses(&self, address: IpAddr, now: Instant) -> bool {
        self.until.get(&source(address)).is_some_and(|until| until.saturating_duration_since(now) >= LEAST)
    }

    /// A connection of `address` has ended with this status before it was verified.
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

    /// Makes at least `ROOM` places: forgets the penalties that are over, and then those that are over first.
    fn make_room(&mut self, now: Instant) {
        self.until.retain(|_, until| *until > now);
        let mut surplus = self.until.len().saturating_sub(SOURCES - ROOM);
        if surplus == 0 {
            return;
        }
        let mut ends: Vec<Instant> = self.until.values().copied().collect();
        let (_, last, _) = ends.select_nth_unstable(surplus - 1);
        self.until.retain(|_, until| {
            let goes = *until <= *last && surplus > 0;
            surplus -= usize::from(goes);
            !goes
        });
    }
}

/// The penalty for a fault. None if the fault is ours, or for a health check. A small one if a partner's certificate or
/// CRL is out of date, because its station goes on calling.
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
    use super::{LEAST, MOST, Penalties, ROOM, SOURCES};
    use common::process::end_reasons::Status;
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
        // One fault a minute never reaches the limit: a station that calls with an expired certificate.
        let later = |minute: u64| start + Duration::from_mins(1 + minute);
        for minute in 0..10 {
            penalties.note(address(1), Status::NotThisPartner, later(minute));
            assert!(!penalties.refuses(address(1), later(minute)));
        }
    }

    #[test]
    fn penalties_are_limited_and_a_fault_of_ours_costs_nothing() {
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
    fn the_memory_for_many_sources_is_limited_and_the_worst_stay() {
        let (mut penalties, start) = (Penalties::default(), Instant::now());
        for _ in 0..9 {
            penalties.note(address(0), Status::Tls, start);
        }
        for number in 1..=u32::try_from(2 * SOURCES).unwrap() {
            penalties.note(address(number), Status::Tls, start);
        }
        assert!((SOURCES - ROOM..=SOURCES).contains(&penalties.until.len()), "{}", penalties.until.len());
        assert!(penalties.refuses(address(0), start));
    }

    #[test]
    fn room_is_made_for_many_even_if_one_penalty_is_over() {
        let (mut penalties, start) = (Penalties::default(), Instant::now());
        let second = Duration::from_secs(1);
        penalties.note(address(0), Status::Tls, start);
        for number in 1..u32::try_from(SOURCES).unwrap() {
            penalties.note(address(number), Status::Tls, start + second);
        }
        penalties.note(address(99_999), Status::Tls, start + 5 * second);
        assert_eq!(penalties.until.len(), SOURCES - ROOM + 1);
    }
}
