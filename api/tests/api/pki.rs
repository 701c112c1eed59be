//! The files of operators: a CA, certificates that it has issued, CRLs, keys, the identity of a server. They are made
//! with the openssl crate, new in every test; no file of the repository has a key, except the recorded databases of
//! `fixtures`: nobody trusts those.

use openssl::asn1::{Asn1Time, Asn1Type};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{AuthorityKeyIdentifier, BasicConstraints, SubjectAlternativeName};
use openssl::x509::{
    CrlNumber, X509, X509Builder, X509Crl, X509CrlBuilder, X509Name, X509NameBuilder, X509NameRef, X509Req,
    X509RevokedBuilder,
};
use std::time::{SystemTime, UNIX_EPOCH};

/// A certificate and its key.
pub(crate) struct Identity {
    pub(crate) certificate: X509,
    pub(crate) key: PKey<Private>,
}

/// Seconds since 1970-01-01 UTC.
pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

impl Identity {
    /// A self-signed CA.
    pub(crate) fn ca(name: &str) -> Self {
        issue(name, None, (now() - 60, now() + 86_400))
    }

    /// A certificate of this issuer or, without one, a self-signed CA, valid for so many days.
    pub(crate) fn lasting(name: &str, issuer: Option<&Self>, days: i64) -> Self {
        issue(name, issuer, (now() - 60, now() + days * 86_400))
    }

    /// A self-signed CA that has expired.
    pub(crate) fn expired_ca(name: &str) -> Self {
        issue(name, None, (now() - 86_400, now() - 60))
    }

    /// Another certificate for the key of `owner`.
    pub(crate) fn issue_for(&self, name: &str, owner: &Self) -> Self {
        issue_with(owner.key.clone(), name, Some(self), (now() - 60, now() + 86_400))
    }

    /// A certificate of this CA, valid now.
    pub(crate) fn issue(&self, name: &str) -> Self {
        issue(name, Some(self), (now() - 60, now() + 86_400))
    }

    /// A certificate of this CA for what `request` (PKCS#10 in PEM) asks, valid for a day; PEM.
    pub(crate) fn certify(&self, request: &str) -> String {
        let request = X509Req::from_pem(request.as_bytes()).unwrap();
        let key = request.public_key().unwrap();
        assert!(request.verify(&key).unwrap());
        let mut builder = X509Builder::new().unwrap();
        builder.set_version(2).unwrap();
        builder.set_serial_number(&BigNum::from_u32(77).unwrap().to_asn1_integer().unwrap()).unwrap();
        builder.set_subject_name(request.subject_name()).unwrap();
        builder.set_issuer_name(self.certificate.subject_name()).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&Asn1Time::from_unix(now() - 60).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(now() + 86_400).unwrap()).unwrap();
        for extension in request.extensions().unwrap() {
            builder.append_extension(extension).unwrap();
        }
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        String::from_utf8(builder.build().to_pem().unwrap()).unwrap()
    }

    /// A certificate of this CA for https on 127.0.0.1, valid for a day.
    pub(crate) fn issue_https(&self) -> Self {
        let plain = self.issue("localhost");
        let mut builder = X509Builder::new().unwrap();
        builder.set_version(2).unwrap();
        builder.set_serial_number(plain.certificate.serial_number()).unwrap();
        builder.set_subject_name(plain.certificate.subject_name()).unwrap();
        builder.set_issuer_name(plain.certificate.issuer_name()).unwrap();
        builder.set_pubkey(&plain.key).unwrap();
        builder.set_not_before(plain.certificate.not_before()).unwrap();
        builder.set_not_after(plain.certificate.not_after()).unwrap();
        let names = SubjectAlternativeName::new()
            .ip("127.0.0.1")
            .dns("localhost")
            .build(&builder.x509v3_context(Some(&self.certificate), None))
            .unwrap();
        builder.append_extension(names).unwrap();
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        Self { certificate: builder.build(), key: plain.key }
    }

    /// A certificate that has expired.
    pub(crate) fn issue_expired(&self, name: &str) -> Self {
        issue(name, Some(self), (now() - 86_400, now() - 60))
    }

    pub(crate) fn pem(&self) -> String {
        String::from_utf8(self.certificate.to_pem().unwrap()).unwrap()
    }

    pub(crate) fn key_pem(&self) -> String {
        String::from_utf8(self.key.private_key_to_pem_pkcs8().unwrap()).unwrap()
    }

    /// The key, encrypted.
    pub(crate) fn encrypted_key_pem(&self) -> String {
        let cipher = openssl::symm::Cipher::aes_256_cbc();
        String::from_utf8(self.key.private_key_to_pem_pkcs8_passphrase(cipher, b"secret").unwrap()).unwrap()
    }

    /// A CRL of this CA made `age` seconds ago, with this number, signed with `key`.
    pub(crate) fn crl_signed_by(&self, age: i64, number: u32, key: &PKey<Private>) -> X509Crl {
        self.crl_of(age, 86_400, number, key)
    }

    /// A CRL of this CA made `age` seconds ago, with this number, valid for this number of seconds from now.
    pub(crate) fn crl_lasting(&self, seconds: i64, age: i64, number: u32) -> X509Crl {
        self.crl_of(age, seconds, number, &self.key)
    }

    /// A CRL of this CA made `age` seconds ago, with this number, with another spelling of the CA's name.
    pub(crate) fn crl_naming(&self, issuer: &X509Name, age: i64, number: u32) -> X509Crl {
        self.crl_as(issuer, age, 86_400, number, &self.key)
    }

    fn crl_of(&self, age: i64, lasts: i64, number: u32, key: &PKey<Private>) -> X509Crl {
        self.crl_as(self.certificate.subject_name(), age, lasts, number, key)
    }

    fn crl_as(
        &self,
        issuer: &X509NameRef,
        age: i64,
        lasts: i64,
        number: u32,
        key: &PKey<Private>,
    ) -> X509Crl {
        let mut builder = X509CrlBuilder::new().unwrap();
        builder.set_issuer_name(issuer).unwrap();
        builder.set_last_update(&Asn1Time::from_unix(now() - age).unwrap()).unwrap();
        builder.set_next_update(&Asn1Time::from_unix(now() + lasts).unwrap()).unwrap();
        let blank = X509::builder().unwrap();
        let context = blank.x509v3_context(Some(&self.certificate), None);
        let key_id = AuthorityKeyIdentifier::new().issuer(true).build(&context).unwrap();
        builder.append_extension(key_id).unwrap();
        let number = CrlNumber::new(BigNum::from_u32(number).unwrap()).unwrap();
        builder.append_extension(number.build().unwrap()).unwrap();
        let mut revoked = X509RevokedBuilder::new().unwrap();
        revoked.set_serial_number(&BigNum::from_u32(4711).unwrap().to_asn1_integer().unwrap()).unwrap();
        revoked.set_revocation_date(&Asn1Time::from_unix(now() - age).unwrap()).unwrap();
        builder.add_revoked(revoked.build()).unwrap();
        builder.sign(key, MessageDigest::sha256()).unwrap();
        builder.build().unwrap()
    }

    /// A delta CRL of this CA, made now.
    pub(crate) fn delta_crl(&self) -> X509Crl {
        // The openssl crate makes none: the CRL number becomes a deltaCRLIndicator. The signature is wrong then, but it
        // is first checked whether a CRL is a delta.
        let whole = self.crl_signed_by(0, 9, &self.key).to_der().unwrap();
        let (number, delta) = (&[0x06, 3, 0x55, 0x1d, 0x14], &[0x06, 3, 0x55, 0x1d, 0x1b]);
        let at = whole.windows(5).position(|window| window == number).unwrap();
        let mut altered = whole;
        altered[at..at + 5].copy_from_slice(delta);
        X509Crl::from_der(&altered).unwrap()
    }

    /// A CRL of this CA made `age` seconds ago, PEM.
    pub(crate) fn crl(&self, age: i64) -> String {
        String::from_utf8(self.crl_signed_by(age, 1, &self.key).to_pem().unwrap()).unwrap()
    }
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// A common name in a string of this type.
pub(crate) fn typed_name(common: &str, kind: Asn1Type) -> X509Name {
    let mut builder = X509NameBuilder::new().unwrap();
    builder.append_entry_by_nid_with_type(Nid::COMMONNAME, common, kind).unwrap();
    builder.build()
}

fn name(common: &str) -> X509Name {
    let mut builder = X509NameBuilder::new().unwrap();
    builder.append_entry_by_nid(Nid::COMMONNAME, common).unwrap();
    builder.build()
}

fn issue(common: &str, issuer: Option<&Identity>, validity: (i64, i64)) -> Identity {
    issue_with(new_key(), common, issuer, validity)
}

fn issue_with(
    key: PKey<Private>,
    common: &str,
    issuer: Option<&Identity>,
    (from, until): (i64, i64),
) -> Identity {
    let subject = name(common);
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(u32::from_be_bytes(new_key_octets())).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(issuer.map_or(&subject, |ca| ca.certificate.subject_name())).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(from).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(until).unwrap()).unwrap();
    if issuer.is_none() {
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    }
    builder.sign(issuer.map_or(&key, |ca| &ca.key), MessageDigest::sha256()).unwrap();
    Identity { certificate: builder.build(), key }
}

fn new_key_octets() -> [u8; 4] {
    let mut octets = [0; 4];
    openssl::rand::rand_bytes(&mut octets).unwrap();
    octets
}

/// The Proxy ID of a new server.
pub(crate) fn proxy_id() -> String {
    let key = PKey::generate_ed25519().unwrap();
    format!("{}px", hex(&key.raw_public_key().unwrap()))
}

/// A client's public key of one run, PEM.
pub(crate) fn client_key() -> (PKey<Private>, String) {
    let key = new_key();
    let pem = String::from_utf8(key.public_key_to_pem().unwrap()).unwrap();
    (key, pem)
}

/// Octets as lower-case hex digits.
pub(crate) fn hex(octets: &[u8]) -> String {
    use std::fmt::Write;
    octets.iter().fold(String::new(), |mut text, octet| {
        write!(text, "{octet:02x}").unwrap();
        text
    })
}
