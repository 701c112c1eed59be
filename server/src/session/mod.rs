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

use crate::active_config::Active;
use common::ipc::channel::Channel;
use common::link::session_id::Direction;
use common::process::status::Status;
use common::sys;
use context::{Desk, Stop};
use refusal::Refusal;

/// What a child is born with. Everything else of the parent is gone before `run`.
pub(crate) struct Born {
    /// Its end of the channel to the parent.
    pub(crate) channel: Channel,
    /// The configuration in force at the fork.
    pub(crate) active: Active,
    /// Whom it waits for.
    pub(crate) direction: Direction,
}

/// The whole life of a session child; gives its exit status.
pub(crate) fn run(born: Born) -> Status {
    // A signal to the parent's group (a terminal, a service manager) is not meant for a running session.
    let _ = sys::own_process_group();
    sys::set_title("parked");
    let mut desk = match Desk::new(born) {
        Ok(desk) => desk,
        Err(e) => {
            common::error!("a session process cannot start: {e}");
            return Status::Internal;
        }
    };
    let outcome = match desk.facts.direction {
        Direction::Incoming => serve_partner(&mut desk),
        Direction::Outgoing => serve_station(&mut desk),
    };
    match outcome {
        Ok(status) | Err(Stop::Unused(status)) => status,
        Err(Stop::Refused(refusal)) => refusal.report(&desk),
    }
}

fn serve_partner(desk: &mut Desk) -> Result<Status, Stop> {
    let accepted = incoming::accepted::wait_for_work(desk)?;
    let encrypted = accepted.handshake(desk)?;
    let greeted = encrypted.greet(desk)?;
    let attached = greeted.attach(desk)?;
    Ok(attached.relay(desk))
}

fn serve_station(desk: &mut Desk) -> Result<Status, Stop> {
    let requested = outgoing::requested::wait_for_station(desk)?;
    let chosen = requested.choose(desk)?;
    let attached = chosen.call(desk)?;
    Ok(attached.relay(desk))
}
