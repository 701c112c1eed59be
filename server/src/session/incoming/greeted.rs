//! The partner is known and the pair is joined: only now the inside is involved. The client's child is asked to connect
//! to the station; the request has no address of the station.

use crate::session::context::SessionContext;
use crate::session::refusal::Refusal;
use crate::session::relay::{Attached, First};
use crate::session::stop::Stop;
use common::link::join::{self, Open, Opened, Opening, OpeningError};
use common::net::{Conn, Interrupted, Read};
use common::oftp::EsidReason;
use common::process::end_reasons::Status;
use common::session::inspector::Inspector;
use std::task::Poll;
use std::time::{Duration, Instant};

/// A partner whose SSID matches its certificate, and the joined data connection.
pub(in crate::session) struct Greeted {
    pub(in crate::session) conn: Conn,
    pub(in crate::session) data: Conn,
    pub(in crate::session) inspector: Inspector,
    /// The partner's SSID as it was received; it is the first message for the station.
    pub(in crate::session) ssid: Vec<u8>,
}

/// Time that the client's child may need in addition to its own limit for the connection to the station.
const MARGIN: Duration = Duration::from_secs(5);

impl Greeted {
    /// Asks for the station; ready to relay once the station has answered with its SSRM.
    pub(in crate::session) fn attach(mut self, context: &mut SessionContext) -> Result<Attached, Stop> {
        match self.ask(context) {
            Ok(()) => {
                let first = First::Sent(self.ssid.len());
                Ok(Attached { conn: self.conn, data: self.data, inspector: self.inspector, first })
            }
            Err(refusal) => {
                if let Some(reason) = refusal.esid {
                    // If this fails the partner is gone, and the log line has the reason.
                    let _ = self.conn.write(&self.inspector.esid(reason));
                }
                context.close(self.conn);
                Err(refusal.into())
            }
        }
    }

    fn ask(&mut self, context: &mut SessionContext) -> Result<(), Refusal> {
        let limit = Duration::from_secs(u64::from(context.active.limits.station_seconds)) + MARGIN;
        let deadline = Some(Instant::now() + limit);
        let partner = context.active.partner(&context.facts.ssid);
        let question = Open {
            address: context.facts.peer.map(|peer| peer.to_string()).unwrap_or_default(),
            reached: context.facts.reached.map(|reached| reached.to_string()).unwrap_or_default(),
            partner: context.facts.partner.clone(),
            ssid: context.facts.ssid.clone(),
            profile: partner.map(|partner| partner.profile).unwrap_or_default(),
            allow: partner.map(|partner| partner.allow).unwrap_or_default(),
        };
        // The SSID is sent without waiting for the answer: if there is no station, nobody reads it.
        join::send_ahead(&mut self.data, &question, &self.ssid).map_err(|e| lost(&e))?;
        let mut opening = Opening::default();
        loop {
            match opening.receive::<Opened>(&mut self.data).map_err(|e| lost(&e))? {
                Poll::Ready(Opened::Ready) => return Ok(()),
                Poll::Ready(Opened::Failed { reason }) => return Err(no_station(reason)),
                Poll::Pending => {}
            }
            self.partner_waits(context)?;
            match context.wait(deadline) {
                Ok(()) => {}
                Err(Interrupted::Late) => {
                    return Err(no_station("the client did not answer in time".to_owned()));
                }
                Err(e) => return Err(Refusal::closing_down(e)),
            }
        }
    }

    /// The partner must wait: an octet from it is a violation, and a close ends the session.
    fn partner_waits(&mut self, context: &mut SessionContext) -> Result<(), Refusal> {
        context.read_parent()?;
        match self.conn.read(&mut [0]) {
            Read::Blocked => Ok(()),
            Read::Octets(_) => {
                let detail = "the partner sent more data before it had our SSID (RFC 5024 §9.3)";
                let refusal = Refusal::new(Status::PartnerViolation, detail).notify_operator();
                Err(Refusal { esid: Some(EsidReason::ProtocolViolation), ..refusal })
            }
            Read::Clean => {
                Err(Refusal::new(Status::PartnerBroke, "the partner closed before the station answered"))
            }
            Read::Broken(e) => Err(Refusal::new(Status::PartnerBroke, format!("the partner broke off: {e}"))),
        }
    }
}

fn no_station(reason: String) -> Refusal {
    let refusal = Refusal::new(Status::StationDown, reason).notify_operator();
    Refusal { esid: Some(EsidReason::ResourcesNotAvailable), ..refusal }
}

fn lost(e: &OpeningError) -> Refusal {
    let refusal = Refusal::new(Status::ClientDown, e.to_string()).notify_operator();
    Refusal { esid: Some(EsidReason::ResourcesNotAvailable), ..refusal }
}
