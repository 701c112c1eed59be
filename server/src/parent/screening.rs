//! Who may come in at the TLS port before anything is known of a peer but its address: penalties for what its source
//! did before, a bound for one source, and places that are shared among all. Pure: times and addresses in, a decision
//! out.

use super::admission::{self, Conditions, Refusal};
use super::penalties::Penalties;
use super::places::{self, Place, Waiting};
use super::refusal_lines::RefusalLines;
use super::sources::{Known, Standing, source};
use crate::addresses::Addresses;
use common::config::Limits;
use common::process::status::Status;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// From the soft limit on, who is not verified after so long makes way for a newcomer.
const STALLED: Duration = Duration::from_secs(5);

/// What is remembered of sources.
#[derive(Default)]
pub(super) struct Screening {
    known: Known,
    penalties: Penalties,
    lines: RefusalLines,
    counts: Counts,
}

/// What was done to strangers since this was last told.
#[derive(Default, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    /// Connections that made way for others.
    pub(super) displaced: u64,
    /// Connections that were refused because of a ban.
    pub(super) banned: u64,
    /// Connections that were refused because of penalties.
    pub(super) penalized: u64,
    /// Refusals without a line.
    pub(super) left_out: u64,
}

impl Counts {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A place for a newcomer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The waiting one with this index makes way.
    pub(super) instead: Option<usize>,
    /// If the newcomer is refused, that may have a line in the log.
    pub(super) has_line: bool,
}

/// Somebody who was let in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// A refusal may have a line.
    pub(super) has_line: bool,
}

impl Screening {
    /// Whether `address` may come in; `waiting`: who is in and not verified.
    pub(super) fn enter(
        &mut self,
        address: IpAddr,
        waiting: &[Waiting],
        conditions: &Conditions<'_>,
        now: Instant,
    ) -> Result<Entry, Refusal> {
        let limits = admission::connection(conditions)?;
        // A ban is the operator's own word: it overrides whatever else is known of a source, and is no penalty.
        if is_banned(address, conditions) {
            self.counts.banned += 1;
            return Err((Status::Banned, "the operator has banned this source ('os4xapi ban list')"));
        }
        let standing = self.standing(address, conditions, now);
        let known = standing != Standing::Stranger;
        if !known && self.penalties.refuses(address, now) {
            self.counts.penalized += 1;
            return Err((
                Status::Penalty,
                "too many connections of this source have gone wrong lately; it may come back within minutes",
            ));
        }
        let of_source = waiting.iter().filter(|one| source(one.address) == source(address)).count();
        if !known && of_source >= limits.unverified_per_address as usize {
            return Err((
                Status::Capacity,
                "too many connections of this address that are not verified (proxy_unverified_per_address)",
            ));
        }
        let instead = place(waiting, known, limits, now)?;
        self.counts.displaced += u64::from(instead.is_some());
        Ok(Entry { instead, has_line: self.lines.take(address, standing, now) })
    }

    /// Whether a refusal of `address` may have a line; if so, it counts as written.
    pub(super) fn take_line(&mut self, address: IpAddr, conditions: &Conditions<'_>, now: Instant) -> bool {
        let standing = self.standing(address, conditions, now);
        self.lines.take(address, standing, now)
    }

    /// A refusal had no line.
    pub(super) fn leave_out(&mut self) {
        self.lines.leave_out();
    }

    /// A partner's session has been admitted: the line of a refusal was not needed, if it had one.
    pub(super) fn note_partner(&mut self, peer: Peer, now: Instant) {
        self.known.note(peer.address.ip(), now);
        if peer.has_line {
            self.lines.give_back(peer.address.ip());
        }
    }

    /// A partner was called there, and a session has begun: it is known under this address when it calls.
    pub(super) fn note_called(&mut self, address: IpAddr, now: Instant) {
        self.known.note(address, now);
    }

    /// A connection has ended whose peer was no partner. `ended`: none if its process crashed.
    pub(super) fn note_refused(&mut self, peer: Peer, ended: Option<Status>, now: Instant) {
        if let Some(ended) = ended {
            self.penalties.note(peer.address.ip(), ended, now);
        }
        match (peer.has_line, ended) {
            // Probes have a count of their own.
            (true, Some(Status::Probe)) => self.lines.give_back(peer.address.ip()),
            (false, Some(Status::Probe)) | (true, _) => {}
            (false, _) => self.lines.leave_out(),
        }
    }

    /// What was done since this was last asked.
    pub(super) fn take_counts(&mut self) -> Counts {
        Counts { left_out: self.lines.take_left_out(), ..std::mem::take(&mut self.counts) }
    }

    /// Whether a waiting one of `address` has a place that strangers cannot take.
    pub(super) fn is_known(&self, address: IpAddr, conditions: &Conditions<'_>, now: Instant) -> bool {
        self.standing(address, conditions, now) != Standing::Stranger
    }

    fn standing(&self, address: IpAddr, conditions: &Conditions<'_>, now: Instant) -> Standing {
        let says = |what: fn(&Addresses, IpAddr) -> bool| {
            conditions.addresses.is_some_and(|addresses| what(addresses, address))
        };
        if is_banned(address, conditions) {
            Standing::Stranger
        } else if says(Addresses::is_exempt) {
            Standing::Exempt
        } else if self.known.has(address, now) {
            Standing::Known
        } else if says(Addresses::is_listed) {
            Standing::Listed
        } else {
            Standing::Stranger
        }
    }
}

fn is_banned(address: IpAddr, conditions: &Conditions<'_>) -> bool {
    conditions.addresses.is_some_and(|addresses| addresses.is_banned(address, conditions.time))
}

/// A place among those that are not verified; the index of the one that makes way, if it takes that. Strangers may have
/// three quarters of all places.
fn place(waiting: &[Waiting], known: bool, limits: &Limits, now: Instant) -> Result<Option<usize>, Refusal> {
    let (soft, hard) = (limits.unverified_soft as usize, limits.unverified_hard as usize);
    match places::assign(waiting, known, hard, hard / 4) {
        Place::Free if waiting.len() >= soft => {
            let stalled = |one: &&Waiting| !one.known && now.saturating_duration_since(one.since) >= STALLED;
            Ok(places::most(waiting, stalled))
        }
        Place::Free => Ok(None),
        Place::Instead(index) => Ok(Some(index)),
        Place::Taken => {
            Err((Status::Capacity, "too many connections that are not verified (proxy_unverified_hard)"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Entry, Peer, STALLED, Screening, Waiting};
    use crate::addresses::Addresses;
    use crate::parent::admission::Conditions;
    use common::config::Limits;
    use common::process::status::Status;
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};
    use std::time::{Duration, Instant};

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from(0xc633_6400 + 256 * number).into()
    }

    fn peer(number: u32) -> Peer {
        Peer { address: SocketAddr::new(address(number), 4000), has_line: true }
    }

    fn limits() -> Limits {
        Limits { unverified_soft: 4, unverified_hard: 8, unverified_per_address: 3, ..Limits::default() }
    }

    fn conditions(limits: &Limits) -> Conditions<'_> {
        Conditions {
            joined: true,
            limits: Some(limits),
            generation: 1,
            licensed: true,
            addresses: None,
            time: 0,
        }
    }

    fn waiting(start: Instant, sources: &[u32]) -> Vec<Waiting> {
        let one = |(second, source): (u64, &u32)| Waiting {
            address: address(*source),
            since: start + Duration::from_millis(second),
            known: false,
        };
        (0..).zip(sources).map(one).collect()
    }

    fn enter(
        screening: &mut Screening,
        from: u32,
        waiting: &[Waiting],
        now: Instant,
    ) -> Result<Option<usize>, Status> {
        let limits = limits();
        let entry = screening.enter(address(from), waiting, &conditions(&limits), now);
        entry.map(|entry| entry.instead).map_err(|(status, _)| status)
    }

    #[test]
    fn strangers_share_what_is_not_kept_for_those_who_are_known() {
        let (mut screening, start) = (Screening::default(), Instant::now());
        assert_eq!(enter(&mut screening, 9, &waiting(start, &[1, 2, 3]), start), Ok(None));
        assert_eq!(enter(&mut screening, 9, &waiting(start, &[1, 2, 2, 3, 3]), start), Ok(None));
        let six = waiting(start, &[1, 2, 2, 3, 4, 5]);
        assert_eq!(enter(&mut screening, 9, &six, start), Ok(Some(1)), "the older of the source with two");
        screening.note_partner(peer(9), start);
        assert_eq!(enter(&mut screening, 9, &six, start), Ok(None));
        let eight = waiting(start, &[1, 2, 3, 4, 5, 6, 9, 9]);
        assert_eq!(enter(&mut screening, 9, &eight, start), Ok(Some(6)));
        assert_eq!(screening.take_counts(), Counts { displaced: 2, ..Counts::default() });
        assert!(screening.take_counts().is_empty());
    }

    #[test]
    fn from_the_soft_limit_on_a_stalled_one_makes_way_and_below_it_none() {
        let (mut screening, start) = (Screening::default(), Instant::now());
        let later = start + STALLED + Duration::from_millis(1);
        assert_eq!(enter(&mut screening, 9, &waiting(start, &[1, 2, 3]), later), Ok(None));
        assert_eq!(enter(&mut screening, 9, &waiting(start, &[1, 2, 3, 4]), later), Ok(Some(0)));
        let mut known = waiting(start, &[1, 2, 3, 4]);
        for one in &mut known {
            one.known = true;
        }
        assert_eq!(enter(&mut screening, 9, &known, later), Ok(None));
    }

    #[test]
    fn one_source_has_a_bound_unless_it_is_known_or_exempt() {
        let (mut screening, start) = (Screening::default(), Instant::now());
        let three = waiting(start, &[9, 9, 9]);
        assert_eq!(enter(&mut screening, 9, &three, start), Err(Status::Capacity));
        let exempt = Addresses::for_tests(&[], &[], &["198.51.0.0/16"]);
        let limits = limits();
        let conditions = Conditions { addresses: Some(&exempt), ..conditions(&limits) };
        let entry = screening.enter(address(9), &three, &conditions, start);
        assert_eq!(entry, Ok(Entry { instead: None, has_line: true }));
        screening.note_partner(peer(9), start);
        assert_eq!(enter(&mut screening, 9, &three, start), Ok(None));
    }

    #[test]
    fn who_fails_again_and_again_is_refused_for_a_while_unless_it_is_known() {
        let (mut screening, start) = (Screening::default(), Instant::now());
        for _ in 0..3 {
            assert_eq!(enter(&mut screening, 9, &[], start), Ok(None));
            screening.note_refused(peer(9), Some(Status::Tls), start);
        }
        assert_eq!(enter(&mut screening, 9, &[], start), Err(Status::Penalty));
        assert_eq!(screening.take_counts(), Counts { penalized: 1, ..Counts::default() });
        screening.note_partner(peer(9), start);
        assert_eq!(enter(&mut screening, 9, &[], start), Ok(None));
    }

    #[test]
    fn a_ban_comes_before_all_that_speaks_for_a_source() {
        let (mut screening, start) = (Screening::default(), Instant::now());
        screening.note_partner(peer(9), start);
        let limits = limits();
        for until in [None, Some(5)] {
            let bans = [("198.51.0.0/16", until)];
            let addresses = Addresses::for_tests(&bans, &["198.51.109.0/24"], &["198.51.0.0/16"]);
            let at = |time| Conditions { addresses: Some(&addresses), time, ..conditions(&limits) };
            let refusal = screening.enter(address(9), &[], &at(5), start).unwrap_err();
            assert_eq!(refusal.0, Status::Banned);
            assert!(
                !screening.is_known(address(9), &at(5), start),
                "its waiting ones have no place of their own"
            );
            assert_eq!(screening.enter(address(9), &[], &at(6), start).is_ok(), until.is_some());
        }
        assert_eq!(screening.take_counts(), Counts { banned: 3, ..Counts::default() });
    }

    #[test]
    fn a_source_that_the_partner_table_lists_has_a_place_that_strangers_cannot_take() {
        let (mut screening, start) = (Screening::default(), Instant::now());
        let limits = limits();
        let addresses = Addresses::for_tests(&[], &["198.51.109.0/24"], &[]);
        let listed = Conditions { addresses: Some(&addresses), ..conditions(&limits) };
        let six = waiting(start, &[1, 2, 2, 3, 4, 5]);
        assert_eq!(enter(&mut screening, 9, &six, start), Ok(Some(1)), "a stranger makes another one go");
        let entry = screening.enter(address(9), &six, &listed, start).unwrap();
        assert_eq!(entry, Entry { instead: None, has_line: true });
        assert!(screening.is_known(address(9), &listed, start));
        for _ in 0..9 {
            screening.note_refused(peer(9), Some(Status::Tls), start);
        }
        assert_eq!(enter(&mut screening, 9, &[], start), Err(Status::Penalty));
        assert!(screening.enter(address(9), &[], &listed, start).is_ok(), "it gets no penalties");
        // Its network may hold many: what it writes is counted with the lines of all strangers.
        let mut lines = 0;
        for number in 0..200 {
            lines += u32::from(screening.take_line(address(number), &listed, start));
        }
        assert!(lines < 100, "{lines}");
    }

    #[test]
    fn refusals_without_a_line_are_counted_and_probes_are_not() {
        let (mut screening, start) = (Screening::default(), Instant::now());
        let mut lines = 0;
        for _ in 0..25 {
            let limits = limits();
            let has_line = screening.enter(address(9), &[], &conditions(&limits), start).unwrap().has_line;
            lines += u32::from(has_line);
            screening.note_refused(Peer { has_line, ..peer(9) }, Some(Status::Capacity), start);
            let has_line = screening.enter(address(8), &[], &conditions(&limits), start).unwrap().has_line;
            assert!(has_line);
            screening.note_refused(peer(8), Some(Status::Probe), start);
        }
        assert_eq!(lines, 20);
        assert_eq!(screening.take_counts().left_out, 5);
    }
}
