//! What verification saw of a partner's certificates, in words, for log lines and reports. Kept when it failed, too.

use crate::trust::anchors::Anchors;
use crate::trust::certificate::{crl_urls, name_text, serial_text};
use common::rpc::MAX_ISSUERS;
use common::text::hex;
use common::x509::issuer::{fingerprint, is_signed_by};
use openssl::stack::StackRef;
use openssl::x509::{X509, X509Ref, X509StoreContextRef};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A child serves one connection, so there is one of them.
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
    pub(crate) crl_urls: Vec<FoundUrl>,
    /// The first fault.
    pub(crate) fault: Option<Fault>,
    /// A certificate is for another purpose, which some partner may: a finished sentence without a stop.
    pub(crate) wrong_usage: Option<String>,
    /// Cipher suites of TLS 1.2 that the partner has offered, when it connects to us.
    pub(crate) offered: Vec<[u8; 2]>,
}

/// A CRL distribution URL in a chain, and who signs the list there.
#[derive(Clone, Debug)]
pub(crate) struct FoundUrl {
    pub(crate) url: String,
    /// The list's issuer, its issuer, and so on, up to the one that a trusted certificate has issued; none where the
    /// list's issuer is trusted itself.
    issuers: Vec<X509>,
}

impl FoundUrl {
    /// SHA-256 of the list's issuer, hex, if it is not trusted itself.
    pub(crate) fn issuer_print(&self) -> Option<String> {
        Some(hex::encode(&fingerprint(self.issuers.first()?).ok()?))
    }

    /// The issuers, PEM; none if they are larger than a message holds.
    pub(crate) fn issuers_pem(&self) -> Vec<String> {
        let pem = |issuer: &X509| String::from_utf8(issuer.to_pem().ok()?).ok();
        let all: Option<Vec<String>> = self.issuers.iter().map(pem).collect();
        all.filter(|all| all.iter().map(String::len).sum::<usize>() <= MAX_ISSUERS).unwrap_or_default()
    }
}

/// A fault of a certificate or of its CRL.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// OpenSSL's code, X509_V_ERR_*.
    pub(crate) code: i32,
    /// Subject of the certificate that has it.
    pub(crate) subject: String,
    /// What is wrong in particular, and what to do about it.
    pub(crate) remedy: String,
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of what was seen so far.
    pub(crate) fn facts(&self) -> Facts {
        self.lock().clone()
    }

    /// The partner's own certificate, in words. A fault higher up comes before OpenSSL looks at it.
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
    /// checks signatures, so signatures are checked here: anybody can write a chain of names.
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
        // As dear as all of the verification, so only where there is something to vouch for.
        if !all.is_empty() && is_signed(chain) {
            facts.crl_urls = all;
        }
    }

    /// A fault of `certificate`; the first one is kept.
    pub(super) fn note_fault(&self, code: i32, certificate: &X509Ref, remedy: String) {
        let subject = name_text(certificate.subject_name());
        self.lock().fault.get_or_insert(Fault { code, subject, remedy });
    }

    /// A certificate is for another purpose; whether the partner may have such a one is judged once it is known.
    pub(super) fn note_wrong_usage(&self, certificate: &X509Ref, usage: &str) {
        let subject = name_text(certificate.subject_name());
        self.lock().wrong_usage.get_or_insert_with(|| format!("certificate of {subject}: {usage}"));
    }

    /// The cipher suites in a partner's ClientHello.
    pub(crate) fn note_offered(&self, suites: &[u8]) {
        self.lock().offered = suites.as_chunks().0.to_vec();
    }
}

/// Whether each certificate bears the signature of the next.
fn is_signed(chain: &StackRef<X509>) -> bool {
    chain.iter().zip(chain.iter().skip(1)).all(|(lower, upper)| is_signed_by(lower, upper))
}
