//! The first message of a peer, read and judged before the relay runs: SSRM of a Responder, SSID of an Initiator. Its
//! sender then waits for an answer, so no octet may follow it.

use crate::net::{Conn, Read};
use crate::oftp::{Side, Violation};
use crate::session::inspector::Inspector;
use std::io::ErrorKind;

/// No longer message is legal before the second SSID (`man/doc/oftp2.md#limits`).
const ROOM: usize = 1010;

/// The octets of the message so far.
pub struct Greeting {
    buffer: [u8; ROOM],
    filled: usize,
}

/// Result of one step.
pub enum Progress {
    /// The message is incomplete.
    Nothing,
    /// The message, judged.
    Message(Vec<u8>),
    /// The connection ended before it.
    Ended {
        /// How it ended, to be read after the name of the peer.
        how: String,
        /// Whether TLS ended it, by an alert or another fault, and not the network.
        tls: bool,
    },
    /// More octets followed the message.
    TooMuch,
}

impl Default for Greeting {
    fn default() -> Self {
        Self { buffer: [0; ROOM], filled: 0 }
    }
}

impl Greeting {
    /// Reads the octets that are there, and judges the message once it is complete.
    ///
    /// # Errors
    /// The rule that the octets break, and the ESID reason for it.
    pub fn step(
        &mut self,
        conn: &mut Conn,
        inspector: &mut Inspector,
        from: Side,
    ) -> Result<Progress, Violation> {
        let ended = loop {
            match conn.read(self.buffer.get_mut(self.filled..).unwrap_or_default()) {
                Read::Octets(n) => self.filled += n,
                Read::Blocked => break None,
                Read::Clean => {
                    break Some(Progress::Ended { how: "closed the connection".to_owned(), tls: false });
                }
                Read::Broken(e) => {
                    let tls = e.kind() == ErrorKind::InvalidData;
                    break Some(Progress::Ended { how: format!("broke off ({e})"), tls });
                }
            }
            if self.filled == self.buffer.len() {
                break None;
            }
        };
        let read = self.buffer.get(..self.filled).unwrap_or_default();
        let Some(length) = inspector.whole(from, read)? else {
            return Ok(ended.unwrap_or(Progress::Nothing));
        };
        let message = read.get(..length).unwrap_or_default();
        inspector.pass(from, message)?;
        // Octets after an ESID are ignored.
        let eager = length < self.filled && inspector.ended().is_none();
        Ok(if eager { Progress::TooMuch } else { Progress::Message(message.to_vec()) })
    }
}
