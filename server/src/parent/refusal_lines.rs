//! How many lines about strangers the log of this daemon may get, over all its processes: who is refused causes a line
//! and a system log entry, and could fill disks with them. The parent says with each connection whether its refusal
//! may have a line; what is left out is counted. Pure: it reads no clock.

use super::sources::{Standing, source};
use common::quota::Quota;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Lines about one source: 20 in 10 s, and 2,000 in an hour, some 1 MB.
const OF_SOURCE: [Quota; 2] =
    [Quota::new(20, Duration::from_secs(10)), Quota::new(2_000, Duration::from_hours(1))];
/// Lines about all strangers: 100 in a second, and 100,000 in a day, some 50 MB.
const OF_ALL: [Quota; 2] =
    [Quota::new(100, Duration::from_secs(1)), Quota::new(100_000, Duration::from_hours(24))];
/// Sources that are counted by themselves; those beyond share one count.
const SOURCES: usize = 10_000;

/// The lines in a short span and in a long one.
type Lines = [Quota; 2];

fn has_room(lines: &mut Lines, now: Instant) -> bool {
    lines.iter_mut().all(|quota| quota.has_room(1, now))
}

/// Who has had how many lines.
pub(super) struct RefusalLines {
    of_source: HashMap<IpAddr, Lines>,
    of_others: Lines,
    of_all: Lines,
    left_out: u64,
}

impl Default for RefusalLines {
    fn default() -> Self {
        Self { of_source: HashMap::new(), of_others: OF_SOURCE, of_all: OF_ALL, left_out: 0 }
    }
}

impl RefusalLines {
    /// Whether a refusal of `address` may have a line; if so, it counts as written.
    pub(super) fn take(&mut self, address: IpAddr, standing: Standing, now: Instant) -> bool {
        let of_source = Self::of(&mut self.of_source, &mut self.of_others, source(address), now);
        let may = (standing == Standing::Exempt || has_room(of_source, now))
            && (standing == Standing::Known || has_room(&mut self.of_all, now));
        if may {
            of_source.iter_mut().chain(&mut self.of_all).for_each(|quota| quota.add(1, now));
        }
        may
    }

    /// The connection was not refused: its line was not needed.
    pub(super) fn give_back(&mut self, address: IpAddr) {
        let of_source = self.of_source.get_mut(&source(address)).unwrap_or(&mut self.of_others);
        of_source.iter_mut().chain(&mut self.of_all).for_each(Quota::give_back);
    }

    /// A connection was refused without a line.
    pub(super) fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// How many were left out since this was last asked.
    pub(super) fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }

    fn of<'a>(
        of_source: &'a mut HashMap<IpAddr, Lines>,
        of_others: &'a mut Lines,
        source: IpAddr,
        now: Instant,
    ) -> &'a mut Lines {
        if of_source.len() >= SOURCES && !of_source.contains_key(&source) {
            of_source.retain(|_, lines| !lines.iter().all(|quota| quota.is_over(now)));
            if of_source.len() >= SOURCES {
                return of_others;
            }
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
    fn what_was_not_needed_comes_back_and_what_was_left_out_is_counted_once() {
        let (mut lines, start) = (RefusalLines::default(), Instant::now());
        assert_eq!(taken(&mut lines, 1, Stranger, 21, start), 20);
        lines.give_back(address(1));
        assert_eq!(taken(&mut lines, 1, Stranger, 2, start), 1);
        lines.leave_out();
        assert_eq!((lines.take_left_out(), lines.take_left_out()), (1, 0));
    }

    #[test]
    fn all_strangers_together_have_a_bound_and_known_sources_are_heard_all_the_same() {
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
    fn many_sources_take_bounded_memory() {
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
