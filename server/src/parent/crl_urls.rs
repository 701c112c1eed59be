//! CRL distribution URLs that children found and the backend does not know: each is reported once a day, and not more
//! than a bounded number in an hour, whatever partners put into their certificates.

use common::rpc::CrlUrl;
use openssl::sha::Sha256;
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
    /// By the SHA-256 of the URL and of the issuers that come with it.
    reported: HashMap<[u8; 32], Instant>,
}

impl CrlUrls {
    /// Whether `found` is to be reported at `now`; remembers that it was.
    pub(super) fn take(&mut self, found: &CrlUrl, now: Instant) -> bool {
        let mut sum = Sha256::new();
        sum.update(found.url.as_bytes());
        found.issuers.iter().for_each(|issuer| sum.update(issuer.as_bytes()));
        let key = sum.finish();
        self.reported.retain(|_, at| now.duration_since(*at) < AGAIN);
        let recent = self.reported.values().filter(|at| now.duration_since(**at) < WINDOW).count();
        if self.reported.contains_key(&key) || recent >= MOST || self.reported.len() >= MEMORY {
            return false;
        }
        self.reported.insert(key, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{AGAIN, CrlUrls, MOST, WINDOW};
    use common::rpc::CrlUrl;
    use std::time::Instant;

    #[test]
    fn once_a_day_and_not_too_many_an_hour() {
        let (mut urls, start) = (CrlUrls::default(), Instant::now());
        assert!(urls.take(&at("http://a/"), start));
        assert!(!urls.take(&at("http://a/"), start + WINDOW));
        assert!(urls.take(&at("http://a/"), start + AGAIN));
        let later = start + AGAIN;
        let taken = (0..2 * MOST).filter(|n| urls.take(&at(&format!("http://b/{n}")), later)).count();
        assert_eq!(taken, MOST - 1);
        assert!(urls.take(&at("http://c/"), later + WINDOW));
        let renewed = CrlUrl { issuers: vec!["a new issuer".to_owned()], ..at("http://c/") };
        assert!(urls.take(&renewed, later + WINDOW) && !urls.take(&renewed, later + WINDOW));
    }

    fn at(url: &str) -> CrlUrl {
        CrlUrl { url: url.to_owned(), issuers: Vec::new() }
    }
}
