//! Trust in a partner's certificate: OpenSSL verifies, this file judges each step of it by the anchors and the
//! settings, and gives each fault its own word (`os4x_proxy-log.5`). All in memory; runs inside the handshake of a
//! session child.

pub(crate) mod anchors;
pub(crate) mod certificate;

use anchors::Anchors;
use certificate::{crl_urls, fingerprint, is_signed_by, name_text, serial_text};
use common::sys;
use common::x509::codes::verify as codes;
use openssl::error::ErrorStack;
use openssl::ssl::{SslContextBuilder, SslVerifyMode};
use openssl::stack::StackRef;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509PurposeId, X509Ref, X509StoreContextRef, X509VerifyResult};
use std::sync::{Arc, Mutex, PoisonError};

/// OpenSSL's security level: RSA and DH from 2048 bits, no SHA-1 signatures.
const SECURITY_LEVEL: u32 = 2;
/// What `tls_ignore_crl_unavailability` tolerates: no CRL, one badly signed, one not valid yet or no more. What such a
/// list revokes stays revoked.
const NO_USABLE_CRL: [i32; 4] = [
    codes::UNABLE_TO_GET_CRL,
    codes::CRL_SIGNATURE_FAILURE,
    codes::CRL_NOT_YET_VALID,
    codes::CRL_HAS_EXPIRED,
];
/// Where no trusted issuer is found, or only the certificate itself.
const UNTRUSTED: [i32; 4] = [
    codes::UNABLE_TO_GET_ISSUER_CERT,
    codes::DEPTH_ZERO_SELF_SIGNED_CERT,
    codes::SELF_SIGNED_CERT_IN_CHAIN,
    codes::UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
];

/// The settings that decide what verification requires.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    /// `tls_check_client_certificate`
    pub(crate) client_certificate: bool,
    /// `tls_ignore_crl_unavailability`
    pub(crate) ignore_missing_crl: bool,
}

/// What verification found, kept also when it failed. A child serves one connection, so there is one of them.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Facts>>);

/// The partner's certificate in words, and the first fault.
#[derive(Clone, Default, Debug)]
pub(crate) struct Facts {
    /// Subject of the partner's own certificate (depth 0).
    pub(crate) subject: String,
    /// Its serial number in hex.
    pub(crate) serial: String,
    /// CRL distribution URLs of the chain, once it leads to a trusted certificate.
    pub(crate) crl_urls: Vec<String>,
    /// The first fault: OpenSSL's code, and the subject of the certificate that has it.
    pub(crate) fault: Option<(i32, String)>,
}

impl Seen {
    /// A copy of what was seen so far.
    pub(crate) fn facts(&self) -> Facts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The chain leads to a trusted certificate; its CRLs are checked separately. OpenSSL asks for CRLs before it
    /// checks signatures, so signatures are checked here: anybody can write a chain of names.
    fn note_urls(&self, context: &X509StoreContextRef) {
        let mut facts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if facts.crl_urls.is_empty() && context.chain().is_some_and(is_signed) {
            facts.crl_urls = context.chain().into_iter().flatten().flat_map(crl_urls).collect();
        }
    }

    /// What is known of the partner's certificate, and the first fault with the certificate that has it.
    fn note(&self, context: &X509StoreContextRef, fault: Option<(i32, &X509Ref)>) {
        let mut facts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A fault higher up comes before the leaf is looked at.
        if facts.subject.is_empty()
            && let Some(leaf) = context.chain().and_then(|chain| chain.iter().next())
        {
            facts.subject = name_text(leaf.subject_name());
            facts.serial = serial_text(leaf);
        }
        if let (Some((code, certificate)), None) = (fault, &facts.fault) {
            facts.fault = Some((code, name_text(certificate.subject_name())));
        }
    }
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
    let pinned = print_of(context, First).is_some_and(|print| anchors.pins.contains(&print));
    if good || no_crl {
        // Reported before any fault of a CRL: a CRL would not help.
        let last = print_of(context, Last).unwrap_or_default();
        if !pinned && !anchors.roots.contains(&last) {
            // The chain ends at a certificate that is only pinned.
            return refuse(context, codes::UNABLE_TO_GET_ISSUER_CERT_LOCALLY, None, seen);
        }
        if anchors.revoked.contains(&last) {
            return refuse(context, codes::CERT_REVOKED, None, seen);
        }
        seen.note_urls(context);
    }
    if good || (no_crl && (pinned || policy.ignore_missing_crl || is_end(context))) {
        seen.note(context, None);
        context.set_error(X509VerifyResult::OK);
        return true;
    }
    let outdated = context.chain().filter(|_| UNTRUSTED.contains(&code));
    match outdated.and_then(|chain| anchors.outdated_issuer(chain)) {
        Some((code, issuer)) => refuse(context, code, Some(issuer), seen),
        None => refuse(context, code, None, seen),
    }
}

/// Refuses for OpenSSL's `code`, which chooses the alert; `faulty` has the fault, or else the certificate looked at.
fn refuse(context: &mut X509StoreContextRef, code: i32, faulty: Option<&X509>, seen: &Seen) -> bool {
    context.set_error(sys::verify_result(code));
    let faulty = faulty.map(AsRef::as_ref).or_else(|| context.current_cert());
    seen.note(context, faulty.map(|certificate| (code, certificate)));
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

/// Whether each certificate bears the signature of the next.
fn is_signed(chain: &StackRef<X509>) -> bool {
    chain.iter().zip(chain.iter().skip(1)).all(|(lower, upper)| is_signed_by(lower, upper))
}

/// The certificate in question is where the chain ends: it is trusted itself and has no CRL to ask for.
fn is_end(chain: &X509StoreContextRef) -> bool {
    let last = chain.chain().map_or(0, StackRef::len).saturating_sub(1);
    usize::try_from(chain.error_depth()).is_ok_and(|depth| depth == last)
}

/// The word for a verification fault (X509_V_ERR_*), as listed in `os4x_proxy-log.5`.
pub(crate) fn fault_word(code: i32) -> &'static str {
    match code {
        codes::UNABLE_TO_GET_ISSUER_CERT
        | codes::DEPTH_ZERO_SELF_SIGNED_CERT
        | codes::SELF_SIGNED_CERT_IN_CHAIN
        | codes::UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        | codes::UNABLE_TO_VERIFY_LEAF_SIGNATURE
        | codes::NO_ISSUER_PUBLIC_KEY
        | codes::CERT_UNTRUSTED
        | codes::CERT_REJECTED
        | codes::AKID_SKID_MISMATCH
        | codes::AKID_ISSUER_SERIAL_MISMATCH
        | codes::UNABLE_TO_GET_CRL_ISSUER
        | codes::PERMITTED_VIOLATION
        | codes::EXCLUDED_VIOLATION
        | codes::SUBTREE_MINMAX
        | codes::INVALID_CA
        | codes::PATHLEN_INVALID_FOR_NON_CA
        | codes::EC_KEY_EXPLICIT_PARAMS => "unknown-ca",
        codes::UNABLE_TO_GET_CRL | codes::DIFFERENT_CRL_SCOPE | codes::CRL_PATH_VALIDATION_ERROR => "crl-missing",
        codes::CRL_SIGNATURE_FAILURE
        | codes::KEYUSAGE_NO_CRL_SIGN
        | codes::UNHANDLED_CRITICAL_CRL_EXTENSION => "crl-bad-signature",
        codes::CERT_NOT_YET_VALID | codes::ERROR_IN_CERT_NOT_BEFORE_FIELD => "not-yet-valid",
        codes::CERT_HAS_EXPIRED | codes::ERROR_IN_CERT_NOT_AFTER_FIELD => "expired",
        codes::CRL_NOT_YET_VALID
        | codes::CRL_HAS_EXPIRED
        | codes::ERROR_IN_CRL_LAST_UPDATE_FIELD
        | codes::ERROR_IN_CRL_NEXT_UPDATE_FIELD => "crl-expired",
        codes::CERT_REVOKED => "revoked",
        codes::INVALID_PURPOSE
        | codes::KEYUSAGE_NO_CERTSIGN
        | codes::INVALID_NON_CA
        // What OpenSSL's strict checks find: faults of extensions.
        | codes::PATHLEN_WITHOUT_KU_KEY_CERT_SIGN..=codes::EXTENSIONS_REQUIRE_VERSION_3 => "wrong-usage",
        codes::HOSTNAME_MISMATCH | codes::IP_ADDRESS_MISMATCH => "wrong-name",
        codes::EE_KEY_TOO_SMALL | codes::CA_KEY_TOO_SMALL | codes::CA_MD_TOO_WEAK => "weak-key",
        _ => "bad-certificate",
    }
}
