//! CRL distribution URLs that children found and the backend does not know: each is reported once a day, and not more
//! than a bounded number in an hour, whatever partners put into their certificates.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// One URL is not reported again for so long.
const AGAIN: Duration = Duration::from_hours(24);
/// Reports in `WINDOW`.
const MOST: usize = 100;
const WINDOW: Duration = Duration::from_hours(1);
/// URLs remembered; beyond that nothing new is reported until old ones are a day old.
const MEMORY: usize = 2400;

#[derive(Default)]
pub(super) struct CrlUrls {
    reported: HashMap<String, Instant>,
}

impl CrlUrls {
    /// Whether `url` is to be reported at `now`; remembers that it was.
    pub(super) fn take(&mut self, url: &str, now: Instant) -> bool {
        self.reported.retain(|_, at| now.duration_since(*at) < AGAIN);
        let recent = self.reported.values().filter(|at| now.duration_since(**at) < WINDOW).count();
        if self.reported.contains_key(url) || recent >= MOST || self.reported.len() >= MEMORY {
            return false;
        }
        self.reported.insert(url.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{AGAIN, CrlUrls, MOST, WINDOW};
    use std::time::Instant;

    #[test]
    fn once_a_day_and_not_too_many_an_hour() {
        let mut urls = CrlUrls::default();
        let start = Instant::now();
        assert!(urls.take("http://a/", start));
        assert!(!urls.take("http://a/", start + WINDOW));
        assert!(urls.take("http://a/", start + AGAIN));
        let later = start + AGAIN;
        let taken = (0..2 * MOST).filter(|n| urls.take(&format!("http://b/{n}"), later)).count();
        assert_eq!(taken, MOST - 1);
        assert!(urls.take("http://c/", later + WINDOW));
    }
}
