//! A session child of the client: dials in for its pair, waits parked, relays one session, exits.
//!
//! * `child_init`: what it gets at its fork; `context`: what it works with; `stop`: why it ends before it relays
//! * `dial`: the way to the server's child, and the wait for it
//! * `incoming`: when the server's child asks for it, the station is connected. The child knows its station from the
//!   client's own configuration; nothing that comes from the server names an address.
//! * `outgoing`: a station has connected to a local listener and says whom it wants to reach; the server's child
//!   calls the partner.
//! * `relay`: from then on, both the same

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
use common::process::status::Status;
use common::sys;
use context::SessionContext;
use std::mem::ManuallyDrop;
use stop::Stop;

/// The whole life of a session child; gives its exit status.
pub(crate) fn run(init: ChildInit) -> Status {
    // A signal to the parent's group (a terminal, a service manager) is not meant for a running session.
    let _ = sys::own_process_group();
    sys::set_title("parked");
    let ChildInit { channel, server, source, config, direction, ledger } = init;
    let mut context = match SessionContext::new(channel, server, source, config, direction, ledger) {
        // The process ends with this function: what it has inherited is not taken apart piece by piece before.
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

/// Waits for the parent's word on what this child is for, and does it.
fn serve(context: &mut SessionContext) -> Result<Status, Stop> {
    loop {
        context.read_parent();
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
