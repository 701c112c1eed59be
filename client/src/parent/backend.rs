//! The parent's view of the backend: numbered calls, the questions that wait for an answer, and the consequences of a
//! failure. There is one question of each function at a time, or one about each server; the number of reports is
//! limited. Pure: the API worker makes the calls.

use super::action::{Action, Actions, Fork};
use super::backend_call::BackendCall;
use super::call_queue::CallQueue;
use super::report_quota::ReportQuota;
use super::reports::{MOST, Reports};
use super::state_feed::StateFeed;
use crate::backend::Task;
use common::identity::ProxyId;
use common::link::control::ToServer;
use common::log::{Event, catalogue};
use common::rpc::Level;
use common::state::{RefusalCount, SiteState};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

/// If an API worker ends within this time after its start, its replacement waits.
const WORKER_PAUSE: Duration = Duration::from_secs(5);

/// Why a call failed.
pub(super) struct Failure {
    /// A sentence.
    pub(super) reason: String,
    /// The backend has not received the call, or could not carry it out, or does it only once however often it comes.
    pub(super) untaken: bool,
    /// The backend does not have the function, because it is older.
    pub(super) is_older: bool,
}

#[derive(Default)]
pub(super) struct BackendLink {
    /// Number of calls so far.
    calls: u64,
    /// Calls that the API worker has and that are not answered yet.
    waiting: CallQueue,
    reports: Reports,
    /// The limit of the server's reports.
    quota: ReportQuota,
    /// The reports about the state of this client and its server.
    pub(super) feed: StateFeed,
    has_worker: bool,
    /// When the last API worker was started.
    worker_started: Option<Instant>,
}

impl BackendLink {
    /// An API worker will be forked now.
    pub(super) fn worker_forked(&mut self, now: Instant) {
        self.worker_started = Some(now);
    }

    /// The API worker runs.
    pub(super) fn worker_started(&mut self) {
        self.has_worker = true;
    }

    /// The API worker has ended unexpectedly; its open calls are lost. Without a control connection the start fails;
    /// otherwise another worker is forked.
    pub(super) fn worker_ended(&mut self, pid: Pid, is_joined: bool, now: Instant, actions: &mut Actions) {
        self.has_worker = false;
        let open = self.waiting.take_all();
        common::error!("the API worker {pid} has ended with {} tasks open", open.len());
        if !is_joined {
            actions.push(Action::Fail("the API worker ended during the start".to_owned()));
            return;
        }
        for (_, call) in open {
            if let BackendCall::ServerConfig { place, .. } = call {
                let reason = "the API worker has ended".to_owned();
                actions.push(Action::SendToServer(place, ToServer::ConfigFailed { reason }));
            } else if call.is_report() {
                // It is not known whether the backend has received it.
                self.reports.lose(&call, now);
            }
        }
    }

    /// Replaces a lost worker and tries held reports again, when that is due.
    pub(super) fn run_timers(&mut self, now: Instant, actions: &mut Actions) {
        if self.worker_due().is_some_and(|at| at <= now) {
            // No second fork until the worker runs or could not be started.
            self.worker_started = None;
            actions.push_fork(Fork::Worker);
        }
        let is_idle = self.has_worker && self.waiting.reports() == 0;
        if let Some((number, report)) = self.reports.take_due(is_idle, now) {
            self.send(number, report, actions);
        }
        for (function, count) in self.quota.take_dropped(now) {
            let event =
                Event::new(&catalogue::REPORTS_DROPPED).field("function", function).field_num("count", count);
            let text = "the server reports more than allowed, and the client dropped some reports";
            let entry = BackendCall::log_entry(Level::Warn, text, event.text());
            event.log();
            self.report(entry, now, actions);
        }
    }

    /// When `run_timers` is due.
    pub(super) fn due(&self) -> Option<Instant> {
        let own = [self.worker_due(), self.reports.due(), self.quota.due(), self.feed.due()];
        own.into_iter().flatten().min()
    }

    fn worker_due(&self) -> Option<Instant> {
        self.worker_started.filter(|_| !self.has_worker).map(|started| started + WORKER_PAUSE)
    }

    /// Whether this question waits for its answer.
    pub(super) fn is_asked(&self, function: &str) -> bool {
        self.waiting.has(function)
    }

    /// Asks the backend, unless the same question is open. Without a worker nothing is asked, because every question
    /// comes again.
    pub(super) fn ask(&mut self, question: BackendCall, actions: &mut Actions) {
        if self.has_worker && !self.waiting.has_same(&question) {
            let number = self.next_number();
            self.send(number, question, actions);
        }
    }

    /// Reports to the backend, or holds the report until the backend can be reached.
    pub(super) fn report(&mut self, report: BackendCall, now: Instant, actions: &mut Actions) {
        let number = self.next_number();
        let waiting = self.has_worker.then_some(&self.waiting);
        if let Some(report) = self.reports.accept(number, report, waiting, now) {
            self.send(number, report, actions);
        }
    }

    /// Reports the state of this client. While an earlier report is open, nothing is sent; the next report will have
    /// the new state.
    pub(super) fn report_state(&mut self, state: Box<SiteState>, actions: &mut Actions) {
        self.ask(BackendCall::State(state), actions);
    }

    /// The same when this client ends: it is sent after all open calls.
    pub(super) fn report_end(&mut self, state: Box<SiteState>, actions: &mut Actions) {
        let number = self.next_number();
        self.send(number, BackendCall::State(state), actions);
    }

    /// Passes on refusals of the server, if the backend supports them.
    pub(super) fn pass_refusals(
        &mut self,
        proxy_id: ProxyId,
        refusals: Vec<RefusalCount>,
        now: Instant,
        actions: &mut Actions,
    ) {
        if self.feed.is_taken(now) {
            self.pass_report(BackendCall::Refusals { proxy_id, refusals }, now, actions);
        }
    }

    /// Passes on a report of the server, unless it is larger than any that our server sends, or there were too many in
    /// the last minute.
    pub(super) fn pass_report(&mut self, report: BackendCall, now: Instant, actions: &mut Actions) {
        self.pass_completed(report, |_| {}, now, actions);
    }

    /// The same; `complete` adds what the server does not know. The addition does not count for the size limit, because
    /// the server may fill a message completely.
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

    /// A reply has arrived: returns its call.
    pub(super) fn take_call(&mut self, number: u64) -> Option<BackendCall> {
        self.waiting.remove(number)
    }

    /// A call has succeeded.
    pub(super) fn succeeded(&mut self, call: &BackendCall, now: Instant, actions: &mut Actions) {
        if let BackendCall::State(_) = call {
            // It does not release held reports: state calls have their own interval.
            return self.feed.succeeded();
        }
        if self.waiting.reports() > MOST / 2 {
            // The backend may be slow: more reports would be lost at once, with a log line each time.
            return;
        }
        if let Some(entry) = self.reports.log_recovery(call.function(), now) {
            self.report(entry, now, actions);
        }
        self.release_held(actions);
    }

    /// A call has failed. During the start this ends the client.
    pub(super) fn failed(
        &mut self,
        (number, call): (u64, BackendCall),
        Failure { reason, untaken, is_older }: Failure,
        is_joined: bool,
        now: Instant,
        actions: &mut Actions,
    ) {
        if let BackendCall::LookUp { host, port } = call {
            return actions.push(Action::LookUpFailed { host, port, reason });
        }
        match call {
            BackendCall::State(_) | BackendCall::Refusals { .. } if is_older => {
                return self.feed.log_older(now);
            }
            BackendCall::State(_) if untaken => return,
            BackendCall::State(_) => return self.feed.log_fault(&reason),
            _ => self.log_fault(&call, &reason, untaken, now, actions),
        }
        match call {
            BackendCall::Enrolment { .. } | BackendCall::ClientConfig if !is_joined => {
                actions.push(Action::Fail(format!("{} failed: {reason}", call.function())));
            }
            BackendCall::Enrolment { .. } => actions.push(Action::RenewalFailed),
            BackendCall::ServerConfig { place, .. } => {
                actions.push(Action::SendToServer(place, ToServer::ConfigFailed { reason }));
            }
            report if report.is_report() && untaken => self.reports.hold(number, report, now),
            report if report.is_report() => self.reports.lose(&report, now),
            _ => {}
        }
    }

    /// Writes one line and one entry of the system log for each new fault.
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
            // The entry would fail, too.
            let number = self.next_number();
            self.reports.hold(number, entry, now);
        } else if !matches!(call, BackendCall::SystemLog(_)) {
            self.report(entry, now, actions);
        }
    }

    /// Sends all held reports, because the backend works again, or because this parent ends.
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
        let task = Task { number, job: call.job() };
        self.waiting.insert(number, call);
        actions.push(Action::SendToWorker(task));
    }
}

#[cfg(test)]
mod tests;
