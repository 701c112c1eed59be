//! What people want to know of a certificate before they use it. Decides nothing about trust.

use super::PkiError;
use super::ca::hosts_of;
use super::facts::{Facts, check_validity, is_for};
use common::x509::subject;
use openssl::nid::Nid;
use openssl::pkey::Id;
use openssl::x509::{X509, X509ExtendedKeyUsage};

/// A certificate in words.
pub(crate) struct Description {
    pub(crate) facts: Facts,
    /// The serialNumber of its subject, which is the SSIDCODE of an Odette certificate.
    pub(crate) odette_id: Option<String>,
    /// The names and addresses in it.
    pub(crate) hosts: Vec<String>,
    /// Kind and bits of its key.
    pub(crate) key: String,
    /// It may be shown by who calls.
    pub(crate) may_call: bool,
    /// It may be shown by who is called.
    pub(crate) may_be_called: bool,
    /// It is not valid now; why.
    pub(crate) invalid: Option<String>,
}

impl Description {
    /// Of a certificate.
    pub(crate) fn of(certificate: &X509) -> Result<Self, PkiError> {
        Ok(Self {
            facts: Facts::of(certificate)?,
            odette_id: subject::attribute(certificate.subject_name(), Nid::SERIALNUMBER),
            hosts: hosts_of(certificate),
            key: key(certificate),
            may_call: is_for(certificate, X509ExtendedKeyUsage::SSL_CLIENT),
            may_be_called: is_for(certificate, X509ExtendedKeyUsage::SSL_SERVER),
            invalid: check_validity(certificate).err().map(|why| why.to_string()),
        })
    }
}

fn key(certificate: &X509) -> String {
    let Ok(key) = certificate.public_key() else { return "-".to_owned() };
    let kind = match key.id() {
        Id::RSA => "RSA",
        Id::RSA_PSS => "RSA-PSS",
        Id::EC => "EC",
        Id::ED25519 => "Ed25519",
        Id::ED448 => "Ed448",
        _ => "?",
    };
    format!("{kind} {}", key.bits())
}
