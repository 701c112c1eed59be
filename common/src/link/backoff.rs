//! Pauses after failures. A parent that makes pairs ahead of need waits after a pair has failed: half a second first,
//! then twice as long each time, up to half a minute. This module does not know the reason of a failure.

use std::time::{Duration, Instant};

/// Pause after the first failure.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// The pause before something that keeps failing is tried again.
#[derive(Debug, Default)]
pub struct BackOff {
    failures: u32,
    until: Option<Instant>,
}

impl BackOff {
    /// An attempt has failed: a pause begins.
    pub fn failed(&mut self, now: Instant) {
        let pause = FIRST.saturating_mul(1 << self.failures.min(6)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + pause);
    }

    /// An attempt has succeeded: the next failure counts as the first one.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Whether the pause is not over yet.
    pub fn is_on(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until > now)
    }

    /// `since`, or the end of the pause if that is later.
    pub fn not_before(&self, since: Instant) -> Instant {
        self.until.map_or(since, |until| since.max(until))
    }
}

#[cfg(test)]
mod tests {
    use super::{BackOff, FIRST, LONGEST};
    use std::time::{Duration, Instant};

    #[test]
    fn pauses_grow_to_a_limit_and_start_over() {
        let mut backoff = BackOff::default();
        let start = Instant::now();
        assert!(!backoff.is_on(start));
        let mut last = Duration::ZERO;
        for _ in 0..10 {
            backoff.failed(start);
            let pause = backoff.not_before(start) - start;
            assert!(pause > last || pause >= LONGEST, "{pause:?} after {last:?}");
            last = pause;
        }
        assert!(backoff.is_on(start + FIRST) && last <= LONGEST);
        backoff.succeeded();
        backoff.failed(start);
        assert!(backoff.not_before(start) < start + 2 * FIRST);
    }
}
