//! The places for connections that are not verified yet. Places belong to sources: if all are taken, the oldest
//! connection of the source with the most connections is closed, so that no source can keep others out by coming first.
//! Sources that were verified recently have their own places. Pure: times and addresses in, a decision out.

use super::known_sources::{network, source};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

/// A connection that waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) address: IpAddr,
    pub(super) since: Instant,
    /// Whether its source has authenticated recently.
    pub(super) known: bool,
}

/// The decision about one more connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// There is room.
    Free,
    /// The connection with this index is closed, and its place is free.
    Instead(usize),
    /// All places are taken by known sources.
    Taken,
}

/// A place for one more connection: of `all` places strangers may have all except `reserved`.
pub(super) fn assign(waiting: &[Waiting], known: bool, all: usize, reserved: usize) -> Place {
    let strangers = waiting.iter().filter(|one| !one.known).count();
    if waiting.len() < all && (known || strangers < all.saturating_sub(reserved)) {
        return Place::Free;
    }
    // A known source may take the place of a stranger, but never the other way round.
    let candidates = |one: &&Waiting| !one.known || (known && strangers == 0);
    most(waiting, candidates).map_or(Place::Taken, Place::Instead)
}

/// The oldest connection of the source with the most connections, among those that `is_candidate` accepts.
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

#[cfg(test)]
mod tests {
    use super::{Place, Waiting, assign};
    use std::time::{Duration, Instant};

    /// Connections in the order in which they came.
    fn waiting(start: Instant, addresses: &[&str]) -> Vec<Waiting> {
        let one = |(second, text): (u64, &&str)| Waiting {
            address: text.parse().unwrap(),
            since: start + Duration::from_secs(second),
            known: false,
        };
        (0..).zip(addresses).map(one).collect()
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
        // The honest source came first, and stays however often the other one connects.
        let one = waiting(start, &["192.0.2.7", "192.0.2.1", "192.0.2.1", "192.0.2.1"]);
        assert_eq!(assign(&one, false, 4, 0), Place::Instead(1));
        // A network with many addresses counts as one source.
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
}
