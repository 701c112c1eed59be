//! Where a partner's chain may end: the trusted and the pinned certificates and the CRLs of a configuration, read and
//! sorted once when it is taken over. Nothing is verified here.

use common::config::{NamedPem, Trusted};
use common::x509::codes::verify as codes;
use common::x509::issuer::{fingerprint, is_issued_by};
use common::x509::times::{CLOCK_SKEW, unix_time_of, validity};
use openssl::error::ErrorStack;
use openssl::stack::StackRef;
use openssl::x509::{CrlStatus, X509, X509Crl, X509CrlRef, X509Ref};
use std::cmp::Ordering;
use std::collections::HashSet;

/// A trusted certificate of the configuration.
pub(crate) struct TrustedCa {
    certificate: X509,
    /// It publishes no CRL.
    no_crl: bool,
}

/// Where chains may end, and which certificates are revoked.
pub(crate) struct Anchors {
    /// Trusted certificates that are valid now: these may be issuers.
    pub(crate) trusted: Vec<X509>,
    /// SHA-256 of them.
    pub(crate) roots: HashSet<Vec<u8>>,
    /// Trusted certificates that are not valid yet or no more, and OpenSSL's code for that. Kept away from OpenSSL,
    /// which would take such an issuer and look for no other path: another CA may have certified the same key.
    outdated: Vec<(X509, i32)>,
    /// SHA-256 of trusted certificates that their issuers, which we hold too, have revoked. Where a chain ends OpenSSL
    /// asks for no CRL.
    pub(crate) revoked: HashSet<Vec<u8>>,
    /// SHA-256 of trusted CAs that publish no CRL: what they issued needs none.
    pub(crate) no_crl: HashSet<Vec<u8>>,
    /// Pinned certificates: each vouches for itself alone, or its owner could issue certificates in another partner's
    /// name.
    pub(crate) pinned: Vec<X509>,
    /// SHA-256 of them.
    pub(crate) pins: HashSet<Vec<u8>>,
    /// Revocation lists whose time has come.
    pub(crate) crls: Vec<X509Crl>,
    /// Lists of the future: until their time, seconds since 1970-01-01 UTC, the ones before them hold.
    future_crls: Vec<(i64, X509Crl)>,
    /// When a trusted certificate begins or ceases to be valid next, or a list begins, seconds since 1970-01-01 UTC.
    pub(crate) change_at: i64,
}

impl Anchors {
    /// Sorts them by what they are at `now`, seconds since 1970-01-01 UTC.
    pub(crate) fn new(
        trusted: Vec<TrustedCa>,
        pinned: Vec<X509>,
        crls: Vec<X509Crl>,
        now: i64,
    ) -> Result<Self, ErrorStack> {
        let without_crl = trusted.iter().filter(|one| one.no_crl);
        let no_crl = without_crl.map(|one| fingerprint(&one.certificate)).collect::<Result<_, _>>()?;
        let trusted: Vec<X509> = trusted.into_iter().map(|one| one.certificate).collect();
        let is_revoked =
            |certificate: &&X509| trusted.iter().any(|issuer| revokes(issuer, certificate, &crls));
        let revoked =
            trusted.iter().filter(is_revoked).map(|one| fingerprint(one)).collect::<Result<_, _>>()?;
        let dated = crls.into_iter().map(|crl| (begin(&crl), crl));
        let (future_crls, crls): (Vec<_>, Vec<_>) = dated.partition(|(at, _)| *at > now + CLOCK_SKEW);
        let crls: Vec<X509Crl> = crls.into_iter().map(|(_, crl)| crl).collect();
        let mut anchors = Self {
            trusted: Vec::with_capacity(trusted.len()),
            roots: HashSet::new(),
            outdated: Vec::new(),
            revoked,
            no_crl,
            pins: pinned.iter().map(|one| fingerprint(one)).collect::<Result<_, _>>()?,
            pinned,
            crls,
            change_at: i64::MAX,
            future_crls,
        };
        let changes = anchors.future_crls.iter().map(|(at, _)| at - CLOCK_SKEW);
        anchors.change_at = changes.fold(i64::MAX, i64::min);
        for certificate in trusted {
            let (from, until) = validity(&certificate)?;
            let changes = [from, until.saturating_add(1)].into_iter().filter(|at| *at > now);
            anchors.change_at = changes.fold(anchors.change_at, i64::min);
            if (from..=until).contains(&now) {
                anchors.roots.insert(fingerprint(&certificate)?);
                anchors.trusted.push(certificate);
            } else {
                anchors.outdated.push((
                    certificate,
                    if now < from { codes::CERT_NOT_YET_VALID } else { codes::CERT_HAS_EXPIRED },
                ));
            }
        }
        Ok(anchors)
    }

    /// When the first list of the future by the issuer of `certificate` begins, seconds since 1970-01-01 UTC.
    pub(super) fn future_crl(&self, certificate: &X509Ref) -> Option<i64> {
        let is_its = |crl: &X509Crl| {
            let order = crl.issuer_name().try_cmp(certificate.issuer_name());
            order.is_ok_and(Ordering::is_eq)
        };
        self.future_crls.iter().filter(|(_, crl)| is_its(crl)).map(|(at, _)| *at).min()
    }

    /// The outdated certificate, if any, that has issued the last one of `chain`, and OpenSSL's code for its state.
    pub(crate) fn outdated_issuer(&self, chain: &StackRef<X509>) -> Option<(i32, &X509)> {
        let last = chain.iter().last()?;
        let (issuer, code) = self.outdated.iter().find(|(outdated, _)| is_issued_by(last, outdated))?;
        Some((*code, issuer))
    }
}

/// thisUpdate of a list, seconds since 1970-01-01 UTC; one that cannot be read is left to OpenSSL.
fn begin(crl: &X509CrlRef) -> i64 {
    unix_time_of(crl.last_update()).unwrap_or(i64::MIN)
}

/// Whether a list of `crls` that `issuer` has signed names `certificate`.
fn revokes(issuer: &X509, certificate: &X509, crls: &[X509Crl]) -> bool {
    is_issued_by(certificate, issuer)
        && crls.iter().any(|crl| {
            matches!(crl.get_by_cert(certificate), CrlStatus::Revoked(_))
                && issuer.public_key().and_then(|key| crl.verify(&key)).unwrap_or(false)
        })
}

/// The trusted certificates; one that cannot be read is skipped, for the log.
pub(crate) fn trusted(listed: &[Trusted], skipped: &mut Vec<String>) -> Vec<TrustedCa> {
    let read = |one: &Trusted| {
        let certificate = certificate(&one.certificate, "trusted", skipped)?;
        Some(TrustedCa { certificate, no_crl: one.no_crl })
    };
    listed.iter().filter_map(read).collect()
}

/// The same for the pinned certificates of a partner.
pub(crate) fn pinned(listed: &[NamedPem], skipped: &mut Vec<String>) -> Vec<X509> {
    listed.iter().filter_map(|one| certificate(one, "pinned", skipped)).collect()
}

/// The same for revocation lists.
pub(crate) fn crls(listed: &[NamedPem], skipped: &mut Vec<String>) -> Vec<X509Crl> {
    let read = |NamedPem { name, pem }: &NamedPem| {
        let crl = X509Crl::from_pem(pem.as_bytes()).ok();
        if crl.is_none() {
            skipped.push(format!("CRL {name} is no CRL in PEM form"));
        }
        crl
    };
    listed.iter().filter_map(read).collect()
}

fn certificate(NamedPem { name, pem }: &NamedPem, what: &str, skipped: &mut Vec<String>) -> Option<X509> {
    let read = X509::from_pem(pem.as_bytes()).ok().filter(|one| validity(one).is_ok());
    if read.is_none() {
        skipped.push(format!("{what} certificate {name} is no certificate in PEM form"));
    }
    read
}
