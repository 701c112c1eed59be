//! The first steps of an outgoing session: the child is parked on the data connection until the client's child has a
//! station and begins the join. Then it reads the one request: which partner to call.

use crate::messages::ToParent;
use crate::session::context::{Data, SessionContext};
use crate::session::refusal::Refusal;
use crate::session::stop::Stop;
use common::link::join::{self, Dial, Opening, Target};
use common::log::{Event, catalogue};
use common::net::{Conn, Interrupted};
use common::process::end_reasons::Status;
use common::sys;
use std::io::ErrorKind;
use std::task::Poll;
use std::time::Instant;

/// Joined with a client's child whose station wants to reach a partner.
pub(in crate::session) struct Requested {
    pub(in crate::session) data: Conn,
    pub(in crate::session) target: Target,
}

/// Parked until there is work.
pub(in crate::session) fn wait_for_station(context: &mut SessionContext) -> Result<Requested, Stop> {
    loop {
        context.read_parent()?;
        if context.parent_gone || context.no_pair.is_some() {
            return Err(Stop::Unused(Status::Retired));
        }
        if let Some(data) = &mut context.data {
            match data.conn.wire().socket().peek(&mut [0]) {
                Ok(0) => return Err(Stop::Unused(Status::Retired)),
                Ok(_) => break,
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => return Err(Stop::Unused(Status::Retired)),
            }
        }
        match context.wait(None) {
            Ok(()) => {}
            Err(Interrupted::Failed(e)) => return Err(Refusal::internal(&e).into()),
            Err(_) => return Err(Stop::Unused(Status::Retired)),
        }
    }
    let Some(data) = context.data.take() else { return Err(Stop::Unused(Status::Retired)) };
    context.facts.pair = Some(data.pair);
    let mut data = join(context, data)?;
    context.send_to_parent(&ToParent::Joined);
    let Dial { target, test } = question(context, &mut data)?;
    context.facts.is_test = test;
    context.facts.target = target.to_string();
    sys::set_title(&format!("outgoing {target}"));
    Ok(Requested { data, target })
}

/// TLS with the ticket; the client's child begins.
fn join(context: &mut SessionContext, data: Data) -> Result<Conn, Stop> {
    sys::set_title("joining");
    let Data { pair, mut conn } = data;
    let deadline = Some(Instant::now() + join::TIME_LIMIT);
    let failed = |conn: &mut Conn, reason: String| {
        let address = conn.peer_addr().map(|address| address.to_string()).unwrap_or_default();
        Event::new(&catalogue::PAIR_REFUSED).field("address", address).field("reason", reason).log();
        Stop::Unused(Status::Retired)
    };
    loop {
        match conn.handshake() {
            Ok(Poll::Ready(())) => return Ok(conn),
            Ok(Poll::Pending) => {}
            // The client's child was told to end meanwhile.
            Err(e) if e.broke_off() => return Err(Stop::Unused(Status::Retired)),
            Err(e) => return Err(failed(&mut conn, format!("the join of pair {pair} failed: {e}"))),
        }
        if let Err(e) = context.wait(deadline) {
            return Err(failed(&mut conn, format!("the join of pair {pair} failed: {e}")));
        }
    }
}

fn question(context: &mut SessionContext, data: &mut Conn) -> Result<Dial, Stop> {
    let deadline = Some(Instant::now() + join::TIME_LIMIT);
    let mut opening = Opening::default();
    loop {
        match opening.receive::<Dial>(data) {
            Ok(Poll::Ready(dial)) => return Ok(dial),
            Ok(Poll::Pending) => {}
            Err(e) => return Err(Refusal::new(Status::LinkBroke, e.to_string()).into()),
        }
        match context.wait(deadline) {
            Ok(()) => {}
            Err(Interrupted::Late) => {
                let detail = "the client's session process did not name the partner to call";
                return Err(Refusal::new(Status::Timeout, detail).into());
            }
            Err(e) => return Err(Refusal::interrupted(e).into()),
        }
    }
}
