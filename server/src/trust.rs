//! Trust in a partner's certificate: OpenSSL verifies, this file tells it with what, and gives each fault its own
//! word (`os4x_proxy-log.5`). All in memory; runs inside the handshake of a session child.

use common::config::NamedPem;
use common::identity::unix_time_of;
use common::rpc::MAX_CRL_URL;
use common::sys;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::ssl::{SslContextBuilder, SslVerifyMode};
use openssl::stack::StackRef;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{
    CrlStatus, X509, X509Crl, X509NameRef, X509PurposeId, X509Ref, X509StoreContextRef, X509VerifyResult,
};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

/// OpenSSL's security level: RSA and DH from 2048 bits, no SHA-1 signatures.
const SECURITY_LEVEL: u32 = 2;
/// Longest serial number in a log line, hex digits; RFC 5280 allows 20 octets.
const SERIAL_LIMIT: usize = 64;
/// Longest subject in a log line, octets.
const NAME_LIMIT: usize = 256;
/// X509_V_ERR_UNABLE_TO_GET_CRL
const NO_CRL: i32 = 3;
/// What `tls_ignore_crl_unavailability` bears: no CRL, one badly signed (X509_V_ERR_CRL_SIGNATURE_FAILURE), one not
/// valid yet or no more. What such a list revokes stays revoked.
const NO_USABLE_CRL: [i32; 4] = [NO_CRL, 8, 11, 12];
/// X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
const NO_ISSUER: i32 = 20;
/// What is said where no trusted issuer is found: X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, of a self-signed certificate,
/// of a chain that ends with one, and `NO_ISSUER`.
const UNTRUSTED: [i32; 4] = [2, 18, 19, NO_ISSUER];
/// X509_V_ERR_CERT_NOT_YET_VALID
const NOT_YET_VALID: i32 = 9;
/// X509_V_ERR_CERT_HAS_EXPIRED
const EXPIRED: i32 = 10;
/// X509_V_ERR_CERT_REVOKED
const REVOKED: i32 = 23;
/// CRL distribution URLs that are reported of one certificate.
const URLS_PER_CERTIFICATE: usize = 4;

/// The settings that decide what verification wants.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    /// `tls_check_client_certificate`
    pub(crate) client_certificate: bool,
    /// `tls_ignore_crl_unavailability`
    pub(crate) ignore_missing_crl: bool,
}

/// What verification saw, kept also when it failed. One connection's, because a child serves one.
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

    /// The chain leads to a trusted certificate; what its CRLs are is a question of its own. OpenSSL asks for CRLs
    /// before it checks signatures, so that is done here: anybody can write a chain of names.
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

/// Where chains may end, and who is revoked.
pub(crate) struct Anchors {
    /// Trusted certificates that are valid now: these may be issuers.
    trusted: Vec<X509>,
    /// SHA-256 of them.
    roots: HashSet<Vec<u8>>,
    /// Trusted certificates that are not valid yet or no more, and OpenSSL's code for that. Kept away from OpenSSL, which
    /// would take such an issuer and look for no other path: another CA may have certified the same key.
    outdated: Vec<(X509, i32)>,
    /// SHA-256 of trusted certificates that their issuers, which we hold too, have revoked. Where a chain ends OpenSSL
    /// asks for no CRL.
    revoked: HashSet<Vec<u8>>,
    /// Pinned certificates: each vouches for itself alone, or its owner could issue certificates in another partner's
    /// name.
    pinned: Vec<X509>,
    /// SHA-256 of them.
    pins: HashSet<Vec<u8>>,
    /// Revocation lists.
    crls: Vec<X509Crl>,
    /// When one of the trusted begins or ceases to be valid next, seconds since 1970-01-01 UTC.
    pub(crate) change_at: i64,
}

impl Anchors {
    /// Sorts them by what they are at `now`, seconds since 1970-01-01 UTC.
    pub(crate) fn new(
        trusted: Vec<X509>,
        pinned: Vec<X509>,
        crls: Vec<X509Crl>,
        now: i64,
    ) -> Result<Self, ErrorStack> {
        let is_revoked =
            |certificate: &&X509| trusted.iter().any(|issuer| revokes(issuer, certificate, &crls));
        let revoked =
            trusted.iter().filter(is_revoked).map(|one| fingerprint(one)).collect::<Result<_, _>>()?;
        let mut anchors = Self {
            trusted: Vec::with_capacity(trusted.len()),
            roots: HashSet::new(),
            outdated: Vec::new(),
            revoked,
            pins: pinned.iter().map(|one| fingerprint(one)).collect::<Result<_, _>>()?,
            pinned,
            crls,
            change_at: i64::MAX,
        };
        for certificate in trusted {
            let (from, until) = validity(&certificate)?;
            let changes = [from, until.saturating_add(1)].into_iter().filter(|at| *at > now);
            anchors.change_at = changes.fold(anchors.change_at, i64::min);
            if (from..=until).contains(&now) {
                anchors.roots.insert(fingerprint(&certificate)?);
                anchors.trusted.push(certificate);
            } else {
                anchors.outdated.push((certificate, if now < from { NOT_YET_VALID } else { EXPIRED }));
            }
        }
        Ok(anchors)
    }

    /// The outdated certificate, if any, that has issued the last one of `chain`, and OpenSSL's code for its state.
    fn outdated_issuer(&self, chain: &StackRef<X509>) -> Option<(i32, &X509)> {
        let last = chain.iter().last()?;
        let (issuer, code) = self.outdated.iter().find(|(outdated, _)| has_issued(outdated, last))?;
        Some((*code, issuer))
    }
}

/// Whether a list of `crls` that `issuer` has signed names `certificate`.
fn revokes(issuer: &X509, certificate: &X509, crls: &[X509Crl]) -> bool {
    has_issued(issuer, certificate)
        && crls.iter().any(|crl| {
            matches!(crl.get_by_cert(certificate), CrlStatus::Revoked(_))
                && issuer.public_key().and_then(|key| crl.verify(&key)).unwrap_or(false)
        })
}

/// By name and by signature: anybody can write names.
fn has_issued(issuer: &X509Ref, certificate: &X509Ref) -> bool {
    issuer.issued(certificate) == X509VerifyResult::OK && is_signed_by(certificate, issuer)
}

fn is_signed_by(lower: &X509Ref, upper: &X509Ref) -> bool {
    let signed = upper.public_key().and_then(|key| lower.verify(&key)).unwrap_or(false);
    // A wrong signature leaves its error in OpenSSL's queue, where the handshake would find it.
    drop(ErrorStack::get());
    signed
}

/// What a partner is at the TLS handshake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// It connects to us.
    Client,
    /// We connect to it. It has to show a certificate, whatever the settings say.
    Server,
}

/// The lists of the configuration; one that cannot be read is skipped.
pub(crate) fn parse_crls(crls: &[NamedPem], skipped: &mut Vec<String>) -> Vec<X509Crl> {
    let mut parsed = Vec::with_capacity(crls.len());
    for NamedPem { name, pem } in crls {
        match X509Crl::from_pem(pem.as_bytes()) {
            Ok(crl) => parsed.push(crl),
            Err(_) => skipped.push(format!("CRL {name} is no CRL in PEM form")),
        }
    }
    parsed
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
        // Said before any CRL: one would not help.
        let last = print_of(context, Last).unwrap_or_default();
        if !pinned && !anchors.roots.contains(&last) {
            // The chain ends at a certificate that is only pinned.
            return refuse(context, NO_ISSUER, None, seen);
        }
        if anchors.revoked.contains(&last) {
            return refuse(context, REVOKED, None, seen);
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

/// First and last second of a certificate, since 1970-01-01 UTC.
pub(crate) fn validity(certificate: &X509Ref) -> Result<(i64, i64), ErrorStack> {
    Ok((unix_time_of(certificate.not_before())?, unix_time_of(certificate.not_after())?))
}

/// SHA-256 of a certificate.
pub(crate) fn fingerprint(certificate: &X509Ref) -> Result<Vec<u8>, ErrorStack> {
    Ok(certificate.digest(MessageDigest::sha256())?.to_vec())
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
        2 | 18..=21 | 24 | 27 | 28 | 30 | 31 | 33 | 47..=49 | 79 | 80 | 94 => "unknown-ca",
        NO_CRL | 44 | 54 => "crl-missing",
        8 | 35 | 36 => "crl-bad-signature",
        9 | 13 => "not-yet-valid",
        10 | 14 => "expired",
        11 | 12 | 15 | 16 => "crl-expired",
        23 => "revoked",
        26 | 32 | 37 | 81..=93 => "wrong-usage",
        62 | 64 => "wrong-name",
        66..=68 => "weak-key",
        _ => "bad-certificate",
    }
}

/// Where a certificate says its CRLs are: http and https only, few, and not too long. A peer chose them.
fn crl_urls(certificate: &X509Ref) -> Vec<String> {
    let Some(points) = certificate.crl_distribution_points() else { return Vec::new() };
    let names = points.iter().filter_map(|point| point.distpoint()?.fullname());
    names
        .flatten()
        .filter_map(|name| name.uri())
        .filter(|url| is_fetchable(url))
        .take(URLS_PER_CERTIFICATE)
        .map(str::to_owned)
        .collect()
}

fn is_fetchable(url: &str) -> bool {
    let http = ["http://", "https://"].iter().any(|scheme| {
        url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            && url.len() > scheme.len()
    });
    http && url.len() <= MAX_CRL_URL && url.bytes().all(|octet| octet.is_ascii_graphic())
}

/// The subject's serialNumber attribute: the Odette ID (Odette certificate policy 1.4).
pub(crate) fn odette_id(certificate: &X509Ref) -> Option<String> {
    let mut entries = certificate.subject_name().entries_by_nid(Nid::SERIALNUMBER);
    let id = entries.next()?.data().to_string().ok()?;
    Some(id.trim_end_matches(' ').to_owned())
}

/// `CN=Acme, O=Acme AG`: for log lines, which escape it. Cut to `NAME_LIMIT`, because a peer chose it.
pub(crate) fn name_text(name: &X509NameRef) -> String {
    let mut text = String::new();
    for entry in name.entries() {
        let label = entry.object().nid().short_name().unwrap_or("?");
        let value = entry.data().to_string().unwrap_or_default();
        let _ = write!(text, "{}{label}={value}", if text.is_empty() { "" } else { ", " });
        if text.len() > NAME_LIMIT {
            let cut = (0..=NAME_LIMIT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(cut);
            text.push_str("...");
            break;
        }
    }
    text
}

pub(crate) fn serial_text(certificate: &X509Ref) -> String {
    certificate
        .serial_number()
        .to_bn()
        .and_then(|number| number.to_hex_str().map(|hex| hex.to_string()))
        .map(|hex| hex.chars().take(SERIAL_LIMIT).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::is_fetchable;

    #[test]
    fn only_web_addresses_are_reported() {
        for url in ["http://crl.example/ca.crl", "HTTPS://crl.example/ca.crl?x=1"] {
            assert!(is_fetchable(url), "{url}");
        }
        let long = format!("http://{}", "a".repeat(2000));
        for url in
            ["", "http://", "ldap://crl.example/", "file:///etc/passwd", "http://a b", "http://a\n", &long]
        {
            assert!(!is_fetchable(url), "{url}");
        }
    }
}
