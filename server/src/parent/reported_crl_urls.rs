//! CRL distribution URLs that children found and the backend does not know. Each is reported once a day, and the number
//! of reports in an hour is limited, whatever partners put into their certificates.

use common::rpc::CrlUrl;
use openssl::sha::Sha256;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A URL is not reported again for this time.
const AGAIN: Duration = Duration::from_hours(24);
/// Most reports in a `WINDOW`.
const MOST: usize = 100;
const WINDOW: Duration = Duration::from_hours(1);
/// Most URLs that are remembered; with so many, no new one is reported until the oldest is a day old.
const MEMORY: usize = 2400;

#[derive(Default)]
pub(super) struct ReportedCrlUrls {
    /// By the SHA-256 of the URL and of its issuers.
    reported: HashMap<[u8; 32], Instant>,
}

impl ReportedCrlUrls {
    /// Whether to report `found` at `now`; remembers it then.
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
    use super::{AGAIN, MOST, ReportedCrlUrls, WINDOW};
    use common::rpc::CrlUrl;
    use std::time::Instant;

    #[test]
    fn once_a_day_and_not_too_many_an_hour() {
        let (mut urls, start) = (ReportedCrlUrls::default(), Instant::now());
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
