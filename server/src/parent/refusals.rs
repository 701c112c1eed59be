//! The refusals of this server, counted by the minute, for the backend. The number of rows in a minute is limited: the
//! first different ones have one row each, all others share one. Pure: the caller gives the minute.

use super::known_sources::source;
use common::ipc::frame;
use common::link::control::MAX_REPORT;
use common::report_interval::EVERY;
use common::state::{MAX_REFUSALS, MAX_TEXT, RefusalCount, Refused};
use common::text::shortened;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Rows of a minute for refusals without an SSID and without a certificate: an attacker can make many of them at no
/// cost, so they leave room for the others.
const NAMELESS: usize = 150;
/// How long the first refusals after a quiet time are gathered.
const GATHER: Duration = Duration::from_secs(1);
/// Most rows that wait for the client; further ones are added to the last one.
const MOST: usize = 2_000;

/// The refusals of this minute, and the rows that are to be sent.
#[derive(Default)]
pub(super) struct Refusals {
    minute: i64,
    /// Refusals that are not in the outbox yet, counted.
    rows: HashMap<Refused, u64>,
    nameless: usize,
    outbox: VecDeque<RefusalCount>,
    /// Since when there are rows to send.
    since: Option<Instant>,
    sent: Option<Instant>,
}

impl Refusals {
    /// Counts one refusal in `minute`.
    pub(super) fn count(&mut self, what: Refused, minute: i64, now: Instant) {
        if minute != self.minute {
            self.gather();
            self.rows.clear();
            (self.minute, self.nameless) = (minute, 0);
        }
        self.since.get_or_insert(now);
        let what = row_of(what);
        if let Some(count) = self.rows.get_mut(&what) {
            *count += 1;
        } else if self.has_room(&what) {
            self.nameless += usize::from(is_nameless(&what));
            self.rows.insert(what, 1);
        } else {
            *self.rows.entry(Refused::others()).or_default() += 1;
        }
    }

    fn has_room(&self, what: &Refused) -> bool {
        let used = self.rows.len() - usize::from(self.rows.contains_key(&Refused::others()));
        used < MAX_REFUSALS && !(is_nameless(what) && self.nameless >= NAMELESS)
    }

    /// Moves the counts to the outbox.
    fn gather(&mut self) {
        for (what, unsent) in self.rows.iter_mut().filter(|(_, unsent)| **unsent > 0) {
            let row = RefusalCount { minute: self.minute, what: what.clone(), count: std::mem::take(unsent) };
            match (self.outbox.len(), self.outbox.back_mut()) {
                (MOST, _) => self.outbox.push_back(RefusalCount { what: Refused::others(), ..row }),
                (length, Some(last)) if length > MOST => last.count += row.count,
                _ => self.outbox.push_back(row),
            }
        }
    }

    /// When rows are to be sent.
    pub(super) fn due(&self) -> Option<Instant> {
        let gathered = self.since? + GATHER;
        Some(self.sent.map_or(gathered, |sent| gathered.max(sent + EVERY)))
    }

    /// The next rows that are due, as many as fit into a message.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Vec<RefusalCount>> {
        self.due().filter(|due| *due <= now)?;
        let rows = self.take();
        if rows.is_none() {
            (self.since, self.sent) = (None, Some(now));
        }
        rows
    }

    /// The next rows, whether due or not.
    pub(super) fn take(&mut self) -> Option<Vec<RefusalCount>> {
        if self.outbox.is_empty() {
            self.gather();
        }
        // The brackets of the list; each row comes with a comma.
        let mut octets = 2;
        let fits = |row: &&RefusalCount| {
            octets += 1 + frame::length(row).unwrap_or(MAX_REPORT);
            octets <= MAX_REPORT
        };
        let count = self.outbox.iter().take_while(fits).count().max(1).min(self.outbox.len());
        Some(self.outbox.drain(..count).collect()).filter(|rows: &Vec<_>| !rows.is_empty())
    }
}

fn is_nameless(what: &Refused) -> bool {
    what.ssid.is_empty() && what.subject.is_empty()
}

/// The key of its row: the source instead of a single address, and texts of a peer shortened.
fn row_of(what: Refused) -> Refused {
    let [ssid, partner, subject] =
        [what.ssid, what.partner, what.subject].map(|text| shortened(text, MAX_TEXT));
    Refused { address: what.address.map(source), ssid, partner, subject, ..what }
}

#[cfg(test)]
mod tests {
    use super::{EVERY, GATHER, MAX_REFUSALS, MOST, NAMELESS, RefusalCount, Refusals, Refused};
    use common::ipc::frame;
    use common::link::control::MAX_REPORT;
    use std::collections::HashSet;
    use std::net::Ipv4Addr;
    use std::time::{Duration, Instant};

    fn of(address: u32) -> Refused {
        let address = Some(Ipv4Addr::from(0xc633_0000 + address).into());
        Refused {
            direction: "incoming".to_owned(),
            reason: "penalty".to_owned(),
            address,
            ..Refused::default()
        }
    }

    fn named(address: u32) -> Refused {
        Refused { reason: "unknown-partner".to_owned(), ssid: format!("O{address}"), ..of(address) }
    }

    fn all(refusals: &mut Refusals) -> Vec<RefusalCount> {
        std::iter::from_fn(|| refusals.take()).flatten().collect()
    }

    #[test]
    fn ten_thousand_refusals_a_second_leave_two_hundred_rows_a_minute_and_one_of_all_others() {
        let (mut refusals, start) = (Refusals::default(), Instant::now());
        let mut rows = Vec::new();
        for second in 0..60 {
            let now = start + Duration::from_secs(u64::from(second));
            for number in 0..10_000 {
                refusals.count(of(second * 10_000 + number), 60, now);
            }
            // Among them one with a partner's name, repeatedly.
            refusals.count(named(second), 60, now);
            rows.extend(std::iter::from_fn(|| refusals.take_due(now)).flatten());
        }
        rows.extend(all(&mut refusals));
        assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), 600_060, "each is counted");
        let different: HashSet<&Refused> = rows.iter().map(|row| &row.what).collect();
        assert_eq!(different.len(), MAX_REFUSALS + 1);
        let with_name = different.iter().filter(|what| !what.ssid.is_empty()).count();
        assert_eq!(with_name, MAX_REFUSALS - NAMELESS);
        assert!(rows.len() <= 7 * (MAX_REFUSALS + 1), "{}", rows.len());
        assert!(refusals.rows.len() <= MAX_REFUSALS + 1);
    }

    #[test]
    fn addresses_of_one_source_share_a_row() {
        let (mut refusals, start) = (Refusals::default(), Instant::now());
        for address in ["2001:db8::1", "2001:db8::2:3", "2001:db8:0:1::1"] {
            refusals.count(Refused { address: Some(address.parse().unwrap()), ..of(0) }, 0, start);
        }
        let mut rows: Vec<_> =
            all(&mut refusals).into_iter().map(|row| (row.what.address, row.count)).collect();
        rows.sort_unstable();
        let network = |text: &str| Some(text.parse().unwrap());
        assert_eq!(rows, [(network("2001:db8::"), 2), (network("2001:db8:0:1::"), 1)]);
    }

    #[test]
    fn the_first_come_soon_and_then_every_ten_seconds() {
        let (mut refusals, start) = (Refusals::default(), Instant::now());
        assert_eq!(refusals.due(), None);
        refusals.count(of(1), 0, start);
        assert_eq!((refusals.due(), refusals.take_due(start)), (Some(start + GATHER), None));
        let sent = start + GATHER;
        assert_eq!(refusals.take_due(sent).map(|rows| rows.len()), Some(1));
        assert_eq!((refusals.take_due(sent), refusals.due()), (None, None));
        refusals.count(of(1), 0, sent);
        refusals.count(of(1), 60, sent);
        assert_eq!(refusals.due(), Some(sent + EVERY));
        let rows = all(&mut refusals);
        let counts: Vec<_> = rows.iter().map(|row| (row.minute, row.count)).collect();
        assert_eq!(counts, [(0, 1), (60, 1)], "what was sent is not sent again");
    }

    #[test]
    fn the_waiting_rows_are_limited_and_no_refusal_is_lost() {
        let (mut refusals, start) = (Refusals::default(), Instant::now());
        let minutes = 30;
        for minute in 0..minutes {
            (0..100).for_each(|number| refusals.count(named(number), minute * 60, start));
        }
        refusals.gather();
        assert_eq!(refusals.outbox.len(), MOST + 1);
        let mut counted = 0;
        while let Some(rows) = refusals.take() {
            assert!(frame::length(&rows).unwrap() <= MAX_REPORT);
            counted += rows.iter().map(|row| row.count).sum::<u64>();
        }
        assert_eq!(counted, 3_000);
    }

    #[test]
    fn the_longest_rows_fit_a_message() {
        let (mut refusals, start) = (Refusals::default(), Instant::now());
        for number in 0..300 {
            let subject = "\"".repeat(5_000);
            refusals.count(Refused { subject, ..named(number) }, 0, start);
        }
        let mut rows = 0;
        while let Some(batch) = refusals.take() {
            assert!(frame::length(&batch).unwrap() <= MAX_REPORT);
            rows += batch.len();
        }
        assert_eq!(rows, MAX_REFUSALS + 1);
    }
}
