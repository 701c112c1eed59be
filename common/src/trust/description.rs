//! Describes an accepted chain for an administrator: the subject, how long it is valid, its purpose, where it ends, and
//! the revocation lists that were used. Judges nothing.

use super::anchors::Anchors;
use super::certificate_fields::{name_text, usage_text};
use crate::text::clock::{self, DAY};
use crate::x509::issuer::fingerprint;
use crate::x509::times::{unix_time_of, validity};
use openssl::stack::StackRef;
use openssl::x509::{X509, X509Ref};
use std::cmp::Ordering;
use std::collections::HashSet;

/// A verified chain, leaf first, as one sentence without a full stop.
pub(super) fn of_chain(anchors: &Anchors, chain: &StackRef<X509>) -> String {
    let Some(leaf) = chain.iter().next() else { return "none was shown".to_owned() };
    format!(
        "{}; {}; {}; chain: {}; {}",
        name_text(leaf.subject_name()),
        days_text(leaf),
        purposes_text(leaf),
        path_text(anchors, chain),
        crls_text(anchors, chain)
    )
}

fn days_text(leaf: &X509Ref) -> String {
    let until = validity(leaf).unwrap_or_default().1;
    format!("{} days left (until {})", (until - clock::now()).div_euclid(DAY), clock::rfc3339(until))
}

fn purposes_text(leaf: &X509Ref) -> String {
    match leaf.extended_key_usage() {
        Some(_) => usage_text(leaf),
        None => "it is for any purpose".to_owned(),
    }
}

/// The issuers up to the trusted one.
fn path_text(anchors: &Anchors, chain: &StackRef<X509>) -> String {
    let names: Vec<String> = chain.iter().map(|one| name_text(one.subject_name())).collect();
    let end = chain.iter().last();
    let is_trusted = end.is_some_and(|end| is_one_of(&anchors.roots, end));
    format!("{} ({})", names.join(" < "), if is_trusted { "trusted" } else { "pinned" })
}

/// The revocation list of each issuer.
fn crls_text(anchors: &Anchors, chain: &StackRef<X509>) -> String {
    let issued = chain.iter().zip(chain.iter().skip(1));
    let lists: Vec<String> =
        issued.map(|(certificate, issuer)| crl_text(anchors, certificate, issuer)).collect();
    if lists.is_empty() { "it needs no CRL".to_owned() } else { lists.join(", ") }
}

/// The list that was used for `certificate`. A missing or expired one was tolerated, otherwise the chain would have
/// been refused.
fn crl_text(anchors: &Anchors, certificate: &X509Ref, issuer: &X509Ref) -> String {
    let name = name_text(issuer.subject_name());
    if is_one_of(&anchors.no_crl, issuer) {
        return format!("{name} publishes no CRL");
    }
    if is_one_of(&anchors.roots, certificate) {
        return format!("{} is trusted itself", name_text(certificate.subject_name()));
    }
    let own = anchors
        .crls
        .iter()
        .filter(|crl| crl.issuer_name().try_cmp(certificate.issuer_name()).is_ok_and(Ordering::is_eq));
    // A list without nextUpdate does not expire.
    let ends = own.map(|crl| crl.next_update().map_or(i64::MAX, |time| unix_time_of(time).unwrap_or(0)));
    match ends.max() {
        Some(i64::MAX) => format!("not revoked by the CRL of {name}"),
        Some(end) if end >= clock::now() => {
            format!("not revoked by the CRL of {name}, which is valid until {}", clock::rfc3339(end))
        }
        Some(end) => {
            format!("the CRL of {name} has expired ({}), which is tolerated here", clock::rfc3339(end))
        }
        None => format!("there is no CRL of {name}, which is tolerated here"),
    }
}

fn is_one_of(prints: &HashSet<Vec<u8>>, certificate: &X509Ref) -> bool {
    fingerprint(certificate).is_ok_and(|print| prints.contains(&print))
}
