//! Our chain towards partners from the certificates of an operator: first the certificate of the key, then each issuer,
//! as far as it helps a partner. Certificates that are left out are reported. Run by `cert set`.

use super::ca::pem;
use super::facts::{check_validity, check_validity_at};
use super::{Doing, PkiError};
use common::x509::issuer::{fingerprint, is_issued_by};
use common::x509::subject;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Ref};

/// A chain, and the warnings about it.
pub(crate) struct Chain {
    /// Leaf first.
    pub(crate) certificates: Vec<X509>,
    /// One sentence for each certificate that was left out.
    pub(crate) warnings: Vec<String>,
}

impl Chain {
    /// Makes the chain from `found`, in any order, for `key`, to be used from now on, or from that time on.
    pub(crate) fn of(found: Vec<X509>, key: &PKey<Private>, from: Option<i64>) -> Result<Self, PkiError> {
        let check = |certificate: &X509| match from {
            None => check_validity(certificate),
            Some(time) => check_validity_at(certificate, time),
        };
        let mut rest = without_doubles(found)?;
        let mut top = rest.remove(leaf(&rest, key, check)?);
        if rest.iter().any(|lower| is_issued_by(lower, &top)) {
            // The key of a CA was given by mistake.
            return Err(PkiError::KeyMismatch);
        }
        check(&top)?;
        let leaf = subject::text(top.subject_name());
        let (mut certificates, mut warnings) = (vec![top.clone()], Vec::new());
        while !is_issued_by(&top, &top) {
            let issuers: Vec<usize> = (0..rest.len())
                .filter(|&at| rest.get(at).is_some_and(|one| is_issued_by(&top, one)))
                .collect();
            let valid = issuers.iter().find(|&&at| rest.get(at).is_some_and(|one| check(one).is_ok()));
            let Some(&next) = valid else {
                outdated(&issuers, &mut rest, &mut warnings, check)?;
                break;
            };
            top = rest.remove(next);
            certificates.push(top.clone());
        }
        warnings.extend(rest.iter().map(|one| superfluous(one, &leaf)));
        Ok(Self { certificates, warnings })
    }

    /// All certificates as one PEM text, in their order.
    pub(crate) fn pem(&self) -> Result<String, PkiError> {
        self.certificates.iter().map(pem).collect()
    }
}

fn without_doubles(found: Vec<X509>) -> Result<Vec<X509>, PkiError> {
    let (mut prints, mut kept) = (Vec::new(), Vec::with_capacity(found.len()));
    for certificate in found {
        let print = fingerprint(&certificate).doing("reading a certificate")?;
        if !prints.contains(&print) {
            prints.push(print);
            kept.push(certificate);
        }
    }
    Ok(kept)
}

/// The index in `all` of the certificate of the key. If there are several, the only one that is valid then, or the
/// first in the file.
fn leaf(
    all: &[X509],
    key: &PKey<Private>,
    check: impl Fn(&X509) -> Result<(), PkiError>,
) -> Result<usize, PkiError> {
    let mut own = Vec::new();
    for (at, certificate) in all.iter().enumerate() {
        if certificate.public_key().doing("reading a certificate's key")?.public_eq(key) {
            own.push((at, check(certificate).is_ok()));
        }
    }
    let valid: Vec<usize> = own.iter().filter(|(_, is_valid)| *is_valid).map(|(at, _)| *at).collect();
    match (valid.as_slice(), own.first()) {
        ([at] | [at @ 0, ..], _) | ([], Some((at, _))) => Ok(*at),
        ([], None) => Err(PkiError::KeyMismatch),
        (several, _) => Err(PkiError::TwoLeaves(several.len())),
    }
}

/// Removes the issuers that are not valid then from `rest`. Fails if the chain continues above them: the two parts
/// would not be connected.
fn outdated(
    issuers: &[usize],
    rest: &mut Vec<X509>,
    warnings: &mut Vec<String>,
    check: impl Fn(&X509) -> Result<(), PkiError>,
) -> Result<(), PkiError> {
    let gone: Vec<X509> = issuers.iter().rev().map(|&at| rest.remove(at)).collect();
    for certificate in &gone {
        let Err(why) = check(certificate) else { continue };
        if rest.iter().any(|upper| is_issued_by(certificate, upper)) {
            return Err(why);
        }
        warnings.push(format!("{why}: it was left out of the chain."));
    }
    Ok(())
}

fn superfluous(certificate: &X509Ref, leaf: &str) -> String {
    format!(
        "'{}' is not needed in the chain of '{leaf}' and was left out: if one between them is missing, add it.",
        subject::text(certificate.subject_name())
    )
}
