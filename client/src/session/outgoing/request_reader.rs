//! Reads a station's request octet by octet, with a deadline. The octets after it belong to OFTP2, and the relay reads
//! them.

use crate::session::context::SessionContext;
use common::net::{Conn, Interrupted, Read};
use common::process::end_reasons::Status;
use common::text::host::{is_host, is_short_name};
use std::time::Instant;

/// Why there is no target.
#[derive(Debug)]
pub(super) struct RequestError {
    pub(super) status: Status,
    /// A sentence.
    pub(super) detail: String,
    /// The answer to the station.
    pub(super) answer: Vec<u8>,
}

impl RequestError {
    pub(super) fn new(detail: impl Into<String>, answer: Vec<u8>) -> Self {
        Self { status: Status::BadRequest, detail: detail.into(), answer }
    }
}

/// Reads a station's request, and not one octet more.
pub(super) struct RequestReader<'a> {
    context: &'a mut SessionContext,
    conn: &'a mut Conn,
    deadline: Instant,
}

impl<'a> RequestReader<'a> {
    pub(super) fn new(context: &'a mut SessionContext, conn: &'a mut Conn, deadline: Instant) -> Self {
        Self { context, conn, deadline }
    }

    /// The next octet.
    pub(super) fn octet(&mut self) -> Result<u8, RequestError> {
        let mut octet = [0];
        self.fill(&mut octet)?;
        Ok(octet[0])
    }

    /// Reads this number of octets.
    pub(super) fn octets(&mut self, count: u8) -> Result<Vec<u8>, RequestError> {
        let mut octets = vec![0; usize::from(count)];
        self.fill(&mut octets)?;
        Ok(octets)
    }

    fn fill(&mut self, into: &mut [u8]) -> Result<(), RequestError> {
        let mut filled = 0;
        while filled < into.len() {
            match self.conn.read(into.get_mut(filled..).unwrap_or_default()) {
                Read::Octets(n) => filled += n,
                Read::Blocked => self.wait()?,
                Read::Clean | Read::Broken(_) => {
                    let detail = "the station closed before it had named its destination".to_owned();
                    return Err(RequestError { status: Status::StationBroke, detail, answer: Vec::new() });
                }
            }
        }
        Ok(())
    }

    /// Sends an answer within the request.
    pub(super) fn send(&mut self, octets: &[u8]) -> Result<(), RequestError> {
        let sent = self.conn.write(octets).and_then(|_| self.conn.drain());
        sent.map(drop).map_err(|e| RequestError {
            status: Status::StationBroke,
            detail: format!("the station closed before it had named its destination: {e}"),
            answer: Vec::new(),
        })
    }

    fn wait(&mut self) -> Result<(), RequestError> {
        self.context.waiter.wait(Some(self.deadline)).map_err(|e| {
            let (status, detail) = match e {
                Interrupted::Late => {
                    (Status::Timeout, "the station did not name its destination in time".to_owned())
                }
                Interrupted::Ended(_) => {
                    (Status::Terminated, "the session process was told to end".to_owned())
                }
                Interrupted::Failed(e) => (Status::Internal, e.to_string()),
            };
            RequestError { status, detail, answer: Vec::new() }
        })
    }
}

/// Whether it can be a host name, an address, or the short name of a partner.
pub(super) fn is_destination(name: &str) -> bool {
    is_host(name) || is_short_name(name)
}
