//! Reports to the backend: entries of the system log, sessions, CRL URLs. Nothing waits for them. While the backend
//! cannot be reached a limited number is held here, and sent in order when the backend works again; lost ones are
//! counted. Also writes the lines about functions that fail and recover: one for each fault, not one for each call.
//! Pure.

use super::backend_call::BackendCall;
use super::call_faults::{CallFaults, Recovery};
use super::call_queue::CallQueue;
use common::link::control::MAX_REPORT;
use common::log::{Event, Throttle, catalogue};
use common::rpc::Level;
use std::time::{Duration, Instant};

/// Most reports that may wait for the API worker, and most that may be held.
pub(super) const MOST: usize = 200;
/// Both together, octets of JSON. A call that waits for the worker needs twice its length.
const MOST_OCTETS: usize = 4 << 20;
/// Interval at which one of the held reports is tried.
const TRY_AGAIN: Duration = Duration::from_secs(10);

pub(super) struct Reports {
    /// Reports that the backend has not received yet.
    held: CallQueue,
    /// When one of them was tried last.
    tried: Option<Instant>,
    faults: CallFaults,
    /// Limits the lines about reports of the server that are too large.
    large: Throttle,
}

impl Default for Reports {
    fn default() -> Self {
        Self {
            held: CallQueue::default(),
            tried: None,
            faults: CallFaults::default(),
            large: Throttle::new(1),
        }
    }
}

impl Reports {
    /// Takes a new report; returns it if it must be sent now. `waiting`: the calls that the API worker has; none if
    /// there is no worker.
    pub(super) fn accept(
        &mut self,
        number: u64,
        report: BackendCall,
        waiting: Option<&CallQueue>,
        now: Instant,
    ) -> Option<BackendCall> {
        let octets = self.held.octets() + waiting.map_or(0, CallQueue::octets);
        if octets + report.octets() > MOST_OCTETS {
            self.lose(&report, now);
            return None;
        }
        match waiting.filter(|_| self.held.is_empty()) {
            None => self.keep(number, report, now),
            Some(waiting) if waiting.reports() < MOST => return Some(report),
            Some(_) => self.lose(&report, now),
        }
        None
    }

    /// Keeps a report that was sent but not received by the backend.
    pub(super) fn hold(&mut self, number: u64, report: BackendCall, now: Instant) {
        self.tried = Some(now);
        self.keep(number, report, now);
    }

    /// Keeps a report that was not sent. This does not delay the next attempt, because a busy site always has new
    /// reports.
    fn keep(&mut self, number: u64, report: BackendCall, now: Instant) {
        if self.held.reports() >= MOST {
            return self.lose(&report, now);
        }
        if self.held.is_empty() {
            self.tried = Some(now);
        }
        self.held.insert(number, report);
    }

    /// Counts a lost report; the count is logged when the function works again.
    pub(super) fn lose(&mut self, report: &BackendCall, now: Instant) {
        let function = report.function();
        if self.faults.lost(function, report.weight(), now) {
            common::warn!("reports for the backend are lost: it accepts none by {function}");
        }
    }

    /// Whether a report of the server is small enough to be passed on; if not, logs a line.
    pub(super) fn is_small(&mut self, report: &BackendCall, now: Instant) -> bool {
        let octets = report.octets();
        if octets <= MAX_REPORT {
            return true;
        }
        if let Some(unlogged) = self.large.admit(now) {
            common::warn!(
                "a report of the server for {} is refused: it has {octets} octets, {MAX_REPORT} are allowed; \
                 {unlogged} more were refused since the last such line",
                report.function()
            );
        }
        false
    }

    /// When one of the held reports is tried again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.tried.filter(|_| !self.held.is_empty()).map(|tried| tried + TRY_AGAIN)
    }

    /// The first held report, if an attempt is due and the API worker is idle. If it is busy, the attempt is postponed,
    /// so that the loop does not wake up for nothing.
    pub(super) fn take_due(&mut self, is_idle: bool, now: Instant) -> Option<(u64, BackendCall)> {
        self.due().filter(|at| *at <= now)?;
        self.tried = Some(now);
        if is_idle { self.held.pop() } else { None }
    }

    /// Takes all held reports: the backend works again, or this parent ends.
    pub(super) fn take_held(&mut self) -> impl ExactSizeIterator<Item = (u64, BackendCall)> + use<> {
        self.held.take_all()
    }

    /// A call has failed: logs a new fault, and returns the entry for the system log.
    pub(super) fn log_fault(
        &mut self,
        function: &'static str,
        reason: &str,
        now: Instant,
    ) -> Option<BackendCall> {
        if !self.faults.failed(function, reason, now) {
            return None;
        }
        let event = Event::new(&catalogue::BACKEND_ERROR).field("function", function).field("reason", reason);
        let entry = BackendCall::log_entry(Level::Error, "a function of the backend fails", event.text());
        event.log();
        Some(entry)
    }

    /// A call has succeeded: logs the end of a fault, and returns the entry for the system log.
    pub(super) fn log_recovery(&mut self, function: &'static str, now: Instant) -> Option<BackendCall> {
        let Recovery { failures, lasted, lost } = self.faults.well(function, now)?;
        let event = Event::new(&catalogue::BACKEND_RECOVERED)
            .field("function", function)
            .field_num("failures", failures)
            .field_num("seconds", lasted.as_secs());
        let event = if lost > 0 { event.field_num("lost", lost) } else { event };
        let text = "a function of the backend works again";
        let entry = BackendCall::log_entry(Level::Info, text, event.text());
        event.log();
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::{BackendCall, CallQueue, MAX_REPORT, MOST, MOST_OCTETS, Reports, TRY_AGAIN};
    use common::rpc::CrlUrl;
    use std::time::Instant;

    fn url(octets: usize) -> BackendCall {
        // Ten octets are {"url":""}.
        BackendCall::CrlUrl(CrlUrl { url: "u".repeat(octets - 10), issuers: Vec::new() })
    }

    #[test]
    fn one_report_is_tried_at_intervals_and_the_loop_sleeps_between() {
        let start = Instant::now();
        let mut reports = Reports::default();
        assert_eq!(reports.due(), None);
        for number in [5, 3] {
            reports.hold(number, url(10), start);
        }
        let mut taken = |at, is_idle| {
            let number = reports.take_due(is_idle, at).map(|(number, _)| number);
            assert!(reports.due().is_none_or(|due| due > at), "it would wake for nothing");
            number
        };
        let [once, twice, thrice] = [1, 2, 3].map(|times| start + times * TRY_AGAIN);
        assert_eq!(taken(start, true), None);
        assert_eq!(taken(once, false), None, "the worker is busy");
        assert_eq!(taken(once, true), None);
        assert_eq!(taken(twice, true), Some(3), "in their order");
        assert_eq!(taken(thrice, true), Some(5));
        assert_eq!(reports.due(), None);
    }

    #[test]
    fn new_reports_do_not_put_off_the_next_try() {
        let start = Instant::now();
        let mut reports = Reports::default();
        reports.hold(1, url(10), start);
        for (number, share) in [(2, 3), (3, 2)] {
            let waiting = CallQueue::default();
            assert!(reports.accept(number, url(10), Some(&waiting), start + TRY_AGAIN / share).is_none());
        }
        assert_eq!(reports.due(), Some(start + TRY_AGAIN));
    }

    #[test]
    fn a_report_is_sent_held_or_lost() {
        let now = Instant::now();
        let mut reports = Reports::default();
        let mut waiting = CallQueue::default();
        assert!(reports.accept(1, url(10), Some(&waiting), now).is_some());
        for number in 0..MOST as u64 {
            waiting.insert(number, url(10));
        }
        assert!(reports.accept(2, url(10), Some(&waiting), now).is_none());
        assert_eq!(reports.due(), None, "too many wait: it is lost, not held");
        assert!(reports.accept(3, url(10), None, now).is_none());
        assert!(
            reports.accept(4, url(10), Some(&CallQueue::default()), now).is_none(),
            "not before the third"
        );
        assert_eq!(reports.take_held().map(|(number, _)| number).collect::<Vec<_>>(), [3, 4]);
        for number in 0..=MOST as u64 {
            reports.hold(number, url(10), now);
        }
        assert_eq!(reports.take_held().len(), MOST);
        assert!(reports.log_recovery("proxy_crl_url", now).is_some(), "some are lost");
    }

    #[test]
    fn held_and_waiting_reports_share_their_octets() {
        let now = Instant::now();
        let (mut reports, mut waiting) = (Reports::default(), CallQueue::default());
        waiting.insert(1, url(MOST_OCTETS / 2));
        assert!(reports.accept(2, url(MOST_OCTETS / 2), Some(&waiting), now).is_some());
        assert!(reports.accept(3, url(MOST_OCTETS / 2 + 1), Some(&waiting), now).is_none());
        reports.hold(4, url(MOST_OCTETS / 2 - 9), now);
        assert!(reports.accept(5, url(10), Some(&waiting), now).is_none());
        assert_eq!(reports.take_held().len(), 1);
    }

    #[test]
    fn reports_of_the_server_are_limited() {
        let mut reports = Reports::default();
        assert!(reports.is_small(&url(MAX_REPORT), Instant::now()));
        assert!(!reports.is_small(&url(MAX_REPORT + 1), Instant::now()));
    }
}
