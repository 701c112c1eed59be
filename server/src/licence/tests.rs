//! Valid and invalid licences, issued by the test's CA.

use super::Licence;
use crate::identity::Identity;
use common::identity::{CertificateKind, ProxyId};
use common::text::clock;
use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The current time in these tests.
const NOW: i64 = 1_800_000_000;

pub(crate) fn identity() -> Identity {
    let key = PKey::generate_ed25519().unwrap();
    let proxy_id = ProxyId::of_key(&key).unwrap().unwrap();
    Identity { key, proxy_id }
}

pub(crate) struct Authority {
    key: PKey<Private>,
    pub(crate) certificate: X509,
}

fn builder(subject: &str, issuer: &str, key: &PKey<Private>, days: (i64, i64)) -> X509Builder {
    let name = |text: &str| {
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("O", text).unwrap();
        name.build()
    };
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name(subject)).unwrap();
    builder.set_issuer_name(&name(issuer)).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(NOW + days.0 * clock::DAY).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(NOW + days.1 * clock::DAY).unwrap()).unwrap();
    builder
}

impl Authority {
    pub(crate) fn new(is_one: bool) -> Self {
        let key = PKey::generate_ed25519().unwrap();
        let mut certificate = builder("OS4Xapi", "OS4Xapi", &key, (-100, 1000));
        if is_one {
            certificate.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        }
        certificate.sign(&key, MessageDigest::null()).unwrap();
        Self { key, certificate: certificate.build() }
    }

    pub(crate) fn issue(&self, key: &PKey<Private>, kind: CertificateKind, days: (i64, i64)) -> X509 {
        let mut certificate = builder("Example GmbH", "OS4Xapi", key, days);
        let context = certificate.x509v3_context(Some(&self.certificate), None);
        let name = SubjectAlternativeName::new().uri(kind.uri()).build(&context).unwrap();
        certificate.append_extension(name).unwrap();
        certificate.append_extension(ExtendedKeyUsage::new().server_auth().build().unwrap()).unwrap();
        certificate.sign(&self.key, MessageDigest::null()).unwrap();
        certificate.build()
    }
}

/// A file with these certificates.
pub(crate) fn in_file(test: &str, certificates: &[&X509]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("os4x-licence-{}-{test}", std::process::id()));
    let pem: Vec<u8> = certificates.iter().flat_map(|certificate| certificate.to_pem().unwrap()).collect();
    std::fs::write(&path, pem).unwrap();
    path
}

/// The time so many days after the tests' current time.
pub(crate) fn moment(days: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs((NOW + days * clock::DAY).unsigned_abs())
}

/// The licence in a file with these certificates.
fn licence(test: &str, certificates: &[&X509]) -> Result<Licence, String> {
    let path = in_file(test, certificates);
    let read = Licence::read(&path).map_err(|error| error.to_string());
    std::fs::remove_file(path).unwrap();
    read
}

fn judged(licence: &Licence, own: &Identity) -> Result<(), String> {
    licence.check(own, moment(0)).map_err(|error| error.to_string())
}

#[test]
fn a_licence_of_ours_holds_and_says_what_it_is() {
    let (authority, own) = (Authority::new(true), identity());
    let certificate = authority.issue(&own.key, CertificateKind::Licence, (-1, 30));
    let licence = licence("good", &[&certificate, &authority.certificate]).unwrap();
    assert_eq!(judged(&licence, &own), Ok(()));
    assert_eq!(licence.days_left(UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs())), 30);
    let shown = licence.to_string();
    for text in
        ["Holder:        O=Example GmbH", own.proxy_id.as_str(), "Valid until:   2027-02-14 08:00:00 UTC"]
    {
        assert!(shown.contains(text), "{shown}");
    }
}

#[test]
fn each_fault_is_named() {
    let (authority, other, no_authority) =
        (Authority::new(true), Authority::new(true), Authority::new(false));
    let (own, foreign) = (identity(), identity());
    let good = (-1, 30);
    for (certificate, ca, expected) in [
        (authority.issue(&own.key, CertificateKind::Client, good), &authority, "no licence"),
        (
            authority.issue(&foreign.key, CertificateKind::Licence, good),
            &authority,
            "is for another server, with OS4X Proxy ID",
        ),
        (
            authority.issue(&own.key, CertificateKind::Licence, good),
            &other,
            "that the CA in it has not issued",
        ),
        (
            no_authority.issue(&own.key, CertificateKind::Licence, good),
            &no_authority,
            "that the CA in it has not issued",
        ),
        (
            authority.issue(&own.key, CertificateKind::Licence, (1, 30)),
            &authority,
            "is not valid before 2027-01-16 08:00:00 UTC",
        ),
        (
            authority.issue(&own.key, CertificateKind::Licence, (-30, -1)),
            &authority,
            "expired on 2027-01-14 08:00:00 UTC",
        ),
    ] {
        let licence = licence("bad", &[&certificate, &ca.certificate]).unwrap();
        let message = judged(&licence, &own).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn other_files_are_no_licences() {
    let authority = Authority::new(true);
    let certificate = &authority.certificate;
    for certificates in [&[][..], &[certificate], &[certificate, certificate, certificate]] {
        assert!(licence("form", certificates).unwrap_err().contains("does not hold two certificates"));
    }
    let missing = Licence::read("/nonexistent/os4x_proxy.lic".as_ref()).unwrap_err().to_string();
    assert!(missing.contains("/nonexistent/os4x_proxy.lic cannot be read"), "{missing}");
}
