//! How the backend's certificate is verified. A token `<secret>.<hex>` has the SHA-256 of the backend's own CA: then
//! only that CA is trusted, which must be in the chain that the server shows, and only its certificates for https. With
//! any other token the system's store decides. OpenSSL verifies during the handshake. Used by the API worker.

use super::fault::Fault;
use common::identity::CertificateKind;
use common::link::tls::hardened_for_secrets;
use common::secret::Secret;
use common::text::hex;
use common::x509::codes::verify as codes;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::ssl::{Ssl, SslContext, SslRef, SslVerifyMode, SslVersion};
use openssl::x509::verify::X509CheckFlags;
use openssl::x509::{X509StoreContextRef, X509VerifyResult};
use std::net::IpAddr;

/// SHA-256 of a CA's certificate (DER).
type Pin = [u8; 32];

/// The two parts of a token: the secret for the backend, and the fingerprint of the backend's CA.
pub(super) fn halves(token: &Secret) -> (Secret, Option<Pin>) {
    let text = token.expose();
    let halves = text.rsplit_once('.').and_then(|(secret, pin)| Some((secret, hex::decode_array(pin)?)));
    match halves {
        Some((secret, pin)) if !secret.is_empty() => (Secret::new(secret.to_owned()), Some(pin)),
        _ => (token.clone(), None),
    }
}

/// How the backend's certificate is verified.
pub(super) struct Trust {
    context: SslContext,
    pinned: bool,
}

impl Trust {
    /// Trusts only the CA with this SHA-256; without one, the system's store.
    pub(super) fn new(pin: Option<Pin>) -> Result<Self, ErrorStack> {
        let mut context = hardened_for_secrets(SslVersion::TLS1_2)?;
        if let Some(pin) = pin {
            context
                .set_verify_callback(SslVerifyMode::PEER, move |good, chain| good || is_pinned(chain, &pin));
        } else {
            context.set_default_verify_paths()?;
            context.set_verify(SslVerifyMode::PEER);
        }
        Ok(Self { context: context.build(), pinned: pin.is_some() })
    }

    /// Whether the token names the CA.
    pub(super) fn is_pinned(&self) -> bool {
        self.pinned
    }

    /// Prepares a connection to `host`, a name or an address without brackets, which the certificate must name.
    pub(super) fn begin(&self, host: &str) -> Result<Ssl, ErrorStack> {
        let mut ssl = Ssl::new(&self.context)?;
        let name = ssl.param_mut();
        // The common name is not used as a host name (RFC 9525 §2).
        name.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT);
        if let Ok(address) = host.parse::<IpAddr>() {
            name.set_ip(address)?;
        } else {
            name.set_host(host)?;
            ssl.set_hostname(host)?;
        }
        ssl.set_connect_state();
        Ok(ssl)
    }

    /// The last check after a handshake, before anything is sent: a licence or a client's certificate of the same CA is
    /// not accepted as the backend's.
    pub(super) fn check(&self, ssl: Option<&SslRef>) -> Result<(), Fault> {
        let verified = ssl.filter(|ssl| ssl.verify_result() == X509VerifyResult::OK);
        let certificate = verified.and_then(SslRef::peer_certificate).ok_or(Fault::NoCertificate)?;
        if self.pinned && CertificateKind::of(&certificate) != Some(CertificateKind::Https) {
            return Err(Fault::Kind(CertificateKind::of(&certificate)));
        }
        Ok(())
    }
}

/// Accepts the pinned CA at the end of a chain, and no other fault: OpenSSL still checks signatures, dates, purpose and
/// name.
fn is_pinned(chain: &mut X509StoreContextRef, pin: &Pin) -> bool {
    // The chain is complete, and ends at a CA that is in no store.
    if chain.error().as_raw() != codes::SELF_SIGNED_CERT_IN_CHAIN {
        return false;
    }
    let digest = chain.current_cert().and_then(|ca| ca.digest(MessageDigest::sha256()).ok());
    let found = digest.is_some_and(|digest| *digest == pin[..]);
    if found {
        chain.set_error(X509VerifyResult::OK);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::halves;
    use common::secret::Secret;

    #[test]
    fn a_token_names_its_ca_or_none() {
        let pinned = |token: &str| halves(&Secret::new(token.to_owned()));
        let (secret, pin) = pinned(&format!("ab.c.{}", "0aFF".repeat(16)));
        assert_eq!((secret.expose(), pin), ("ab.c", Some([[0x0a, 0xff]; 16].concat().try_into().unwrap())));
        for plain in [
            "abc".to_owned(),
            format!("abc.{}", "0".repeat(63)),
            format!("abc.{}", "0".repeat(65)),
            format!("abc.{}", "0".repeat(66)),
            format!("abc.{}g", "0".repeat(63)),
            format!("abc.+{}", "0".repeat(63)),
            format!("abc.{}é", "0".repeat(62)),
            format!(".{}", "0".repeat(64)),
        ] {
            let (secret, pin) = pinned(&plain);
            assert_eq!((secret.expose(), pin), (plain.as_str(), None));
        }
    }
}
