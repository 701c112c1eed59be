//! Trust in a partner's certificate: OpenSSL verifies, this file judges each step of it by the anchors and the
//! settings. `faults` has the status, the alert and the remedy of each fault, `seen` what is told of the certificates.
//! All in memory; runs inside the handshake of a session child.

pub(crate) mod anchors;
pub(crate) mod certificate;
mod faults;
mod seen;

use anchors::Anchors;
use certificate::usage_text;
use common::sys;
use common::x509::codes::verify as codes;
use common::x509::issuer::fingerprint;
use faults::{NO_USABLE_CRL, UNTRUSTED, alert_code, remedy};
use openssl::error::ErrorStack;
use openssl::ssl::{SslContextBuilder, SslVerifyMode};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509PurposeId, X509Ref, X509StoreContextRef, X509VerifyResult};
use std::collections::HashSet;
use std::sync::Arc;

pub(crate) use faults::fault_status;
pub(crate) use seen::{Fault, Seen};

/// OpenSSL's security level: RSA and DH from 2048 bits, no SHA-1 signatures.
const SECURITY_LEVEL: u32 = 2;
/// The settings that decide what verification requires.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    /// `tls_check_client_certificate`
    pub(crate) client_certificate: bool,
    /// `tls_ignore_crl_unavailability`
    pub(crate) ignore_missing_crl: bool,
    /// Some partner may have a certificate of any usage: the SSID will tell whether it is this one.
    pub(crate) any_usage: bool,
}

/// The partner's role in the TLS handshake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// It connects to us.
    Client,
    /// We connect to it. It has to show a certificate, whatever the settings say.
    Server,
}

/// Puts anchors, CRLs and the policy into the context for partners of this kind.
pub(crate) fn configure(
    context: &mut SslContextBuilder,
    peer: Peer,
    anchors: &Arc<Anchors>,
    policy: Policy,
    seen: Seen,
) -> Result<(), ErrorStack> {
    context.set_security_level(SECURITY_LEVEL);
    let mut store = X509StoreBuilder::new()?;
    for anchor in anchors.trusted.iter().chain(&anchors.pinned) {
        store.add_cert(anchor.clone())?;
    }
    for crl in &anchors.crls {
        sys::x509_store_add_crl(&mut store, crl)?;
    }
    store.set_purpose(match peer {
        Peer::Client => X509PurposeId::SSL_CLIENT,
        Peer::Server => X509PurposeId::SSL_SERVER,
    })?;
    store.set_flags(
        X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL | X509VerifyFlags::PARTIAL_CHAIN,
    )?;
    context.set_cert_store(store.build());
    if peer == Peer::Client && !policy.client_certificate {
        context.set_verify(SslVerifyMode::NONE);
        return Ok(());
    }
    let anchors = Arc::clone(anchors);
    let wanted = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
    context.set_verify_callback(wanted, move |good, chain| judge(good, chain, &anchors, policy, &seen));
    Ok(())
}

/// OpenSSL's verdict on one certificate of the chain, `good` or a fault, and ours.
fn judge(
    good: bool,
    context: &mut X509StoreContextRef,
    anchors: &Anchors,
    policy: Policy,
    seen: &Seen,
) -> bool {
    let code = context.error().as_raw();
    let no_crl = !good && NO_USABLE_CRL.contains(&code);
    let wrong_usage = !good && code == codes::INVALID_PURPOSE;
    let pinned = print_of(context, First).is_some_and(|print| anchors.pins.contains(&print));
    if good || no_crl || wrong_usage {
        // Reported before any fault of a CRL: a CRL would not help.
        let last = print_of(context, Last).unwrap_or_default();
        if !pinned && !anchors.roots.contains(&last) {
            // The chain ends at a certificate that is only pinned.
            return refuse(context, codes::UNABLE_TO_GET_ISSUER_CERT_LOCALLY, None, anchors, seen);
        }
        if anchors.revoked.contains(&last) {
            return refuse(context, codes::CERT_REVOKED, None, anchors, seen);
        }
        seen.note_urls(context, anchors);
    }
    let borne = good
        // The store has no list that is further ahead than clocks may differ.
        || code == codes::CRL_NOT_YET_VALID
        || (wrong_usage && (pinned || policy.any_usage))
        || (no_crl && (pinned || policy.ignore_missing_crl || needs_no_crl(context, anchors)));
    if borne {
        seen.note_leaf(context);
        if let (true, Some(certificate)) = (wrong_usage, context.current_cert()) {
            seen.note_wrong_usage(certificate, &usage_text(certificate));
        }
        context.set_error(X509VerifyResult::OK);
        return true;
    }
    let outdated = context.chain().filter(|_| UNTRUSTED.contains(&code));
    match outdated.and_then(|chain| anchors.outdated_issuer(chain)) {
        Some((code, issuer)) => refuse(context, code, Some(issuer), anchors, seen),
        None => refuse(context, code, None, anchors, seen),
    }
}

/// Refuses for the fault `code`; `faulty` has it, or else the certificate looked at.
fn refuse(
    context: &mut X509StoreContextRef,
    code: i32,
    faulty: Option<&X509>,
    anchors: &Anchors,
    seen: &Seen,
) -> bool {
    context.set_error(sys::verify_result(alert_code(code)));
    seen.note_leaf(context);
    if let Some(certificate) = faulty.map(AsRef::as_ref).or_else(|| context.current_cert()) {
        seen.note_fault(code, certificate, remedy(code, certificate, anchors));
    }
    false
}

use End::{First, Last};

/// Which end of a chain.
#[derive(Clone, Copy)]
enum End {
    /// The partner's own certificate.
    First,
    /// Where it ends, in our store.
    Last,
}

/// SHA-256 of a certificate of the chain.
fn print_of(chain: &X509StoreContextRef, end: End) -> Option<Vec<u8>> {
    let chain = chain.chain()?;
    let certificate = match end {
        First => chain.iter().next(),
        Last => chain.iter().last(),
    };
    fingerprint(certificate?).ok()
}

/// The certificate in question is a trust anchor, or the chain ends at it: it is trusted itself and needs no CRL
/// (RFC 5280 §6.1). Or its issuer is a trusted CA that publishes none.
fn needs_no_crl(context: &X509StoreContextRef, anchors: &Anchors) -> bool {
    let (Some(chain), Ok(depth)) = (context.chain(), usize::try_from(context.error_depth())) else {
        return false;
    };
    let is_one_of = |prints: &HashSet<Vec<u8>>, certificate: &X509Ref| {
        fingerprint(certificate).is_ok_and(|print| prints.contains(&print))
    };
    match chain.iter().nth(depth + 1) {
        None => true,
        Some(issuer) => {
            is_one_of(&anchors.no_crl, issuer)
                || context.current_cert().is_some_and(|certificate| is_one_of(&anchors.roots, certificate))
        }
    }
}
