//! A certificate authority for tests and trials: certificates good and bad, CRLs. Never for production: its key is
//! not protected. It is in memory; `folder` stores one on disk.

mod crl;
mod der;
pub mod folder;

pub use crl::Scope;

use crate::oftp::stamp::Stamp;
use crate::transport::tls::Tls;
use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Extension, X509Name, X509NameBuilder};
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;

/// Kind of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// ECDSA P-256.
    P256,
    /// RSA of this many bits; 1024 is a weak one.
    Rsa(u32),
}

impl Key {
    fn generate(self) -> Result<PKey<Private>, ErrorStack> {
        match self {
            Self::P256 => {
                PKey::from_ec_key(EcKey::generate(EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?.as_ref())?)
            }
            Self::Rsa(bits) => PKey::from_rsa(Rsa::generate(bits)?),
        }
    }
}

/// Unusual properties of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// X.509 version 1: no extensions.
    FirstVersion,
    /// Its key usage forbids its purpose: a CA may issue nothing, any other certificate may not sign.
    KeyUsage,
    /// Its signature is over a SHA-1 hash.
    Sha1,
}

/// The properties of a new certificate.
#[derive(Debug, Clone)]
pub struct Request {
    /// Common name.
    pub name: String,
    /// The subject's serialNumber attribute: the SSIDCODE (Odette certificate policy 1.4).
    pub ssid: Option<String>,
    /// Host names, addresses and `urn:` URIs in the subjectAltName.
    pub hosts: Vec<String>,
    /// EKU serverAuth.
    pub server: bool,
    /// EKU clientAuth.
    pub client: bool,
    /// It is a CA itself.
    pub authority: bool,
    /// Valid from, days from today (negative: the past).
    pub from_day: i64,
    /// Valid to, days from today.
    pub to_day: i64,
    /// Its last second, instead of `to_day`.
    pub until: Option<SystemTime>,
    /// Further extensions: number, critical, contents in DER.
    pub extensions: Vec<(&'static str, bool, Vec<u8>)>,
    /// Its key.
    pub key: Key,
    /// URL of its issuer's CRL.
    pub crl_url: Option<String>,
    /// Its unusual properties.
    pub oddity: Option<Oddity>,
}

impl Request {
    /// A certificate for TLS server and client, from yesterday for a year, P-256.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ssid: None,
            hosts: Vec::new(),
            server: true,
            client: true,
            authority: false,
            from_day: -1,
            to_day: 365,
            until: None,
            extensions: Vec::new(),
            key: Key::P256,
            crl_url: None,
            oddity: None,
        }
    }

    /// A certificate for a CA, from yesterday for ten years.
    pub fn authority(name: &str) -> Self {
        Self { authority: true, server: false, client: false, to_day: 3650, ..Self::new(name) }
    }

    /// The same, for this SSIDCODE.
    #[must_use]
    pub fn ssid(mut self, code: &str) -> Self {
        self.ssid = Some(code.to_owned());
        self
    }

    /// The same, for this host too.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.hosts.push(host.to_owned());
        self
    }

    /// The same with something unusual.
    #[must_use]
    pub fn odd(mut self, oddity: Oddity) -> Self {
        self.oddity = Some(oddity);
        self
    }

    /// The same, valid between these days from today.
    #[must_use]
    pub fn valid(mut self, from_day: i64, to_day: i64) -> Self {
        (self.from_day, self.to_day) = (from_day, to_day);
        self
    }
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: X509,
    /// Its key.
    pub key: PKey<Private>,
}

impl Issued {
    /// Certificate, PEM.
    pub fn certificate_pem(&self) -> Result<Vec<u8>, ErrorStack> {
        self.certificate.to_pem()
    }

    /// Key, PEM (PKCS#8).
    pub fn key_pem(&self) -> Result<Vec<u8>, ErrorStack> {
        self.key.private_key_to_pem_pkcs8()
    }

    /// A TLS end with this identity that trusts `authority`.
    pub fn tls(&self, authority: &Authority) -> Result<Tls, ErrorStack> {
        Ok(Tls {
            identity: Some((self.certificate_pem()?, self.key_pem()?)),
            trust: Some(authority.certificate_pem()?),
            version: None,
            suites: None,
            server_name: None,
        })
    }
}

/// The authority.
#[derive(Clone)]
pub struct Authority {
    own: Issued,
    revoked: Vec<(Vec<u8>, SystemTime)>,
    crl_number: u64,
}

impl Authority {
    /// An authority that issues with this certificate and key, even if it is not allowed to.
    pub fn of(own: Issued) -> Self {
        Self { own, revoked: Vec::new(), crl_number: 0 }
    }

    /// A new root for ten years.
    pub fn new(name: &str) -> Result<Self, ErrorStack> {
        Self::with_key(name, Key::P256)
    }

    /// A new root with a key of this kind.
    pub fn with_key(name: &str, key: Key) -> Result<Self, ErrorStack> {
        Self::root(&Request { key, ..Request::authority(name) })
    }

    /// A new root with these properties.
    pub fn root(request: &Request) -> Result<Self, ErrorStack> {
        Ok(Self::of(build(request, None)?))
    }

    /// An authority below this one.
    pub fn beneath(&self, name: &str) -> Result<Self, ErrorStack> {
        self.beneath_as(&Request { to_day: 3000, ..Request::authority(name) })
    }

    /// An authority below this one with these properties.
    pub fn beneath_as(&self, request: &Request) -> Result<Self, ErrorStack> {
        Ok(Self::of(self.issue(request)?))
    }

    /// Certifies the key of another authority under its own name, which is `request`'s: certificates of that authority
    /// then lead to this one, too.
    pub fn certify(&self, other: &Self, request: &Request) -> Result<X509, ErrorStack> {
        Ok(build_for(other.own.key.clone(), request, Some(&self.own))?.certificate)
    }

    /// Issues a certificate.
    pub fn issue(&self, request: &Request) -> Result<Issued, ErrorStack> {
        build(request, Some(&self.own))
    }

    /// Its own certificate.
    pub fn certificate(&self) -> &X509 {
        &self.own.certificate
    }

    /// Its own certificate, PEM.
    pub fn certificate_pem(&self) -> Result<Vec<u8>, ErrorStack> {
        self.own.certificate_pem()
    }

    /// Adds a certificate to the list; the next CRL has it.
    pub fn revoke(&mut self, certificate: &X509) -> Result<(), ErrorStack> {
        let serial = certificate.serial_number().to_bn()?.to_vec();
        self.revoked.push((serial, SystemTime::now()));
        Ok(())
    }

    /// Adds `count` certificates to the list that do not exist: some 35 octets each.
    pub fn revoke_strangers(&mut self, count: u32) {
        let serial = |number: u32| [&[0x5a; 12], &number.to_be_bytes()[..]].concat();
        self.revoked.extend((0..count).map(|number| (serial(number), SystemTime::now())));
    }

    /// A CRL, PEM, valid from now for `days`.
    pub fn crl(&mut self, days: u64) -> Result<Vec<u8>, ErrorStack> {
        let now = SystemTime::now();
        self.crl_between(now, now + Duration::from_secs(days * DAY))
    }

    /// A CRL, PEM, with these dates.
    pub fn crl_between(
        &mut self,
        this_update: SystemTime,
        next_update: SystemTime,
    ) -> Result<Vec<u8>, ErrorStack> {
        self.crl_number += 1;
        crl::issue(&self.own, &self.revoked, self.crl_number, this_update, next_update, None)
    }

    /// A CRL for some of its certificates, PEM, valid from now for 30 days.
    pub fn scoped_crl(&mut self, scope: &Scope) -> Result<Vec<u8>, ErrorStack> {
        let now = SystemTime::now();
        self.crl_number += 1;
        let next_update = now + Duration::from_secs(30 * DAY);
        crl::issue(&self.own, &self.revoked, self.crl_number, now, next_update, Some(scope))
    }
}

/// A self-signed certificate (a pinned partner's, or a root).
pub fn self_signed(request: &Request) -> Result<Issued, ErrorStack> {
    build(request, None)
}

fn day(from_now: i64) -> Result<Asn1Time, ErrorStack> {
    Asn1Time::from_unix(seconds(SystemTime::now()) + from_now * 86_400)
}

fn seconds(when: SystemTime) -> i64 {
    when.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).cast_signed()
}

fn subject(request: &Request) -> Result<X509Name, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::ORGANIZATIONNAME, "SmartProxy test")?;
    name.append_entry_by_nid(Nid::COMMONNAME, &request.name)?;
    if let Some(ssid) = &request.ssid {
        name.append_entry_by_nid(Nid::SERIALNUMBER, ssid)?;
    }
    Ok(name.build())
}

fn build(request: &Request, issuer: Option<&Issued>) -> Result<Issued, ErrorStack> {
    build_for(request.key.generate()?, request, issuer)
}

fn build_for(key: PKey<Private>, request: &Request, issuer: Option<&Issued>) -> Result<Issued, ErrorStack> {
    let name = subject(request)?;
    let mut serial = BigNum::new()?;
    serial.rand(127, openssl::bn::MsbOption::ONE, false)?;
    let not_before = day(request.from_day)?;
    let not_after = match request.until {
        Some(when) => Asn1Time::from_unix(seconds(when))?,
        None => day(request.to_day)?,
    };
    let serial = Asn1Integer::from_bn(&serial)?;
    let mut builder = X509::builder()?;
    let first_version = request.oddity == Some(Oddity::FirstVersion);
    builder.set_version(if first_version { 0 } else { 2 })?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(issuer.map_or(&*name, |issuer| issuer.certificate.subject_name()))?;
    builder.set_not_before(&not_before)?;
    builder.set_not_after(&not_after)?;
    builder.set_pubkey(&key)?;
    if !first_version {
        extend(&mut builder, request, issuer)?;
    }
    let digest =
        if request.oddity == Some(Oddity::Sha1) { MessageDigest::sha1() } else { MessageDigest::sha256() };
    builder.sign(issuer.map_or(&key, |issuer| &issuer.key), digest)?;
    Ok(Issued { certificate: builder.build(), key })
}

fn extend(builder: &mut X509Builder, request: &Request, issuer: Option<&Issued>) -> Result<(), ErrorStack> {
    let mut usage = KeyUsage::new();
    let mut basic = BasicConstraints::new();
    basic.critical();
    usage.critical();
    if request.authority {
        basic.ca();
        usage.crl_sign();
    } else {
        usage.key_encipherment();
    }
    if request.oddity != Some(Oddity::KeyUsage) {
        if request.authority {
            usage.key_cert_sign()
        } else {
            usage.digital_signature()
        };
    }
    builder.append_extension(basic.build()?)?;
    builder.append_extension(usage.build()?)?;
    if request.server || request.client {
        let mut extended = ExtendedKeyUsage::new();
        if request.server {
            extended.server_auth();
        }
        if request.client {
            extended.client_auth();
        }
        builder.append_extension(extended.build()?)?;
    }
    let identifier = {
        let context = builder.x509v3_context(issuer.map(|issuer| &*issuer.certificate), None);
        SubjectKeyIdentifier::new().build(&context)?
    };
    builder.append_extension(identifier)?;
    if issuer.is_some_and(|issuer| issuer.certificate.subject_key_id().is_some()) {
        let context = builder.x509v3_context(issuer.map(|issuer| &*issuer.certificate), None);
        let identifier = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
        builder.append_extension(identifier)?;
    }
    if !request.hosts.is_empty() {
        let mut names = SubjectAlternativeName::new();
        for host in &request.hosts {
            if host.parse::<IpAddr>().is_ok() {
                names.ip(host)
            } else if host.starts_with("urn:") {
                names.uri(host)
            } else {
                names.dns(host)
            };
        }
        let context = builder.x509v3_context(None, None);
        let names = names.build(&context)?;
        builder.append_extension(names)?;
    }
    if let Some(url) = &request.crl_url {
        builder.append_extension(crl_distribution_point(url)?)?;
    }
    for (number, critical, contents) in &request.extensions {
        builder.append_extension(extension(number, *critical, contents)?)?;
    }
    Ok(())
}

/// Any extension with any contents.
fn extension(number: &str, critical: bool, contents: &[u8]) -> Result<X509Extension, ErrorStack> {
    let contents = Asn1OctetString::new_from_bytes(contents)?;
    X509Extension::new_from_der(Asn1Object::from_str(number)?.as_ref(), critical, &contents)
}

/// RFC 5280 §4.2.1.13: one distribution point with one full name.
fn crl_distribution_point(url: &str) -> Result<X509Extension, ErrorStack> {
    let full_name = der::tlv(0xa0, &der::tlv(0x86, url.as_bytes()));
    let point = der::tlv(0x30, &der::tlv(0xa0, &full_name));
    extension("2.5.29.31", false, &der::sequence(&[&point]))
}

/// `CCYYMMDD` and `HHMMSS` (UTC).
fn date_and_time(when: SystemTime) -> (String, String) {
    let stamp = Stamp::of(when, 1);
    (stamp.date, stamp.time.chars().take(6).collect())
}
