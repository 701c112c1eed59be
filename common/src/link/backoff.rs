//! When a parent that makes pairs ahead of need tries again after one came to nothing: half a second later, and twice
//! as long each time, up to half a minute. Knows nothing of why.

use std::time::{Duration, Instant};

/// After the first failure.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// How long to leave something alone that keeps failing.
#[derive(Debug, Default)]
pub struct BackOff {
    failures: u32,
    until: Option<Instant>,
}

impl BackOff {
    /// It went wrong: do not try again at once.
    pub fn failed(&mut self, now: Instant) {
        let pause = FIRST.saturating_mul(1 << self.failures.min(6)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + pause);
    }

    /// It went well: the next failure is a first one.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Not yet.
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
