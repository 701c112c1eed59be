//! What the backend is told: entries of the system log, sessions, CRL URLs. Nothing waits for it. While the backend cannot
//! be reached, reports are held here, bounded, and sent in their order when it is back; what is lost is counted. Also the
//! lines about functions that fail and recover: one for each fault, not one for each call.

use super::Parent;
use super::backend::{Backend, BackendCall};
use super::call_faults::Recovery;
use super::report_queue::Queue;
use common::log::{Event, events};
use common::rpc::{Level, Origin, SystemLog};
use std::time::{Duration, Instant};

/// Reports that may wait for the API worker, and that may be held.
const MOST: usize = 200;
/// Both together, octets of JSON. A call that waits for the worker takes twice its length.
const MOST_OCTETS: usize = 4 << 20;
/// While reports are held, one of them is tried this often.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// Reports that the backend could not be told yet.
#[derive(Default)]
pub(super) struct Backlog {
    reports: Queue,
    tried: Option<Instant>,
}

impl Backlog {
    /// When one is to be tried again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.tried.filter(|_| !self.reports.is_empty()).map(|tried| tried + TRY_AGAIN)
    }

    fn put(&mut self, number: u64, report: BackendCall, now: Instant) {
        self.tried = Some(now);
        self.reports.insert(number, report);
    }

    /// The first one, if it is time to try and the API worker is idle. When it is not, the next time comes all the same:
    /// the loop must not wake for nothing meanwhile.
    fn take_due(&mut self, is_idle: bool, now: Instant) -> Option<(u64, BackendCall)> {
        self.due().filter(|at| *at <= now)?;
        self.tried = Some(now);
        if is_idle { self.reports.pop() } else { None }
    }
}

impl Parent {
    /// Tells the backend, as soon as it can be told.
    pub(super) fn tell_backend(&mut self, report: BackendCall) {
        let number = self.next_number();
        if self.report_octets() + report.octets() > MOST_OCTETS {
            return self.lose(&report);
        }
        match &self.backend {
            Some(backend) if self.held.reports.is_empty() => {
                if backend.reports() < MOST {
                    self.hand_over(number, report);
                } else {
                    self.lose(&report);
                }
            }
            _ => self.hold(number, report),
        }
    }

    /// Keeps a report that the backend has not heard of.
    pub(super) fn hold(&mut self, number: u64, report: BackendCall) {
        if self.held.reports.reports() >= MOST {
            return self.lose(&report);
        }
        self.held.put(number, report, Instant::now());
    }

    /// What all reports take that the backend has not taken yet.
    fn report_octets(&self) -> usize {
        self.held.reports.octets() + self.backend.as_ref().map_or(0, Backend::octets)
    }

    /// A report that nobody will hear of: counted, and told when the function is well again.
    pub(super) fn lose(&mut self, report: &BackendCall) {
        let function = report.function();
        if self.faults.lost(function, report.weight(), Instant::now()) {
            common::warn!("reports for the backend are lost: it takes none by {function}");
        }
    }

    /// Tries whether the backend is back.
    pub(super) fn tend_held(&mut self) {
        let is_idle = self.backend.as_ref().is_some_and(|backend| backend.reports() == 0);
        if let Some((number, report)) = self.held.take_due(is_idle, Instant::now()) {
            self.hand_over(number, report);
        }
    }

    /// The backend is there, or this parent ends: all that is held is on its way.
    pub(super) fn release_held(&mut self) {
        while let Some((number, report)) = self.held.reports.pop() {
            self.hand_over(number, report);
        }
    }

    /// A call has failed: one line and one entry for each fault.
    pub(super) fn note_fault(&mut self, asked: &BackendCall, reason: &str, unsent: bool) {
        let function = asked.function();
        if !self.faults.failed(function, reason, Instant::now()) {
            return;
        }
        let event = Event::new(&events::BACKEND_ERROR).field("function", function).field("reason", reason);
        let told = entry(Level::Error, "a function of the backend fails", event.text());
        event.log();
        if unsent {
            // It would fail as well.
            let number = self.next_number();
            self.hold(number, told);
        } else if !matches!(asked, BackendCall::SystemLog(_)) {
            self.tell_backend(told);
        }
    }

    /// A call has succeeded.
    pub(super) fn note_success(&mut self, asked: &BackendCall) {
        let function = asked.function();
        if self.backend.as_ref().is_some_and(|backend| backend.reports() > MOST / 2) {
            // It may be slow rather than well: more would be lost at once, and told of each time.
            return;
        }
        if let Some(Recovery { failures, lasted, lost }) = self.faults.well(function, Instant::now()) {
            let event = Event::new(&events::BACKEND_RECOVERED)
                .field("function", function)
                .field_num("failures", failures)
                .field_num("seconds", lasted.as_secs());
            let event = if lost > 0 { event.field_num("lost", lost) } else { event };
            self.tell_backend(entry(Level::Info, "a function of the backend is well again", event.text()));
            event.log();
        }
        self.release_held();
    }

    /// An entry of the parent's own for the backend's system log.
    pub(super) fn report(&mut self, text: &str, detail: &str) {
        self.tell_backend(entry(Level::Error, text, detail));
    }

    /// Whether the API worker has this question already.
    pub(super) fn is_asked(&self, function: &str) -> bool {
        self.backend.as_ref().is_some_and(|backend: &Backend| backend.waits_for(function))
    }
}

fn entry(level: Level, text: &str, detail: &str) -> BackendCall {
    BackendCall::SystemLog(Box::new(SystemLog {
        level,
        text: text.to_owned(),
        detail: detail.to_owned(),
        origin: Origin::Client,
        host: common::host_name(),
        pid: std::process::id(),
        time: common::text::clock::unix_time(),
        address: None,
        partner: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::{BackendCall, Backlog, TRY_AGAIN};
    use std::time::Instant;

    #[test]
    fn one_is_tried_now_and_then_and_the_loop_sleeps_between() {
        let start = Instant::now();
        let mut held = Backlog::default();
        assert_eq!(held.due(), None);
        for number in [5, 3] {
            held.put(number, BackendCall::CrlUrl(String::new()), start);
        }
        let mut taken = |at, is_idle| {
            let number = held.take_due(is_idle, at).map(|(number, _)| number);
            assert!(held.due().is_none_or(|due| due > at), "it would wake for nothing");
            number
        };
        let [once, twice, thrice] = [1, 2, 3].map(|times| start + times * TRY_AGAIN);
        assert_eq!(taken(start, true), None);
        assert_eq!(taken(once, false), None, "the worker is busy");
        assert_eq!(taken(once, true), None);
        assert_eq!(taken(twice, true), Some(3), "in their order");
        assert_eq!(taken(thrice, true), Some(5));
        assert_eq!(held.due(), None);
    }
}
