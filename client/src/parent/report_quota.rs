//! Limits the server's reports to the backend: the server is in the DMZ, and an attacker who controls it could fill the
//! disks inside. Reports above the limit are dropped and counted. Pure: a clock in, a decision out.

use super::backend_call::BackendCall;
use common::quota::Quota;
use std::time::{Duration, Instant};

/// After this time the count of reports begins again.
const WINDOW: Duration = Duration::from_mins(1);
/// The kinds of reports, and how many of each are passed on in a minute. A server at its limits sends fewer.
const KINDS: [(&str, u64); 4] =
    [("proxy_system_log", 600), ("proxy_session", 60_000), ("proxy_crl_url", 200), ("proxy_refusals", 4_000)];

/// The reports of the current minute.
pub(super) struct ReportQuota {
    kinds: [Kind; KINDS.len()],
    since: Option<Instant>,
}

struct Kind {
    function: &'static str,
    passed: Quota,
    dropped: u64,
}

impl Default for ReportQuota {
    fn default() -> Self {
        let kinds = KINDS.map(|(function, most)| {
            let passed = Quota::new(most, WINDOW);
            Kind { function, passed, dropped: 0 }
        });
        Self { kinds, since: None }
    }
}

impl ReportQuota {
    /// Whether this report may be passed on.
    pub(super) fn admits(&mut self, report: &BackendCall, now: Instant) -> bool {
        let Some(kind) = self.kinds.iter_mut().find(|kind| kind.function == report.function()) else {
            return true;
        };
        let may = kind.passed.take(report.weight(), now);
        if !may {
            kind.dropped += report.weight();
            self.since.get_or_insert(now);
        }
        may
    }

    /// When to log how many were dropped.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + WINDOW)
    }

    /// One minute after the first dropped report: how many were dropped, by function.
    pub(super) fn take_dropped(&mut self, now: Instant) -> Vec<(&'static str, u64)> {
        if self.due().is_none_or(|due| due > now) {
            return Vec::new();
        }
        self.since = None;
        let counts = self.kinds.iter_mut().map(|kind| (kind.function, std::mem::take(&mut kind.dropped)));
        counts.filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{BackendCall, KINDS, ReportQuota, WINDOW};
    use common::rpc::Level;
    use std::time::Instant;

    #[test]
    fn reports_above_the_limit_of_a_minute_are_counted_and_the_next_minute_begins_again() {
        let (mut quota, start) = (ReportQuota::default(), Instant::now());
        let entry = BackendCall::log_entry(Level::Info, "an entry", "");
        let admitted =
            |quota: &mut ReportQuota, now| (0..1_000).filter(|_| quota.admits(&entry, now)).count();
        assert_eq!(admitted(&mut quota, start), 600);
        assert!(quota.admits(&BackendCall::ClientConfig, start), "no report");
        assert_eq!(quota.take_dropped(start), []);
        assert_eq!(quota.take_dropped(start + WINDOW), [("proxy_system_log", 400)]);
        assert_eq!((quota.due(), quota.take_dropped(start + 2 * WINDOW)), (None, Vec::new()));
        assert_eq!(admitted(&mut quota, start + WINDOW), 600);
    }

    #[test]
    fn every_kind_is_a_function_of_the_backend() {
        let entry = BackendCall::log_entry(Level::Info, "", "");
        let proxy_id = format!("{}px", "0".repeat(64)).parse().unwrap();
        let functions = [
            entry.function(),
            BackendCall::Sessions(Vec::new()).function(),
            BackendCall::CrlUrl(common::rpc::CrlUrl { url: String::new(), issuers: Vec::new() }).function(),
            BackendCall::Refusals { proxy_id, refusals: Vec::new() }.function(),
        ];
        assert_eq!(KINDS.map(|(function, _)| function), functions);
    }
}
