//! Cases that `t/` covers with the real binaries, and cases that it cannot: a child that dies between two messages, a
//! pair that is claimed twice, a client that is lost while children are being forked.

use super::*;

#[test]
fn a_partner_goes_to_the_parked_child() {
    let mut bench = Bench::new();
    bench.serving("acme");
    assert!(bench.sessions.next_fork().is_none());
}

#[test]
fn without_a_parked_child_one_is_forked_and_its_pair_is_made_once_the_partner_is_verified() {
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
    let address = SocketAddr::from(([192, 0, 2, 2], 4000));
    let peer = Peer { address, has_line: true, is_balancer: false };
    let now = bench.now;
    bench.sessions.send_failed(child, &ToChild::Serve(peer), Some(2), now);
    assert_eq!(bench.done(), [Done::Close(child)]);
    // It dies: no crash, because it served nobody; its pair gets another child, the partner a new one.
    bench.reap(child);
    assert_eq!(bench.done(), []);
    let next = bench.fork();
    assert_eq!(bench.done(), [Done::Serve(next, 2)]);
    let replacement = bench.fork();
    bench.connect(id, 4);
    assert_eq!(bench.done(), [Done::Data(replacement, 4)]);
}

#[test]
fn a_new_child_that_cannot_be_reached_means_a_refused_partner_and_no_endless_loop() {
    let mut bench = Bench::new();
    bench.accept(2, 2);
    let child = bench.fork();
    bench.done();
    let address = SocketAddr::from(([192, 0, 2, 2], 4000));
    let peer = Peer { address, has_line: true, is_balancer: false };
    let now = bench.now;
    bench.sessions.send_failed(child, &ToChild::Serve(peer), Some(2), now);
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
    // It had a data connection before, so it is no fault if nobody connects again.
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
fn a_client_child_that_ends_before_it_dials_is_reported_to_the_child_that_waits_for_it() {
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
    bench.message(first, ToParent::EndLogged(Unwritten::default()));
    bench.reap(first);
    bench.message(third, ask("third"));
    assert_eq!(bench.done(), [Done::Answer(third, "admitted")]);
}

#[test]
fn the_pool_grows_with_the_partners_of_a_second_and_shrinks_again() {
    let mut bench = Bench::new();
    bench.limits = Limits { max_parked_pairs: 3, parked_pairs: 1, ..Limits::default() };
    // Strangers do not count.
    let child = bench.parked().0;
    for socket in 2..=9 {
        bench.accept(socket, 2);
    }
    while bench.sessions.next_fork().is_some() {}
    bench.maintain();
    bench.now += Duration::from_millis(300);
    bench.maintain();
    assert!(bench.sessions.next_fork().is_none());
    bench.message(child, ToParent::Joined);
    for partner in ["one", "two", "three", "four"] {
        bench.message(child, ask(partner));
    }
    bench.maintain();
    bench.now += Duration::from_millis(300);
    bench.maintain();
    for _ in 0..3 {
        bench.fork();
    }
    assert!(bench.sessions.next_fork().is_none(), "as many as there may be at most");
    let made = bench.done();
    let pairs = made.iter().filter_map(|done| match done {
        Done::Pair(id, Direction::Incoming) => Some(*id),
        _ => None,
    });
    for pair in pairs {
        bench.connect(pair, 3);
    }
    bench.done();
    bench.now += Duration::from_secs(5);
    bench.maintain();
    assert_eq!(bench.done(), []);
    // Half a minute later, one pair more is not needed any more.
    bench.now += Duration::from_secs(25);
    bench.maintain();
    let retired = bench.done().iter().filter(|done| matches!(done, Done::Retire(_))).count();
    assert_eq!((retired, bench.sessions.pool.incoming()), (2, 1));
}

#[test]
fn outgoing_pairs_are_made_as_the_configuration_allows_and_each_request_is_answered() {
    let mut bench = Bench::new();
    bench.limits = Limits { outgoing_sessions: 1, parked_pairs: 0, max_parked_pairs: 0, ..Limits::default() };
    let request =
        |bench: &mut Bench| bench.with(|sessions, conditions, _| sessions.request_outgoing(conditions));
    request(&mut bench);
    request(&mut bench);
    assert_eq!(bench.done(), [Done::NoOutgoing], "the first one is on its way");
    let child = bench.fork();
    assert!(matches!(bench.done()[..], [Done::Pair(_, Direction::Outgoing)]));
    bench.message(child, ToParent::Joined);
    bench.draining = Some(Cause::Ordered);
    bench.message(child, ask("acme"));
    assert_eq!(bench.done(), [Done::Answer(child, "draining")]);
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
    // The admitted session is not ended, and there is no new pair.
    bench.message(serving, ask("acme"));
    assert_eq!(bench.done(), [Done::Answer(serving, "admitted")]);
    bench.message(serving, ToParent::NeedPair);
    assert_eq!(bench.done(), [Done::NoPair(serving)]);
}

#[test]
fn if_no_process_can_be_forked_each_request_is_refused_and_the_pool_pauses() {
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
fn a_message_of_a_child_that_has_ended_changes_nothing() {
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
