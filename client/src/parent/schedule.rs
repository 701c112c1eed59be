//! The times of the parent that belong to no machine of its own: until when the server must be joined, when our
//! configuration is asked for again, and when the API watcher is forked. Pure.

use std::time::{Duration, Instant};

/// How long the way from the start to being joined may take.
const START: Duration = Duration::from_mins(1);
/// How often the client's own configuration is asked for.
const REFRESH: Duration = Duration::from_mins(1);
/// How soon an API watcher that has ended is replaced.
const WATCHER: Duration = Duration::from_secs(5);

pub(super) struct Schedule {
    start_by: Instant,
    refreshed: Instant,
    /// When the API watcher is to be forked; none: it runs.
    watcher: Option<Instant>,
}

impl Schedule {
    /// The daemon starts.
    pub(super) fn new(now: Instant) -> Self {
        Self { start_by: now + START, refreshed: now, watcher: Some(now) }
    }

    /// When it is time for something, at the latest.
    pub(super) fn due(&self, is_joined: bool) -> Instant {
        let refresh = self.refreshed + REFRESH;
        if is_joined { self.watcher.map_or(refresh, |watcher| watcher.min(refresh)) } else { self.start_by }
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

    /// Whether the API watcher is to be forked, once the server is joined. True once, until it has ended.
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
    fn a_start_has_its_time_and_a_refresh_comes_once_in_a_minute() {
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
