//! Functions of the backend that fail: each fault is reported once, not at each call, and so is its end, with the
//! number of lost reports. This module only counts; `reports` writes the lines.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A function that fails.
struct Trouble {
    since: Instant,
    /// Why the last call failed; none: no call has failed so far, but a report is lost.
    reason: Option<String>,
    failures: u64,
    lost: u64,
}

/// A function works again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Recovery {
    pub(super) failures: u64,
    pub(super) lasted: Duration,
    /// Number of reports that are lost.
    pub(super) lost: u64,
}

/// All functions that fail.
#[derive(Default)]
pub(super) struct CallFaults(HashMap<&'static str, Trouble>);

impl CallFaults {
    fn trouble(&mut self, function: &'static str, now: Instant) -> &mut Trouble {
        self.0.entry(function).or_insert(Trouble { since: now, reason: None, failures: 0, lost: 0 })
    }

    /// A call has failed; returns whether to report that.
    pub(super) fn failed(&mut self, function: &'static str, reason: &str, now: Instant) -> bool {
        let trouble = self.trouble(function, now);
        trouble.failures += 1;
        let news = trouble.reason.as_deref() != Some(reason);
        trouble.reason = Some(reason.to_owned());
        news
    }

    /// Counts lost reports; returns whether they are the first ones.
    pub(super) fn lost(&mut self, function: &'static str, count: u64, now: Instant) -> bool {
        let trouble = self.trouble(function, now);
        trouble.lost += count;
        trouble.lost == count
    }

    /// A call has succeeded; returns a recovery if the function has failed before.
    pub(super) fn well(&mut self, function: &'static str, now: Instant) -> Option<Recovery> {
        let Trouble { since, failures, lost, .. } = self.0.remove(function)?;
        Some(Recovery { failures, lasted: now.duration_since(since), lost })
    }
}

#[cfg(test)]
mod tests {
    use super::{CallFaults, Recovery};
    use std::time::{Duration, Instant};

    #[test]
    fn a_fault_is_reported_once_and_again_when_it_changes_or_comes_back() {
        let mut faults = CallFaults::default();
        let start = Instant::now();
        let failed = |faults: &mut CallFaults, reason| faults.failed("f", reason, start);
        assert!(failed(&mut faults, "away"));
        assert!(!failed(&mut faults, "away"));
        assert!(failed(&mut faults, "garbage"));
        assert!(faults.failed("g", "garbage", start), "each function is on its own");
        let lasted = Duration::from_secs(9);
        assert_eq!(faults.well("f", start + lasted), Some(Recovery { failures: 3, lasted, lost: 0 }));
        assert_eq!(faults.well("f", start), None);
        assert!(failed(&mut faults, "garbage"));
    }

    #[test]
    fn lost_reports_are_counted() {
        let mut faults = CallFaults::default();
        let start = Instant::now();
        assert!(faults.lost("f", 2, start));
        assert!(!faults.lost("f", 3, start));
        assert!(faults.failed("f", "away", start));
        let lost = faults.well("f", start).map(|recovery| recovery.lost);
        assert_eq!(lost, Some(5));
    }
}
