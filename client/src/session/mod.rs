//! A session child of the client: connects for its pair, waits parked, relays one session, exits.
//!
//! * `child_init`: the values of its fork; `context`: the data that it works with; `stop`: why it ends before it relays
//! * `data_connection`: the connection to the server's child, and the wait for it
//! * `incoming`: the station is connected when the server's child asks for it. The child knows its station from the
//!   client's own configuration; no message of the server names an address.
//! * `outgoing`: a station has connected to a local listener and names the partner; the server's child calls the
//!   partner.
//! * `relay`: the same for both directions from then on

mod child_init;
mod context;
mod data_connection;
mod incoming;
mod outgoing;
mod relay;
mod stop;

pub(crate) use child_init::{ChildInit, Station};

use crate::messages::ToParent;
use common::link::session_id::Direction;
use common::process::end_reasons::Status;
use common::sys;
use context::SessionContext;
use std::mem::ManuallyDrop;
use stop::Stop;

/// The main function of a session child; returns its exit status.
pub(crate) fn run(init: ChildInit) -> Status {
    // A signal to the parent's group (a terminal, a service manager) is not meant for a running session.
    let _ = sys::own_process_group();
    sys::set_title("parked");
    let mut context = match SessionContext::new(init) {
        // The process ends with this function, so the inherited data is not freed first.
        Ok(context) => ManuallyDrop::new(context),
        Err(e) => {
            common::error!("a session process cannot start: {e}");
            return Status::Internal;
        }
    };
    let outcome = serve(&mut context);
    match outcome {
        Ok(status) | Err(Stop::Unused(status)) => status,
        Err(Stop::Failed(status, detail)) => {
            context.send_to_parent(&ToParent::Failed { reason: detail });
            status
        }
    }
}

/// Waits until the parent has sent this child its work, and does it.
fn serve(context: &mut SessionContext) -> Result<Status, Stop> {
    loop {
        context.read_parent();
        // Its pair may have arrived together with it.
        if let Some(test) = context.test.take() {
            return Ok(outgoing::serve_test(context, &test));
        }
        if let Some((pair, ticket)) = context.granted.take() {
            return match context.direction {
                Direction::Incoming => incoming::serve(context, pair, &ticket),
                Direction::Outgoing => outgoing::park(context, pair, ticket),
            };
        }
        if let Some(station) = context.station.take() {
            return Ok(outgoing::serve_unpaired(context, station));
        }
        if context.parent_gone() {
            return Err(Stop::Unused(Status::Retired));
        }
        context.waiter.wait(None).map_err(Stop::while_parked)?;
    }
}
