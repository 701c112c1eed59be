//! Who keeps a place where connections wait that have not proven themselves. Places belong to sources: a source is an
//! address, and above it a network. When all are taken the oldest of the source with the most goes, so that nobody can
//! keep the others out by coming first. Sources that have proven themselves lately have places of their own.
//! Pure: times and addresses in, a decision out.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

/// A source is remembered so long after it has proven itself.
const MEMORY: Duration = Duration::from_hours(24);
/// Sources that are remembered; the one that proved itself longest ago goes first.
const MOST_KNOWN: usize = 1_000;

/// Sources that have proven themselves lately.
#[derive(Default)]
pub(super) struct Known {
    since: HashMap<IpAddr, Instant>,
}

impl Known {
    /// `address` has proven itself at `now`.
    pub(super) fn note(&mut self, address: IpAddr, now: Instant) {
        self.since.insert(source(address), now);
        if self.since.len() > MOST_KNOWN {
            let oldest = self.since.iter().min_by_key(|(_, since)| **since).map(|(source, _)| *source);
            oldest.and_then(|source| self.since.remove(&source));
        }
    }

    /// Whether `address` has proven itself within the last day.
    pub(super) fn has(&self, address: IpAddr, now: Instant) -> bool {
        self.since.get(&source(address)).is_some_and(|since| now.duration_since(*since) < MEMORY)
    }
}

/// One that waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) address: IpAddr,
    pub(super) since: Instant,
    /// Its source has proven itself lately.
    pub(super) known: bool,
}

/// What becomes of one more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// There is room.
    Free,
    /// The one with this index goes, and its place is free.
    Instead(usize),
    /// All are taken by known ones.
    Taken,
}

/// A place for one more: of `all` places strangers may have all but `reserved`.
pub(super) fn assign(waiting: &[Waiting], known: bool, all: usize, reserved: usize) -> Place {
    let strangers = waiting.iter().filter(|one| !one.known).count();
    if waiting.len() < all && (known || strangers < all.saturating_sub(reserved)) {
        return Place::Free;
    }
    // A known one takes the place of a stranger, and a stranger never that of a known one.
    let candidates = |one: &&Waiting| !one.known || (known && strangers == 0);
    most(waiting, candidates).map_or(Place::Taken, Place::Instead)
}

/// The oldest of the source with the most among those that `is_candidate` chooses.
pub(super) fn most(waiting: &[Waiting], is_candidate: impl Fn(&&Waiting) -> bool) -> Option<usize> {
    let (mut of_network, mut of_source) = (HashMap::new(), HashMap::new());
    for one in waiting.iter().filter(&is_candidate) {
        *of_network.entry(network(one.address)).or_insert(0) += 1;
        *of_source.entry(source(one.address)).or_insert(0) += 1;
    }
    let count = |counts: &HashMap<IpAddr, usize>, key| counts.get(&key).copied();
    let chosen = waiting.iter().enumerate().filter(|(_, one)| is_candidate(one)).max_by_key(|(_, one)| {
        let (network, source) = (network(one.address), source(one.address));
        (count(&of_network, network), count(&of_source, source), Reverse(one.since))
    });
    chosen.map(|(index, _)| index)
}

/// What counts as one source: an IPv4 address, an IPv6 /64.
pub(super) fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The network above a source: an IPv4 /24, an IPv6 /48.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from(u32::from(v4) & !0xff)),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) >> 80 << 80)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Known, MEMORY, MOST_KNOWN, Place, Waiting, assign, source};
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::{Duration, Instant};

    /// In the order of their coming.
    fn waiting(start: Instant, addresses: &[&str]) -> Vec<Waiting> {
        let one = |(second, text): (u64, &&str)| Waiting {
            address: text.parse().unwrap(),
            since: start + Duration::from_secs(second),
            known: false,
        };
        (0..).zip(addresses).map(one).collect()
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
    fn there_is_room_until_the_strangers_places_are_taken() {
        let start = Instant::now();
        let three = waiting(start, &["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
        assert_eq!(assign(&three, false, 5, 1), Place::Free);
        assert_eq!(assign(&three, false, 4, 1), Place::Instead(0), "one place is reserved");
        assert_eq!(assign(&three, true, 4, 1), Place::Free);
        assert_eq!(assign(&three, true, 3, 1), Place::Instead(0));
        assert_eq!(assign(&[], false, 1, 0), Place::Free);
    }

    #[test]
    fn the_oldest_of_the_source_with_the_most_goes() {
        let start = Instant::now();
        // The honest one came first, and stays however often the other comes.
        let one = waiting(start, &["192.0.2.7", "192.0.2.1", "192.0.2.1", "192.0.2.1"]);
        assert_eq!(assign(&one, false, 4, 0), Place::Instead(1));
        // One network with many addresses counts as much as one address.
        let many =
            waiting(start, &["203.0.113.1", "198.51.100.1", "198.51.100.2", "198.51.100.3", "203.0.113.1"]);
        assert_eq!(assign(&many, false, 5, 0), Place::Instead(1));
        let six = waiting(start, &["2001:db8:1::1", "2001:db8:2:1::1", "2001:db8:2:2::1", "2001:db8:2:1::2"]);
        assert_eq!(assign(&six, false, 4, 0), Place::Instead(1), "two of one /64 in the larger /48");
    }

    #[test]
    fn a_stranger_never_takes_the_place_of_a_known_one() {
        let start = Instant::now();
        let mut all = waiting(start, &["192.0.2.1", "192.0.2.1", "198.51.100.1"]);
        for one in &mut all[..2] {
            one.known = true;
        }
        assert_eq!(assign(&all, false, 3, 1), Place::Instead(2));
        all[2].known = true;
        assert_eq!(assign(&all, true, 3, 1), Place::Instead(0));
        assert_eq!(assign(&all, false, 3, 1), Place::Taken);
    }

    #[test]
    fn who_has_proven_itself_is_known_for_a_day_and_there_is_a_bound() {
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
