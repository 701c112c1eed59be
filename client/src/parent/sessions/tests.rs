//! Stations, pairs and limits together.

use super::Sessions;
use crate::messages::{ToChild, ToParent};
use crate::parent::action::{Action, Actions, Fork, Pair, Work};
use crate::parent::children::Ended;
use crate::parent::place::Place;
use crate::session::Station;
use common::config::{ClientConfig, Confinement, DebuggedPartner, Limits};
use common::link::control::ToServer;
use common::link::session_id::{Direction, SessionId};
use common::link::ticket::Ticket;
use common::process::end_reasons::Status;
use common::state::{DaemonState, Use};
use mio::net::TcpStream;
use nix::unistd::Pid;
use std::time::{Duration, Instant};

fn id(number: u32) -> SessionId {
    SessionId::try_from(format!("{number:032x}")).unwrap()
}

/// The pair of this number at the first server.
fn pair(number: u32) -> Pair {
    pair_at(Place(0), number)
}

fn pair_at(place: Place, number: u32) -> Pair {
    let server = ([192, 0, 2, 1], 2878).into();
    Pair { place, server, id: id(number), ticket: Ticket::random().unwrap() }
}

fn station() -> Station {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    Station { socket, peer: listener.local_addr().unwrap(), tied: None }
}

fn config(generation: u64, limits: Limits) -> ClientConfig {
    ClientConfig {
        generation,
        station_host: "station".to_owned(),
        station_port: 3305,
        station_proxy_protocol: false,
        listen_ip: None,
        listen_port: Some(3306),
        networks: Vec::new(),
        tied: Vec::new(),
        debug: Vec::new(),
        sandbox: Confinement::Sandbox,
        limits,
    }
}

struct Client {
    sessions: Sessions,
    actions: Actions,
    now: Instant,
}

impl Client {
    fn new(limits: Limits) -> Self {
        let (mut sessions, mut actions) = (Sessions::new(2), Actions::default());
        sessions.join(Place(0));
        sessions.accept_config(config(1, limits), Instant::now(), &mut actions);
        Self { sessions, actions, now: Instant::now() }
    }

    fn fork(&mut self, pid: i32, work: &Work) {
        self.sessions.register(Pid::from_raw(pid), work, &mut self.actions);
    }

    fn joined(&mut self, pid: i32, partner: &str) {
        let message = ToParent::Joined { partner: partner.to_owned(), station: String::new() };
        self.sessions.on_child_message(Pid::from_raw(pid), message, self.now, &mut self.actions);
    }

    /// The next child that is told how long to write DEBUG, and the seconds.
    fn debugged(&mut self) -> Option<(i32, Option<u64>)> {
        loop {
            if let Action::SendToChild(pid, ToChild::Debug(time)) = self.actions.pop()? {
                return Some((pid.as_raw(), time.left.map(|left| left.as_secs())));
            }
        }
    }

    fn admit(&mut self) {
        self.sessions.admit_station(station(), true, self.now, &mut self.actions);
    }

    fn pair(&mut self, number: u32, direction: Direction) {
        self.sessions.on_pair(pair(number), direction, self.now, &mut self.actions);
    }

    fn failed_pair(&mut self) -> Option<String> {
        match self.actions.pop() {
            Some(Action::FailPair(_, _, reason) | Action::FailRetiredPair(_, _, reason)) => Some(reason),
            None => None,
            Some(_) => panic!("another action"),
        }
    }
}

#[test]
fn stations_of_one_burst_count_before_their_children_are_forked() {
    let mut client = Client::new(Limits { outgoing_sessions: 1, ..Limits::default() });
    for _ in 0..21 {
        client.admit();
    }
    assert_eq!(client.actions.station_forks(), 21);
    assert!(client.actions.pop().is_none());
    client.admit();
    let refused = client.actions.pop();
    assert!(matches!(refused, Some(Action::RefuseStation { status: Status::Capacity, .. })));
    // The last of them is served; while others are queued there are too many.
    let mut answers = Vec::new();
    for pid in 1..=21 {
        let Some(Fork::Session(work)) = client.actions.pop_fork() else { panic!("no fork") };
        client.fork(pid, &work);
        answers.push(matches!(client.actions.pop(), Some(Action::SendToServer(_, ToServer::WantOutgoing))));
    }
    assert_eq!(answers.iter().filter(|served| **served).count(), 0);
}

#[test]
fn at_the_limit_a_new_child_says_so_though_one_is_parked() {
    let mut client = Client::new(Limits { outgoing_sessions: 1, ..Limits::default() });
    client.fork(1, &Work::Parked(pair(1)));
    client.fork(2, &Work::Parked(pair(2)));
    client.admit();
    assert!(matches!(client.actions.pop(), Some(Action::SendStation(..))));
    client.admit();
    let Some(Fork::Session(work)) = client.actions.pop_fork() else { panic!("no fork") };
    client.fork(3, &work);
    let told = client.actions.pop();
    assert!(matches!(told, Some(Action::SendToChild(pid, ToChild::NoPair { .. })) if pid.as_raw() == 3));
    assert_eq!(client.sessions.children.idle(Direction::Outgoing), 1);
}

#[test]
fn a_station_whose_parked_child_is_gone_goes_to_the_next_and_then_to_a_new_one() {
    let mut client = Client::new(Limits::default());
    client.fork(1, &Work::Parked(pair(1)));
    client.fork(2, &Work::Parked(pair(2)));
    client.admit();
    let mut tried = Vec::new();
    while let Some(Action::SendStation(pid, station)) = client.actions.pop() {
        tried.push(pid.as_raw());
        client.sessions.serve_station(station, &mut client.actions);
    }
    tried.sort_unstable();
    assert_eq!(tried, [1, 2]);
    assert_eq!(client.actions.station_forks(), 1);
}

#[test]
fn the_server_has_no_more_processes_than_there_may_be() {
    let limits = Limits { sessions: 1, parked_pairs: 1, max_parked_pairs: 0, ..Limits::default() };
    let mut client = Client::new(limits);
    for number in 1..=3 {
        client.pair(number, Direction::Incoming);
    }
    assert_eq!(client.failed_pair(), None);
    client.pair(4, Direction::Incoming);
    assert!(client.failed_pair().unwrap().contains("its limit of session processes"));
    // They also count when they are forked, and not any more when they have ended.
    for pid in 1..=3 {
        let Some(Fork::Session(work)) = client.actions.pop_fork() else { panic!("no fork") };
        client.fork(pid, &work);
    }
    client.pair(4, Direction::Incoming);
    assert!(client.failed_pair().is_some());
    client.sessions.reap(Pid::from_raw(2), None, client.now, &mut client.actions);
    client.pair(4, Direction::Incoming);
    assert_eq!(client.failed_pair(), None);
    // There was no request for this one.
    client.pair(5, Direction::Outgoing);
    assert!(client.failed_pair().unwrap().contains("not requested"));
}

#[test]
fn work_without_a_process_is_refused_and_the_rest_goes_on() {
    let mut client = Client::new(Limits::default());
    for work in [Work::Partner(pair(1)), Work::Parked(pair(2))] {
        client.sessions.fork_failed(work, "no process", client.now, &mut client.actions);
        assert_eq!(client.failed_pair().unwrap(), "no process");
    }
    client.sessions.fork_failed(Work::Station(station()), "no process", client.now, &mut client.actions);
    assert!(matches!(client.actions.pop(), Some(Action::RefuseStation { status: Status::Capacity, .. })));
}

#[test]
fn a_parked_child_that_ends_by_itself_puts_the_next_pair_off() {
    let mut client = Client::new(Limits { parked_pairs: 1, ..Limits::default() });
    let asked = |client: &mut Client| {
        client.sessions.maintain_pools(true, client.now, &mut client.actions);
        client.now += Duration::from_millis(5);
        client.sessions.maintain_pools(true, client.now, &mut client.actions);
        matches!(client.actions.pop(), Some(Action::SendToServer(_, ToServer::WantOutgoing)))
    };
    assert!(asked(&mut client));
    client.pair(1, Direction::Outgoing);
    assert!(!asked(&mut client), "it is about to be parked");
    let Some(Fork::Session(work)) = client.actions.pop_fork() else { panic!("no fork") };
    client.fork(1, &work);
    assert!(!asked(&mut client), "it is parked");
    let ended = client.sessions.reap(Pid::from_raw(1), None, client.now, &mut client.actions);
    assert_eq!(
        ended,
        Some(Ended { idle_at: Some(Place(0)), unjoined: Some((Place(0), id(1))), crash: None, test: None })
    );
    assert!(!asked(&mut client), "not at once");
    client.now += Duration::from_secs(1);
    assert!(asked(&mut client));
    // Without a listener no pair is needed.
    client.sessions.maintain_pools(false, client.now, &mut client.actions);
    assert_eq!(client.sessions.pools_due(), None);
}

#[test]
fn the_pool_grows_with_the_stations_of_a_second_and_shrinks_again() {
    let mut client = Client::new(Limits { parked_pairs: 1, max_parked_pairs: 3, ..Limits::default() });
    let asked = |client: &mut Client| {
        client.sessions.maintain_pools(true, client.now, &mut client.actions);
        client.now += Duration::from_millis(5);
        client.sessions.maintain_pools(true, client.now, &mut client.actions);
        let asked = std::iter::from_fn(|| client.actions.pop());
        asked.filter(|action| matches!(action, Action::SendToServer(_, ToServer::WantOutgoing))).count()
    };
    for _ in 0..2 {
        client.admit();
    }
    assert_eq!(asked(&mut client), 2);
    for _ in 0..8 {
        client.admit();
    }
    assert_eq!(asked(&mut client), 1, "as many as there may be at most");
    while client.actions.pop_fork().is_some() {}
    for number in 1..=3 {
        client.fork(number, &Work::Parked(pair(number.unsigned_abs())));
    }
    // Half a minute later, one pair more is not needed any more.
    client.now = client.sessions.pools_due().unwrap();
    client.sessions.maintain_pools(true, client.now, &mut client.actions);
    assert_eq!(client.sessions.children.idle(Direction::Outgoing), 1);
    assert!(matches!(client.actions.pop(), Some(Action::CloseChannel(_))));
    let told = client.actions.pop();
    assert!(matches!(told, Some(Action::SendToServer(_, ToServer::PairFailed { retired: true, .. }))));
    assert_eq!(client.sessions.pools_due(), None);
}

#[test]
fn the_server_is_told_about_a_process_that_could_not_even_connect() {
    let mut client = Client::new(Limits::default());
    for (number, work) in [(1, Work::Partner(pair(1))), (2, Work::Parked(pair(2)))] {
        for (fault, told) in
            [(None, None), (Some("internal"), Some(format!("process {number} has ended: internal")))]
        {
            client.fork(number, &work);
            client.sessions.reap(Pid::from_raw(number), fault, client.now, &mut client.actions);
            let reason = client.failed_pair();
            assert_eq!(
                reason.is_some_and(|reason| reason.contains(&told.clone().unwrap_or_default())),
                told.is_some()
            );
        }
    }
}

#[test]
fn a_new_configuration_retires_the_parked_children_of_the_old_one() {
    let mut client = Client::new(Limits::default());
    client.fork(1, &Work::Parked(pair(1)));
    client.sessions.accept_config(config(1, Limits::default()), client.now, &mut client.actions);
    assert!(client.actions.pop().is_none(), "it is the same");
    client.sessions.accept_config(config(2, Limits::default()), client.now, &mut client.actions);
    assert!(matches!(client.actions.pop(), Some(Action::CloseChannel(pid)) if pid.as_raw() == 1));
    assert_eq!(client.sessions.config().map(|config| config.generation), Some(2));
}

#[test]
fn a_state_has_the_generation_and_the_sessions_against_their_limits() {
    let mut client =
        Client::new(Limits { sessions: 9, outgoing_sessions: 8, parked_pairs: 2, ..Limits::default() });
    client.fork(1, &Work::Partner(pair(1)));
    client.fork(2, &Work::Parked(pair(2)));
    let (partner, station) = ("acme".to_owned(), "station".to_owned());
    let joined = ToParent::Joined { partner, station };
    client.sessions.children.on_message(Pid::from_raw(1), joined, &mut client.actions);
    let mut state = DaemonState::default();
    client.sessions.describe(true, &mut state);
    assert_eq!(state.generation, Some(1));
    assert_eq!((state.incoming, state.outgoing), (Use { used: 1, limit: 9 }, Use { used: 0, limit: 8 }));
    assert_eq!(state.parked, Use { used: 1, limit: 2 });
    client.sessions.describe(false, &mut state);
    assert_eq!(state.parked.limit, 0, "without a listener none is wanted");
}

#[test]
fn sessions_of_a_partner_that_is_to_be_debugged_are_told_and_no_others() {
    let mut client = Client::new(Limits::default());
    for (number, partner) in [(1, "acme"), (2, "other")] {
        client.fork(number, &Work::Partner(pair(number.unsigned_abs())));
        client.joined(number, partner);
        assert_eq!(client.debugged(), Some((number, None)));
    }
    let wanted = DebuggedPartner { partner: "acme".to_owned(), until: 1_000, seconds: 60 };
    let config = |generation, debug| ClientConfig { debug, ..config(generation, Limits::default()) };
    client.sessions.accept_config(config(2, vec![wanted]), client.now, &mut client.actions);
    assert_eq!(client.debugged(), Some((1, Some(60))));
    assert_eq!(client.debugged(), None, "the other one");
    // One that was forked before, and joins now.
    client.now += Duration::from_secs(20);
    client.fork(3, &Work::Partner(pair(3)));
    client.joined(3, "acme");
    assert_eq!(client.debugged(), Some((3, Some(40))));
    client.sessions.accept_config(config(3, Vec::new()), client.now, &mut client.actions);
    let mut ended = [client.debugged(), client.debugged()];
    ended.sort_unstable();
    assert_eq!(ended, [Some((1, None)), Some((3, None))]);
}

#[test]
fn a_station_goes_by_the_joined_server_with_the_fewest_and_all_share_the_pool() {
    let (first, second) = (Place(0), Place(1));
    let mut client = Client::new(Limits { parked_pairs: 3, ..Limits::default() });
    client.sessions.join(second);
    client.sessions.maintain_pools(true, client.now, &mut client.actions);
    client.now += Duration::from_millis(5);
    client.sessions.maintain_pools(true, client.now, &mut client.actions);
    let mut asked = Vec::new();
    while let Some(Action::SendToServer(place, ToServer::WantOutgoing)) = client.actions.pop() {
        asked.push(place);
    }
    assert_eq!(asked, [first, first, second, second]);
    for (pid, place) in [(1, first), (2, first), (3, second), (4, second)] {
        client.fork(pid, &Work::Parked(pair_at(place, pid.unsigned_abs())));
    }
    let mut served = Vec::new();
    for _ in 0..4 {
        client.admit();
        let Some(Action::SendStation(pid, _)) = client.actions.pop() else { panic!("not served") };
        served.push(if pid.as_raw() < 3 { first } else { second });
    }
    assert_eq!(served, [first, second, first, second]);
}

#[test]
fn when_a_server_is_gone_its_parked_pairs_end_and_who_waits_for_it_asks_another_one() {
    let (first, second) = (Place(0), Place(1));
    let mut client = Client::new(Limits::default());
    client.fork(1, &Work::Parked(pair_at(first, 1)));
    client.fork(2, &Work::Partner(pair_at(first, 2)));
    client.joined(2, "acme");
    client.fork(3, &Work::Station(station()));
    client.sessions.join(second);
    while client.actions.pop().is_some() {}
    client.sessions.leave(first, &mut client.actions);
    // The session of the partner goes on.
    assert!(matches!(client.actions.pop(), Some(Action::CloseChannel(pid)) if pid.as_raw() == 1));
    let asked = client.actions.pop();
    assert!(matches!(asked, Some(Action::SendToServer(Place(1), ToServer::WantOutgoing))));
    client.sessions.leave(second, &mut client.actions);
    let told = client.actions.pop();
    assert!(matches!(told, Some(Action::SendToChild(pid, ToChild::NoPair { .. })) if pid.as_raw() == 3));
    assert!(client.actions.pop().is_none());
}

#[test]
fn a_station_that_one_server_refuses_goes_by_another_one() {
    let mut client = Client::new(Limits::default());
    client.sessions.join(Place(1));
    client.fork(3, &Work::Station(station()));
    let asked = |client: &mut Client| match client.actions.pop() {
        Some(Action::SendToServer(place, ToServer::WantOutgoing)) => Some(place),
        Some(Action::SendToChild(pid, ToChild::NoPair { .. })) if pid.as_raw() == 3 => None,
        _ => panic!("another action"),
    };
    assert_eq!(asked(&mut client), Some(Place(0)));
    client.sessions.on_no_pair(Place(0), "it is drained".to_owned(), client.now, &mut client.actions);
    assert_eq!(asked(&mut client), Some(Place(1)));
    client.sessions.on_no_pair(Place(1), "it is drained".to_owned(), client.now, &mut client.actions);
    assert_eq!(asked(&mut client), None);
}
