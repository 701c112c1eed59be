//! Which connections are accepted, closed or refused, and what is logged about them.

use super::*;

#[test]
fn a_stranger_makes_way_for_a_newcomer_and_a_known_one_does_not() {
    let mut bench = Bench::new();
    bench.limits = Limits { unverified_hard: 4, unverified_soft: 4, ..bench.limits.clone() };
    // Three of four places are for strangers; the fourth one is reserved for known sources.
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
    // A source that was a partner's has its own place, and keeps it.
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
    // Two at a time; a stranger may not have two.
    for socket in [1, 2] {
        bench.accept(socket, 9);
        bench.accept(socket + 10, 8);
    }
    let refused = bench.done().iter().filter(|done| matches!(done, Done::Refuse(Status::Capacity))).count();
    assert_eq!(refused, 1);
}

#[test]
fn a_source_that_was_refused_repeatedly_is_refused_without_a_process() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.accept(1, 1);
        let child = bench.fork();
        bench.message(child, ToParent::EndLogged(Unwritten::default()));
        bench.reap_as(child, WaitStatus::Exited(child, Status::Tls.number().into()));
        bench.done();
    }
    bench.accept(1, 1);
    assert_eq!(bench.done(), [Done::Refuse(Status::Penalty)]);
    assert!(bench.sessions.next_fork().is_none());
    assert_eq!(bench.sessions.take_stranger_counts().penalized, 1);
    bench.now += Duration::from_secs(5);
    bench.accept(1, 1);
    assert_eq!(bench.done(), []);
}

#[test]
fn a_banned_source_is_refused_without_a_process_and_its_lines_are_limited() {
    let mut bench = Bench::new();
    bench.addresses = Addresses::for_tests(&[("192.0.2.1", Some(9))], &[], &["192.0.2.0/24"]);
    bench.time = 9;
    for _ in 0..30 {
        bench.accept(1, 1);
    }
    let done = bench.done();
    assert!(done.len() == 20 && done.iter().all(|done| *done == Done::Refuse(Status::Banned)), "{done:?}");
    assert!(bench.sessions.next_fork().is_none());
    let counts = bench.sessions.take_stranger_counts();
    assert_eq!((counts.banned, counts.penalized, counts.left_out), (30, 0, 10));
    // The ban is over, and there is no penalty because of it.
    bench.time = 10;
    bench.accept(1, 1);
    assert_eq!(bench.done(), []);
    assert!(bench.sessions.next_fork().is_some());
}

#[test]
fn each_refusal_is_counted_by_the_parent_or_by_its_child() {
    let mut bench = Bench::new();
    let child = bench.serving("acme");
    bench.licensed = false;
    bench.accept(3, 3);
    assert_eq!(bench.done(), [Done::Refuse(Status::Licence)]);
    let address = Some([192, 0, 2, 3].into());
    let turned_away = Refused {
        direction: "incoming".to_owned(),
        reason: "licence".to_owned(),
        address,
        ..Refused::default()
    };
    let stranger = Refused {
        reason: "unknown-partner".to_owned(),
        address: Some("2001:db8::1:2:3:4".parse().unwrap()),
        ssid: "O0013".to_owned(),
        ..turned_away.clone()
    };
    bench.message(child, ToParent::Refused(Box::new(stranger.clone())));
    assert_eq!(bench.done(), []);
    assert_eq!(bench.counted, [turned_away, stranger]);
}

#[test]
fn a_state_has_the_sessions_against_their_limits_and_how_far_they_have_come() {
    let mut bench = Bench::new();
    let child = bench.serving("acme");
    bench.parked();
    let mut state = DaemonState::default();
    bench.sessions.describe(&mut state, Some(&bench.limits));
    assert_eq!((state.incoming, state.parked), (Use { used: 1, limit: 2 }, Use { used: 1, limit: 1 }));
    assert_eq!(state.outgoing.used + state.unverified.used, 0);
    bench.sessions.describe(&mut state, None);
    assert_eq!(state.incoming, Use { used: 1, limit: 0 });
    let progress = Progress { session: "one".to_owned(), octets_in: 5, ..Progress::default() };
    bench.message(child, ToParent::Progress(progress.clone()));
    assert_eq!(bench.sessions.take_progress(1_000), [progress]);
    assert_eq!(bench.sessions.take_progress(1_000), []);
}

#[test]
fn sessions_of_a_partner_that_is_to_be_debugged_are_told_and_no_others() {
    let mut bench = Bench::new();
    let (runs, other) = (bench.serving("acme"), bench.serving("other"));
    let wanted = |partner: &str| DebuggedPartner { partner: partner.to_owned(), until: 1_000, seconds: 60 };
    bench.with(|sessions, _, now| sessions.debug_partners(&[wanted("acme"), wanted("third")], now));
    assert_eq!(bench.done(), [Done::Debug(runs, Some(60))]);
    // When it asks for admission, it is told first.
    bench.now += Duration::from_secs(20);
    let (asks, _) = bench.parked();
    bench.accept(2, 3);
    bench.done();
    bench.message(asks, ask("third"));
    assert_eq!(bench.done(), [Done::Debug(asks, Some(39)), Done::Answer(asks, "full")]);
    bench.with(|sessions, _, now| sessions.debug_partners(&[wanted("third")], now));
    assert_eq!(bench.done(), [Done::Debug(runs, None)]);
    bench.message(other, ask("other"));
    assert!(bench.done().iter().all(|done| !matches!(done, Done::Debug(..))));
}

/// The balancer is 192.0.2.9; `Source` names 192.0.2.1.
#[test]
fn a_balancers_connection_counts_for_the_partner_that_its_header_names() {
    let mut bench = Bench::new();
    bench.limits = Limits { unverified_per_address: 2, ..bench.limits.clone() };
    bench.addresses = Addresses::for_tests(&[("192.0.2.3", None)], &[], &[]).with_balancers("192.0.2.9");
    let serve = |bench: &mut Bench, number| {
        bench.accept(number, 9);
        let child = bench.fork();
        assert_eq!(bench.done(), [Done::Serve(child, number)]);
        child
    };
    let source = |last| ToParent::Source(SocketAddr::from(([192, 0, 2, last], 5000)));
    // Any number of connections may be the balancer's, and two may be one partner's.
    let children: Vec<Pid> = (1..=4).map(|number| serve(&mut bench, number)).collect();
    for child in &children[..2] {
        bench.message(*child, source(1));
        assert_eq!(bench.done(), [Done::Entry(*child, None)]);
    }
    bench.message(children[2], source(1));
    assert_eq!(bench.done(), [Done::Entry(children[2], Some(Status::Capacity))]);
    bench.message(children[3], source(3));
    assert_eq!(bench.done(), [Done::Entry(children[3], Some(Status::Banned))]);
    // It says so once, and only a balancer's child may.
    bench.message(children[3], source(2));
    assert_eq!(bench.done(), []);
    bench.accept(5, 8);
    let stranger = bench.fork();
    bench.done();
    bench.message(stranger, source(2));
    assert_eq!(bench.done(), []);
}
