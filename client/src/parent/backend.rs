//! The backend as the parent sees it: numbered calls, which of them wait for their answer, and what a failure means.
//! One question of each function at a time; reports are bounded. Pure: the API worker makes the calls.

use super::action::{Action, Actions, Fork};
use super::backend_call::BackendCall;
use super::call_queue::CallQueue;
use super::report_quota::ReportQuota;
use super::reports::{MOST, Reports};
use crate::backend::Task;
use common::link::control::ToServer;
use common::log::{Event, events};
use common::rpc::Level;
use common::text::host::with_port;
use nix::unistd::Pid;
use std::time::{Duration, Instant};

/// An API worker that ends sooner after its start is not replaced at once.
const WORKER_PAUSE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct BackendLink {
    /// Calls so far.
    calls: u64,
    /// Handed to the API worker and not answered yet.
    waiting: CallQueue,
    reports: Reports,
    /// Of the server's.
    quota: ReportQuota,
    has_worker: bool,
    /// When the last API worker was started.
    worker_started: Option<Instant>,
}

impl BackendLink {
    /// An API worker is about to be forked.
    pub(super) fn worker_forked(&mut self, now: Instant) {
        self.worker_started = Some(now);
    }

    /// It runs.
    pub(super) fn worker_started(&mut self) {
        self.has_worker = true;
    }

    /// It has ended, which it should not; what it was asked is lost. Without a control connection that is the end of
    /// the start, else another worker takes its place.
    pub(super) fn worker_ended(&mut self, pid: Pid, is_joined: bool, now: Instant, actions: &mut Actions) {
        self.has_worker = false;
        let open = self.waiting.take_all();
        common::error!("the API worker {pid} has ended with {} tasks open", open.len());
        if !is_joined {
            actions.push(Action::Fail("the API worker ended during the start".to_owned()));
            return;
        }
        for (_, call) in open {
            if let BackendCall::ServerConfig { .. } = call {
                let reason = "the API worker has ended".to_owned();
                actions.push(Action::SendToServer(ToServer::ConfigFailed { reason }));
            } else if call.is_report() {
                // The backend may have it, or not.
                self.reports.lose(&call, now);
            }
        }
    }

    /// Replaces a lost worker and tries held reports, when it is time.
    pub(super) fn run_timers(&mut self, now: Instant, actions: &mut Actions) {
        if self.worker_due().is_some_and(|at| at <= now) {
            // Until it runs, or fails to: not once more.
            self.worker_started = None;
            actions.push_fork(Fork::Worker);
        }
        let is_idle = self.has_worker && self.waiting.reports() == 0;
        if let Some((number, report)) = self.reports.take_due(is_idle, now) {
            self.send(number, report, actions);
        }
        for (function, count) in self.quota.take_dropped(now) {
            let event =
                Event::new(&events::REPORTS_DROPPED).field("function", function).field_num("count", count);
            let text = "the server reports more than it may, and the client dropped some";
            let entry = BackendCall::log_entry(Level::Warn, text, event.text());
            event.log();
            self.report(entry, now, actions);
        }
    }

    /// When `run_timers` has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.worker_due(), self.reports.due(), self.quota.due()].into_iter().flatten().min()
    }

    fn worker_due(&self) -> Option<Instant> {
        self.worker_started.filter(|_| !self.has_worker).map(|started| started + WORKER_PAUSE)
    }

    /// Whether this question waits for its answer.
    pub(super) fn is_asked(&self, function: &str) -> bool {
        self.waiting.has(function)
    }

    /// Asks the backend, unless it is being asked already. Without a worker nothing is asked: all questions come again.
    pub(super) fn ask(&mut self, question: BackendCall, actions: &mut Actions) {
        if self.has_worker && !self.is_asked(question.function()) {
            let number = self.next_number();
            self.send(number, question, actions);
        }
    }

    /// Reports to the backend, as soon as it can be reached.
    pub(super) fn report(&mut self, report: BackendCall, now: Instant, actions: &mut Actions) {
        let number = self.next_number();
        let waiting = self.has_worker.then_some(&self.waiting);
        if let Some(report) = self.reports.accept(number, report, waiting, now) {
            self.send(number, report, actions);
        }
    }

    /// Passes a report of the server on, unless it is larger than any that a server of ours sends, or there were too
    /// many in the last minute.
    pub(super) fn pass_report(&mut self, report: BackendCall, now: Instant, actions: &mut Actions) {
        self.pass_completed(report, |_| {}, now, actions);
    }

    /// The same; `complete` adds what the server does not know. That does not count: the server fills a message up to
    /// what is allowed.
    pub(super) fn pass_completed(
        &mut self,
        mut report: BackendCall,
        complete: impl FnOnce(&mut BackendCall),
        now: Instant,
        actions: &mut Actions,
    ) {
        if self.reports.is_small(&report, now) && self.quota.admits(&report, now) {
            complete(&mut report);
            self.report(report, now, actions);
        }
    }

    /// A reply has come: the call that it belongs to.
    pub(super) fn take_call(&mut self, number: u64) -> Option<BackendCall> {
        self.waiting.remove(number)
    }

    /// A call has succeeded.
    pub(super) fn succeeded(&mut self, function: &'static str, now: Instant, actions: &mut Actions) {
        if self.waiting.reports() > MOST / 2 {
            // The backend may be slow rather than well: more reports would be lost at once, with a line each time.
            return;
        }
        if let Some(entry) = self.reports.log_recovery(function, now) {
            self.report(entry, now, actions);
        }
        self.release_held(actions);
    }

    /// A call has failed; `untaken`: the backend has not heard of it, or could not do it. During the start that is the
    /// end.
    pub(super) fn failed(
        &mut self,
        (number, call): (u64, BackendCall),
        (reason, untaken): (String, bool),
        is_joined: bool,
        now: Instant,
        actions: &mut Actions,
    ) {
        if let BackendCall::LookUp { host, port } = call {
            let server = with_port(&host, port);
            return actions.push(Action::Fail(format!("the server {server} was not joined: {reason}")));
        }
        self.log_fault(&call, &reason, untaken, now, actions);
        match call {
            BackendCall::Enrolment { .. } | BackendCall::ClientConfig if !is_joined => {
                actions.push(Action::Fail(format!("{} failed: {reason}", call.function())));
            }
            BackendCall::Enrolment { .. } => actions.push(Action::RenewalFailed),
            BackendCall::ServerConfig { .. } => {
                actions.push(Action::SendToServer(ToServer::ConfigFailed { reason }));
            }
            BackendCall::ClientConfig | BackendCall::LookUp { .. } => {}
            BackendCall::CrlUrl(_) | BackendCall::SystemLog(_) | BackendCall::Sessions(_) if untaken => {
                self.reports.hold(number, call, now);
            }
            BackendCall::CrlUrl(_) | BackendCall::SystemLog(_) | BackendCall::Sessions(_) => {
                self.reports.lose(&call, now);
            }
        }
    }

    /// One line and one entry of the system log for each fault.
    fn log_fault(
        &mut self,
        call: &BackendCall,
        reason: &str,
        untaken: bool,
        now: Instant,
        actions: &mut Actions,
    ) {
        let Some(entry) = self.reports.log_fault(call.function(), reason, now) else { return };
        if untaken {
            // It would fail as well.
            let number = self.next_number();
            self.reports.hold(number, entry, now);
        } else if !matches!(call, BackendCall::SystemLog(_)) {
            self.report(entry, now, actions);
        }
    }

    /// Sends all held reports: the backend is back, or this parent ends.
    pub(super) fn release_held(&mut self, actions: &mut Actions) {
        for (number, report) in self.reports.take_held() {
            self.send(number, report, actions);
        }
    }

    fn next_number(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    fn send(&mut self, number: u64, call: BackendCall, actions: &mut Actions) {
        if !self.has_worker {
            return;
        }
        let (task, is_report) = (Task { number, job: call.job() }, call.is_report());
        self.waiting.insert(number, call);
        actions.push(Action::SendToWorker { task, is_report });
    }
}

#[cfg(test)]
mod tests;
