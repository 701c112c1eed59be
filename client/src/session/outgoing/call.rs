//! The call of a partner: the pair is joined, and the server's child gets the target and calls it.

use super::failure::Failure;
use super::pair::{self, Parked};
use crate::messages::ToParent;
use crate::session::context::SessionContext;
use common::link::join::{self, Answered, Dial, Opening, Reached, Target};
use common::net::Conn;
use common::partner_test;
use common::process::end_reasons::Status;
use std::io::ErrorKind;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Time that the server's child may need in addition to its own limits to call a partner.
const MARGIN: Duration = Duration::from_secs(10);

/// Joins with a server's child and has it call the target; a test has no station. A parked pair may be retired at the
/// moment when the station comes, or its server may be drained: then this child requests one more pair.
pub(super) fn reach(
    context: &mut SessionContext,
    mut station: Option<&mut Conn>,
    target: &Target,
    parked: Option<Parked>,
) -> Result<(Conn, Answered), Failure> {
    match call(context, station.as_deref_mut(), target, parked) {
        Err(Failure { status: Status::Retired, .. }) => {
            context.send_to_parent(&ToParent::WantPair);
            call(context, station, target, None)
        }
        Err(drained @ Failure { status: Status::Draining, .. }) => {
            context.send_to_parent(&ToParent::WantOther);
            // Without another server there is no pair, and the first reason counts.
            call(context, station, target, None)
                .map_err(|failure| if failure.status == Status::Capacity { drained } else { failure })
        }
        other => other,
    }
}

fn call(
    context: &mut SessionContext,
    mut station: Option<&mut Conn>,
    target: &Target,
    parked: Option<Parked>,
) -> Result<(Conn, Answered), Failure> {
    let mut data = pair::join(context, parked)?;
    let lost = |e: join::OpeningError| Failure::new(Status::LinkBroke, e.to_string());
    join::send(&mut data, &Dial { target: target.clone(), test: station.is_none() }).map_err(lost)?;
    let limits = &context.config.limits;
    let seconds = 2 * u64::from(limits.handshake_seconds) + u64::from(limits.ssid_seconds);
    let deadline = Some(Instant::now() + Duration::from_secs(seconds) + MARGIN);
    let mut opening = Opening::default();
    loop {
        match opening.receive::<Reached>(&mut data).map_err(lost)? {
            Poll::Ready(Reached::Ready(answered)) => {
                context.close_sandbox().map_err(|e| Failure::new(Status::Internal, e.to_string()))?;
                let station = name_of(station.as_deref_mut());
                context.session_joined(&answered.open.partner, station);
                return Ok((data, answered));
            }
            Poll::Ready(Reached::Failed { word, reason, steps }) => {
                let status = Status::from_word(&word).unwrap_or(Status::PartnerDown);
                return Err(Failure { status, detail: reason, is_reported: true, steps });
            }
            Poll::Pending => {}
        }
        if station.as_deref_mut().is_some_and(has_gone) {
            return Err(Failure::new(Status::StationBroke, "the station closed before the partner answered"));
        }
        context.waiter.wait(deadline)?;
    }
}

/// The station, for the session list.
fn name_of(station: Option<&mut Conn>) -> String {
    match station {
        Some(station) => station.peer_addr().map(|address| address.to_string()).unwrap_or_default(),
        None => partner_test::STATION.to_owned(),
    }
}

/// Whether the station has closed or broken its connection. It may send nothing before the partner's SSRM; octets that
/// it sends nevertheless are judged later.
fn has_gone(station: &mut Conn) -> bool {
    match station.wire().socket().peek(&mut [0]) {
        Ok(octets) => octets == 0,
        Err(e) => !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
    }
}
