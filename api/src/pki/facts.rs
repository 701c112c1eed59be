//! The contents of a certificate or a CRL, for lists, for warnings, and for its row in the database.

use super::{Doing, PkiError, der};
use common::text::clock;
use common::text::hex;
use common::x509::issuer::fingerprint;
use common::x509::subject;
use common::x509::times::unix_time_of;
use openssl::bn::BigNum;
use openssl::nid::Nid;
use openssl::x509::{CrlNumber, X509, X509Crl, X509CrlRef, X509ExtendedKeyUsage, X509Name, X509Ref};

/// If a certificate is valid for fewer days than these, there is a warning.
pub(crate) const SOON: i64 = 30;

/// Whether the extended key usage of a certificate allows this purpose; without one, it allows all.
pub(super) fn is_for(certificate: &X509, purpose: X509ExtendedKeyUsage) -> bool {
    certificate
        .extended_key_usage()
        .is_none_or(|all| all.contains(X509ExtendedKeyUsage::ANYEKU) || all.contains(purpose))
}

/// What partners may refuse in our certificate: they see it as a server's and as a client's.
pub(crate) fn weaknesses(certificate: &X509) -> Result<Vec<String>, PkiError> {
    let facts = Facts::of(certificate)?;
    let mut found = Vec::new();
    for (purpose, name, direction) in [
        (X509ExtendedKeyUsage::SSL_SERVER, "serverAuth", "incoming"),
        (X509ExtendedKeyUsage::SSL_CLIENT, "clientAuth", "outgoing"),
    ] {
        if !is_for(certificate, purpose) {
            found.push(format!(
                "'{}' is not for {name}: partners may refuse it in {direction} sessions.",
                facts.subject
            ));
        }
    }
    let days = (facts.until - clock::now()) / clock::DAY;
    if days < SOON {
        found.push(format!("'{}' expires in {days} days.", facts.subject));
    }
    Ok(found)
}

/// The facts of a certificate that is not valid at `time`.
fn outside(certificate: &X509, time: i64) -> Result<Option<Facts>, PkiError> {
    let facts = Facts::of(certificate)?;
    Ok((!(facts.from..=facts.until).contains(&time)).then_some(facts))
}

/// Whether `certificate` is valid now.
pub(crate) fn check_validity(certificate: &X509) -> Result<(), PkiError> {
    let Some(facts) = outside(certificate, clock::now())? else { return Ok(()) };
    Err(PkiError::Validity(facts.subject, clock::rfc3339(facts.from), clock::rfc3339(facts.until)))
}

/// Whether `certificate` is valid at a time in the future.
pub(crate) fn check_validity_at(certificate: &X509, time: i64) -> Result<(), PkiError> {
    let Some(facts) = outside(certificate, time)? else { return Ok(()) };
    let (from, until) = (clock::rfc3339(facts.from), clock::rfc3339(facts.until));
    Err(PkiError::NotThen(facts.subject, from, until, clock::rfc3339(time)))
}

/// The facts of a certificate for lists.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Subject on one line.
    pub(crate) subject: String,
    /// Issuer on one line.
    pub(crate) issuer: String,
    /// Valid from, seconds since 1970-01-01 UTC.
    pub(crate) from: i64,
    /// Valid until.
    pub(crate) until: i64,
    /// SHA-256 of the DER, hex.
    pub(crate) fingerprint: String,
}

impl Facts {
    /// Reads them from a certificate.
    pub(crate) fn of(certificate: &X509Ref) -> Result<Self, PkiError> {
        let doing = "reading a certificate";
        Ok(Self {
            subject: subject::text(certificate.subject_name()),
            issuer: subject::text(certificate.issuer_name()),
            from: unix_time_of(certificate.not_before()).doing(doing)?,
            until: unix_time_of(certificate.not_after()).doing(doing)?,
            fingerprint: hex::encode(&fingerprint(certificate).doing(doing)?),
        })
    }

    /// Reads them from the first certificate in a PEM text.
    pub(crate) fn of_pem(text: &str) -> Result<Self, PkiError> {
        Self::of(&*X509::from_pem(text.as_bytes()).doing("reading a certificate of the database")?)
    }
}

/// The facts of a CRL for the database.
#[derive(Debug)]
pub(crate) struct CrlFacts {
    /// SHA-256 of the issuer's name, the CRL's scope and the identifier of the issuer's key in DER, hex. Two spellings
    /// of a name have two hashes: `is_of_one_row` says whether one CRL replaces the other.
    pub(crate) issuer_key: String,
    /// Issuer on one line.
    pub(crate) issuer: String,
    /// Issuer in DER.
    name: Vec<u8>,
    /// The CRL's scope and the identifier of the issuer's key in DER, one after the other.
    part: Vec<u8>,
    /// thisUpdate, seconds since 1970-01-01 UTC.
    pub(crate) last_update: i64,
    /// nextUpdate, if it names one.
    pub(crate) next_update: Option<i64>,
    /// CRL number, which distinguishes two CRLs of the same second.
    number: Option<BigNum>,
    /// The CRL, PEM.
    pub(crate) pem: String,
}

impl CrlFacts {
    /// Reads them from a CRL.
    pub(crate) fn of(crl: &X509CrlRef) -> Result<Self, PkiError> {
        let doing = "reading a CRL";
        let octets = crl.to_der().doing(doing)?;
        if der::is_delta(&octets) {
            return Err(PkiError::DeltaCrl(subject::text(crl.issuer_name())));
        }
        // A CA that takes a new key under its old name continues the lists of both keys.
        let part = [der::crl_scope(&octets), der::crl_key_identifier(&octets)].concat();
        let name = crl.issuer_name().to_der().doing(doing)?;
        let identity = [&name[..], &part].concat();
        let number = crl.extension::<CrlNumber>().doing(doing)?;
        Ok(Self {
            issuer_key: hex::encode(&openssl::sha::sha256(&identity)),
            issuer: subject::text(crl.issuer_name()),
            name,
            part,
            last_update: unix_time_of(crl.last_update()).doing(doing)?,
            next_update: crl.next_update().map(unix_time_of).transpose().doing(doing)?,
            number: number.and_then(|(_, number)| number.to_bn().ok()),
            pem: String::from_utf8_lossy(&crl.to_pem().doing(doing)?).into_owned(),
        })
    }
}

impl CrlFacts {
    /// Reads them from a CRL in the database.
    pub(crate) fn of_pem(text: &str) -> Result<Self, PkiError> {
        Self::of(&*X509Crl::from_pem(text.as_bytes()).doing("reading a CRL of the database")?)
    }

    /// The certificates of its issuer for which it is; none: all.
    pub(crate) fn scope(crl: &X509CrlRef) -> Option<String> {
        der::scope_text(der::crl_scope(&crl.to_der().ok()?))
    }

    /// The CRL number in decimal digits, if there is one.
    pub(crate) fn number(&self) -> Option<String> {
        Some(self.number.as_ref()?.to_dec_str().ok()?.to_string())
    }

    /// Whether the database keeps only one of the two: they have the same issuer, in any spelling of its name, the same
    /// scope and the same key.
    pub(crate) fn is_of_one_row(&self, other: &Self) -> bool {
        let names =
            X509Name::from_der(&self.name).and_then(|one| Ok((one, X509Name::from_der(&other.name)?)));
        self.part == other.part && names.and_then(|(one, two)| subject::is_same(&one, &two)).unwrap_or(false)
    }

    /// Whether this one is newer than `other` of the same issuer: by its time, then by its number.
    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        (self.last_update, &self.number) > (other.last_update, &other.number)
    }
}

/// A short name for a certificate in lists: its common name, else its whole subject.
pub(crate) fn short_name(certificate: &X509Ref) -> String {
    let common = certificate.subject_name().entries_by_nid(Nid::COMMONNAME).last();
    common
        .and_then(|entry| entry.data().to_string().ok())
        .unwrap_or_else(|| subject::text(certificate.subject_name()))
}
