//! The call of a partner: the pair is joined, the server's child gets the target, and calls it.

use super::failure::Failure;
use super::pair::{self, Parked};
use crate::messages::ToParent;
use crate::session::context::SessionContext;
use common::link::join::{self, Dial, Open, Opening, Reached, Target};
use common::net::Conn;
use common::process::status::Status;
use std::io::ErrorKind;
use std::task::Poll;
use std::time::{Duration, Instant};

/// The server's child may need so much longer than its own limits to call a partner.
const MARGIN: Duration = Duration::from_secs(10);

/// Joins with a server's child and has it call the target. A parked pair may be retired while the station comes: then
/// there is one more.
pub(super) fn reach(
    context: &mut SessionContext,
    station: &mut Conn,
    target: &Target,
    parked: Option<Parked>,
) -> Result<(Conn, Open), Failure> {
    match call(context, station, target, parked) {
        Err(Failure { status: Status::Retired, .. }) => {
            context.send_to_parent(&ToParent::WantPair);
            call(context, station, target, None)
        }
        other => other,
    }
}

fn call(
    context: &mut SessionContext,
    station: &mut Conn,
    target: &Target,
    parked: Option<Parked>,
) -> Result<(Conn, Open), Failure> {
    let mut data = pair::join(context, parked)?;
    let lost = |e: join::OpeningError| Failure::new(Status::LinkBroke, e.to_string());
    join::send(&mut data, &Dial { target: target.clone() }).map_err(lost)?;
    let limits = &context.config.limits;
    let seconds = 2 * u64::from(limits.handshake_seconds) + u64::from(limits.ssid_seconds);
    let deadline = Some(Instant::now() + Duration::from_secs(seconds) + MARGIN);
    let mut opening = Opening::default();
    loop {
        match opening.receive::<Reached>(&mut data).map_err(lost)? {
            Poll::Ready(Reached::Ready(open)) => {
                let station = station.peer_addr().map(|address| address.to_string()).unwrap_or_default();
                context.send_to_parent(&ToParent::Joined { partner: open.partner.clone(), station });
                return Ok((data, open));
            }
            Poll::Ready(Reached::Failed { word, reason }) => {
                let status = Status::from_word(&word).unwrap_or(Status::PartnerDown);
                return Err(Failure { status, detail: reason, is_reported: true });
            }
            Poll::Pending => {}
        }
        if has_gone(station) {
            return Err(Failure::new(Status::StationBroke, "the station went before the partner answered"));
        }
        context.waiter.wait(deadline)?;
    }
}

/// The station has ended or broken off. It has nothing to say before the partner's SSRM; what it says all the same is
/// judged later.
fn has_gone(station: &mut Conn) -> bool {
    match station.wire().socket().peek(&mut [0]) {
        Ok(octets) => octets == 0,
        Err(e) => !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
    }
}
