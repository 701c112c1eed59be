//! How many reports of the server the backend gets: the server is in the DMZ, and one that was taken over could fill
//! the inside's disks with them. What is beyond is dropped and counted. Pure: a clock in, a decision out.

use super::backend_call::BackendCall;
use common::quota::Quota;
use std::time::{Duration, Instant};

/// Reports are counted anew after so long.
const WINDOW: Duration = Duration::from_mins(1);
/// What is counted, and how much of it a minute is passed on. A server at its limits stays below.
const KINDS: [(&str, u64); 3] =
    [("proxy_system_log", 600), ("proxy_session", 60_000), ("proxy_crl_url", 200)];

/// The reports of the last minute.
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
    /// Whether this one may be passed on.
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

    /// When it is to be told what was dropped.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + WINDOW)
    }

    /// A minute after the first that was dropped: how many were, by function.
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
    fn what_is_beyond_a_minutes_bound_is_counted_and_the_next_minute_begins_anew() {
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
        let functions = [
            entry.function(),
            BackendCall::Sessions(Vec::new()).function(),
            BackendCall::CrlUrl(common::rpc::CrlUrl { url: String::new(), issuers: Vec::new() }).function(),
        ];
        assert_eq!(KINDS.map(|(function, _)| function), functions);
    }
}
