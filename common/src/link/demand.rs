//! How many parked pairs the recent sessions need. A session that begins while no pair is parked has to wait for two
//! forks and a connection. So a pool grows to the number of sessions in the busiest second of the last half minute, and
//! shrinks again. This module does not make pairs.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Sessions that begin within this time are counted together.
const SECOND: Duration = Duration::from_secs(1);
/// How long a second is remembered.
const REMEMBERED: Duration = Duration::from_secs(30);

/// Sessions that began, by second.
#[derive(Debug, Default)]
pub struct Demand {
    /// When each second began, and how many sessions began in it; a second without sessions has no entry.
    seconds: VecDeque<(Instant, usize)>,
}

impl Demand {
    /// One more session has begun.
    pub fn note(&mut self, now: Instant) {
        self.forget(now);
        match self.seconds.back_mut() {
            Some((began, count)) if now.saturating_duration_since(*began) < SECOND => *count += 1,
            _ => self.seconds.push_back((now, 1)),
        }
    }

    /// How many pairs there should be: at least `least`, at most `most`. If `most` is less than `least`, it is `least`.
    pub fn pairs(&mut self, least: usize, most: usize, now: Instant) -> usize {
        self.forget(now);
        let busiest = self.seconds.iter().map(|(_, count)| *count).max().unwrap_or_default();
        busiest.min(most).max(least)
    }

    /// When the number may become smaller.
    pub fn due(&self) -> Option<Instant> {
        self.seconds.front().map(|(began, _)| *began + REMEMBERED)
    }

    fn forget(&mut self, now: Instant) {
        while self.due().is_some_and(|due| due <= now) {
            self.seconds.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Demand, REMEMBERED, SECOND};
    use std::time::Instant;

    /// Four at least, 32 at most.
    fn pairs(demand: &mut Demand, now: Instant) -> usize {
        demand.pairs(4, 32, now)
    }

    #[test]
    fn the_busiest_second_of_late_counts_within_both_bounds() {
        let start = Instant::now();
        let mut demand = Demand::default();
        assert_eq!((pairs(&mut demand, start), demand.due()), (4, None));
        demand.note(start);
        assert_eq!(pairs(&mut demand, start), 4);
        (0..9).for_each(|_| demand.note(start + SECOND / 2));
        assert_eq!(pairs(&mut demand, start), 10);
        // The next second is another one.
        (0..5).for_each(|_| demand.note(start + SECOND));
        assert_eq!(pairs(&mut demand, start + SECOND), 10);
        (0..95).for_each(|_| demand.note(start + SECOND));
        assert_eq!(pairs(&mut demand, start + SECOND), 32);
        assert_eq!(demand.pairs(4, 0, start + SECOND), 4, "a bound below the least is that");
    }

    #[test]
    fn what_is_over_is_forgotten_step_by_step() {
        let start = Instant::now();
        let mut demand = Demand::default();
        (0..20).for_each(|_| demand.note(start));
        (0..10).for_each(|_| demand.note(start + 5 * SECOND));
        assert_eq!(demand.due(), Some(start + REMEMBERED));
        assert_eq!(pairs(&mut demand, start + REMEMBERED / 2), 20);
        assert_eq!(pairs(&mut demand, start + REMEMBERED), 10);
        assert_eq!(pairs(&mut demand, start + 5 * SECOND + REMEMBERED), 4);
        assert_eq!(demand.due(), None);
    }
}
