//! The sources of connections: which addresses count as one source, and what is known of it. A source is an address or
//! a small network; above it is a larger network. Pure: times and addresses in, an answer out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

/// How long a source is remembered after it has authenticated.
const MEMORY: Duration = Duration::from_hours(24);
/// Most sources that are remembered; the one that authenticated longest ago is dropped first.
const MOST_KNOWN: usize = 1_000;

/// Sources that have authenticated recently.
#[derive(Default)]
pub(super) struct Known {
    since: HashMap<IpAddr, Instant>,
}

impl Known {
    /// `address` has authenticated at `now`.
    pub(super) fn note(&mut self, address: IpAddr, now: Instant) {
        self.since.insert(source(address), now);
        if self.since.len() > MOST_KNOWN {
            let oldest = self.since.iter().min_by_key(|(_, since)| **since).map(|(source, _)| *source);
            oldest.and_then(|source| self.since.remove(&source));
        }
    }

    /// Whether `address` has authenticated within the last day.
    pub(super) fn has(&self, address: IpAddr, now: Instant) -> bool {
        self.since.get(&source(address)).is_some_and(|since| now.duration_since(*since) < MEMORY)
    }
}

/// What is known of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The operator has banned it; this counts more than anything else.
    Banned,
    /// Nothing is known.
    Stranger,
    /// A partner came from there recently: it has its own log lines, which strangers cannot use up.
    Known,
    /// The partner table lists it. Its network may have many hosts, so its log lines count with those of all strangers.
    Listed,
    /// It is in one of the networks of `proxy_penalty_exempt`, and many hosts may share it.
    Exempt,
    /// It is a balancer, and its connections belong to others: who they are is known once their PROXY header is read.
    Balancer,
}

impl Standing {
    /// Whether it has a place that strangers cannot take.
    pub(super) fn is_known(self) -> bool {
        match self {
            Self::Banned | Self::Stranger => false,
            Self::Known | Self::Listed | Self::Exempt | Self::Balancer => true,
        }
    }
}

/// The source of an address: an IPv4 address, an IPv6 /64.
pub(super) fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The network above a source: an IPv4 /24, an IPv6 /48.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from(u32::from(v4) & !0xff)),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) >> 80 << 80)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Known, MEMORY, MOST_KNOWN, source};
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::{Duration, Instant};

    #[test]
    fn one_source_is_an_ipv4_address_or_an_ipv6_64() {
        let of = |text: &str| source(text.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }

    #[test]
    fn an_authenticated_source_is_known_for_a_day_and_their_number_is_limited() {
        let (mut known, start) = (Known::default(), Instant::now());
        let address = |number: u32| IpAddr::from(Ipv4Addr::from(0xc633_6400 + number));
        known.note(address(0), start);
        assert!(known.has(address(0), start + MEMORY.checked_sub(Duration::from_secs(1)).unwrap()));
        assert!(!known.has(address(0), start + MEMORY) && !known.has(address(1), start));
        for number in 0..=u32::try_from(MOST_KNOWN).unwrap() {
            known.note(address(number), start + Duration::from_secs(number.into()));
        }
        assert_eq!(known.since.len(), MOST_KNOWN);
        assert!(!known.has(address(0), start) && known.has(address(1), start + Duration::from_secs(1)));
    }
}
