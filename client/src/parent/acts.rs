//! Acts of administrators: the backend sends them, the server or a session process does its part, and the backend
//! receives the outcome. Pure.

use super::action::{Action, Actions, Fork, Work};
use super::backend_call::BackendCall;
use super::children::Children;
use crate::messages::Test;
use common::link::control::ToServer;
use common::partner_test::bounded;
use common::rpc::{Act, ActKind, ActOutcome, MAX_OUTCOME};
use common::text::shortened;
use std::collections::BTreeSet;

/// Most acts that may wait for the server's answer; an administrator waits for half a minute.
const MOST: usize = 100;

/// The acts that the server was asked to do.
#[derive(Default)]
pub(super) struct Acts {
    open: BTreeSet<u64>,
}

impl Acts {
    /// Begins this act; `fault`: why the server cannot do it.
    pub(super) fn begin(
        &mut self,
        act: Act,
        fault: Option<String>,
        children: &Children,
        actions: &mut Actions,
    ) {
        if let Some(text) = fault {
            return report_failure(act.number, text, actions);
        }
        match &act.kind {
            // Before the server's answer: the session might end before its child knows who has ended it.
            ActKind::EndSession { session } => children.end_by(session, &act.administrator, actions),
            ActKind::TestPartner { partner } => {
                let test = Test { number: act.number, partner: partner.clone() };
                return actions.push_fork(Fork::Session(Work::Test(test)));
            }
        }
        if self.open.len() == MOST {
            self.open.pop_first();
        }
        self.open.insert(act.number);
        actions.push(Action::SendToServer(ToServer::Act(act)));
    }

    /// The server has answered; an answer without a request is dropped.
    pub(super) fn on_outcome(&mut self, outcome: ActOutcome, actions: &mut Actions) {
        if self.open.remove(&outcome.number) {
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
            Action::SendToServer(ToServer::Act(act)) => Some((act.number, false)),
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
        acts.begin(act(1), Some("it is too old".to_owned()), &children, &mut actions);
        assert_eq!(next(&mut actions), Some((1, true)), "it is too old");
        acts.on_outcome(outcome(1), &mut actions);
        assert_eq!(next(&mut actions), None);
        acts.begin(act(2), None, &children, &mut actions);
        assert_eq!(next(&mut actions), Some((2, false)));
        for expected in [Some((2, true)), None] {
            acts.on_outcome(outcome(2), &mut actions);
            assert_eq!(next(&mut actions), expected);
        }
    }

    #[test]
    fn a_test_is_a_session_process_of_its_own_and_no_message_to_the_server() {
        let (mut acts, children, mut actions) = (Acts::default(), Children::default(), Actions::default());
        let kind = ActKind::TestPartner { partner: "acme".to_owned() };
        acts.begin(Act { kind, ..act(3) }, None, &children, &mut actions);
        assert_eq!(next(&mut actions), None);
        let Some(Fork::Session(Work::Test(test))) = actions.pop_fork() else { panic!("another fork") };
        assert_eq!(test, Test { number: 3, partner: "acme".to_owned() });
        report_failure(3, "x".repeat(MAX_OUTCOME + 1), &mut actions);
        assert_eq!(next(&mut actions), Some((3, true)));
    }
}
