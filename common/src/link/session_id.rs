//! The ID of a session and of its pair: the server child and the client child that serve it. It is sent unencrypted and
//! only finds the child; the pair's `Ticket` proves the right to join.

use crate::text::hex;
use openssl::error::ErrorStack;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Length of the preamble that opens a data connection, octets.
pub const PREAMBLE: usize = 24;
/// The first octets of a preamble; a TLS record (the control connection) begins with 0x16.
const MAGIC: [u8; 8] = *b"OS4XPR/1";
/// The server's answer when it does not know the pair; then it closes.
pub const UNKNOWN_PAIR: u8 = b'N';

/// 128 random bits that name a pair. Also the session's ID in logs and in the session list.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// A new one.
    ///
    /// # Errors
    /// OpenSSL has no random octets.
    pub fn random() -> Result<Self, ErrorStack> {
        let mut id = [0; 16];
        openssl::rand::rand_bytes(&mut id)?;
        Ok(Self(id))
    }

    /// The preamble of this pair's data connection.
    pub fn preamble(self) -> [u8; PREAMBLE] {
        let mut preamble = [0; PREAMBLE];
        for (to, from) in preamble.iter_mut().zip(MAGIC.iter().chain(&self.0)) {
            *to = *from;
        }
        preamble
    }

    /// The pair that a preamble names; none if it is no preamble.
    pub fn from_preamble(preamble: &[u8; PREAMBLE]) -> Option<Self> {
        let id = preamble.strip_prefix(&MAGIC)?;
        Some(Self(id.try_into().ok()?))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for SessionId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        hex::decode_array(text).map(Self).ok_or("a pair ID is 32 hex digits")
    }
}

/// The direction of a session and of its pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The partner opens the session.
    Incoming,
    /// The station opens the session.
    Outgoing,
}

impl Direction {
    /// Its word in log lines, titles and the session list.
    pub fn word(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PREAMBLE, SessionId};

    #[test]
    fn a_preamble_names_its_pair() {
        let pair = SessionId::random().unwrap();
        assert_eq!(SessionId::from_preamble(&pair.preamble()), Some(pair));
        assert_eq!(SessionId::from_preamble(&[0x16; PREAMBLE]), None);
    }

    #[test]
    fn json_round_trip() {
        let pair = SessionId::random().unwrap();
        let text = serde_json::to_string(&pair).unwrap();
        assert_eq!(serde_json::from_str::<SessionId>(&text).unwrap(), pair);
        assert!(serde_json::from_str::<SessionId>("\"00\"").is_err());
    }
}
