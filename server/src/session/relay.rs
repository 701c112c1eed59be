//! Partner and station are connected: relays and judges every buffer until the session is over. Then writes the end
//! line, and ends with the status that says the same.

use crate::session::context::SessionContext;
use common::log::{Event, catalogue};
use common::net::Conn;
use common::oftp::Violation;
use common::process::end_reasons::Status;
use common::rpc::{SessionBegin, SessionEnd, SessionEvent};
use common::session::ending::{self, Ending};
use common::session::inspector::Inspector;
use common::session::relay::{Outcome, Relay, Side, Totals};
use common::state::Progress;
use std::time::Instant;

/// A session whose peers are all verified: only this type can relay.
pub(super) struct Attached {
    pub(super) conn: Conn,
    pub(super) data: Conn,
    pub(super) inspector: Inspector,
    pub(super) first: First,
}

/// The checked message of the partner from before the relay.
pub(super) enum First {
    /// It must be sent to the station first.
    Waiting(Vec<u8>),
    /// So many octets were sent to the station already.
    Sent(usize),
}

impl Attached {
    /// Relays to the end, and reports it.
    pub(super) fn relay(mut self, context: &mut SessionContext) -> Status {
        let begun = Instant::now();
        begin(context);
        let (outcome, totals) = run(self.conn, self.data, self.first, &mut self.inspector, context);
        let ending = Ending::of(&outcome, &self.inspector);
        let ending = if context.facts.is_test { ending.of_test(&self.inspector) } else { ending };
        end(context, &ending, totals, &self.inspector, begun);
        ending.status
    }
}

/// Relays to the end, and reports the progress to the parent meanwhile.
fn run(
    partner: Conn,
    data: Conn,
    first: First,
    inspector: &mut Inspector,
    context: &mut SessionContext,
) -> (Outcome<Violation>, Totals) {
    let times = ending::timeouts(&context.active.limits);
    let session = context.facts.pair.map(|pair| pair.to_string()).unwrap_or_default();
    let (waiter, tell, ended_by) = context.for_relay();
    let mut teller = |inspector: &Inspector, totals: Totals| {
        tell(Progress {
            session: session.clone(),
            octets_in: totals.from(Side::Outer),
            octets_out: totals.from(Side::Inner),
            file: inspector.current_file(),
        });
    };
    let mut relay = Relay::new(waiter, inspector, partner, data, Side::Inner, times);
    match first {
        First::Waiting(message) => relay.preload(Side::Outer, &message),
        First::Sent(octets) => relay.count_passed(Side::Outer, octets),
    }
    relay.set_progress_report(&mut teller);
    relay.run(ended_by)
}

fn begin(context: &mut SessionContext) {
    let chain = std::mem::take(&mut context.facts.chain);
    let facts = &context.facts;
    let address = facts.address();
    let session = facts.pair.map(|pair| pair.to_string()).unwrap_or_default();
    Event::new(&catalogue::SESSION_BEGIN)
        .field("direction", facts.direction.word())
        .field("session", &session)
        .field("address", &address)
        .field("partner", &facts.partner)
        .field("ssid", &facts.ssid)
        .field("test", facts.test())
        .field("subject", &facts.subject)
        .field("serial", &facts.serial)
        .field("tls", &facts.tls)
        .log();
    context.report(SessionEvent::Begin(SessionBegin {
        session,
        server: None,
        direction: facts.direction.word().to_owned(),
        pid: std::process::id(),
        time: common::text::clock::unix_time(),
        address,
        partner: facts.partner.clone(),
        ssid: facts.ssid.clone(),
        subject: facts.subject.clone(),
        serial: facts.serial.clone(),
        tls: facts.tls.clone(),
        station: String::new(),
        chain,
    }));
}

fn end(context: &SessionContext, ending: &Ending, totals: Totals, inspector: &Inspector, begun: Instant) {
    let facts = &context.facts;
    let session = facts.pair.map(|pair| pair.to_string()).unwrap_or_default();
    let event = Event::new(&catalogue::SESSION_END)
        .field("direction", facts.direction.word())
        .field("session", &session)
        .field("address", facts.address())
        .field("partner", &facts.partner)
        .field("ssid", &facts.ssid)
        .field("test", facts.test());
    let event = ending.describe(event, totals, inspector, begun.elapsed());
    let event = event.at(ending.level());
    if ending.concerns_operator() && !facts.is_test {
        let text = format!("{} session ended: {}", facts.direction.word(), ending.status.word());
        context.send_system_log(event.level(), ending.status, &text, &event);
    }
    context.report(SessionEvent::End(SessionEnd {
        session,
        server: None,
        time: common::text::clock::unix_time(),
        octets_in: totals.from(Side::Outer),
        octets_out: totals.from(Side::Inner),
        files: inspector.tally.files,
        files_refused: inspector.tally.refused,
        receipts: inspector.tally.receipts,
        reason: ending.status.word().to_owned(),
        detail: ending.detail.clone(),
        transfers: inspector.transfers(),
        deviations: inspector.deviations(),
    }));
    context.log_end(Some(event));
}
