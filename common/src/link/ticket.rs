//! The ticket of a pair: a secret that proves the right to join it. It travels on the control connection and from
//! parent to child, never on the data connection, where it is the key of the TLS handshake.

use crate::text::hex;
use openssl::error::ErrorStack;
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 256 random bits, known to both parents and to the two children of one pair; good for one join.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Ticket([u8; 32]);

impl Ticket {
    /// A new one.
    ///
    /// # Errors
    /// OpenSSL has no random octets.
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
        let mut text = hex::encode(&self.0);
        let result = serializer.serialize_str(&text);
        text.zeroize();
        result
    }
}

impl<'de> Deserialize<'de> for Ticket {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = String::deserialize(deserializer)?;
        let octets = hex::decode_array(&text);
        text.zeroize();
        octets.map(Self).ok_or_else(|| serde::de::Error::custom("a ticket is 64 hex digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::Ticket;

    #[test]
    fn json_round_trip_and_debug_shows_no_secret() {
        let ticket = Ticket::random().unwrap();
        let text = serde_json::to_string(&ticket).unwrap();
        assert_eq!(serde_json::from_str::<Ticket>(&text).unwrap(), ticket);
        assert!(serde_json::from_str::<Ticket>("\"00\"").is_err());
        assert_eq!(format!("{ticket:?}"), "<redacted>");
    }
}
