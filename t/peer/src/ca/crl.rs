//! Certificate revocation lists (RFC 5280 §5), version 2. The openssl crate can only read them, so they are written
//! here.

use super::{Issued, date_and_time, der};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::Id;
use openssl::sign::Signer;
use openssl::x509::X509Crl;
use std::time::SystemTime;

/// OID 1.2.840.10045.4.3.2.
const ECDSA_WITH_SHA256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
/// OID 1.2.840.113549.1.1.11, with its NULL parameters.
const SHA256_WITH_RSA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 0x05, 0];
/// OID 2.5.29.20, cRLNumber.
const CRL_NUMBER: &[u8] = &[0x06, 3, 0x55, 0x1d, 20];
/// OID 2.5.29.35, authorityKeyIdentifier.
const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x06, 3, 0x55, 0x1d, 35];

/// OID 2.5.29.28, issuingDistributionPoint.
const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x06, 3, 0x55, 0x1d, 28];

/// Which certificates of its issuer a CRL is for (RFC 5280 §5.2.5).
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Those that name this URL as their distribution point.
    pub url: Option<String>,
    /// Only certificates of CAs, or only all others.
    pub authorities: Option<bool>,
    /// A reader that does not understand the extension must not use the list.
    pub critical: bool,
}

impl Scope {
    /// The extension.
    fn extension(&self) -> Vec<u8> {
        let name = self.url.as_ref().map(|url| {
            let full_name = der::tlv(0xa0, &der::tlv(0x86, url.as_bytes()));
            der::tlv(0xa0, &full_name)
        });
        let only =
            self.authorities.map(|authorities| der::tlv(if authorities { 0x82 } else { 0x81 }, &[0xff]));
        let value = der::sequence(&[&name.unwrap_or_default(), &only.unwrap_or_default()]);
        let critical = if self.critical { der::tlv(0x01, &[0xff]) } else { Vec::new() };
        der::sequence(&[ISSUING_DISTRIBUTION_POINT, &critical, &der::tlv(0x04, &value)])
    }
}

/// A CRL, PEM; without a scope it is for all certificates of its issuer.
pub(super) fn issue(
    issuer: &Issued,
    revoked: &[(Vec<u8>, SystemTime)],
    number: u64,
    this_update: SystemTime,
    next_update: SystemTime,
    scope: Option<&Scope>,
) -> Result<Vec<u8>, ErrorStack> {
    let time = |when| {
        let (date, time) = date_and_time(when);
        der::time(&date, &time)
    };
    let is_rsa = issuer.key.id() == Id::RSA;
    let algorithm = der::sequence(&[if is_rsa { SHA256_WITH_RSA } else { ECDSA_WITH_SHA256 }]);
    let name = issuer.certificate.subject_name().to_der()?;
    let entries: Vec<u8> = revoked
        .iter()
        .flat_map(|(serial, when)| der::sequence(&[&der::integer(serial), &time(*when)]))
        .collect();
    // An empty list is left out (RFC 5280 §5.1.2.6).
    let entries = if entries.is_empty() { entries } else { der::tlv(0x30, &entries) };
    let number = der::sequence(&[CRL_NUMBER, &der::tlv(0x04, &der::integer(&number.to_be_bytes()))]);
    let key_identifier = match issuer.certificate.subject_key_id() {
        Some(identifier) => {
            let value = der::sequence(&[&der::tlv(0x80, identifier.as_slice())]);
            der::sequence(&[AUTHORITY_KEY_IDENTIFIER, &der::tlv(0x04, &value)])
        }
        None => Vec::new(),
    };
    let scope = scope.map(Scope::extension).unwrap_or_default();
    let extensions = der::tlv(0xa0, &der::sequence(&[&key_identifier, &number, &scope]));
    let version = der::integer(&[1]);
    let list = der::sequence(&[
        &version,
        &algorithm,
        &name,
        &time(this_update),
        &time(next_update),
        &entries,
        &extensions,
    ]);
    let mut signer = Signer::new(MessageDigest::sha256(), &issuer.key)?;
    let mut signature = vec![0];
    signature.extend(signer.sign_oneshot_to_vec(&list)?);
    let crl = der::sequence(&[&list, &algorithm, &der::tlv(0x03, &signature)]);
    X509Crl::from_der(&crl)?.to_pem()
}

#[cfg(test)]
mod tests {
    use super::super::{Authority, Key, Request};
    use openssl::x509::{CrlStatus, X509Crl};

    #[test]
    fn openssl_reads_and_verifies_our_crls() {
        for key in [Key::P256, Key::Rsa(2048)] {
            let mut authority = Authority::with_key("crl test", key).unwrap();
            let good = authority.issue(&Request::new("good")).unwrap().certificate;
            let bad = authority.issue(&Request::new("bad")).unwrap().certificate;
            for revoked in [false, true] {
                if revoked {
                    authority.revoke(&bad).unwrap();
                }
                let crl = X509Crl::from_pem(&authority.crl(30).unwrap()).unwrap();
                assert!(crl.verify(&authority.own.key).unwrap());
                assert!(matches!(crl.get_by_cert(&good), CrlStatus::NotRevoked));
                assert_eq!(matches!(crl.get_by_cert(&bad), CrlStatus::Revoked(_)), revoked);
            }
        }
    }
}
