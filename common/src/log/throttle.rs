//! Limits the rate of lines of one kind, so that a flood of connections does not become a flood of lines. It only
//! counts; the code that writes the line asks it first.

use crate::quota::Quota;
use std::time::{Duration, Instant};

/// Lines in one `WINDOW`, unless another number is given.
const LINES: u64 = 20;
const WINDOW: Duration = Duration::from_secs(10);

/// Counts lines of one kind.
pub struct Throttle {
    lines: Quota,
    unlogged: u64,
}

impl Default for Throttle {
    fn default() -> Self {
        Self::new(LINES)
    }
}

impl Throttle {
    /// At most `most` lines in 10 s.
    pub fn new(most: u64) -> Self {
        Self { lines: Quota::new(most, WINDOW), unlogged: 0 }
    }

    /// Whether the next line may be written. If so: how many lines were held back since the last one.
    pub fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.lines.take(1, now) {
            return Some(std::mem::take(&mut self.unlogged));
        }
        self.unlogged += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{LINES, Throttle, WINDOW};
    use std::time::Instant;

    #[test]
    fn what_was_not_written_is_counted() {
        for (mut throttle, lines) in [(Throttle::default(), LINES), (Throttle::new(1), 1)] {
            let start = Instant::now();
            for _ in 0..lines {
                assert_eq!(throttle.admit(start), Some(0));
            }
            assert_eq!(throttle.admit(start), None);
            assert_eq!(throttle.admit(start), None);
            assert_eq!(throttle.admit(start + WINDOW), Some(2));
        }
    }
}
