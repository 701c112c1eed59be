//! The backend's own CA (ECDSA P-256) and the three kinds of certificates that it issues: licences, certificates of
//! clients, and its https certificate. Run by `init`, `licence issue`, `proxy_enrol` and the renewal of the https
//! certificate. Never certifies a partner or another CA.

use super::{Doing, PkiError};
use common::identity::{CertificateKind, ProxyId};
use common::secret::Secret;
use common::text::clock::{self, DAY};
use common::text::hex;
use common::x509::times::unix_time_of;
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private, Public};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder};
use std::net::IpAddr;

/// Validity of the CA, days.
const CA_DAYS: i64 = 7_300;
/// Validity of the https certificate, days; `serve` renews it by itself.
pub(crate) const HTTPS_DAYS: i64 = 397;
/// A certificate is valid from a little earlier on: clocks of two hosts differ.
const CLOCK_SKEW: i64 = 300;

/// The CA: its certificate and key.
pub(crate) struct Ca {
    certificate: X509,
    key: PKey<Private>,
}

/// A certificate and its private key, both PEM.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: Secret,
}

impl Ca {
    /// A new CA with a new key; its name carries a part of that key's hash, so that two backends differ.
    pub(crate) fn create() -> Result<Self, PkiError> {
        let doing = "making the CA";
        let key = new_key()?;
        let digest = openssl::sha::sha256(&key.public_key_to_der().doing(doing)?);
        let mark = hex::encode(digest.get(..4).unwrap_or_default());
        let name = name(&[("O", "OS4Xapi"), ("CN", &format!("OS4X SmartProxy CA {mark}"))])?;
        let now = clock::now();
        let mut builder = blank(&name, &name, &key, now, now + CA_DAYS * DAY)?;
        let constraints = BasicConstraints::new().critical().ca().pathlen(0).build().doing(doing)?;
        builder.append_extension(constraints).doing(doing)?;
        let usage = KeyUsage::new().critical().key_cert_sign().crl_sign().build().doing(doing)?;
        builder.append_extension(usage).doing(doing)?;
        let subject_key =
            SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None)).doing(doing)?;
        builder.append_extension(subject_key).doing(doing)?;
        builder.sign(&key, MessageDigest::sha256()).doing(doing)?;
        Ok(Self { certificate: builder.build(), key })
    }

    /// The CA from the database.
    pub(crate) fn from_pem(certificate: &str, key: &Secret) -> Result<Self, PkiError> {
        Ok(Self {
            certificate: X509::from_pem(certificate.as_bytes()).doing("reading the CA's certificate")?,
            key: PKey::private_key_from_pem(key.expose().as_bytes()).doing("reading the CA's key")?,
        })
    }

    /// Certificate and key for the database.
    pub(crate) fn to_issued(&self) -> Result<Issued, PkiError> {
        issued(&self.certificate, &self.key)
    }

    /// The certificate, PEM.
    pub(crate) fn certificate_pem(&self) -> Result<String, PkiError> {
        pem(&self.certificate)
    }

    /// An https certificate for `hosts` (names and addresses), with a new key, valid for `days`.
    pub(crate) fn https(&self, hosts: &[String], days: i64) -> Result<Issued, PkiError> {
        let key = new_key()?;
        let subject = name(&[("CN", common_name(hosts))])?;
        let until = clock::now() + days * DAY;
        let certificate = self.issue(&subject, CertificateKind::Https, hosts, &key, until)?;
        issued(&certificate, &key)
    }

    /// A client's certificate for its public key (PEM), valid for `seconds`.
    pub(crate) fn client(&self, public_key: &str, seconds: u32) -> Result<String, PkiError> {
        let key = PKey::public_key_from_pem(public_key.as_bytes())
            .map_err(|_| PkiError::Key("it is no SubjectPublicKeyInfo in PEM"))?;
        check_strength(&key)?;
        let subject = name(&[("CN", "os4x_proxyclient2")])?;
        let until = clock::now() + i64::from(seconds);
        pem(&self.issue(&subject, CertificateKind::Client, &[], &key, until)?)
    }

    /// A licence for the server `id`: its certificate, then the CA's.
    pub(crate) fn licence(&self, id: &ProxyId, holder: &str, days: u32) -> Result<String, PkiError> {
        if !(1..=64).contains(&holder.chars().count()) || holder.chars().any(char::is_control) {
            return Err(PkiError::Holder);
        }
        let key = PKey::public_key_from_raw_bytes(&id.public_key(), Id::ED25519)
            .map_err(|_| PkiError::Key("the Proxy ID is no Ed25519 key"))?;
        // A Proxy ID is longer than the 64 characters of a common name; dnQualifier has no such bound.
        let subject = name(&[("O", holder), ("CN", holder), ("dnQualifier", id.as_str())])?;
        let until = clock::now() + i64::from(days) * DAY;
        let certificate = self.issue(&subject, CertificateKind::Licence, &[], &key, until)?;
        Ok(pem(&certificate)? + &self.certificate_pem()?)
    }

    fn issue<T: HasPublic>(
        &self,
        subject: &X509Name,
        kind: CertificateKind,
        hosts: &[String],
        key: &PKeyRef<T>,
        until: i64,
    ) -> Result<X509, PkiError> {
        let doing = "issuing a certificate";
        let ca_end = unix_time_of(self.certificate.not_after()).doing(doing)?;
        if until > ca_end {
            return Err(PkiError::BeyondCa(clock::rfc3339(ca_end)));
        }
        let issuer = self.certificate.subject_name().to_owned().doing(doing)?;
        let mut builder = blank(subject, &issuer, key, clock::now() - CLOCK_SKEW, until)?;
        builder.append_extension(BasicConstraints::new().critical().build().doing(doing)?).doing(doing)?;
        let usage = KeyUsage::new().critical().digital_signature().build().doing(doing)?;
        builder.append_extension(usage).doing(doing)?;
        let mut purpose = ExtendedKeyUsage::new();
        match kind {
            CertificateKind::Client => purpose.client_auth(),
            CertificateKind::Licence | CertificateKind::Https => purpose.server_auth(),
        };
        builder.append_extension(purpose.build().doing(doing)?).doing(doing)?;
        let mut names = SubjectAlternativeName::new();
        names.uri(kind.uri());
        add_hosts(&mut names, hosts);
        let extensions = {
            let context = builder.x509v3_context(Some(&self.certificate), None);
            [
                names.build(&context),
                SubjectKeyIdentifier::new().build(&context),
                AuthorityKeyIdentifier::new().keyid(true).build(&context),
            ]
        };
        for extension in extensions {
            builder.append_extension(extension.doing(doing)?).doing(doing)?;
        }
        builder.sign(&self.key, MessageDigest::sha256()).doing(doing)?;
        Ok(builder.build())
    }
}

/// Names and addresses in a certificate's subjectAltName.
pub(crate) fn hosts_of(certificate: &X509) -> Vec<String> {
    let Some(names) = certificate.subject_alt_names() else { return Vec::new() };
    names
        .iter()
        .filter_map(|name| match name.ipaddress() {
            Some(octets) => match octets.len() {
                4 => <[u8; 4]>::try_from(octets).ok().map(|octets| IpAddr::from(octets).to_string()),
                _ => <[u8; 16]>::try_from(octets).ok().map(|octets| IpAddr::from(octets).to_string()),
            },
            None => name.dnsname().map(str::to_owned),
        })
        .collect()
}

/// Whether `name` in a certificate, which may begin with a wildcard, is a name of `host`.
pub(crate) fn is_name_of(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(domain) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)),
        None => name.eq_ignore_ascii_case(host),
    }
}

/// The first host that fits into a common name.
fn common_name(hosts: &[String]) -> &str {
    hosts.iter().find(|host| host.len() <= 64).map_or("os4xapi", String::as_str)
}

pub(super) fn new_key() -> Result<PKey<Private>, PkiError> {
    let doing = "making a key";
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).doing(doing)?;
    PKey::from_ec_key(EcKey::generate(&group).doing(doing)?).doing(doing)
}

fn check_strength(key: &PKeyRef<Public>) -> Result<(), PkiError> {
    match key.id() {
        Id::ED25519 | Id::ED448 => Ok(()),
        Id::EC if key.bits() >= 256 => Ok(()),
        Id::RSA if (2048..=8192).contains(&key.bits()) => Ok(()),
        _ => Err(PkiError::Key("it takes Ed25519, ECDSA from 256 bits on, or RSA of 2048 to 8192 bits")),
    }
}

fn name(parts: &[(&str, &str)]) -> Result<X509Name, PkiError> {
    let doing = "writing a certificate's subject";
    let mut builder = X509NameBuilder::new().doing(doing)?;
    for (field, value) in parts {
        builder.append_entry_by_text(field, value).doing(doing)?;
    }
    Ok(builder.build())
}

/// A certificate with everything but extensions and signature.
fn blank<T: HasPublic>(
    subject: &X509Name,
    issuer: &X509Name,
    key: &PKeyRef<T>,
    from: i64,
    until: i64,
) -> Result<X509Builder, PkiError> {
    let doing = "making a certificate";
    let mut serial = BigNum::new().doing(doing)?;
    serial.rand(126, MsbOption::ONE, false).doing(doing)?;
    let mut builder = X509Builder::new().doing(doing)?;
    builder.set_version(2).doing(doing)?;
    builder.set_serial_number(&*serial.to_asn1_integer().doing(doing)?).doing(doing)?;
    builder.set_subject_name(subject).doing(doing)?;
    builder.set_issuer_name(issuer).doing(doing)?;
    builder.set_pubkey(key).doing(doing)?;
    builder.set_not_before(&*Asn1Time::from_unix(from).doing(doing)?).doing(doing)?;
    builder.set_not_after(&*Asn1Time::from_unix(until).doing(doing)?).doing(doing)?;
    Ok(builder)
}

fn issued(certificate: &X509, key: &PKey<Private>) -> Result<Issued, PkiError> {
    Ok(Issued { certificate: pem(certificate)?, key: key_pem(key)? })
}

/// A key as PEM.
pub(super) fn key_pem(key: &PKey<Private>) -> Result<Secret, PkiError> {
    let octets = key.private_key_to_pem_pkcs8().doing("writing a key")?;
    String::from_utf8(octets).map(Secret::new).map_err(|_| PkiError::Key("it does not print as PEM"))
}

/// Names and addresses that a certificate is for.
pub(super) fn add_hosts(names: &mut SubjectAlternativeName, hosts: &[String]) {
    for host in hosts {
        if host.parse::<IpAddr>().is_ok() {
            names.ip(host)
        } else {
            names.dns(host)
        };
    }
}

/// A certificate as PEM.
pub(crate) fn pem(certificate: &X509) -> Result<String, PkiError> {
    let octets = certificate.to_pem().doing("writing a certificate")?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{Ca, hosts_of};
    use crate::pki::PkiError;
    use common::identity::{CertificateKind, ProxyId};
    use common::text::clock;
    use common::x509::times::unix_time_of;
    use openssl::pkey::PKey;
    use openssl::x509::X509;

    fn issued_by(ca: &Ca, pem: &str) -> X509 {
        let certificate = X509::from_pem(pem.as_bytes()).unwrap();
        assert!(certificate.verify(&ca.certificate.public_key().unwrap()).unwrap());
        certificate
    }

    #[test]
    fn a_licence_is_for_the_proxy_ids_key() {
        let ca = Ca::create().unwrap();
        let id = ProxyId::of_key(&PKey::generate_ed25519().unwrap()).unwrap().unwrap();
        let licence = ca.licence(&id, "Example GmbH", 30).unwrap();
        let chain = X509::stack_from_pem(licence.as_bytes()).unwrap();
        assert_eq!(chain.len(), 2);
        let certificate = issued_by(&ca, &licence);
        assert_eq!(CertificateKind::of(&certificate), Some(CertificateKind::Licence));
        assert_eq!(ProxyId::of_key(&certificate.public_key().unwrap()).unwrap(), Some(id));
        let days = (unix_time_of(certificate.not_after()).unwrap() - clock::now()) / clock::DAY;
        assert!((29..=30).contains(&days), "{days}");
    }

    #[test]
    fn a_licence_never_outlives_its_ca_and_has_a_holder() {
        let ca = Ca::create().unwrap();
        let id = ProxyId::of_key(&PKey::generate_ed25519().unwrap()).unwrap().unwrap();
        assert!(matches!(ca.licence(&id, "x", 7_301), Err(PkiError::BeyondCa(_))));
        for holder in ["", "a\nb", &"x".repeat(65)] {
            assert!(matches!(ca.licence(&id, holder, 1), Err(PkiError::Holder)));
        }
    }

    #[test]
    fn a_client_is_certified_for_its_own_key() {
        let ca = Ca::create().unwrap();
        let key = PKey::generate_ed25519().unwrap();
        let public = String::from_utf8(key.public_key_to_pem().unwrap()).unwrap();
        let certificate = issued_by(&ca, &ca.client(&public, 600).unwrap());
        assert_eq!(CertificateKind::of(&certificate), Some(CertificateKind::Client));
        assert!(certificate.public_key().unwrap().public_eq(&key));
        assert!(matches!(ca.client("nonsense", 600), Err(PkiError::Key(_))));
    }

    #[test]
    fn a_weak_key_is_not_certified() {
        let ca = Ca::create().unwrap();
        let key = PKey::from_rsa(openssl::rsa::Rsa::generate(1024).unwrap()).unwrap();
        let public = String::from_utf8(key.public_key_to_pem().unwrap()).unwrap();
        assert!(matches!(ca.client(&public, 600), Err(PkiError::Key(_))));
    }

    #[test]
    fn the_https_certificate_names_its_hosts() {
        let ca = Ca::create().unwrap();
        let hosts: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        let issued = ca.https(&hosts, 1).unwrap();
        let certificate = issued_by(&ca, &issued.certificate);
        assert_eq!(hosts_of(&certificate), hosts);
        assert_eq!(CertificateKind::of(&certificate), Some(CertificateKind::Https));
    }

    #[test]
    fn two_cas_have_two_names_and_one_comes_back_from_pem() {
        let (one, other) = (Ca::create().unwrap(), Ca::create().unwrap());
        let names = [&one, &other].map(|ca| ca.certificate.subject_name().to_der().unwrap());
        assert_ne!(names[0], names[1]);
        let kept = one.to_issued().unwrap();
        let back = Ca::from_pem(&kept.certificate, &kept.key).unwrap();
        issued_by(&one, &back.https(&["localhost".into()], 1).unwrap().certificate);
    }
}
