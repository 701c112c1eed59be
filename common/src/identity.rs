//! Identities: Proxy IDs, and the three kinds of certificates that the backend's CA issues. This module only reads
//! certificates: the daemons own the files, the backend issues certificates.

use crate::text::hex;
use openssl::error::ErrorStack;
use openssl::pkey::{HasPublic, Id, PKeyRef};
use openssl::x509::X509Ref;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The public half of a server's Ed25519 identity key: 64 hex digits and `px`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProxyId(String);

impl ProxyId {
    /// The Proxy ID of `key`; none if it is not an Ed25519 key.
    ///
    /// # Errors
    /// OpenSSL cannot give the public half.
    pub fn of_key<T: HasPublic>(key: &PKeyRef<T>) -> Result<Option<Self>, ErrorStack> {
        if key.id() != Id::ED25519 {
            return Ok(None);
        }
        Ok(Some(Self(hex::encode(&key.raw_public_key()?) + "px")))
    }

    /// The raw Ed25519 public key, 32 octets.
    pub fn public_key(&self) -> Vec<u8> {
        self.0.strip_suffix("px").and_then(hex::decode).unwrap_or_default()
    }

    /// As printed by `-L`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProxyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ProxyId {
    type Err = ProxyIdError;

    fn from_str(text: &str) -> Result<Self, ProxyIdError> {
        let digits = text.strip_suffix("px").ok_or(ProxyIdError)?;
        if digits.len() == 64 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ProxyIdError)
        }
    }
}

impl TryFrom<String> for ProxyId {
    type Error = ProxyIdError;

    fn try_from(text: String) -> Result<Self, ProxyIdError> {
        text.parse()
    }
}

impl From<ProxyId> for String {
    fn from(id: ProxyId) -> Self {
        id.0
    }
}

/// The text is no Proxy ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyIdError;

impl fmt::Display for ProxyIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Proxy ID is 64 lower-case hex digits and 'px', as os4x_proxyserver2 -L prints it")
    }
}

impl std::error::Error for ProxyIdError {}

/// The purpose of a certificate of the backend's CA. Each kind has its own URI in the certificate, so that one kind is
/// never accepted as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateKind {
    /// A server's licence, which is also its certificate on the control connection (EKU serverAuth).
    Licence,
    /// A client's certificate of one run (EKU clientAuth).
    Client,
    /// The backend's own https certificate (EKU serverAuth).
    Https,
}

impl CertificateKind {
    const ALL: [Self; 3] = [Self::Licence, Self::Client, Self::Https];

    /// The URI in the subjectAltName.
    pub fn uri(self) -> &'static str {
        match self {
            Self::Licence => "urn:os4x:smartproxy:licence",
            Self::Client => "urn:os4x:smartproxy:client",
            Self::Https => "urn:os4x:smartproxy:https",
        }
    }

    /// The kind that `certificate` names; none if it names none, or more than one.
    pub fn of(certificate: &X509Ref) -> Option<Self> {
        let names = certificate.subject_alt_names()?;
        let mut kinds =
            names.iter().filter_map(|name| Self::ALL.into_iter().find(|kind| name.uri() == Some(kind.uri())));
        let first = kinds.next()?;
        kinds.next().is_none().then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::ProxyId;
    use openssl::pkey::PKey;

    #[test]
    fn a_proxy_id_is_its_public_key() {
        let key = PKey::generate_ed25519().unwrap();
        let id = ProxyId::of_key(&key).unwrap().unwrap();
        assert_eq!(id.public_key(), key.raw_public_key().unwrap());
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert_eq!(id.as_str().len(), 66);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "px", "c6bcpx", &"g".repeat(64), &format!("{}px", "A".repeat(64))] {
            assert!(text.parse::<ProxyId>().is_err(), "{text}");
        }
    }
}
