//! Acts of administrators: the backend sends them, a server or a session process does its part, and the backend
//! receives the outcome. Pure.

use super::action::{Action, Actions, Fork, Work};
use super::backend_call::BackendCall;
use super::children::Children;
use super::place::Place;
use crate::messages::Test;
use common::link::control::ToServer;
use common::partner_test::bounded;
use common::rpc::{Act, ActKind, ActOutcome, MAX_OUTCOME};
use common::text::shortened;
use std::collections::BTreeMap;

/// Most acts that may wait for answers; an administrator waits for half a minute.
const MOST: usize = 100;

/// The acts that servers were asked to do.
#[derive(Default)]
pub(super) struct Acts {
    /// The servers that have not answered yet, of each act.
    open: BTreeMap<u64, usize>,
}

impl Acts {
    /// Begins this act; `able`: the servers that can do it, or why none can.
    pub(super) fn begin(
        &mut self,
        act: &Act,
        able: Result<Vec<Place>, String>,
        children: &Children,
        actions: &mut Actions,
    ) {
        let mut servers = match able {
            Ok(servers) => servers,
            Err(text) => return report_failure(act.number, text, actions),
        };
        match &act.kind {
            // Before the server's answer: the session might end before its child knows who has ended it.
            ActKind::EndSession { session } => {
                children.end_by(session, &act.administrator, actions);
                // A session that has outlived an earlier client may be at any server.
                if let Some(place) = children.place_of(session).filter(|place| servers.contains(place)) {
                    servers = vec![place];
                }
            }
            ActKind::TestPartner { partner } => {
                let test = Test { number: act.number, partner: partner.clone() };
                return actions.push_fork(Fork::Session(Work::Test(test)));
            }
        }
        if self.open.len() == MOST {
            self.open.pop_first();
        }
        self.open.insert(act.number, servers.len());
        for place in servers {
            actions.push(Action::SendToServer(place, ToServer::Act(act.clone())));
        }
    }

    /// A server has answered: the first good answer counts, or the last bad one. An answer without a request is
    /// dropped.
    pub(super) fn on_outcome(&mut self, outcome: ActOutcome, actions: &mut Actions) {
        let Some(left) = self.open.get_mut(&outcome.number) else { return };
        *left = left.saturating_sub(1);
        if outcome.done || *left == 0 {
            self.open.remove(&outcome.number);
            let (text, steps) = (shortened(outcome.text, MAX_OUTCOME), bounded(outcome.steps));
            report(ActOutcome { text, steps, ..outcome }, actions);
        }
    }
}

/// Reports that this act was not carried out.
pub(super) fn report_failure(number: u64, why: String, actions: &mut Actions) {
    let text = shortened(why, MAX_OUTCOME);
    report(ActOutcome { number, done: false, text, steps: Vec::new() }, actions);
}

fn report(outcome: ActOutcome, actions: &mut Actions) {
    actions.push(Action::Report(BackendCall::ActDone(outcome)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(number: u64) -> Act {
        let kind = ActKind::EndSession { session: "00".to_owned() };
        Act { number, administrator: "root(0)".to_owned(), kind }
    }

    fn outcome(number: u64) -> ActOutcome {
        ActOutcome { number, done: true, text: "x".repeat(MAX_OUTCOME + 1), steps: Vec::new() }
    }

    /// The next step: a message to the server, or a report to the backend.
    fn next(actions: &mut Actions) -> Option<(u64, bool)> {
        match actions.pop()? {
            Action::SendToServer(_, ToServer::Act(act)) => Some((act.number, false)),
            Action::Report(BackendCall::ActDone(outcome)) => {
                assert!(outcome.text.len() <= MAX_OUTCOME);
                Some((outcome.number, true))
            }
            _ => panic!("another action"),
        }
    }

    #[test]
    fn the_server_does_acts_that_it_supports_and_each_request_has_one_answer() {
        let (mut acts, children, mut actions) = (Acts::default(), Children::default(), Actions::default());
        acts.begin(&act(1), Err("it is too old".to_owned()), &children, &mut actions);
        assert_eq!(next(&mut actions), Some((1, true)), "it is too old");
        acts.on_outcome(outcome(1), &mut actions);
        assert_eq!(next(&mut actions), None);
        acts.begin(&act(2), Ok(vec![Place(0)]), &children, &mut actions);
        assert_eq!(next(&mut actions), Some((2, false)));
        for expected in [Some((2, true)), None] {
            acts.on_outcome(outcome(2), &mut actions);
            assert_eq!(next(&mut actions), expected);
        }
    }

    #[test]
    fn of_several_servers_the_first_good_answer_counts_or_the_last_bad_one() {
        let (mut acts, children, mut actions) = (Acts::default(), Children::default(), Actions::default());
        for good_at in [1, 2, 3] {
            acts.begin(&act(good_at), Ok(vec![Place(0), Place(1), Place(2)]), &children, &mut actions);
            for _ in 0..3 {
                assert_eq!(next(&mut actions), Some((good_at, false)));
            }
            for at in 1..=3 {
                let answer = ActOutcome { done: at == good_at && at < 3, ..outcome(good_at) };
                acts.on_outcome(answer, &mut actions);
                assert_eq!(next(&mut actions), (at == good_at).then_some((good_at, true)));
            }
        }
    }

    #[test]
    fn a_test_is_a_session_process_of_its_own_and_no_message_to_the_server() {
        let (mut acts, children, mut actions) = (Acts::default(), Children::default(), Actions::default());
        let kind = ActKind::TestPartner { partner: "acme".to_owned() };
        acts.begin(&Act { kind, ..act(3) }, Ok(vec![Place(0)]), &children, &mut actions);
        assert_eq!(next(&mut actions), None);
        let Some(Fork::Session(Work::Test(test))) = actions.pop_fork() else { panic!("another fork") };
        assert_eq!(test, Test { number: 3, partner: "acme".to_owned() });
        report_failure(3, "x".repeat(MAX_OUTCOME + 1), &mut actions);
        assert_eq!(next(&mut actions), Some((3, true)));
    }
}
