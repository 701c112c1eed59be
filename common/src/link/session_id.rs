//! Pairs: a server child and a client child that belong together. The pair ID travels in clear and only finds the
//! child; the ticket never travels on the data connection and proves the right to join.

use openssl::error::ErrorStack;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Length of the preamble that opens a data connection, octets.
pub const PREAMBLE: usize = 24;
/// What it begins with; a TLS record (the control connection) begins with 0x16.
const MAGIC: [u8; 8] = *b"OS4XPR/1";
/// What the server answers, before it closes, when it knows no such pair.
pub const UNKNOWN_PAIR: u8 = b'N';

/// 128 random bits that name a pair. Also the session's ID in logs and in the session list.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// A new one.
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
        f.write_str(&hex(&self.0))
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
        unhex(&text).map(Self).ok_or("a pair ID is 32 hex digits")
    }
}

/// Which way a session goes, and with it the pair that carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// A partner opens it.
    Incoming,
    /// The station opens it.
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

/// 256 random bits, known to both parents and to the two children of one pair; good for one join.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Ticket([u8; 32]);

impl Ticket {
    /// A new one.
    pub fn random() -> Result<Self, ErrorStack> {
        let mut ticket = [0; 32];
        openssl::rand::rand_bytes(&mut ticket)?;
        Ok(Self(ticket))
    }

    /// The secret itself.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl Serialize for Ticket {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = hex(&self.0);
        let result = serializer.serialize_str(&text);
        text.zeroize();
        result
    }
}

impl<'de> Deserialize<'de> for Ticket {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = String::deserialize(deserializer)?;
        let octets = unhex(&text);
        text.zeroize();
        octets.map(Self).ok_or_else(|| serde::de::Error::custom("a ticket is 64 hex digits"))
    }
}

fn hex(octets: &[u8]) -> String {
    let mut text = String::with_capacity(2 * octets.len());
    for octet in octets {
        let _ = write!(text, "{octet:02x}");
    }
    text
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut octets = [0; N];
    for (octet, pair) in octets.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *octet = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::{PREAMBLE, SessionId, Ticket};

    #[test]
    fn a_preamble_names_its_pair() {
        let pair = SessionId::random().unwrap();
        assert_eq!(SessionId::from_preamble(&pair.preamble()), Some(pair));
        assert_eq!(SessionId::from_preamble(&[0x16; PREAMBLE]), None);
    }

    #[test]
    fn json_round_trip() {
        let (pair, ticket) = (SessionId::random().unwrap(), Ticket::random().unwrap());
        let text = serde_json::to_string(&(pair, ticket.clone())).unwrap();
        assert_eq!(serde_json::from_str::<(SessionId, Ticket)>(&text).unwrap(), (pair, ticket));
        assert!(serde_json::from_str::<SessionId>("\"00\"").is_err());
    }
}
