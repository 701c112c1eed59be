//! Lines about those who are turned away, at a limited rate: a flood of strangers must not become a flood of lines.

use std::time::{Duration, Instant};

/// Lines in one `WINDOW`.
const LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

/// Counts lines of one kind.
#[derive(Default)]
pub(super) struct Throttle {
    since: Option<Instant>,
    written: u32,
    unlogged: u64,
}

impl Throttle {
    /// Whether the next line may be written; then with how many were not since the last one.
    pub(super) fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now.duration_since(since) >= WINDOW) {
            self.since = Some(now);
            self.written = 0;
        }
        if self.written >= LINES {
            self.unlogged += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::{LINES, Throttle, WINDOW};
    use std::time::Instant;

    #[test]
    fn what_was_not_written_is_counted() {
        let mut throttle = Throttle::default();
        let start = Instant::now();
        for _ in 0..LINES {
            assert_eq!(throttle.admit(start), Some(0));
        }
        assert_eq!(throttle.admit(start), None);
        assert_eq!(throttle.admit(start), None);
        assert_eq!(throttle.admit(start + WINDOW), Some(2));
    }
}
