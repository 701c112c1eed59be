//! Who keeps a place where connections wait that have not proven themselves. Places belong to sources: when all are
//! taken the oldest of the source with the most goes, so that nobody can keep the others out by coming first. Sources
//! that have proven themselves lately have places of their own. Pure: times and addresses in, a decision out.

use super::sources::{network, source};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

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

#[cfg(test)]
mod tests {
    use super::{Place, Waiting, assign};
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
}
