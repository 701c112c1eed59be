//! The certificates at which a partner's chain may end: the trusted and the pinned certificates of a configuration,
//! with its CRLs. They are read and sorted once, when the configuration is taken over. Nothing is verified here.

use super::compact_crls;
use crate::config::{NamedPem, Trusted};
use crate::x509::codes::verify as codes;
use crate::x509::issuer::{fingerprint, is_issued_by};
use crate::x509::times::{CLOCK_SKEW, unix_time_of, validity};
use openssl::error::ErrorStack;
use openssl::stack::StackRef;
use openssl::x509::{CrlStatus, X509, X509Crl, X509CrlRef, X509Ref};
use std::cmp::Ordering;
use std::collections::HashSet;

/// A trusted certificate of the configuration.
pub(super) struct TrustedCa {
    certificate: X509,
    /// Whether it publishes no CRL.
    no_crl: bool,
}

/// The certificates at which chains may end, and the revoked certificates.
pub(super) struct Anchors {
    /// Trusted certificates that are valid now: these may be issuers.
    pub(super) trusted: Vec<X509>,
    /// Their fingerprints (SHA-256).
    pub(super) roots: HashSet<Vec<u8>>,
    /// Trusted certificates that are not valid now, with OpenSSL's code for that. OpenSSL does not get them: it would
    /// take such an issuer and try no other path, although another CA may have certified the same key.
    outdated: Vec<(X509, i32)>,
    /// SHA-256 of trusted certificates that were revoked by their issuer, if we have the issuer, too. OpenSSL checks no
    /// CRL for the certificate at which a chain ends.
    pub(super) revoked: HashSet<Vec<u8>>,
    /// SHA-256 of trusted CAs that publish no CRL: certificates that they issued need none.
    pub(super) no_crl: HashSet<Vec<u8>>,
    /// Pinned certificates. Each is trusted only for itself; otherwise its owner could issue certificates in another
    /// partner's name.
    pub(super) pinned: Vec<X509>,
    /// Their fingerprints (SHA-256).
    pub(super) pins: HashSet<Vec<u8>>,
    /// Revocation lists that are in force.
    pub(super) crls: Vec<X509Crl>,
    /// Revocation lists of the future, with the time when they begin, seconds since 1970-01-01 UTC. Until then the
    /// earlier lists count.
    future_crls: Vec<(i64, X509Crl)>,
    /// The next time when a trusted certificate begins or ceases to be valid, or a list begins, seconds since
    /// 1970-01-01 UTC.
    pub(super) change_at: i64,
}

impl Anchors {
    /// Sorts the certificates and lists by their state at `now`, seconds since 1970-01-01 UTC.
    pub(super) fn new(
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

    /// Converts the lists to the form that needs the least memory and time in session processes.
    pub(super) fn share_lists(&mut self) {
        let outdated = self.outdated.iter().map(|(certificate, _)| certificate);
        let issuers: Vec<X509> = self.trusted.iter().chain(outdated).cloned().collect();
        let share = |crl| compact_crls::share(crl, &issuers);
        self.crls = std::mem::take(&mut self.crls).into_iter().map(share).collect();
        let future = std::mem::take(&mut self.future_crls).into_iter();
        self.future_crls = future.map(|(at, crl)| (at, share(crl))).collect();
    }

    /// When the first future list by the issuer of `certificate` begins, seconds since 1970-01-01 UTC.
    pub(super) fn future_crl(&self, certificate: &X509Ref) -> Option<i64> {
        let is_its = |crl: &X509Crl| {
            let order = crl.issuer_name().try_cmp(certificate.issuer_name());
            order.is_ok_and(Ordering::is_eq)
        };
        self.future_crls.iter().filter(|(_, crl)| is_its(crl)).map(|(at, _)| *at).min()
    }

    /// The certificate that has issued the last one of `chain` and is not valid now, if there is one, with OpenSSL's
    /// code for that.
    pub(super) fn outdated_issuer(&self, chain: &StackRef<X509>) -> Option<(i32, &X509)> {
        let last = chain.iter().last()?;
        let (issuer, code) = self.outdated.iter().find(|(outdated, _)| is_issued_by(last, outdated))?;
        Some((*code, issuer))
    }
}

/// thisUpdate of a list, seconds since 1970-01-01 UTC. A list without a readable time is left to OpenSSL.
fn begin(crl: &X509CrlRef) -> i64 {
    unix_time_of(crl.last_update()).unwrap_or(i64::MIN)
}

/// Whether one of `crls` that `issuer` has signed names `certificate`.
fn revokes(issuer: &X509, certificate: &X509, crls: &[X509Crl]) -> bool {
    is_issued_by(certificate, issuer)
        && crls.iter().any(|crl| {
            matches!(crl.get_by_cert(certificate), CrlStatus::Revoked(_))
                && issuer.public_key().and_then(|key| crl.verify(&key)).unwrap_or(false)
        })
}

/// The trusted certificates. One that cannot be read is skipped, and added to `skipped` for the log.
pub(super) fn trusted(listed: &[Trusted], skipped: &mut Vec<String>) -> Vec<TrustedCa> {
    let read = |one: &Trusted| {
        let certificate = certificate(&one.certificate, "trusted", skipped)?;
        Some(TrustedCa { certificate, no_crl: one.no_crl })
    };
    listed.iter().filter_map(read).collect()
}

/// The same for the pinned certificates of a partner.
pub(super) fn pinned(listed: &[NamedPem], skipped: &mut Vec<String>) -> Vec<X509> {
    listed.iter().filter_map(|one| certificate(one, "pinned", skipped)).collect()
}

/// The same for revocation lists.
pub(super) fn crls(listed: &[NamedPem], skipped: &mut Vec<String>) -> Vec<X509Crl> {
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
