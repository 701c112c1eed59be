//! Partner and station are joined: the relay runs, every buffer judged, until the session is over. Then its one end
//! line, and the exit status that says the same.

use crate::session::context::SessionContext;
use common::log::{Event, events};
use common::net::Conn;
use common::process::status::Status;
use common::rpc::{SessionBegin, SessionEnd, SessionEvent};
use common::session::ending::{self, Ending};
use common::session::inspector::Inspector;
use common::session::relay::{Relay, Side, Totals};
use std::time::Instant;

/// A session whose peers are all verified: no other type can relay.
pub(super) struct Attached {
    pub(super) conn: Conn,
    pub(super) data: Conn,
    pub(super) inspector: Inspector,
    pub(super) first: First,
}

/// The message of the partner that came before the relay began, checked.
pub(super) enum First {
    /// It goes to the station first.
    Waiting(Vec<u8>),
    /// So many octets are on their way to the station already.
    Sent(usize),
}

impl Attached {
    /// Relays to the end, and reports it.
    pub(super) fn relay(mut self, context: &mut SessionContext) -> Status {
        let begun = Instant::now();
        begin(context);
        let times = ending::timeouts(&context.active.limits);
        let mut relay =
            Relay::new(&mut context.waiter, &mut self.inspector, self.conn, self.data, Side::Inner, times);
        match self.first {
            First::Waiting(message) => relay.preload(Side::Outer, &message),
            First::Sent(octets) => relay.count_passed(Side::Outer, octets),
        }
        let (outcome, totals) = relay.run();
        let ending = Ending::of(&outcome, &self.inspector);
        end(context, &ending, totals, &self.inspector, begun);
        ending.status
    }
}

fn begin(context: &SessionContext) {
    let facts = &context.facts;
    let address = facts.address();
    let session = facts.pair.map(|pair| pair.to_string()).unwrap_or_default();
    Event::new(&events::SESSION_BEGIN)
        .field("direction", facts.direction.word())
        .field("session", &session)
        .field("address", &address)
        .field("partner", &facts.partner)
        .field("ssid", &facts.ssid)
        .field("subject", &facts.subject)
        .field("serial", &facts.serial)
        .field("tls", &facts.tls)
        .log();
    context.report(SessionEvent::Begin(SessionBegin {
        session,
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
    }));
}

fn end(context: &SessionContext, ending: &Ending, totals: Totals, inspector: &Inspector, begun: Instant) {
    let facts = &context.facts;
    let session = facts.pair.map(|pair| pair.to_string()).unwrap_or_default();
    let event = Event::new(&events::SESSION_END)
        .field("direction", facts.direction.word())
        .field("session", &session)
        .field("address", facts.address())
        .field("partner", &facts.partner)
        .field("ssid", &facts.ssid);
    let event = ending.describe(event, totals, inspector, begun.elapsed());
    let event = event.at(ending.level());
    if ending.concerns_operator() {
        let text = format!("{} session ended: {}", facts.direction.word(), ending.status.word());
        context.send_system_log(event.level(), ending.status, &text, &event);
    }
    context.report(SessionEvent::End(SessionEnd {
        session,
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
