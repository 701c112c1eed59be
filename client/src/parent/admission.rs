//! How often something may happen: so many at once, so many a second. What is not ours to trust is bounded by it.

use std::time::Instant;

pub(super) struct Rate {
    most: f64,
    per_second: f64,
    left: f64,
    at: Option<Instant>,
}

impl Rate {
    pub(super) fn new(at_once: u32, per_second: u32) -> Self {
        Self { most: at_once.into(), per_second: per_second.into(), left: at_once.into(), at: None }
    }

    /// Whether it may happen once more, now.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let since = self.at.replace(now).map_or(0.0, |at| now.duration_since(at).as_secs_f64());
        self.left = self.per_second.mul_add(since, self.left).min(self.most);
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Rate;
    use std::time::{Duration, Instant};

    #[test]
    fn a_burst_and_then_the_rate() {
        let start = Instant::now();
        let mut rate = Rate::new(3, 2);
        let taken = |rate: &mut Rate, at| (0..10).filter(|_| rate.take(at)).count();
        assert_eq!(taken(&mut rate, start), 3);
        assert_eq!(taken(&mut rate, start + Duration::from_secs(1)), 2);
        assert_eq!(taken(&mut rate, start + Duration::from_secs(100)), 3);
    }
}
