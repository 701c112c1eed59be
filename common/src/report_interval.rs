//! When a value that changes now and then is sent: every ten seconds, and soon after a change, but at most once in a
//! second. Reads no clock.

use crate::check_interval::CheckInterval;
use std::time::{Duration, Instant};

/// How often it is sent although it has not changed.
pub const EVERY: Duration = Duration::from_secs(10);
/// Shortest time between two checks whether it has changed.
const SHORTEST: Duration = Duration::from_secs(1);

/// The value that was sent last, and when.
#[derive(Debug)]
pub struct ReportInterval<T> {
    sent: Option<(T, Instant)>,
    checks: CheckInterval,
}

impl<T> Default for ReportInterval<T> {
    fn default() -> Self {
        Self { sent: None, checks: CheckInterval::every(SHORTEST) }
    }
}

impl<T: PartialEq> ReportInterval<T> {
    /// Something has happened: whether to check the value now. If not, `due` says when.
    pub fn may_check(&mut self, now: Instant) -> bool {
        self.checks.may_check(now)
    }

    /// Whether this value is to be sent now.
    pub fn is_due(&mut self, what: T, now: Instant) -> bool {
        let is_due = self.sent.as_ref().is_none_or(|(sent, at)| *sent != what || *at + EVERY <= now);
        if is_due {
            self.sent = Some((what, now));
        }
        is_due
    }

    /// When the next check is due.
    pub fn due(&self) -> Option<Instant> {
        let again = self.sent.as_ref().map(|(_, at)| *at + EVERY);
        // Not before a check is allowed: the loop must not wake up for nothing.
        self.checks.due().or(again.max(self.checks.next()))
    }

    /// The receiver has changed: the new one has received nothing yet.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::{EVERY, ReportInterval, SHORTEST};
    use std::time::{Duration, Instant};

    #[test]
    fn a_change_is_sent_at_once_and_an_unchanged_value_after_a_while() {
        let (mut interval, start) = (ReportInterval::default(), Instant::now());
        assert!(interval.may_check(start) && interval.is_due(1, start), "the first time");
        assert_eq!(interval.due(), Some(start + EVERY));
        let soon = start + Duration::from_millis(5);
        assert!(!interval.may_check(soon));
        assert_eq!(interval.due(), Some(start + SHORTEST), "something has happened");
        assert!(interval.may_check(start + SHORTEST) && !interval.is_due(1, start + SHORTEST));
        assert_eq!(interval.due(), Some(start + EVERY), "the loop may sleep");
        assert!(interval.may_check(start + 3 * SHORTEST) && interval.is_due(2, start + 3 * SHORTEST));
        let again = start + 3 * SHORTEST + EVERY;
        assert_eq!(interval.due(), Some(again));
        assert!(interval.may_check(again) && interval.is_due(2, again));
        // Checked a short time before it is due to be sent again.
        let before = again + EVERY.mul_f32(0.95);
        let after = before + SHORTEST;
        assert!(interval.may_check(before) && !interval.is_due(2, before));
        assert_eq!(interval.due(), Some(after));
        assert!(!interval.may_check(again + EVERY));
        assert_eq!(interval.due(), Some(after));
        assert!(interval.may_check(after) && interval.is_due(2, after));
        interval.forget();
        assert_eq!(interval.due(), None);
        assert!(interval.may_check(again) && interval.is_due(2, again));
    }
}
