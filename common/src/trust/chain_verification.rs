//! OpenSSL verifies a chain; this file judges each step by the anchors and the settings. All data is in memory. It runs
//! in the handshake of a session child or, for a known chain, outside of a handshake.

use crate::sys;
use crate::trust::anchors::Anchors;
use crate::trust::certificate_fields::usage_text;
use crate::trust::faults::{NO_USABLE_CRL, UNTRUSTED, alert_code, remedy};
use crate::trust::seen::Seen;
use crate::x509::codes::verify as codes;
use crate::x509::issuer::fingerprint;
use openssl::error::ErrorStack;
use openssl::ssl::{SslContextBuilder, SslVerifyMode};
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509PurposeId, X509Ref, X509StoreContextRef, X509VerifyResult};
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

/// OpenSSL's security level: RSA and DH from 2048 bits, no SHA-1 signatures.
const SECURITY_LEVEL: u8 = 2;

/// The settings that decide what verification requires.
#[derive(Clone, Copy)]
pub(super) struct Policy {
    /// `tls_check_client_certificate`
    pub(super) client_certificate: bool,
    /// `tls_ignore_crl_unavailability`
    pub(super) ignore_missing_crl: bool,
    /// Some partner may have a certificate of any usage; the SSID will show whether this is that partner.
    pub(super) any_usage: bool,
}

/// The partner's role in the TLS handshake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// It connects to us.
    Client,
    /// We connect to it. It must show a certificate, independent of the settings.
    Server,
}

/// Puts anchors, CRLs and the policy into the context for partners of this kind.
pub(super) fn configure(
    context: &mut SslContextBuilder,
    peer: Peer,
    anchors: &Arc<Anchors>,
    policy: Policy,
    seen: Seen,
) -> Result<(), ErrorStack> {
    context.set_security_level(u32::from(SECURITY_LEVEL));
    context.set_cert_store(store(peer, anchors, None)?);
    if peer == Peer::Client && !policy.client_certificate {
        context.set_verify(SslVerifyMode::NONE);
        return Ok(());
    }
    let anchors = Arc::clone(anchors);
    let wanted = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
    context.set_verify_callback(wanted, move |good, chain| judge(good, chain, &anchors, policy, &seen));
    Ok(())
}

/// Verifies a chain, leaf first, as in the handshake with such a partner. `host`: the leaf must be valid for it.
/// Returns the fault (X509_V_ERR_*) if the chain is refused.
pub(super) fn verify(
    anchors: &Anchors,
    policy: Policy,
    peer: Peer,
    chain: &[X509],
    host: Option<&str>,
    seen: &Seen,
) -> Result<Option<i32>, ErrorStack> {
    let Some((leaf, above)) = chain.split_first() else { return Ok(Some(codes::CERT_REJECTED)) };
    let mut others = Stack::new()?;
    for certificate in above {
        others.push(certificate.clone())?;
    }
    let mut decide =
        |good: bool, context: &mut X509StoreContextRef| judge(good, context, anchors, policy, seen);
    let store = store(peer, anchors, host)?;
    let code = sys::x509_verify(&store, leaf, &others, &mut decide)?;
    Ok(Some(code).filter(|code| *code != X509VerifyResult::OK.as_raw()))
}

/// A store with the anchors, the CRLs and the requirements.
fn store(peer: Peer, anchors: &Anchors, host: Option<&str>) -> Result<X509Store, ErrorStack> {
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
    // In a handshake these parameters come from the connection.
    let mut param = X509VerifyParam::new()?;
    param.set_auth_level(SECURITY_LEVEL.into());
    match host.map(|host| host.trim_end_matches('.')).map(|host| (host, host.parse::<IpAddr>())) {
        Some((_, Ok(address))) => param.set_ip(address)?,
        Some((name, Err(_))) => param.set_host(name)?,
        None => {}
    }
    store.set_param(&param)?;
    Ok(store.build())
}

/// Combines OpenSSL's verdict on one certificate of the chain, `good` or a fault, with ours.
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
        // This is reported before any fault of a CRL, because a CRL would not help.
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
        // The store has only lists whose begin is within the clock difference that is tolerated.
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

/// Refuses because of the fault `code` of `faulty`, or of the current certificate.
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
    /// The certificate at which the chain ends, from our store.
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

/// Whether this certificate needs no CRL: it is a trust anchor or the end of the chain, which is trusted itself (RFC
/// 5280 §6.1), or its issuer is a trusted CA that publishes no CRL.
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
