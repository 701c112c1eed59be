//! A session child of the server: one partner connection, one data connection, one session, then exit.
//!
//! ```text
//! parked -> Accepted -> Encrypted -> Greeted -> Attached -> relay     a partner has come
//! parked -> Requested -> Chosen -> Called -> Attached -> relay        a station has come
//! ```
//! Each step consumes the one before, so that nothing relays that was not verified. Waits for nothing but its own
//! two connections, its channel to the parent, and its signals.

mod context;
mod handshake;
mod incoming;
mod outgoing;
mod refusal;
mod relay;
mod tls_refusal;

use common::link::session_id::Direction;
use common::process::status::Status;
use common::sys;
pub(crate) use context::ChildInit;
use context::SessionContext;
use refusal::Stop;
use std::mem::ManuallyDrop;

/// The whole life of a session child; gives its exit status.
pub(crate) fn run(init: ChildInit) -> Status {
    // A signal to the parent's group (a terminal, a service manager) is not meant for a running session.
    let _ = sys::own_process_group();
    sys::set_title("parked");
    let mut context = match SessionContext::new(init) {
        // The process ends with this function: the configuration it has inherited is not taken apart piece by piece
        // before, which would copy each page of it that is the parent's, too.
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
