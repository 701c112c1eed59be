//! How often a loop checks something: at most once in a period, however often the loop runs, and once more after a
//! check was left out. Reads no clock.

use std::time::{Duration, Instant};

/// Checks with a pause between them.
#[derive(Debug)]
pub struct CheckInterval {
    pause: Duration,
    last: Option<Instant>,
    /// Whether a check was left out since the last one.
    is_missed: bool,
}

impl CheckInterval {
    /// With at least this pause between two checks.
    pub fn every(pause: Duration) -> Self {
        Self { pause, last: None, is_missed: false }
    }

    /// Whether to check now. If not, `due` says when.
    pub fn may_check(&mut self, now: Instant) -> bool {
        self.is_missed = self.next().is_some_and(|next| now < next);
        if !self.is_missed {
            self.last = Some(now);
        }
        !self.is_missed
    }

    /// When to check because a check was left out.
    pub fn due(&self) -> Option<Instant> {
        self.next().filter(|_| self.is_missed)
    }

    /// The earliest time of the next check; none: at any time.
    pub fn next(&self) -> Option<Instant> {
        self.last.map(|last| last + self.pause)
    }
}

#[cfg(test)]
mod tests {
    use super::CheckInterval;
    use std::time::{Duration, Instant};

    #[test]
    fn a_check_that_was_left_out_is_done_later() {
        let (start, pause) = (Instant::now(), Duration::from_millis(100));
        let mut checks = CheckInterval::every(pause);
        assert_eq!(checks.next(), None);
        assert!(checks.may_check(start));
        assert_eq!((checks.due(), checks.next()), (None, Some(start + pause)));
        assert!(!checks.may_check(start + pause / 2));
        assert_eq!(checks.due(), Some(start + pause));
        assert!(checks.may_check(start + pause));
        assert_eq!(checks.due(), None);
    }
}
