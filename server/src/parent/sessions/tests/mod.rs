//! Tests sessions without sockets and processes.

mod pairs;
mod partners;

use super::*;
use crate::addresses::Addresses;
use crate::messages::Peer;
use common::config::Limits;
use common::log::Unwritten;
use common::process::drain::Cause;
use common::rpc::SessionBegin;
use common::state::Refused;

type Socket = u32;

/// Sessions with the clock and the conditions of a test.
struct Bench {
    sessions: Sessions<Socket>,
    limits: Limits,
    joined: bool,
    generation: u64,
    configured: bool,
    licensed: bool,
    draining: Option<Cause>,
    addresses: Addresses,
    time: i64,
    now: Instant,
    next_pid: i32,
    /// Refusals that were counted.
    counted: Vec<Refused>,
}

/// An action, in short form.
#[derive(Debug, PartialEq, Eq)]
enum Done {
    Pair(SessionId, Direction),
    Retire(SessionId),
    NoOutgoing,
    Data(Pid, Socket),
    Serve(Pid, Socket),
    Entry(Pid, Option<Status>),
    MakeWay(Pid),
    NoPair(Pid),
    Answer(Pid, &'static str),
    Close(Pid),
    Refuse(Status),
    Decline(Socket),
    RefuseDial(Socket),
    Crash(Pid),
    Debug(Pid, Option<u64>),
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
            draining: None,
            addresses: Addresses::default(),
            time: 0,
            now: Instant::now(),
            next_pid: 100,
            counted: Vec::new(),
        }
    }

    fn with<T>(&mut self, event: impl FnOnce(&mut Sessions<Socket>, &Conditions<'_>, Instant) -> T) -> T {
        let conditions = Conditions {
            joined: self.joined,
            limits: self.configured.then_some(&self.limits),
            generation: self.generation,
            licensed: self.licensed,
            draining: self.draining,
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
                Action::SendToChild(pid, ToChild::Serve(_), socket) => {
                    Some(Done::Serve(pid, socket.unwrap()))
                }
                Action::SendToChild(pid, ToChild::Entry { refusal, .. }, _) => {
                    let status = refusal.and_then(|(number, _)| Status::from_number(number));
                    Some(Done::Entry(pid, status))
                }
                Action::SendToChild(pid, ToChild::MakeWay, _) => Some(Done::MakeWay(pid)),
                Action::SendToChild(pid, ToChild::Debug(time), _) => {
                    Some(Done::Debug(pid, time.left.map(|left| left.as_secs())))
                }
                Action::SendToChild(pid, ToChild::NoPair { .. }, _) => Some(Done::NoPair(pid)),
                Action::SendToChild(pid, ToChild::Admitted, _) => Some(Done::Answer(pid, "admitted")),
                Action::SendToChild(pid, ToChild::Full(_), _) => Some(Done::Answer(pid, "full")),
                Action::SendToChild(pid, ToChild::Draining(_), _) => Some(Done::Answer(pid, "draining")),
                Action::SendToChild(pid, ToChild::Unlicensed, _) => Some(Done::Answer(pid, "unlicensed")),
                Action::CloseChannel(pid) => Some(Done::Close(pid)),
                Action::RefusePartner(_, status, _) => Some(Done::Refuse(status)),
                Action::DeclineDial(socket) => Some(Done::Decline(socket)),
                Action::RefuseDial(socket) => Some(Done::RefuseDial(socket)),
                Action::CountRefusal(what) => {
                    self.counted.push(*what);
                    None
                }
                Action::NoteEnd(..) | Action::ReportSession(..) => None,
                Action::LogCrash(crash) => Some(Done::Crash(crash.pid)),
                other => panic!("{other:?}"),
            });
        }
        done
    }

    /// Forks the next requested child.
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

    /// A spare child with its pair, without a data connection so far.
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

    /// A child whose partner was refused; its pair was not used.
    fn refused(&mut self) -> (Pid, SessionId) {
        let (child, id) = self.parked();
        self.accept(2, 2);
        self.message(child, ToParent::EndLogged(Unwritten::default()));
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
