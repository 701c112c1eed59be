//! How many log lines about strangers this daemon may write, in all its processes. Each refusal causes a line and a
//! system log entry, so strangers could fill the disk. With each connection the parent tells the child whether its
//! refusal may have a line; lines that are left out are counted. Pure: reads no clock.

use super::known_sources::{Standing, source};
use common::check_interval::CheckInterval;
use common::quota::Quota;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Lines about one source: 20 in 10 s, and 2,000 in an hour, about 1 MB.
const OF_SOURCE: [Quota; 2] =
    [Quota::new(20, Duration::from_secs(10)), Quota::new(2_000, Duration::from_hours(1))];
/// Lines about all strangers: 100 in a second, and 100,000 in a day, about 50 MB.
const OF_ALL: [Quota; 2] =
    [Quota::new(100, Duration::from_secs(1)), Quota::new(100_000, Duration::from_hours(24))];
/// Most sources that are counted separately; all others share one count.
const SOURCES: usize = 10_000;
/// The pause between two searches for counts that are over while all places are taken: a search looks at each of them.
const SEARCH_AGAIN: Duration = Duration::from_secs(1);

/// The quotas for a short and for a long period.
type Lines = [Quota; 2];

fn has_room(lines: &mut Lines, now: Instant) -> bool {
    lines.iter_mut().all(|quota| quota.has_room(1, now))
}

/// The lines of each source.
pub(super) struct RefusalLines {
    of_source: HashMap<IpAddr, Lines>,
    of_others: Lines,
    of_all: Lines,
    left_out: u64,
    /// The searches for counts that are over.
    searches: CheckInterval,
}

impl Default for RefusalLines {
    fn default() -> Self {
        Self {
            of_source: HashMap::new(),
            of_others: OF_SOURCE,
            of_all: OF_ALL,
            left_out: 0,
            searches: CheckInterval::every(SEARCH_AGAIN),
        }
    }
}

impl RefusalLines {
    /// Whether a refusal of `address` may have a line; if so, it counts as written.
    pub(super) fn take(&mut self, address: IpAddr, standing: Standing, now: Instant) -> bool {
        self.make_room(source(address), now);
        let of_source = Self::of(&mut self.of_source, &mut self.of_others, source(address));
        let may = (matches!(standing, Standing::Exempt | Standing::Balancer) || has_room(of_source, now))
            && (standing == Standing::Known || has_room(&mut self.of_all, now));
        if may {
            of_source.iter_mut().chain(&mut self.of_all).for_each(|quota| quota.add(1, now));
        }
        may
    }

    /// The connection was not refused, so its line is free again.
    pub(super) fn give_back(&mut self, address: IpAddr) {
        let of_source = self.of_source.get_mut(&source(address)).unwrap_or(&mut self.of_others);
        of_source.iter_mut().chain(&mut self.of_all).for_each(Quota::give_back);
    }

    /// A connection was refused without a line.
    pub(super) fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// Number of lines that were left out since the last call.
    pub(super) fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }

    /// Forgets counts that are over, if a new source finds no place.
    fn make_room(&mut self, source: IpAddr, now: Instant) {
        let is_full = self.of_source.len() >= SOURCES && !self.of_source.contains_key(&source);
        if is_full && self.searches.may_check(now) {
            self.of_source.retain(|_, lines| !lines.iter().all(|quota| quota.is_over(now)));
        }
    }

    /// The count of this source; the common one of those that found no place.
    fn of<'a>(
        of_source: &'a mut HashMap<IpAddr, Lines>,
        of_others: &'a mut Lines,
        source: IpAddr,
    ) -> &'a mut Lines {
        if of_source.len() >= SOURCES && !of_source.contains_key(&source) {
            return of_others;
        }
        of_source.entry(source).or_insert(OF_SOURCE)
    }
}

#[cfg(test)]
mod tests {
    use super::Standing::{self, Exempt, Known, Stranger};
    use super::{RefusalLines, SOURCES};
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::{Duration, Instant};

    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_hours(1);

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from(0xc633_6400 + number).into()
    }

    fn taken(lines: &mut RefusalLines, source: u32, standing: Standing, asked: usize, now: Instant) -> usize {
        (0..asked).filter(|_| lines.take(address(source), standing, now)).count()
    }

    #[test]
    fn one_source_has_a_bound_in_ten_seconds_and_in_an_hour() {
        let (mut lines, start) = (RefusalLines::default(), Instant::now());
        assert_eq!(taken(&mut lines, 1, Stranger, 100, start), 20);
        assert_eq!(taken(&mut lines, 2, Stranger, 1, start), 1, "another source");
        let mut all = 20;
        for turn in 1..360 {
            all += taken(&mut lines, 1, Stranger, 100, start + turn * Duration::from_secs(10));
        }
        assert_eq!(all, 2_000);
        assert_eq!(taken(&mut lines, 1, Stranger, 100, start + HOUR), 20);
    }

    #[test]
    fn an_unused_line_comes_back_and_a_line_left_out_is_counted_once() {
        let (mut lines, start) = (RefusalLines::default(), Instant::now());
        assert_eq!(taken(&mut lines, 1, Stranger, 21, start), 20);
        lines.give_back(address(1));
        assert_eq!(taken(&mut lines, 1, Stranger, 2, start), 1);
        lines.leave_out();
        assert_eq!((lines.take_left_out(), lines.take_left_out()), (1, 0));
    }

    #[test]
    fn lines_of_all_strangers_are_limited_and_known_sources_have_lines_of_their_own() {
        let (mut lines, start) = (RefusalLines::default(), Instant::now());
        let strangers =
            |lines: &mut RefusalLines, now| (100..200).map(|n| taken(lines, n, Stranger, 5, now)).sum();
        let in_a_second: usize = strangers(&mut lines, start);
        assert_eq!(in_a_second, 100);
        assert_eq!(taken(&mut lines, 1, Known, 5, start), 5);
        assert_eq!(taken(&mut lines, 2, Exempt, 5, start), 0);
        assert_eq!(taken(&mut lines, 2, Exempt, 50, start + SECOND), 50, "it may stand for many");
        let start = start + 2 * SECOND;
        let mut in_a_day = in_a_second;
        for second in (60..86_400).step_by(60) {
            let turn: usize = strangers(&mut lines, start + Duration::from_secs(second));
            in_a_day += turn;
        }
        assert!(in_a_day <= 100_000, "{in_a_day}");
    }

    #[test]
    fn the_memory_for_many_sources_is_limited() {
        let (mut lines, start) = (RefusalLines::default(), Instant::now());
        for number in 0..u32::try_from(2 * SOURCES).unwrap() {
            lines.take(address(number), Known, start);
        }
        assert_eq!(lines.of_source.len(), SOURCES);
        lines.take(address(0), Stranger, start + HOUR);
        lines.take(address(99_999), Stranger, start + HOUR);
        assert!(lines.of_source.len() <= 2);
    }
}
