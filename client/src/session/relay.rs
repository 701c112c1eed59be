//! The relay between the data connection and the station, judged by the same code as in the DMZ: a DMZ host that was
//! taken over sends no rubbish inward. Then the one end line.

use super::context::SessionContext;
use common::link::join::{Open, OpeningError};
use common::log::events;
use common::net::Conn;
use common::process::status::Status;
use common::session::ending::{self, Ending};
use common::session::inspector::Inspector;
use common::session::relay::{Relay, Side};
use std::time::{Duration, Instant};

/// How much longer than the server's child this one waits.
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
        context.event(&events::SESSION_BEGIN, &self.open).field("station", &station).log();
        // Both daemons watch the same session by the same limits: the server's child is to be the first to act.
        let mut times = ending::timeouts(&context.config.limits);
        times.silence += LATER;
        times.unit += LATER;
        let relay =
            Relay::new(&mut context.waiter, &mut self.inspector, self.data, self.station, Side::Outer, times);
        let (outcome, totals) = relay.run();
        let ending = Ending::of(&outcome, &self.inspector);
        let event = context.event(&events::SESSION_END, &self.open);
        let event = ending.describe(event, totals, &self.inspector, begun.elapsed());
        let event = event.at(ending.level());
        if ending.concerns_operator() {
            let text = format!("{} session ended: {}", context.direction.word(), ending.status.word());
            context.send_system_log(&self.open, event.level(), ending.status, &text, &event);
        }
        context.log_end(event);
        ending.status
    }

    /// The answer that the station is there could not be sent to the server's child.
    pub(super) fn give_up(self, context: &mut SessionContext, e: &OpeningError) -> Status {
        let event = context.event(&events::SESSION_REFUSED, &self.open);
        context.log_end(event.field("reason", Status::LinkBroke.word()).field_display("detail", e));
        Status::LinkBroke
    }
}
