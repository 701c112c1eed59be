//! The times of the parent that belong to no machine of its own: until when the server must be joined, and when our
//! configuration is asked for again. Pure.

use std::time::{Duration, Instant};

/// How long the way from the start to being joined may take.
const START: Duration = Duration::from_mins(1);
/// How often the client's own configuration is asked for.
const REFRESH: Duration = Duration::from_mins(1);

pub(super) struct Schedule {
    start_by: Instant,
    refreshed: Instant,
}

impl Schedule {
    /// The daemon starts.
    pub(super) fn new(now: Instant) -> Self {
        Self { start_by: now + START, refreshed: now }
    }

    /// When it is time for something, at the latest.
    pub(super) fn due(&self, is_joined: bool) -> Instant {
        if is_joined { self.refreshed + REFRESH } else { self.start_by }
    }

    /// The server was not joined in time: the sentence that says so.
    pub(super) fn overdue_start(&self, now: Instant) -> Option<String> {
        (self.start_by <= now).then(|| format!("the server was not joined within {} s", START.as_secs()))
    }

    /// Whether our configuration is to be asked for. True once in `REFRESH`.
    pub(super) fn is_refresh_due(&mut self, now: Instant) -> bool {
        let is_due = self.refreshed + REFRESH <= now;
        if is_due {
            self.refreshed = now;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::{REFRESH, START, Schedule};
    use std::time::{Duration, Instant};

    #[test]
    fn a_start_has_its_time_and_a_refresh_comes_once_in_a_minute() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        assert_eq!((schedule.due(false), schedule.due(true)), (start + START, start + REFRESH));
        assert_eq!(
            schedule.overdue_start((start + START).checked_sub(Duration::from_millis(1)).unwrap()),
            None
        );
        assert!(schedule.overdue_start(start + START).is_some());
        assert!(!schedule.is_refresh_due((start + REFRESH).checked_sub(Duration::from_millis(1)).unwrap()));
        let late = start + REFRESH + Duration::from_secs(5);
        assert!(schedule.is_refresh_due(late) && !schedule.is_refresh_due(late));
        assert_eq!(schedule.due(true), late + REFRESH);
    }
}
