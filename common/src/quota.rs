//! A limit on how often something may happen in a period. The period begins with the first event. This type only
//! counts; the caller asks it before each event. Reads no clock.

use std::time::{Duration, Instant};

/// The limit and the count.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    most: u64,
    span: Duration,
    since: Option<Instant>,
    used: u64,
}

impl Quota {
    /// At most `most` in `span`.
    pub const fn new(most: u64, span: Duration) -> Self {
        Self { most, span, since: None, used: 0 }
    }

    /// Whether there is room for `count` more at `now`.
    pub fn has_room(&mut self, count: u64, now: Instant) -> bool {
        if self.is_over(now) {
            (self.since, self.used) = (None, 0);
        }
        self.used.saturating_add(count) <= self.most
    }

    /// Counts this many. Ask [`Quota::has_room`] before.
    pub fn add(&mut self, count: u64, now: Instant) {
        self.since.get_or_insert(now);
        self.used = self.used.saturating_add(count);
    }

    /// Counts this many if there is room for them.
    pub fn take(&mut self, count: u64, now: Instant) -> bool {
        let may = self.has_room(count, now);
        if may {
            self.add(count, now);
        }
        may
    }

    /// One of the counted events did not happen.
    pub fn give_back(&mut self) {
        self.used = self.used.saturating_sub(1);
    }

    /// Whether the period is over, or none has begun.
    pub fn is_over(&self, now: Instant) -> bool {
        self.since.is_none_or(|since| now.saturating_duration_since(since) >= self.span)
    }
}

#[cfg(test)]
mod tests {
    use super::Quota;
    use std::time::{Duration, Instant};

    #[test]
    fn a_span_begins_with_its_first_and_ends_whole() {
        let span = Duration::from_secs(10);
        let (mut quota, start) = (Quota::new(3, span), Instant::now());
        assert!(quota.is_over(start));
        assert!(quota.take(2, start) && !quota.take(2, start) && quota.take(1, start));
        assert!(!quota.has_room(1, start + span / 2) && !quota.is_over(start + span / 2));
        quota.give_back();
        assert!(quota.take(1, start + span / 2));
        assert!(quota.is_over(start + span) && quota.take(3, start + span));
        assert!(!quota.take(1, start + span + span / 2), "counted from the first of this span on");
        assert!(!quota.has_room(u64::MAX, start));
    }
}
