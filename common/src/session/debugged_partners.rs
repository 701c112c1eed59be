//! The partners whose sessions write DEBUG for a limited time, as a parent knows them, and the message for each session
//! process. Pure: the caller gives the time.

use crate::config::DebuggedPartner;
use crate::log::DebugTime;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Longest period; a configuration cannot exceed it.
const LONGEST: Duration = Duration::from_hours(24);

/// The end of a partner's period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    /// As in the configuration: distinguishes one period from another.
    until: i64,
    /// On this host's monotonic clock, counted from when this period was first received.
    at: Instant,
}

/// Partners by short name.
#[derive(Debug, Clone, Default)]
pub struct DebuggedPartners(BTreeMap<String, End>);

impl DebuggedPartners {
    /// Takes over the list of a configuration; returns the partners whose entry has changed.
    pub fn replace(&mut self, wanted: &[DebuggedPartner], now: Instant) -> Vec<String> {
        let before = std::mem::take(&mut self.0);
        for DebuggedPartner { partner, until, seconds } in wanted {
            let left = Duration::from_secs(u64::from(*seconds)).min(LONGEST);
            let end = End { until: *until, at: now + left };
            // A known period continues: if each configuration restarted it, it would become longer.
            let end = before.get(partner).filter(|known| known.until == *until).map_or(end, |known| *known);
            self.0.insert(partner.clone(), end);
        }
        let all = before.keys().chain(self.0.keys());
        let mut news: Vec<String> =
            all.filter(|name| before.get(*name) != self.0.get(*name)).cloned().collect();
        news.sort();
        news.dedup();
        news
    }

    /// The message for a session process of this partner.
    pub fn time_of(&self, partner: &str, now: Instant) -> DebugTime {
        let left = self.0.get(partner).map(|end| end.at.saturating_duration_since(now));
        DebugTime { partner: partner.to_owned(), left: left.filter(|left| !left.is_zero()) }
    }
}

#[cfg(test)]
mod tests {
    use super::{DebuggedPartner, DebuggedPartners, Duration, Instant, LONGEST};

    fn wanted(partner: &str, until: i64, seconds: u32) -> DebuggedPartner {
        DebuggedPartner { partner: partner.to_owned(), until, seconds }
    }

    #[test]
    fn a_period_is_counted_from_its_first_configuration_and_ends() {
        let (mut partners, now) = (DebuggedPartners::default(), Instant::now());
        let left = |partners: &DebuggedPartners, seconds| {
            partners.time_of("acme", now + Duration::from_secs(seconds)).left.map(|left| left.as_secs())
        };
        assert_eq!(left(&partners, 0), None);
        assert_eq!(partners.replace(&[wanted("acme", 1_000, 60)], now), ["acme"]);
        assert_eq!([0, 59, 60, 61].map(|at| left(&partners, at)), [Some(60), Some(1), None, None]);
        assert_eq!(partners.time_of("other", now).left, None);
        // The same period again, from a backend whose clock was set back meanwhile.
        let later = now + Duration::from_secs(30);
        assert!(partners.replace(&[wanted("acme", 1_000, 3_000)], later).is_empty());
        assert_eq!(left(&partners, 30), Some(30));
        // Another period.
        assert_eq!(partners.replace(&[wanted("acme", 2_000, 90), wanted("b", 1, 1)], later), ["acme", "b"]);
        assert_eq!(left(&partners, 30), Some(90));
        assert_eq!(partners.replace(&[], later), ["acme", "b"]);
        assert_eq!(left(&partners, 30), None);
    }

    #[test]
    fn no_configuration_makes_it_last_for_days() {
        let (mut partners, now) = (DebuggedPartners::default(), Instant::now());
        partners.replace(&[wanted("acme", i64::MAX, u32::MAX)], now);
        assert_eq!(partners.time_of("acme", now).left, Some(LONGEST));
    }
}
