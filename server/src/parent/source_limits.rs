//! The limits of a source at the TLS port, when only the address of a peer is known: bans, penalties for earlier
//! connections, the number of its connections, and its share of the places. Pure: times and addresses in, a decision
//! out.

use super::admission::{self, Conditions, EntryRefusal};
use super::known_sources::{Known, Standing, source};
use super::penalties::Penalties;
use super::refusal_lines::RefusalLines;
use super::unverified_places::{self, Place, Waiting};
use crate::addresses::Addresses;
use crate::messages::Peer;
use common::config::Limits;
use common::process::end_reasons::Status;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Above the soft limit, a connection that has not been verified within this time is closed for a newcomer.
const STALLED: Duration = Duration::from_secs(5);

/// What is remembered about sources.
#[derive(Default)]
pub(super) struct SourceLimits {
    known: Known,
    penalties: Penalties,
    lines: RefusalLines,
    counts: Counts,
}

/// Counts about strangers since the last log line.
#[derive(Default, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    /// Connections that were closed because others needed their places.
    pub(super) displaced: u64,
    /// Connections that were refused because of a ban.
    pub(super) banned: u64,
    /// Connections that were refused because of penalties.
    pub(super) penalized: u64,
    /// Refusals without a log line.
    pub(super) left_out: u64,
}

impl Counts {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A newcomer may come in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The index of the waiting connection that is closed for it.
    pub(super) instead: Option<usize>,
    /// Whether a refusal of the newcomer may have a log line.
    pub(super) has_line: bool,
}

impl SourceLimits {
    /// Whether `address` may come in; `waiting`: the connections that are not verified.
    pub(super) fn enter(
        &mut self,
        address: IpAddr,
        waiting: &[Waiting],
        conditions: &Conditions<'_>,
        now: Instant,
    ) -> Result<Entry, EntryRefusal> {
        let limits = admission::connection(conditions)?;
        let standing = self.standing(address, conditions, now);
        let of_source = || waiting.iter().filter(|one| source(one.address) == source(address)).count();
        match standing {
            // A ban causes no penalty: penalties are for strangers.
            Standing::Banned => {
                self.counts.banned += 1;
                let reason = "the operator has banned this source ('os4xapi ban list')";
                return Err(EntryRefusal::new(Status::Banned, reason));
            }
            Standing::Stranger if self.penalties.refuses(address, now) => {
                self.counts.penalized += 1;
                let reason = "too many connections of this source have gone wrong lately; it may come back \
                    within minutes";
                return Err(EntryRefusal::new(Status::Penalty, reason));
            }
            Standing::Stranger if of_source() >= limits.unverified_per_address as usize => {
                let reason = "too many connections of this address that are not verified \
                    (proxy_unverified_per_address)";
                return Err(EntryRefusal::new(Status::Capacity, reason));
            }
            Standing::Stranger
            | Standing::Known
            | Standing::Listed
            | Standing::Exempt
            | Standing::Balancer => {}
        }
        let instead = place(waiting, standing.is_known(), limits, now)?;
        self.counts.displaced += u64::from(instead.is_some());
        Ok(Entry { instead, has_line: self.lines.take(address, standing, now) })
    }

    /// Whether a refusal of `address` may have a line; if so, it counts as written.
    pub(super) fn take_line(&mut self, address: IpAddr, conditions: &Conditions<'_>, now: Instant) -> bool {
        let standing = self.standing(address, conditions, now);
        self.lines.take(address, standing, now)
    }

    /// A refusal had no log line.
    pub(super) fn leave_out(&mut self) {
        self.lines.leave_out();
    }

    /// A balancer's connection has told whose it is: the line that its refusal had is free again.
    pub(super) fn give_back_line(&mut self, peer: Peer) {
        if peer.has_line {
            self.lines.give_back(peer.address.ip());
        }
    }

    /// A partner's session has been admitted: the line for a refusal, if it had one, is free again.
    pub(super) fn note_partner(&mut self, peer: Peer, now: Instant) {
        self.known.note(peer.address.ip(), now);
        self.give_back_line(peer);
    }

    /// A session with a partner at this address has begun: the partner is known when it connects from there.
    pub(super) fn note_called(&mut self, address: IpAddr, now: Instant) {
        self.known.note(address, now);
    }

    /// A connection has ended without an admitted partner. `ended`: none if its process crashed.
    pub(super) fn note_refused(&mut self, peer: Peer, ended: Option<Status>, now: Instant) {
        if let Some(ended) = ended {
            self.penalties.note(peer.address.ip(), ended, now);
        }
        match (peer.has_line, ended) {
            // Probes have their own count.
            (true, Some(Status::Probe)) => self.lines.give_back(peer.address.ip()),
            (false, Some(Status::Probe)) | (true, _) => {}
            (false, _) => self.lines.leave_out(),
        }
    }

    /// The counts since the last call.
    pub(super) fn take_counts(&mut self) -> Counts {
        Counts { left_out: self.lines.take_left_out(), ..std::mem::take(&mut self.counts) }
    }

    /// Whether a waiting connection of `address` has a place that strangers cannot take.
    pub(super) fn is_known(&self, address: IpAddr, conditions: &Conditions<'_>, now: Instant) -> bool {
        self.standing(address, conditions, now).is_known()
    }

    fn standing(&self, address: IpAddr, conditions: &Conditions<'_>, now: Instant) -> Standing {
        let says = |what: &dyn Fn(&Addresses) -> bool| conditions.addresses.is_some_and(what);
        // A ban is the operator's decision: it counts more than anything else that is known of a source.
        if says(&|addresses| addresses.is_banned(address, conditions.time)) {
            Standing::Banned
        } else if says(&|addresses| addresses.is_balancer(address)) {
            Standing::Balancer
        } else if says(&|addresses| addresses.is_exempt(address)) {
            Standing::Exempt
        } else if self.known.has(address, now) {
            Standing::Known
        } else if says(&|addresses| addresses.is_listed(address)) {
            Standing::Listed
        } else {
            Standing::Stranger
        }
    }
}

/// A place for a connection that is not verified; the index of the connection that is closed for it, if any. Strangers
/// may have three quarters of all places.
fn place(
    waiting: &[Waiting],
    known: bool,
    limits: &Limits,
    now: Instant,
) -> Result<Option<usize>, EntryRefusal> {
    let (soft, hard) = (limits.unverified_soft as usize, limits.unverified_hard as usize);
    match unverified_places::assign(waiting, known, hard, hard / 4) {
        Place::Free if waiting.len() >= soft => {
            let stalled = |one: &&Waiting| !one.known && now.saturating_duration_since(one.since) >= STALLED;
            Ok(unverified_places::most(waiting, stalled))
        }
        Place::Free => Ok(None),
        Place::Instead(index) => Ok(Some(index)),
        Place::Taken => Err(EntryRefusal::new(
            Status::Capacity,
            "too many connections that are not verified (proxy_unverified_hard)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Entry, Peer, STALLED, SourceLimits, Standing, Waiting};
    use crate::addresses::Addresses;
    use crate::parent::admission::Conditions;
    use common::config::Limits;
    use common::process::end_reasons::Status;
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};
    use std::time::{Duration, Instant};

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from(0xc633_6400 + 256 * number).into()
    }

    fn peer(number: u32) -> Peer {
        Peer { address: SocketAddr::new(address(number), 4000), has_line: true, is_balancer: false }
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
            draining: None,
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
        source_limits: &mut SourceLimits,
        from: u32,
        waiting: &[Waiting],
        now: Instant,
    ) -> Result<Option<usize>, Status> {
        let limits = limits();
        let entry = source_limits.enter(address(from), waiting, &conditions(&limits), now);
        entry.map(|entry| entry.instead).map_err(|refusal| refusal.status)
    }

    #[test]
    fn strangers_share_the_places_that_are_not_reserved_for_known_sources() {
        let (mut source_limits, start) = (SourceLimits::default(), Instant::now());
        assert_eq!(enter(&mut source_limits, 9, &waiting(start, &[1, 2, 3]), start), Ok(None));
        assert_eq!(enter(&mut source_limits, 9, &waiting(start, &[1, 2, 2, 3, 3]), start), Ok(None));
        let six = waiting(start, &[1, 2, 2, 3, 4, 5]);
        assert_eq!(
            enter(&mut source_limits, 9, &six, start),
            Ok(Some(1)),
            "the older of the source with two"
        );
        source_limits.note_partner(peer(9), start);
        assert_eq!(enter(&mut source_limits, 9, &six, start), Ok(None));
        let eight = waiting(start, &[1, 2, 3, 4, 5, 6, 9, 9]);
        assert_eq!(enter(&mut source_limits, 9, &eight, start), Ok(Some(6)));
        assert_eq!(source_limits.take_counts(), Counts { displaced: 2, ..Counts::default() });
        assert!(source_limits.take_counts().is_empty());
    }

    #[test]
    fn from_the_soft_limit_on_a_stalled_one_makes_way_and_below_it_none() {
        let (mut source_limits, start) = (SourceLimits::default(), Instant::now());
        let later = start + STALLED + Duration::from_millis(1);
        assert_eq!(enter(&mut source_limits, 9, &waiting(start, &[1, 2, 3]), later), Ok(None));
        assert_eq!(enter(&mut source_limits, 9, &waiting(start, &[1, 2, 3, 4]), later), Ok(Some(0)));
        let mut known = waiting(start, &[1, 2, 3, 4]);
        for one in &mut known {
            one.known = true;
        }
        assert_eq!(enter(&mut source_limits, 9, &known, later), Ok(None));
    }

    #[test]
    fn one_source_has_a_bound_unless_it_is_known_or_exempt() {
        let (mut source_limits, start) = (SourceLimits::default(), Instant::now());
        let three = waiting(start, &[9, 9, 9]);
        assert_eq!(enter(&mut source_limits, 9, &three, start), Err(Status::Capacity));
        let exempt = Addresses::for_tests(&[], &[], &["198.51.0.0/16"]);
        let limits = limits();
        let conditions = Conditions { addresses: Some(&exempt), ..conditions(&limits) };
        let entry = source_limits.enter(address(9), &three, &conditions, start);
        assert_eq!(entry, Ok(Entry { instead: None, has_line: true }));
        source_limits.note_partner(peer(9), start);
        assert_eq!(enter(&mut source_limits, 9, &three, start), Ok(None));
    }

    #[test]
    fn a_source_that_fails_repeatedly_is_refused_for_a_while_unless_it_is_known() {
        let (mut source_limits, start) = (SourceLimits::default(), Instant::now());
        for _ in 0..3 {
            assert_eq!(enter(&mut source_limits, 9, &[], start), Ok(None));
            source_limits.note_refused(peer(9), Some(Status::Tls), start);
        }
        assert_eq!(enter(&mut source_limits, 9, &[], start), Err(Status::Penalty));
        assert_eq!(source_limits.take_counts(), Counts { penalized: 1, ..Counts::default() });
        source_limits.note_partner(peer(9), start);
        assert_eq!(enter(&mut source_limits, 9, &[], start), Ok(None));
    }

    #[test]
    fn a_ban_counts_more_than_anything_else_about_a_source() {
        let (mut source_limits, start) = (SourceLimits::default(), Instant::now());
        source_limits.note_partner(peer(9), start);
        let limits = limits();
        for until in [None, Some(5)] {
            let bans = [("198.51.0.0/16", until)];
            let addresses = Addresses::for_tests(&bans, &["198.51.109.0/24"], &["198.51.0.0/16"]);
            let at = |time| Conditions { addresses: Some(&addresses), time, ..conditions(&limits) };
            let refusal = source_limits.enter(address(9), &[], &at(5), start).unwrap_err();
            assert_eq!(refusal.status, Status::Banned);
            assert!(
                !source_limits.is_known(address(9), &at(5), start),
                "its waiting ones have no place of their own"
            );
            assert_eq!(source_limits.standing(address(9), &at(5), start), Standing::Banned);
            assert_eq!(source_limits.enter(address(9), &[], &at(6), start).is_ok(), until.is_some());
        }
        assert_eq!(source_limits.take_counts(), Counts { banned: 3, ..Counts::default() });
    }

    #[test]
    fn a_source_that_the_partner_table_lists_has_a_place_that_strangers_cannot_take() {
        let (mut source_limits, start) = (SourceLimits::default(), Instant::now());
        let limits = limits();
        let addresses = Addresses::for_tests(&[], &["198.51.109.0/24"], &[]);
        let listed = Conditions { addresses: Some(&addresses), ..conditions(&limits) };
        let six = waiting(start, &[1, 2, 2, 3, 4, 5]);
        assert_eq!(enter(&mut source_limits, 9, &six, start), Ok(Some(1)), "a stranger makes another one go");
        let entry = source_limits.enter(address(9), &six, &listed, start).unwrap();
        assert_eq!(entry, Entry { instead: None, has_line: true });
        assert!(source_limits.is_known(address(9), &listed, start));
        for _ in 0..9 {
            source_limits.note_refused(peer(9), Some(Status::Tls), start);
        }
        assert_eq!(enter(&mut source_limits, 9, &[], start), Err(Status::Penalty));
        assert!(source_limits.enter(address(9), &[], &listed, start).is_ok(), "it gets no penalties");
        // Its network may have many hosts: its lines count with those of all strangers.
        let mut lines = 0;
        for number in 0..200 {
            lines += u32::from(source_limits.take_line(address(number), &listed, start));
        }
        assert!(lines < 100, "{lines}");
    }

    #[test]
    fn refusals_without_a_line_are_counted_and_probes_are_not() {
        let (mut source_limits, start) = (SourceLimits::default(), Instant::now());
        let mut lines = 0;
        for _ in 0..25 {
            let limits = limits();
            let has_line =
                source_limits.enter(address(9), &[], &conditions(&limits), start).unwrap().has_line;
            lines += u32::from(has_line);
            source_limits.note_refused(Peer { has_line, ..peer(9) }, Some(Status::Capacity), start);
            let has_line =
                source_limits.enter(address(8), &[], &conditions(&limits), start).unwrap().has_line;
            assert!(has_line);
            source_limits.note_refused(peer(8), Some(Status::Probe), start);
        }
        assert_eq!(lines, 20);
        assert_eq!(source_limits.take_counts().left_out, 5);
    }
}
