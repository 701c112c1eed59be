//! Stations, pairs and limits together.

use super::Sessions;
use crate::messages::ToChild;
use crate::parent::action::{Action, Actions, Fork, Work};
use crate::parent::children::Ended;
use crate::session::Station;
use common::config::{ClientConfig, Limits};
use common::link::control::ToServer;
use common::link::session_id::{Direction, SessionId};
use common::link::ticket::Ticket;
use common::process::status::Status;
use mio::net::TcpStream;
use nix::unistd::Pid;
use std::time::{Duration, Instant};

fn id(number: u32) -> SessionId {
    SessionId::try_from(format!("{number:032x}")).unwrap()
}

fn ticket() -> Ticket {
    Ticket::random().unwrap()
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
        listen_ip: None,
        listen_port: Some(3306),
        networks: Vec::new(),
        tied: Vec::new(),
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
        let (mut sessions, mut actions) = (Sessions::default(), Actions::default());
        sessions.accept_config(config(1, limits), &mut actions);
        Self { sessions, actions, now: Instant::now() }
    }

    fn fork(&mut self, pid: i32, work: &Work) {
        self.sessions.register(Pid::from_raw(pid), work, &mut self.actions);
    }

    fn admit(&mut self) {
        self.sessions.admit_station(station(), true, &mut self.actions);
    }

    fn pair(&mut self, number: u32, direction: Direction) {
        self.sessions.on_pair((id(number), ticket()), direction, self.now, &mut self.actions);
    }

    fn failed_pair(&mut self) -> Option<String> {
        match self.actions.pop() {
            Some(Action::FailPair(_, reason) | Action::LosePair(_, reason)) => Some(reason),
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
    // The last of them is served; as long as others are queued there are too many.
    let mut answers = Vec::new();
    for pid in 1..=21 {
        let Some(Fork::Session(work)) = client.actions.pop_fork() else { panic!("no fork") };
        client.fork(pid, &work);
        answers.push(matches!(client.actions.pop(), Some(Action::SendToServer(ToServer::WantOutgoing))));
    }
    assert_eq!(answers.iter().filter(|served| **served).count(), 0);
}

#[test]
fn at_the_limit_a_new_child_says_so_though_one_is_parked() {
    let mut client = Client::new(Limits { outgoing_sessions: 1, ..Limits::default() });
    client.fork(1, &Work::Parked(id(1), ticket()));
    client.fork(2, &Work::Parked(id(2), ticket()));
    client.admit();
    assert!(matches!(client.actions.pop(), Some(Action::SendStation(..))));
    client.admit();
    let Some(Fork::Session(work)) = client.actions.pop_fork() else { panic!("no fork") };
    client.fork(3, &work);
    let told = client.actions.pop();
    assert!(matches!(told, Some(Action::SendToChild(pid, ToChild::NoPair { .. })) if pid.as_raw() == 3));
    assert_eq!(client.sessions.children.idle_outgoing(), 1);
}

#[test]
fn a_station_whose_parked_child_is_gone_goes_to_the_next_and_then_to_a_new_one() {
    let mut client = Client::new(Limits::default());
    client.fork(1, &Work::Parked(id(1), ticket()));
    client.fork(2, &Work::Parked(id(2), ticket()));
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
    let mut client = Client::new(Limits { sessions: 1, parked_pairs: 1, ..Limits::default() });
    for number in 1..=3 {
        client.pair(number, Direction::Incoming);
    }
    assert_eq!(client.failed_pair(), None);
    client.pair(4, Direction::Incoming);
    assert!(client.failed_pair().unwrap().contains("as many session processes"));
    // They count all the same once they are forked, and no more once they have ended.
    for pid in 1..=3 {
        let Some(Fork::Session(work)) = client.actions.pop_fork() else { panic!("no fork") };
        client.fork(pid, &work);
    }
    client.pair(4, Direction::Incoming);
    assert!(client.failed_pair().is_some());
    client.sessions.reap(Pid::from_raw(2), None, client.now, &mut client.actions);
    client.pair(4, Direction::Incoming);
    assert_eq!(client.failed_pair(), None);
    // Nobody has asked for this one.
    client.pair(5, Direction::Outgoing);
    assert!(client.failed_pair().unwrap().contains("nobody"));
}

#[test]
fn work_without_a_process_is_refused_and_the_rest_goes_on() {
    let mut client = Client::new(Limits::default());
    for work in [Work::Partner(id(1), ticket()), Work::Parked(id(2), ticket())] {
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
        client.sessions.maintain_pool(true, client.now, &mut client.actions);
        client.now += Duration::from_millis(5);
        client.sessions.maintain_pool(true, client.now, &mut client.actions);
        matches!(client.actions.pop(), Some(Action::SendToServer(ToServer::WantOutgoing)))
    };
    assert!(asked(&mut client));
    client.pair(1, Direction::Outgoing);
    assert!(!asked(&mut client), "it is about to be parked");
    let Some(Fork::Session(work)) = client.actions.pop_fork() else { panic!("no fork") };
    client.fork(1, &work);
    assert!(!asked(&mut client), "it is parked");
    let ended = client.sessions.reap(Pid::from_raw(1), None, client.now, &mut client.actions);
    assert_eq!(ended, Some(Ended { was_idle: true, unjoined: Some(id(1)), crash: None }));
    assert!(!asked(&mut client), "not at once");
    client.now += Duration::from_secs(1);
    assert!(asked(&mut client));
    // Without a listener nobody needs one.
    client.sessions.maintain_pool(false, client.now, &mut client.actions);
    assert_eq!(client.sessions.pool.due(), None);
}

#[test]
fn the_server_hears_of_a_process_that_could_not_even_dial() {
    let mut client = Client::new(Limits::default());
    for (number, work) in [(1, Work::Partner(id(1), ticket())), (2, Work::Parked(id(2), ticket()))] {
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
    client.fork(1, &Work::Parked(id(1), ticket()));
    client.sessions.accept_config(config(1, Limits::default()), &mut client.actions);
    assert!(client.actions.pop().is_none(), "it is the same");
    client.sessions.accept_config(config(2, Limits::default()), &mut client.actions);
    assert!(matches!(client.actions.pop(), Some(Action::CloseChannel(pid)) if pid.as_raw() == 1));
    assert_eq!(client.sessions.config().map(|config| config.generation), Some(2));
}
