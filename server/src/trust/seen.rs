//! What verification saw of a partner's certificates, in words, for log lines and reports. Kept when it failed, too.

use crate::trust::certificate::{crl_urls, is_signed_by, name_text, serial_text};
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
    pub(crate) crl_urls: Vec<String>,
    /// The first fault.
    pub(crate) fault: Option<Fault>,
    /// A certificate is for another purpose, which some partner may: a finished sentence without a stop.
    pub(crate) wrong_usage: Option<String>,
    /// Cipher suites of TLS 1.2 that the partner has offered, when it connects to us.
    pub(crate) offered: Vec<[u8; 2]>,
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
    pub(super) fn note_urls(&self, context: &X509StoreContextRef) {
        let mut facts = self.lock();
        if facts.crl_urls.is_empty() && context.chain().is_some_and(is_signed) {
            facts.crl_urls = context.chain().into_iter().flatten().flat_map(crl_urls).collect();
        }
    }

    /// A fault of `certificate`; the first one is kept.
    pub(super) fn note_fault(&self, code: i32, certificate: &X509Ref, remedy: String) {
        let subject = name_text(certificate.subject_name());
        self.lock().fault.get_or_insert(Fault { code, subject, remedy });
    }

    /// A certificate is for another purpose, and that was borne for now.
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
