//! Every way in which a session process of the client can end.

use super::{Children, Crash, Ended, MOST_LEFT};
use crate::messages::{Test, ToChild, ToParent};
use crate::parent::action::{Action, Actions, Pair, Work};
use crate::parent::backend_call::BackendCall;
use crate::parent::place::Place;
use crate::session::Station;
use common::link::control::ToServer;
use common::link::session_id::{Direction, SessionId};
use common::link::ticket::Ticket;
use common::log::Unwritten;
use common::rpc::{ActOutcome, SessionBegin, SessionEvent};
use mio::net::TcpStream;
use nix::unistd::Pid;

const PLACE: Place = Place(0);
const ONE: Pid = Pid::from_raw(1);
const TWO: Pid = Pid::from_raw(2);

fn id(number: u32) -> SessionId {
    SessionId::try_from(format!("{number:032x}")).unwrap()
}

/// The pair of this number at the first server.
fn pair(number: u32) -> Pair {
    pair_at(PLACE, number)
}

fn pair_at(place: Place, number: u32) -> Pair {
    let server = ([192, 0, 2, 1], 2878).into();
    Pair { place, server, id: id(number), ticket: Ticket::random().unwrap() }
}

fn joined(partner: &str) -> ToParent {
    ToParent::Joined { partner: partner.to_owned(), station: format!("station of {partner}") }
}

/// A station with a socket that is connected to nothing.
fn station() -> Station {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    Station { socket, peer: listener.local_addr().unwrap(), tied: None }
}

struct Table {
    children: Children,
    actions: Actions,
}

impl Table {
    /// One parked child in each direction: `ONE` for partners, `TWO` for stations.
    fn new() -> Self {
        let mut children = Children::default();
        children.register(ONE, &Work::Partner(pair(1)));
        children.register(TWO, &Work::Parked(pair(2)));
        Self { children, actions: Actions::default() }
    }

    fn says(&mut self, pid: Pid, message: ToParent) {
        self.children.on_message(pid, message, &mut self.actions);
    }

    fn closed(&mut self) -> Vec<Pid> {
        let mut closed = Vec::new();
        while let Some(action) = self.actions.pop() {
            match action {
                Action::CloseChannel(pid) => closed.push(pid),
                Action::NoteBegun { .. } | Action::NoteEnd(..) => {}
                _ => panic!("another action"),
            }
        }
        closed.sort_unstable();
        closed
    }
}

/// It wrote no end line and needed none; `unjoined`: the number of its pair.
fn quiet(was_idle: bool, unjoined: Option<u32>) -> Ended {
    Ended {
        idle_at: was_idle.then_some(PLACE),
        unjoined: unjoined.map(|number| (PLACE, id(number))),
        crash: None,
        test: None,
    }
}

#[test]
fn parked_children_end_without_a_line_and_one_for_stations_means_that_its_pair_was_of_no_use() {
    let mut table = Table::new();
    assert_eq!((table.children.incoming(), table.children.idle(Direction::Outgoing)), (1, 1));
    assert_eq!(table.children.reap(ONE), Some(quiet(false, Some(1))));
    assert_eq!(table.children.reap(TWO), Some(quiet(true, Some(2))));
    assert_eq!(table.children.reap(TWO), None);
    assert_eq!((table.children.incoming(), table.children.idle(Direction::Outgoing)), (0, 0));
}

#[test]
fn a_session_without_an_end_line_is_a_crash() {
    for end_logged in [false, true] {
        let mut table = Table::new();
        table.says(ONE, joined("acme"));
        if end_logged {
            table.says(ONE, ToParent::EndLogged(Unwritten::default()));
        }
        let crash =
            Crash { direction: Direction::Incoming, pair: Some(id(1)), partner: Some("acme".to_owned()) };
        let crash = Some(crash).filter(|_| !end_logged);
        assert_eq!(
            table.children.reap(ONE),
            Some(Ended { idle_at: None, unjoined: None, crash, test: None })
        );
    }
}

#[test]
fn a_child_that_dies_with_its_station_before_its_first_message_is_a_crash() {
    let mut table = Table::new();
    assert_eq!(table.children.assign_station(PLACE), Some(TWO));
    let crash = Crash { direction: Direction::Outgoing, pair: Some(id(2)), partner: None };
    assert_eq!(
        table.children.reap(TWO),
        Some(Ended { idle_at: None, unjoined: Some((PLACE, id(2))), crash: Some(crash), test: None })
    );
}

#[test]
fn a_child_that_tests_a_partner_reports_one_outcome_and_a_missing_one_is_noticed() {
    let outcome = |number| ActOutcome { number, done: true, text: String::new(), steps: Vec::new() };
    let three = Pid::from_raw(3);
    for tells in [true, false] {
        let mut table = Table::new();
        let work = Work::Test(Test { number: 7, partner: "acme".to_owned() });
        table.children.register(three, &work);
        assert_eq!(table.children.stations(), 1, "it counts as one with a station");
        // The outcome of another act, and one from a child that tests nothing.
        table.says(TWO, ToParent::Tested(outcome(7)));
        assert!(table.actions.pop().is_none());
        if tells {
            table.says(three, ToParent::Tested(outcome(7)));
            let told = table.actions.pop();
            assert!(matches!(told, Some(Action::Report(BackendCall::ActDone(told))) if told.number == 7));
        }
        table.says(three, ToParent::EndLogged(Unwritten::default()));
        assert_eq!(table.children.reap(three).unwrap().test, Some(7).filter(|_| !tells));
    }
}

#[test]
fn a_parked_child_is_given_one_station_and_never_one_for_partners() {
    let mut table = Table::new();
    assert_eq!(table.children.assign_station(PLACE), Some(TWO));
    assert_eq!((table.children.stations(), table.children.idle(Direction::Outgoing)), (1, 0));
    assert_eq!(table.children.assign_station(PLACE), None);
    table.children.register(Pid::from_raw(3), &Work::Station(station()));
    assert_eq!((table.children.stations(), table.children.assign_station(PLACE)), (2, None));
}

#[test]
fn retired_children_are_closed_once_and_count_no_more() {
    let mut table = Table::new();
    table.children.retire(PLACE, id(2), &mut table.actions);
    assert_eq!(table.closed(), [TWO]);
    assert_eq!((table.children.idle(Direction::Outgoing), table.children.assign_station(PLACE)), (0, None));
    table.children.retire_idle_children("why", &mut table.actions);
    assert!(matches!(table.actions.pop(), Some(Action::CloseChannel(ONE))));
    let told = table.actions.pop();
    assert!(matches!(told,
        Some(Action::SendToServer(_, ToServer::PairFailed { pair, retired: true, .. })) if pair == id(1)));
    table.children.retire_idle_children("why", &mut table.actions);
    table.children.retire(PLACE, id(9), &mut table.actions);
    assert_eq!(table.closed(), []);
    // It did not end by itself.
    assert_eq!(table.children.reap(TWO), Some(quiet(false, None)));
}

#[test]
fn a_session_survives_when_the_parked_ones_are_retired() {
    let mut table = Table::new();
    table.says(ONE, joined("acme"));
    assert_eq!(table.children.assign_station(PLACE), Some(TWO));
    table.children.retire_idle_children("why", &mut table.actions);
    // The partner's session is joined: its pair cannot be given up any more.
    table.children.retire(PLACE, id(1), &mut table.actions);
    assert_eq!(table.closed(), []);
    // The station's pair may not be joined yet.
    table.children.retire(PLACE, id(2), &mut table.actions);
    let told = table.actions.pop();
    assert!(matches!(told, Some(Action::SendToChild(TWO, ToChild::Retired { pair })) if pair == id(2)));
}

#[test]
fn requests_of_a_child_are_carried_out() {
    let mut table = Table::new();
    table.says(TWO, ToParent::WantPair);
    assert!(matches!(table.actions.pop(), Some(Action::RequestPair(TWO))));
    table.says(TWO, ToParent::Failed { reason: "why".to_owned() });
    assert!(
        matches!(table.actions.pop(), Some(Action::FailPair(_, pair, why)) if pair == id(2) && why == "why")
    );
    // One that was forked for a station has no pair that can fail, and a message of one that was reaped is ignored.
    let late = Pid::from_raw(3);
    table.children.register(late, &Work::Station(station()));
    table.says(late, ToParent::Failed { reason: "why".to_owned() });
    table.children.reap(TWO);
    table.says(TWO, ToParent::WantPair);
    assert!(table.actions.pop().is_none());
}

#[test]
fn a_pair_that_does_not_reach_its_child_fails() {
    let mut table = Table::new();
    table.children.assign_station(PLACE);
    table.children.assign_pair(TWO, pair(7), &mut table.actions);
    let Some(Action::SendToChild(TWO, message)) = table.actions.pop() else { panic!("it is not sent") };
    // While it is being sent it is the pair that counts.
    for (pair, is_its) in [(id(2), false), (id(7), true)] {
        table.children.retire(PLACE, pair, &mut table.actions);
        let told = matches!(table.actions.pop(), Some(Action::SendToChild(TWO, ToChild::Retired { .. })));
        assert_eq!(told, is_its);
    }
    table.children.send_failed(TWO, &message, &mut table.actions);
    assert!(matches!(table.actions.pop(), Some(Action::FailPair(_, pair, _)) if pair == id(7)));
    table.children.retire(PLACE, id(7), &mut table.actions);
    table.children.send_failed(TWO, &ToChild::Retired { pair: id(7) }, &mut table.actions);
    assert!(table.actions.pop().is_none());
}

#[test]
fn stations_are_named_also_a_while_after_the_end() {
    let begin = |number: u32| {
        vec![SessionEvent::Begin(SessionBegin { session: id(number).to_string(), ..Default::default() })]
    };
    let named = |table: &mut Table, number| {
        let mut events = begin(number);
        table.children.name_stations(&mut events);
        let [SessionEvent::Begin(begin)] = &events[..] else { panic!("no begin") };
        begin.station.clone()
    };
    let mut table = Table::new();
    table.says(ONE, joined("acme"));
    assert_eq!(named(&mut table, 1), "station of acme");
    table.children.reap(ONE);
    assert_eq!(named(&mut table, 1), "station of acme");
    // Its name is given once and then forgotten; a parked one never had any.
    assert_eq!(named(&mut table, 1), "");
    table.children.reap(TWO);
    assert_eq!(named(&mut table, 2), "");
    // Only a limited number is remembered.
    for number in 10..=10 + u32::try_from(MOST_LEFT).unwrap() {
        table.children.register(ONE, &Work::Partner(pair(number)));
        table.says(ONE, joined("acme"));
        table.children.reap(ONE);
    }
    assert_eq!(named(&mut table, 10), "");
    assert_eq!(named(&mut table, 11), "station of acme");
}
