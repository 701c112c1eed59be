//! A session child of the server: one partner connection, one data connection, one session, then exit.
//!
//! ```text
//! parked -> Accepted -> Encrypted -> Greeted -> Attached -> relay     a partner has come
//! parked -> Requested -> Chosen -> Called -> Attached -> relay        a station has come
//! ```
//! Each step consumes the one before, so that only verified peers are relayed. A child only waits for its two
//! connections, its channel to the parent, and its signals.
//!
//! * `child_init`: the values of its fork; `context`: the data that it works with; `stop`: why it ends before it relays
//! * `handshake`, `tls_refusal`: TLS with the partner, and why it failed; `refusal`: refusing a partner
//! * `relay`: the same for both directions from then on

mod child_init;
mod context;
mod handshake;
mod incoming;
mod outgoing;
mod refusal;
mod relay;
mod stop;
mod tls_refusal;

pub(crate) use child_init::ChildInit;

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
        // The process ends with this function. The inherited configuration is not freed first, because that would copy
        // each memory page that it shares with the parent.
        Ok(context) => ManuallyDrop::new(context),
        Err(e) => {
            common::error!("a session process cannot start: {e}");
            return Status::Internal;
        }
    };
    let outcome = match context.facts.direction {
        Direction::Incoming => serve_partner(&mut context),
        Direction::Outgoing => serve_station(&mut context),
    };
    match outcome {
        Ok(status) | Err(Stop::Unused(status)) => status,
        Err(Stop::Refused(refusal)) => refusal.report(&context),
    }
}

fn serve_partner(context: &mut SessionContext) -> Result<Status, Stop> {
    let accepted = incoming::accepted::wait_for_work(context)?;
    let encrypted = accepted.handshake(context)?;
    let greeted = encrypted.greet(context)?;
    let attached = greeted.attach(context)?;
    Ok(attached.relay(context))
}

fn serve_station(context: &mut SessionContext) -> Result<Status, Stop> {
    let requested = outgoing::requested::wait_for_station(context)?;
    let chosen = requested.choose(context)?;
    let attached = chosen.call(context)?;
    Ok(attached.relay(context))
}
