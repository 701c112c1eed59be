//! The times of the parent that no other module has: until when the server must be joined, when our configuration is
//! requested again, and when the API watcher is forked. Pure.

use std::time::{Duration, Instant};

/// Time limit from the start until the server is joined.
const START: Duration = Duration::from_mins(1);
/// Interval at which the client requests its own configuration.
const REFRESH: Duration = Duration::from_mins(1);
/// Pause before an API watcher that has ended is replaced.
const WATCHER: Duration = Duration::from_secs(5);

pub(super) struct Schedule {
    start_by: Instant,
    refreshed: Instant,
    /// When to fork the API watcher; none: it runs.
    watcher: Option<Instant>,
}

impl Schedule {
    /// The daemon starts.
    pub(super) fn new(now: Instant) -> Self {
        Self { start_by: now + START, refreshed: now, watcher: Some(now) }
    }

    /// When the next of these times is due.
    pub(super) fn due(&self, is_joined: bool) -> Instant {
        let refresh = self.refreshed + REFRESH;
        if is_joined { self.watcher.map_or(refresh, |watcher| watcher.min(refresh)) } else { self.start_by }
    }

    /// The server was not joined in time: returns the reason.
    pub(super) fn overdue_start(&self, now: Instant) -> Option<String> {
        (self.start_by <= now).then(|| format!("the server was not joined within {} s", START.as_secs()))
    }

    /// Whether to request our configuration. True once in `REFRESH`.
    pub(super) fn is_refresh_due(&mut self, now: Instant) -> bool {
        let is_due = self.refreshed + REFRESH <= now;
        if is_due {
            self.refreshed = now;
        }
        is_due
    }

    /// Whether to fork the API watcher, once the server is joined. True once, until the watcher has ended.
    pub(super) fn is_watcher_due(&mut self, now: Instant) -> bool {
        self.watcher.take_if(|due| *due <= now).is_some()
    }

    /// The API watcher has ended, or could not be forked.
    pub(super) fn watcher_ended(&mut self, now: Instant) {
        self.watcher = Some(now + WATCHER);
    }
}

#[cfg(test)]
mod tests {
    use super::{REFRESH, START, Schedule, WATCHER};
    use std::time::{Duration, Instant};

    #[test]
    fn a_start_has_a_time_limit_and_a_refresh_is_due_once_a_minute() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        assert_eq!((schedule.due(false), schedule.due(true)), (start + START, start));
        assert!(schedule.is_watcher_due(start) && !schedule.is_watcher_due(start + REFRESH), "it runs");
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
        schedule.watcher_ended(late);
        assert_eq!(schedule.due(true), late + WATCHER);
        assert!(!schedule.is_watcher_due(late) && schedule.is_watcher_due(late + WATCHER));
    }
}
