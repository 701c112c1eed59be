//! What was found in a partner's certificates during verification, for log lines and reports. It is kept if the
//! verification failed, too.

use crate::rpc::MAX_ISSUERS;
use crate::text::hex;
use crate::trust::anchors::Anchors;
use crate::trust::certificate_fields::{crl_urls, name_text, serial_text};
use crate::x509::issuer::{fingerprint, is_signed_by};
use openssl::stack::StackRef;
use openssl::x509::{X509, X509Ref, X509StoreContextRef};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A child serves one connection, so it has one of these.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Facts>>);

/// A description of the partner's certificate, and the first fault.
#[derive(Clone, Default, Debug)]
pub struct Facts {
    /// Subject of the partner's own certificate (depth 0).
    pub subject: String,
    /// Its serial number in hex.
    pub serial: String,
    /// CRL distribution URLs of the chain, once it leads to a trusted certificate.
    pub crl_urls: Vec<FoundUrl>,
    /// The first fault.
    pub fault: Option<Fault>,
    /// If a certificate has another purpose, which is allowed for some partners: a complete sentence without a full
    /// stop.
    pub wrong_usage: Option<String>,
    /// Cipher suites of TLS 1.2 that the partner offered when it connected to us.
    pub offered: Vec<[u8; 2]>,
}

/// A CRL distribution URL in a chain, and the issuers of the list there.
#[derive(Clone, Debug)]
pub struct FoundUrl {
    pub url: String,
    /// The issuer of the list, the issuer of that certificate, and so on, up to the one that a trusted certificate has
    /// issued; none if the issuer of the list is trusted itself.
    issuers: Vec<X509>,
}

impl FoundUrl {
    /// SHA-256 of the issuer of the list, hex, if it is not trusted itself.
    pub fn issuer_print(&self) -> Option<String> {
        Some(hex::encode(&fingerprint(self.issuers.first()?).ok()?))
    }

    /// The issuers, PEM; none if they are larger than a message allows.
    pub fn issuers_pem(&self) -> Vec<String> {
        let pem = |issuer: &X509| String::from_utf8(issuer.to_pem().ok()?).ok();
        let all: Option<Vec<String>> = self.issuers.iter().map(pem).collect();
        all.filter(|all| all.iter().map(String::len).sum::<usize>() <= MAX_ISSUERS).unwrap_or_default()
    }
}

/// A fault of a certificate or of its CRL.
#[derive(Clone, Debug)]
pub struct Fault {
    /// OpenSSL's code, X509_V_ERR_*.
    pub code: i32,
    /// Subject of the faulty certificate.
    pub subject: String,
    /// What exactly is wrong, and what to do about it.
    pub remedy: String,
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of what was seen so far.
    pub fn facts(&self) -> Facts {
        self.lock().clone()
    }

    /// Describes the partner's own certificate. OpenSSL reports faults of its issuers before it reaches that
    /// certificate.
    pub(super) fn note_leaf(&self, context: &X509StoreContextRef) {
        let mut facts = self.lock();
        if facts.subject.is_empty()
            && let Some(leaf) = context.chain().and_then(|chain| chain.iter().next())
        {
            facts.subject = name_text(leaf.subject_name());
            facts.serial = serial_text(leaf);
        }
    }

    /// The chain leads to a trusted certificate; its CRLs are checked separately. OpenSSL asks for CRLs before it
    /// checks signatures, so the signatures are checked here: anybody can make a chain with these names.
    pub(super) fn note_urls(&self, context: &X509StoreContextRef, anchors: &Anchors) {
        let mut facts = self.lock();
        let Some(chain) = context.chain().filter(|_| facts.crl_urls.is_empty()) else { return };
        let is_no_anchor =
            |issuer: &&X509Ref| fingerprint(issuer).is_ok_and(|print| !anchors.roots.contains(&print));
        let mut all = Vec::new();
        for (depth, certificate) in chain.iter().enumerate() {
            let found = crl_urls(certificate);
            if found.is_empty() {
                continue;
            }
            let above = chain.iter().skip(depth + 1).take_while(is_no_anchor);
            let issuers: Vec<X509> = above.map(ToOwned::to_owned).collect();
            all.extend(found.into_iter().map(|url| FoundUrl { url, issuers: issuers.clone() }));
        }
        // This costs as much as the whole verification, so it is only done if there are URLs.
        if !all.is_empty() && is_signed(chain) {
            facts.crl_urls = all;
        }
    }

    /// A fault of `certificate`; only the first one is kept.
    pub(super) fn note_fault(&self, code: i32, certificate: &X509Ref, remedy: String) {
        let subject = name_text(certificate.subject_name());
        self.lock().fault.get_or_insert(Fault { code, subject, remedy });
    }

    /// A certificate has another purpose. Whether the partner may have such a certificate is decided once the partner
    /// is known.
    pub(super) fn note_wrong_usage(&self, certificate: &X509Ref, usage: &str) {
        let subject = name_text(certificate.subject_name());
        self.lock().wrong_usage.get_or_insert_with(|| format!("certificate of {subject}: {usage}"));
    }

    /// The cipher suites in a partner's ClientHello.
    pub fn note_offered(&self, suites: &[u8]) {
        self.lock().offered = suites.as_chunks().0.to_vec();
    }
}

/// Whether each certificate is signed by the next one (RFC 5280 §6.1).
fn is_signed(chain: &StackRef<X509>) -> bool {
    chain.iter().zip(chain.iter().skip(1)).all(|(lower, upper)| is_signed_by(lower, upper))
}
