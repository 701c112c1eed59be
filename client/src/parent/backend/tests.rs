//! Calls, answers and failures, with and without the API worker.

use super::{BackendLink, Failure, WORKER_PAUSE};
use crate::backend::Job;
use crate::parent::action::{Action, Actions, Fork};
use crate::parent::backend_call::BackendCall;
use crate::parent::place::Place;
use common::identity::ProxyId;
use common::link::control::{MAX_REPORT, ToServer};
use common::rpc::{Call, CrlUrl};
use common::state::{RefusalCount, SiteState};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

const WORKER: Pid = Pid::from_raw(1);

fn url() -> BackendCall {
    BackendCall::CrlUrl(CrlUrl { url: "http://a/".to_owned(), issuers: Vec::new() })
}

fn server_config() -> BackendCall {
    let proxy_id = format!("{}px", "ab".repeat(32)).parse().unwrap();
    BackendCall::ServerConfig {
        place: Place(0),
        proxy_id,
        generation: None,
        server_time: None,
        server_addresses: Vec::new(),
    }
}

fn look_up() -> BackendCall {
    BackendCall::LookUp { host: "dmz".to_owned(), port: 2878 }
}

struct Link {
    backend: BackendLink,
    actions: Actions,
    now: Instant,
}

impl Link {
    fn new() -> Self {
        let mut link =
            Self { backend: BackendLink::default(), actions: Actions::default(), now: Instant::now() };
        link.start_worker();
        link
    }

    fn start_worker(&mut self) {
        self.backend.worker_forked(self.now);
        self.backend.worker_started();
    }

    fn end_worker(&mut self, is_joined: bool) {
        self.backend.worker_ended(WORKER, is_joined, self.now, &mut self.actions);
    }

    fn ask(&mut self, question: BackendCall) {
        self.backend.ask(question, &mut self.actions);
    }

    fn report(&mut self) {
        self.backend.report(url(), self.now, &mut self.actions);
    }

    /// The number and the function of each task that was sent to the worker.
    fn sent(&mut self) -> Vec<(u64, &'static str)> {
        let mut sent = Vec::new();
        while let Some(action) = self.actions.pop() {
            let Action::SendToWorker(task) = action else { panic!("another action") };
            let is_report = task.job.is_report();
            let function = match task.job {
                Job::LookUp { .. } => "look-up",
                Job::Call(Call::ProxyCrlUrl { .. }) => "url",
                Job::Call(Call::ProxySystemLog(_)) => "log",
                Job::Call(Call::ProxyState(_)) => "state",
                Job::Call(Call::ProxyRefusals { .. }) => "refusals",
                Job::Call(_) => "question",
            };
            assert_eq!(is_report, ["url", "log", "state", "refusals"].contains(&function));
            sent.push((task.number, function));
        }
        sent
    }

    fn fails(&mut self, number: u64, unsent: bool, is_joined: bool) {
        let call = self.backend.take_call(number).unwrap();
        let failure = Failure { reason: "why".to_owned(), untaken: unsent, is_older: false };
        self.backend.failed((number, call), failure, is_joined, self.now, &mut self.actions);
    }

    fn succeeds(&mut self, number: u64) {
        let call = self.backend.take_call(number).unwrap();
        self.backend.succeeded(&call, self.now, &mut self.actions);
    }
}

#[test]
fn a_question_is_asked_once_until_it_is_answered() {
    let mut link = Link::new();
    link.ask(BackendCall::ClientConfig);
    link.ask(BackendCall::ClientConfig);
    link.ask(server_config());
    assert_eq!(link.sent(), [(1, "question"), (2, "question")]);
    assert!(link.backend.is_asked("proxy_config"));
    link.succeeds(1);
    link.ask(BackendCall::ClientConfig);
    assert_eq!(link.sent(), [(3, "question")]);
    assert!(link.backend.take_call(1).is_none(), "an answer counts once");
}

#[test]
fn each_failure_of_a_question_has_its_consequence() {
    let enrolment = || BackendCall::Enrolment { public_key: String::new(), renewal: true };
    for (question, is_joined, consequence) in [
        (enrolment(), false, "proxy_enrol failed: why"),
        (BackendCall::ClientConfig, false, "proxy_client_config failed: why"),
        (look_up(), false, "look-up of dmz:2878: why"),
        (enrolment(), true, "renewal"),
        (server_config(), true, "server told"),
        (BackendCall::ClientConfig, true, ""),
    ] {
        let mut link = Link::new();
        link.ask(question);
        assert_eq!(link.sent().len(), 1);
        link.fails(1, false, is_joined);
        let mut consequences = Vec::new();
        while let Some(action) = link.actions.pop() {
            match action {
                Action::Fail(reason) => consequences.push(reason),
                Action::LookUpFailed { host, port, reason } => {
                    consequences.push(format!("look-up of {host}:{port}: {reason}"));
                }
                Action::RenewalFailed => consequences.push("renewal".to_owned()),
                Action::SendToServer(_, ToServer::ConfigFailed { reason }) if reason == "why" => {
                    consequences.push("server told".to_owned());
                }
                // The report of the fault itself.
                Action::SendToWorker(task) if task.job.is_report() => {}
                _ => panic!("another action"),
            }
        }
        let expected: Vec<&str> = Some(consequence).into_iter().filter(|text| !text.is_empty()).collect();
        assert_eq!(consequences, expected);
    }
}

#[test]
fn a_fault_is_reported_once_and_so_is_its_end() {
    let mut link = Link::new();
    let fails = |link: &mut Link| {
        link.ask(server_config());
        let number = link.sent()[0].0;
        link.fails(number, false, true);
        while link.actions.pop().is_some() {}
    };
    fails(&mut link);
    let entries = link.backend.waiting.reports();
    assert_eq!(entries, 1);
    fails(&mut link);
    assert_eq!(link.backend.waiting.reports(), entries, "it is no news");
    link.ask(server_config());
    let (number, _) = link.sent()[0];
    link.succeeds(number);
    assert_eq!(link.sent().iter().map(|(_, function)| *function).collect::<Vec<_>>(), ["log"]);
}

#[test]
fn reports_that_the_backend_has_not_received_are_sent_again_in_their_order() {
    let mut link = Link::new();
    link.report();
    link.report();
    assert_eq!(link.sent(), [(1, "url"), (2, "url")]);
    link.fails(1, true, true);
    link.fails(2, true, true);
    // A new report waits behind them, and so does the entry about the fault.
    link.report();
    assert_eq!(link.sent(), []);
    link.now = link.backend.due().unwrap();
    link.backend.run_timers(link.now, &mut link.actions);
    assert_eq!(link.sent(), [(1, "url")]);
    link.succeeds(1);
    let all = link.sent();
    assert_eq!(all.iter().map(|(_, function)| *function).collect::<Vec<_>>(), ["url", "log", "url", "log"]);
    assert_eq!(link.backend.due(), None);
}

#[test]
fn a_report_that_the_backend_may_have_received_is_not_repeated() {
    let mut link = Link::new();
    link.report();
    assert_eq!(link.sent(), [(1, "url")]);
    link.fails(1, false, true);
    // Only the entry about the fault is sent.
    assert_eq!(link.sent().iter().map(|(_, function)| *function).collect::<Vec<_>>(), ["log"]);
    assert_eq!(link.backend.due(), None);
}

#[test]
fn a_lost_worker_is_replaced_after_a_pause_and_the_server_is_told_about_its_question() {
    let mut link = Link::new();
    link.ask(server_config());
    link.report();
    assert_eq!(link.sent().len(), 2);
    link.end_worker(true);
    assert!(matches!(link.actions.pop(), Some(Action::SendToServer(_, ToServer::ConfigFailed { .. }))));
    assert!(link.actions.pop().is_none() && !link.backend.is_asked("proxy_config"));
    // Meanwhile nothing is asked, and reports are held.
    link.ask(server_config());
    link.report();
    assert!(link.actions.pop().is_none());
    assert_eq!(link.backend.due(), Some(link.now + WORKER_PAUSE));
    link.backend.run_timers(
        (link.now + WORKER_PAUSE).checked_sub(Duration::from_millis(1)).unwrap(),
        &mut link.actions,
    );
    assert!(link.actions.pop_fork().is_none());
    link.now += WORKER_PAUSE;
    link.backend.run_timers(link.now, &mut link.actions);
    link.backend.run_timers(link.now, &mut link.actions);
    assert!(matches!(link.actions.pop_fork(), Some(Fork::Worker)) && link.actions.pop_fork().is_none());
    link.start_worker();
    link.ask(server_config());
    let (number, _) = link.sent()[0];
    link.succeeds(number);
    assert_eq!(link.sent().iter().filter(|(_, function)| *function == "url").count(), 1);
}

#[test]
fn a_worker_that_ends_during_the_start_ends_it() {
    let mut link = Link::new();
    link.ask(BackendCall::ClientConfig);
    link.end_worker(false);
    assert_eq!(link.sent_then_failed(), "the API worker ended during the start");
}

impl Link {
    fn sent_then_failed(&mut self) -> String {
        assert!(matches!(self.actions.pop(), Some(Action::SendToWorker(_))));
        match self.actions.pop() {
            Some(Action::Fail(reason)) => reason,
            _ => panic!("it goes on"),
        }
    }
}

#[test]
fn what_is_added_to_a_report_of_the_server_does_not_make_it_too_large() {
    let mut link = Link::new();
    let full = || CrlUrl { url: "u".repeat(MAX_REPORT - 10), issuers: Vec::new() };
    let longer = |report: &mut BackendCall| {
        *report = BackendCall::CrlUrl(CrlUrl { issuers: vec!["i".to_owned()], ..full() });
    };
    link.backend.pass_completed(BackendCall::CrlUrl(full()), longer, link.now, &mut link.actions);
    assert_eq!(link.sent().len(), 1);
}

#[test]
fn a_report_of_the_server_that_is_too_large_is_dropped() {
    let mut link = Link::new();
    for (octets, passed) in [(MAX_REPORT - 2, 1), (MAX_REPORT - 1, 0)] {
        let report = BackendCall::CrlUrl(CrlUrl { url: "u".repeat(octets - 8), issuers: Vec::new() });
        link.backend.pass_report(report, link.now, &mut link.actions);
        assert_eq!(link.sent().len(), passed);
    }
}

#[test]
fn an_older_backend_is_told_neither_states_nor_refusals_and_nothing_is_lost_or_held() {
    let mut link = Link::new();
    let server: ProxyId = format!("{}px", "0".repeat(64)).parse().unwrap();
    let tell = |link: &mut Link| {
        let state = SiteState { client: Box::default(), server: None, ended: None };
        link.backend.report_state(Box::new(state), &mut link.actions);
        let refusals = vec![RefusalCount::default()];
        link.backend.pass_refusals(server.clone(), refusals, link.now, &mut link.actions);
        link.sent()
    };
    assert_eq!(tell(&mut link), [(1, "state"), (2, "refusals")]);
    for number in [1, 2] {
        let call = link.backend.take_call(number).unwrap();
        let failure = Failure { reason: "why".to_owned(), untaken: false, is_older: true };
        link.backend.failed((number, call), failure, true, link.now, &mut link.actions);
    }
    assert!(!link.backend.feed.is_taken(link.now));
    assert_eq!(tell(&mut link), [(3, "state")], "the call itself is the feed's to leave out");
    link.succeeds(3);
    assert_eq!(link.sent(), [], "no entry of the system log tells of it");
    assert_eq!(tell(&mut link), [(4, "state"), (5, "refusals")]);
}
