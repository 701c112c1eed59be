//! The relay between the data connection and the station. It uses the same checks as the DMZ, so a DMZ host under an
//! attacker's control can send no invalid data inward. Then the end line is written.

use super::context::SessionContext;
use common::link::join::{Open, OpeningError};
use common::log::catalogue;
use common::net::Conn;
use common::process::end_reasons::Status;
use common::session::ending::{self, Ending};
use common::session::inspector::Inspector;
use common::session::relay::{Relay, Side};
use std::time::{Duration, Instant};

/// How much longer this child waits than the server's child.
const LATER: Duration = Duration::from_secs(2);

/// Station and data connection, ready for the relay.
pub(super) struct Attached {
    pub(super) data: Conn,
    pub(super) station: Conn,
    pub(super) inspector: Inspector,
    pub(super) open: Open,
}

impl Attached {
    /// Relays to the end, and reports it.
    pub(super) fn relay(mut self, context: &mut SessionContext) -> Status {
        let begun = Instant::now();
        let station = self.station.peer_addr().map(|address| address.to_string()).unwrap_or_default();
        context.event(&catalogue::SESSION_BEGIN, &self.open).field("station", &station).log();
        // Both daemons apply the same limits to a session: the server's child must act first.
        let mut times = ending::timeouts(&context.config.limits);
        times.silence += LATER;
        times.unit += LATER;
        let (waiter, mut note_end) = context.for_relay();
        let relay = Relay::new(waiter, &mut self.inspector, self.data, self.station, Side::Outer, times);
        let (outcome, totals) = relay.run(&mut note_end);
        // The ESID may have been faster than the parent's message.
        note_end();
        drop(note_end);
        let ending = Ending::of(&outcome, &self.inspector).ended_by(context.ended_by.as_deref());
        let event = context.event(&catalogue::SESSION_END, &self.open);
        let event = ending.describe(event, totals, &self.inspector, begun.elapsed());
        let event = event.at(ending.level());
        if ending.concerns_operator() {
            let text = format!("{} session ended: {}", context.direction.word(), ending.status.word());
            context.send_system_log(&self.open, event.level(), ending.status, &text, &event);
        }
        context.log_end(event);
        ending.status
    }

    /// The answer that the station is connected could not be sent to the server's child.
    pub(super) fn give_up(self, context: &mut SessionContext, e: &OpeningError) -> Status {
        let event = context.event(&catalogue::SESSION_REFUSED, &self.open);
        context.log_end(event.field("reason", Status::LinkBroke.word()).field_display("detail", e));
        Status::LinkBroke
    }
}
