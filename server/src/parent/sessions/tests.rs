//! What `t/` shows on the real binaries, and what it cannot: a child that dies between two messages, a pair that is
//! claimed twice, a client lost while children are on their way.

use super::*;
use crate::addresses::Addresses;
use common::config::Limits;
use common::log::Remains;
use common::rpc::SessionBegin;

type Socket = u32;

/// Sessions under a clock and conditions of the test.
struct Bench {
    sessions: Sessions<Socket>,
    limits: Limits,
    joined: bool,
    generation: u64,
    configured: bool,
    licensed: bool,
    addresses: Addresses,
    time: i64,
    now: Instant,
    next_pid: i32,
}

/// What was done, in short.
#[derive(Debug, PartialEq, Eq)]
enum Done {
    Pair(SessionId, Direction),
    Retire(SessionId),
    NoOutgoing,
    Data(Pid, Socket),
    Serve(Pid, Socket),
    MakeWay(Pid),
    NoPair(Pid),
    Answer(Pid, &'static str),
    Close(Pid),
    Refuse(Status),
    Decline(Socket),
    RefuseDial(Socket),
    Crash(Pid),
}

impl Bench {
    fn new() -> Self {
        let limits = Limits { parked_pairs: 1, sessions: 2, sessions_per_partner: 1, ..Limits::default() };
        Self {
            sessions: Sessions::default(),
            limits,
            joined: true,
            generation: 1,
            configured: true,
            licensed: true,
            addresses: Addresses::default(),
            time: 0,
            now: Instant::now(),
            next_pid: 100,
        }
    }

    fn with<T>(&mut self, event: impl FnOnce(&mut Sessions<Socket>, &Conditions<'_>, Instant) -> T) -> T {
        let conditions = Conditions {
            joined: self.joined,
            limits: self.configured.then_some(&self.limits),
            generation: self.generation,
            licensed: self.licensed,
            addresses: Some(&self.addresses),
            time: self.time,
        };
        event(&mut self.sessions, &conditions, self.now)
    }

    fn done(&mut self) -> Vec<Done> {
        let mut done = Vec::new();
        while let Some(action) = self.sessions.next_action() {
            done.extend(match action {
                Action::SendToClient(ToClient::Pair { pair, direction, .. }) => {
                    Some(Done::Pair(pair, direction))
                }
                Action::SendToClient(ToClient::Retire { pair }) => Some(Done::Retire(pair)),
                Action::SendToClient(ToClient::NoOutgoing { .. }) => Some(Done::NoOutgoing),
                Action::SendToChild(pid, ToChild::Data { .. }, socket) => {
                    Some(Done::Data(pid, socket.unwrap()))
                }
                Action::SendToChild(pid, ToChild::Serve { .. }, socket) => {
                    Some(Done::Serve(pid, socket.unwrap()))
                }
                Action::SendToChild(pid, ToChild::MakeWay, _) => Some(Done::MakeWay(pid)),
                Action::SendToChild(pid, ToChild::NoPair { .. }, _) => Some(Done::NoPair(pid)),
                Action::SendToChild(pid, ToChild::Admitted, _) => Some(Done::Answer(pid, "admitted")),
                Action::SendToChild(pid, ToChild::Full(_), _) => Some(Done::Answer(pid, "full")),
                Action::SendToChild(pid, ToChild::Unlicensed, _) => Some(Done::Answer(pid, "unlicensed")),
                Action::CloseChannel(pid) => Some(Done::Close(pid)),
                Action::RefusePartner(_, status, _) => Some(Done::Refuse(status)),
                Action::DeclineDial(socket) => Some(Done::Decline(socket)),
                Action::RefuseDial(socket) => Some(Done::RefuseDial(socket)),
                Action::NoteEnd(..) | Action::ReportSession(..) => None,
                Action::LogCrash(crash) => Some(Done::Crash(crash.pid)),
                other => panic!("{other:?}"),
            });
        }
        done
    }

    /// Forks what is wanted next.
    fn fork(&mut self) -> Pid {
        let fork = self.sessions.next_fork().expect("nothing is to be forked");
        let pid = Pid::from_raw(self.next_pid);
        self.next_pid += 1;
        self.with(|sessions, conditions, now| sessions.register_child(pid, fork, conditions, now));
        pid
    }

    fn message(&mut self, pid: Pid, message: ToParent) {
        self.with(|sessions, conditions, now| sessions.on_message(pid, message, conditions, now));
    }

    fn reap(&mut self, pid: Pid) {
        let ended = WaitStatus::Signaled(pid, nix::sys::signal::Signal::SIGKILL, false);
        self.reap_as(pid, ended);
    }

    fn reap_as(&mut self, pid: Pid, ended: WaitStatus) {
        self.with(|sessions, conditions, now| sessions.reap(pid, ended, conditions, now));
    }

    fn connect(&mut self, id: SessionId, socket: Socket) {
        self.sessions.connect_pair(id, socket);
    }

    fn accept(&mut self, socket: Socket, last: u8) {
        let peer = SocketAddr::from(([192, 0, 2, last], 4000));
        self.with(|sessions, conditions, now| sessions.accept(socket, peer, conditions, now));
    }

    fn maintain(&mut self) {
        self.with(|sessions, conditions, now| sessions.maintain_pool(true, conditions, now));
    }

    /// A spare child with its pair, not dialled yet.
    fn waiting(&mut self) -> (Pid, SessionId) {
        self.maintain();
        self.now += Duration::from_millis(300);
        self.maintain();
        let child = self.fork();
        match self.done().as_slice() {
            [Done::Pair(id, Direction::Incoming)] => (child, *id),
            other => panic!("{other:?}"),
        }
    }

    /// A parked child.
    fn parked(&mut self) -> (Pid, SessionId) {
        let (child, id) = self.waiting();
        self.connect(id, 1);
        assert_eq!(self.done(), [Done::Data(child, 1)]);
        (child, id)
    }

    /// A child whose partner was refused; its pair is not used up.
    fn refused(&mut self) -> (Pid, SessionId) {
        let (child, id) = self.parked();
        self.accept(2, 2);
        self.message(child, ToParent::EndLogged(Remains::default()));
        self.done();
        (child, id)
    }

    /// A child that serves a partner whose pair is joined.
    fn serving(&mut self, partner: &str) -> Pid {
        let (child, _) = self.parked();
        self.accept(2, 2);
        assert_eq!(self.done(), [Done::Serve(child, 2)]);
        self.message(child, ToParent::Joined);
        self.message(child, ToParent::Partner { name: partner.to_owned() });
        assert_eq!(self.done(), [Done::Answer(child, "admitted")]);
        child
    }
}

fn ask(partner: &str) -> ToParent {
    ToParent::Partner { name: partner.to_owned() }
}

#[test]
fn a_partner_goes_to_the_parked_child() {
    let mut bench = Bench::new();
    bench.serving("acme");
    assert!(bench.sessions.next_fork().is_none());
}

#[test]
fn with_none_parked_a_child_is_forked_and_its_pair_made_once_the_partner_is_verified() {
    let mut bench = Bench::new();
    bench.accept(2, 2);
    assert_eq!(bench.done(), []);
    let child = bench.fork();
    assert_eq!(bench.done(), [Done::Serve(child, 2)]);
    bench.message(child, ToParent::Verified);
    let [Done::Pair(id, Direction::Incoming)] = bench.done()[..] else { panic!("no pair") };
    bench.message(child, ToParent::Verified);
    assert_eq!(bench.done(), [], "one pair is enough");
    bench.connect(id, 3);
    assert_eq!(bench.done(), [Done::Data(child, 3)]);
}

#[test]
fn a_parked_child_that_is_gone_passes_its_partner_on() {
    let mut bench = Bench::new();
    let (child, id) = bench.parked();
    bench.accept(2, 2);
    assert_eq!(bench.done(), [Done::Serve(child, 2)]);
    let peer = SocketAddr::from(([192, 0, 2, 2], 4000));
    let now = bench.now;
    bench.sessions.send_failed(child, &ToChild::Serve { peer, has_line: true }, Some(2), now);
    assert_eq!(bench.done(), [Done::Close(child)]);
    // It dies: no crash, since it served nobody; its pair gets another child, the partner a new one.
    bench.reap(child);
    assert_eq!(bench.done(), []);
    let next = bench.fork();
    assert_eq!(bench.done(), [Done::Serve(next, 2)]);
    let replacement = bench.fork();
    bench.connect(id, 4);
    assert_eq!(bench.done(), [Done::Data(replacement, 4)]);
}

#[test]
fn a_new_child_that_cannot_be_reached_costs_its_partner_the_connection_and_no_loop() {
    let mut bench = Bench::new();
    bench.accept(2, 2);
    let child = bench.fork();
    bench.done();
    let peer = SocketAddr::from(([192, 0, 2, 2], 4000));
    let now = bench.now;
    bench.sessions.send_failed(child, &ToChild::Serve { peer, has_line: true }, Some(2), now);
    assert_eq!(bench.done(), [Done::Close(child), Done::Refuse(Status::Capacity)]);
    assert!(bench.sessions.next_fork().is_none());
}

#[test]
fn a_pair_that_is_claimed_twice_goes_to_the_first() {
    let mut bench = Bench::new();
    let (_, id) = bench.parked();
    bench.connect(id, 7);
    assert_eq!(bench.done(), [Done::RefuseDial(7)]);
}

#[test]
fn a_pair_survives_a_partner_that_was_not_verified() {
    let mut bench = Bench::new();
    let (child, id) = bench.refused();
    // The client's child is faster than the fork: its socket waits for the replacement.
    bench.reap(child);
    bench.connect(id, 8);
    assert_eq!(bench.done(), []);
    let replacement = bench.fork();
    assert_eq!(bench.done(), [Done::Data(replacement, 8)]);
    bench.accept(9, 3);
    assert_eq!(bench.done(), [Done::Serve(replacement, 9)]);
}

#[test]
fn a_replacement_for_a_pair_that_was_retired_meanwhile_is_let_go() {
    let mut bench = Bench::new();
    let (child, id) = bench.waiting();
    bench.reap(child);
    let now = bench.now;
    bench.sessions.fail_pair(id, "the client says so", now);
    assert_eq!(bench.done(), [Done::Retire(id), Done::NoPair(child)]);
    let replacement = bench.fork();
    assert_eq!(bench.done(), [Done::Close(replacement)]);
}

#[test]
fn a_pair_whose_client_child_was_let_go_is_retired_unless_somebody_is_served() {
    let mut bench = Bench::new();
    let (child, id) = bench.parked();
    bench.reap(child);
    let replacement = bench.fork();
    bench.done();
    // It was dialled before, so nothing is wrong if nobody dials again.
    bench.now += DIAL;
    bench.maintain();
    assert_eq!(bench.done(), [Done::Retire(id), Done::Close(replacement)]);

    let mut bench = Bench::new();
    let (child, id) = bench.parked();
    let now = bench.now;
    bench.sessions.lose_pair(id, "why", now);
    assert_eq!(bench.done(), [Done::Retire(id), Done::Close(child)]);

    let mut bench = Bench::new();
    let (child, id) = bench.parked();
    bench.accept(2, 2);
    assert_eq!(bench.done(), [Done::Serve(child, 2)]);
    bench.sessions.lose_pair(id, "why", now);
    assert_eq!(bench.done(), []);
}

#[test]
fn a_client_child_that_is_gone_before_it_dials_is_told_to_whoever_waits_for_it() {
    let mut bench = Bench::new();
    bench.accept(2, 2);
    let child = bench.fork();
    bench.message(child, ToParent::Verified);
    let [Done::Serve(..), Done::Pair(id, Direction::Incoming)] = bench.done()[..] else { panic!("no pair") };
    let now = bench.now;
    bench.sessions.lose_pair(id, "why", now);
    assert_eq!(bench.done(), [Done::Retire(id), Done::NoPair(child)]);
    bench.sessions.lose_pair(id, "why", now);
    assert_eq!(bench.done(), [], "told once");
}

#[test]
fn a_pair_of_another_generation_or_too_old_gets_no_other_child() {
    for change in [
        (|bench: &mut Bench| bench.generation = 2) as fn(&mut Bench),
        |bench| bench.now += Duration::from_mins(5),
        |bench| bench.joined = false,
        |bench| bench.configured = false,
    ] {
        let mut bench = Bench::new();
        let (child, id) = bench.parked();
        change(&mut bench);
        bench.reap(child);
        assert_eq!(bench.done(), [Done::Retire(id)]);
        assert!(bench.sessions.next_fork().is_none());
    }
}

#[test]
fn a_crash_is_logged_once_and_its_joined_pair_is_not_used_again() {
    let mut bench = Bench::new();
    let child = bench.serving("acme");
    bench.reap(child);
    assert_eq!(bench.done(), [Done::Crash(child)]);
    bench.reap(child);
    assert_eq!(bench.done(), []);
    assert!(bench.sessions.next_fork().is_none());
}

#[test]
fn a_lost_data_connection_ends_a_parked_child_but_not_one_that_serves() {
    let mut bench = Bench::new();
    let (idle, first) = bench.parked();
    bench.message(idle, ToParent::DataLost);
    assert_eq!(bench.done(), [Done::Retire(first), Done::Close(idle)]);
    bench.reap(idle);

    bench.now += Duration::from_mins(1);
    let (serving, second) = bench.parked();
    bench.accept(2, 2);
    bench.message(serving, ToParent::DataLost);
    assert_eq!(bench.done(), [Done::Serve(serving, 2), Done::Retire(second)]);
    bench.message(serving, ToParent::NeedPair);
    assert!(matches!(bench.done()[..], [Done::Pair(id, _)] if id != second));
}

#[test]
fn limits_hold_at_their_edge() {
    let mut bench = Bench::new();
    let first = bench.serving("acme");
    bench.now += Duration::from_secs(1);
    let (second, _) = bench.parked();
    bench.accept(3, 3);
    bench.done();
    bench.message(second, ask("acme"));
    assert_eq!(bench.done(), [Done::Answer(second, "full")], "one of this partner");
    bench.message(second, ask("other"));
    assert_eq!(bench.done(), [Done::Answer(second, "admitted")]);
    bench.accept(4, 4);
    let third = bench.fork();
    bench.message(third, ask("third"));
    assert_eq!(bench.done(), [Done::Serve(third, 4), Done::Answer(third, "full")], "two in all");
    bench.message(first, ToParent::EndLogged(Remains::default()));
    bench.reap(first);
    bench.message(third, ask("third"));
    assert_eq!(bench.done(), [Done::Answer(third, "admitted")]);
}

#[test]
fn outgoing_pairs_are_made_as_the_configuration_allows_and_each_request_is_answered() {
    let mut bench = Bench::new();
    bench.limits = Limits { outgoing_sessions: 1, parked_pairs: 0, ..Limits::default() };
    let request =
        |bench: &mut Bench| bench.with(|sessions, conditions, _| sessions.request_outgoing(conditions));
    request(&mut bench);
    request(&mut bench);
    assert_eq!(bench.done(), [Done::NoOutgoing], "the first one is on its way");
    let child = bench.fork();
    assert!(matches!(bench.done()[..], [Done::Pair(_, Direction::Outgoing)]));
    bench.message(child, ToParent::Joined);
    bench.licensed = false;
    bench.message(child, ask("acme"));
    assert_eq!(bench.done(), [Done::Answer(child, "unlicensed")]);
    bench.configured = false;
    request(&mut bench);
    assert_eq!(bench.done(), [Done::NoOutgoing]);
}

#[test]
fn an_idle_child_of_an_outgoing_pair_is_not_replaced() {
    let mut bench = Bench::new();
    bench.with(|sessions, conditions, _| sessions.request_outgoing(conditions));
    let child = bench.fork();
    let [Done::Pair(id, _)] = bench.done()[..] else { panic!("no pair") };
    bench.reap(child);
    assert_eq!(bench.done(), [Done::Retire(id)]);
    assert!(bench.sessions.next_fork().is_none());
}

#[test]
fn a_pair_that_nobody_dials_is_given_up_and_a_late_dial_declined() {
    let mut bench = Bench::new();
    let (child, id) = bench.waiting();
    bench.now += DIAL;
    bench.maintain();
    assert_eq!(bench.done(), [Done::Retire(id), Done::NoPair(child), Done::Close(child)]);
    bench.connect(id, 5);
    assert_eq!(bench.done(), [Done::Decline(5)]);
}

#[test]
fn a_lost_client_takes_idle_children_and_what_is_queued_and_leaves_sessions() {
    let mut bench = Bench::new();
    bench.limits.parked_pairs = 2;
    let serving = bench.serving("acme");
    bench.now += Duration::from_secs(1);
    bench.maintain();
    bench.now += Duration::from_secs(1);
    bench.maintain();
    let idle = bench.fork();
    bench.done();
    bench.accept(5, 5);
    bench.joined = false;
    bench.configured = false;
    let now = bench.now;
    bench.sessions.drop_pairs(now);
    bench.sessions.drop_forks("the client is gone", now);
    let done = bench.done();
    assert_eq!(done[..2], [Done::NoPair(idle), Done::Close(idle)]);
    assert!(done.contains(&Done::Refuse(Status::ClientDown)), "{done:?}");
    assert!(bench.sessions.next_fork().is_none());
    // The session that is through is asked nothing, and a new pair cannot be had.
    bench.message(serving, ask("acme"));
    assert_eq!(bench.done(), [Done::Answer(serving, "admitted")]);
    bench.message(serving, ToParent::NeedPair);
    assert_eq!(bench.done(), [Done::NoPair(serving)]);
}

#[test]
fn without_processes_each_is_refused_in_its_own_way_and_the_pool_pauses() {
    let mut bench = Bench::new();
    let (child, id) = bench.refused();
    bench.reap(child);
    bench.accept(3, 3);
    bench.with(|sessions, conditions, _| sessions.request_outgoing(conditions));
    let now = bench.now;
    for done in [Done::Retire(id), Done::Refuse(Status::Capacity), Done::NoOutgoing] {
        let fork = bench.sessions.next_fork().unwrap();
        bench.sessions.fork_failed(&fork, "no session process: EAGAIN", now);
        assert_eq!(bench.done(), [done]);
    }
    bench.maintain();
    bench.now += Duration::from_millis(400);
    bench.maintain();
    assert!(bench.sessions.next_fork().is_none(), "it pauses");
}

#[test]
fn a_new_generation_retires_idle_children_alone() {
    let mut bench = Bench::new();
    let serving = bench.serving("acme");
    bench.now += Duration::from_secs(1);
    let (idle, id) = bench.parked();
    let now = bench.now;
    bench.sessions.retire_idle_children("generation changed", now);
    assert_eq!(bench.done(), [Done::Retire(id), Done::Close(idle)]);
    bench.reap(serving);
    assert_eq!(bench.done(), [Done::Crash(serving)]);
}

#[test]
fn what_is_read_of_a_child_after_its_end_changes_nothing() {
    let mut bench = Bench::new();
    let (child, id) = bench.parked();
    bench.reap(child);
    for message in [ToParent::Verified, ToParent::DataLost, ToParent::NeedPair, ToParent::Joined, ask("acme")]
    {
        bench.message(child, message);
        assert_eq!(bench.done(), []);
    }
    let replacement = bench.fork();
    bench.connect(id, 3);
    assert_eq!(bench.done(), [Done::Data(replacement, 3)]);
}

#[test]
fn a_stranger_makes_way_for_a_newcomer_and_a_known_one_does_not() {
    let mut bench = Bench::new();
    bench.limits = Limits { unverified_hard: 4, unverified_soft: 4, ..bench.limits.clone() };
    // Three of four places are for strangers; the fourth is for who has been a partner.
    let first: Vec<Pid> = (1..=3)
        .map(|last| {
            bench.now += Duration::from_millis(1);
            bench.accept(u32::from(last), last);
            bench.fork()
        })
        .collect();
    bench.done();
    bench.accept(4, 4);
    assert_eq!(bench.done(), [Done::MakeWay(first[0])]);
    let fourth = bench.fork();
    bench.done();
    bench.message(fourth, ToParent::Partner { name: "acme".to_owned() });
    let ended = |pid| WaitStatus::Exited(pid, Status::Normal.number().into());
    bench.reap_as(fourth, ended(fourth));
    bench.done();
    bench.accept(5, 5);
    bench.fork();
    assert!(bench.done().iter().all(|done| !matches!(done, Done::MakeWay(_))), "there is a place");
    // The one that has been a partner has a place of its own, and keeps it.
    bench.accept(6, 4);
    let known = bench.fork();
    assert!(bench.done().iter().all(|done| !matches!(done, Done::MakeWay(_))));
    for last in 10..20 {
        bench.accept(last.into(), last);
        bench.fork();
        let done = bench.done();
        assert!(done.iter().any(|done| matches!(done, Done::MakeWay(pid) if *pid != known)), "{done:?}");
    }
}

#[test]
fn a_partner_that_was_called_is_known_when_it_calls() {
    let mut bench = Bench::new();
    bench.limits = Limits { unverified_per_address: 1, ..bench.limits.clone() };
    bench.with(|sessions, conditions, _| sessions.request_outgoing(conditions));
    let child = bench.fork();
    let begin = SessionBegin { address: "192.0.2.9:6619".to_owned(), ..SessionBegin::default() };
    bench.message(child, ToParent::Session(Box::new(SessionEvent::Begin(begin))));
    bench.done();
    // Two at a time, which a stranger may not have.
    for socket in [1, 2] {
        bench.accept(socket, 9);
        bench.accept(socket + 10, 8);
    }
    let refused = bench.done().iter().filter(|done| matches!(done, Done::Refuse(Status::Capacity))).count();
    assert_eq!(refused, 1);
}

#[test]
fn who_was_refused_again_and_again_is_turned_away_without_a_process() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.accept(1, 1);
        let child = bench.fork();
        bench.message(child, ToParent::EndLogged(Remains::default()));
        bench.reap_as(child, WaitStatus::Exited(child, Status::Tls.number().into()));
        bench.done();
    }
    bench.accept(1, 1);
    assert_eq!(bench.done(), [Done::Refuse(Status::Penalty)]);
    assert!(bench.sessions.next_fork().is_none());
    assert_eq!(bench.sessions.take_screening_counts().penalized, 1);
    bench.now += Duration::from_secs(5);
    bench.accept(1, 1);
    assert_eq!(bench.done(), []);
}

#[test]
fn a_banned_source_is_turned_away_without_a_process_and_its_lines_have_a_bound() {
    let mut bench = Bench::new();
    bench.addresses = Addresses::for_tests(&[("192.0.2.1", Some(9))], &[], &["192.0.2.0/24"]);
    bench.time = 9;
    for _ in 0..30 {
        bench.accept(1, 1);
    }
    let done = bench.done();
    assert!(done.len() == 20 && done.iter().all(|done| *done == Done::Refuse(Status::Banned)), "{done:?}");
    assert!(bench.sessions.next_fork().is_none());
    let counts = bench.sessions.take_screening_counts();
    assert_eq!((counts.banned, counts.penalized, counts.left_out), (30, 0, 10));
    // Its time is over, and it has cost the source nothing.
    bench.time = 10;
    bench.accept(1, 1);
    assert_eq!(bench.done(), []);
    assert!(bench.sessions.next_fork().is_some());
}
