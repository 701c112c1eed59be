//! The test of a partner: a session without a station. The server's child calls the partner as usual; after the
//! partner's SSRM, this side ends the session in the station's place. The result of each step is sent to the parent.

use super::call;
use super::failure::Failure;
use crate::messages::{Test, ToParent};
use crate::session::context::SessionContext;
use common::link::join::{Answered, Open, Target};
use common::log::catalogue;
use common::net::{self, Conn};
use common::oftp;
use common::partner_test::{STATION, TestStep, bounded};
use common::process::end_reasons::Status;
use common::rpc::ActOutcome;
use common::session::ending::{Ending, TEST_OVER};
use common::session::greeting::{Greeting, Progress};
use common::session::inspector::Inspector;
use common::session::relay::{Outcome, Side, Totals};
use common::sys;
use std::io;
use std::time::{Duration, Instant};

/// Time limit for the SSRM, which the server's child has already.
const PATIENCE: Duration = Duration::from_secs(10);
/// The text of the ESID, for people at the partner's side.
const WORDS: &str = "connection test, no session is wanted";

/// Does a whole test; returns the exit status.
pub(in crate::session) fn serve_test(context: &mut SessionContext, wanted: &Test) -> Status {
    sys::set_title(&format!("testing {}", wanted.partner));
    context.is_test = true;
    let target = Target::Partner(wanted.partner.clone());
    match call::reach(context, None, &target, None) {
        Ok((data, Answered { open, steps })) => {
            tell(context, wanted, "the partner has answered", steps);
            end(context, data, &open)
        }
        Err(failure) => {
            let text = format!("{}: {}", failure.status.word(), failure.detail);
            tell(context, wanted, &text, failure.steps.clone());
            refuse(context, &target, &failure)
        }
    }
}

/// If no step was begun, nothing was tested.
fn tell(context: &SessionContext, wanted: &Test, text: &str, steps: Vec<TestStep>) {
    let steps = bounded(steps);
    let (done, text) = (!steps.is_empty(), text.to_owned());
    context.send_to_parent(&ToParent::Tested(ActOutcome { number: wanted.number, done, text, steps }));
}

/// Ends the session in the station's place: sends an ESID after the SSRM, and closes in the regular way.
fn end(context: &mut SessionContext, mut data: Conn, open: &Open) -> Status {
    let begun = Instant::now();
    context.event(&catalogue::SESSION_BEGIN, open).field("station", STATION).log();
    let profile = open.profile.allowing(open.allow);
    let mut inspector = Inspector::new(profile, context.config.limits.idle_commands, Side::Inner);
    let (outcome, totals) = match answer_greeting(context, &mut data, &mut inspector) {
        Ok(totals) => (Outcome::Closed(Some(Side::Inner)), totals),
        Err(e) => (Outcome::LinkBroken(e), Totals::default()),
    };
    net::goodbye(&mut context.waiter, data);
    let ending = Ending::of(&outcome, &inspector).of_test(&inspector);
    let event = context.event(&catalogue::SESSION_END, open);
    let event = ending.describe(event, totals, &inspector, begun.elapsed());
    context.log_end(event.at(ending.level()));
    ending.status
}

/// Reads the partner's first message, and answers it with an ESID unless it is one itself. Returns the octets of each
/// direction.
fn answer_greeting(
    context: &mut SessionContext,
    data: &mut Conn,
    inspector: &mut Inspector,
) -> io::Result<Totals> {
    let mut greeting = Greeting::default();
    let deadline = Some(Instant::now() + PATIENCE);
    let first = loop {
        let step = greeting.step(data, inspector, oftp::Side::Responder);
        match step.map_err(|violation| io::Error::other(violation.to_string()))? {
            Progress::Message(first) => break first,
            Progress::Nothing => {}
            Progress::Ended { how, .. } => {
                return Err(io::Error::other(format!("the server's session process {how}")));
            }
            Progress::TooMuch => return Err(io::Error::other("more data came after the partner's SSRM")),
        }
        context.waiter.wait(deadline).map_err(|e| io::Error::other(e.to_string()))?;
    };
    if inspector.ended().is_some() {
        return Ok(Totals::new(first.len(), 0));
    }
    let esid = inspector.esid_saying(TEST_OVER, WORDS);
    inspector
        .pass(oftp::Side::Initiator, &esid)
        .map_err(|violation| io::Error::other(violation.to_string()))?;
    data.write(&esid)?;
    Ok(Totals::new(first.len(), esid.len()))
}

/// Writes the line of a test whose partner did not answer.
fn refuse(context: &SessionContext, target: &Target, failure: &Failure) -> Status {
    let event = context
        .event(&catalogue::SESSION_REFUSED, &Open { address: target.to_string(), ..Open::default() })
        .field("station", STATION)
        .field("reason", failure.status.word())
        .field("detail", &failure.detail);
    context.log_end(event);
    failure.status
}
