//! Changes the certificates that are pinned to a partner.

use super::{Act, ChangeError, partners, rules};
use crate::pki::PkiError;
use crate::pki::ca::pem;
use crate::pki::facts::{Facts, short_name};
use common::config::{CertificateRule, NamedPem, Partner};
use openssl::x509::X509;

/// A change of a partner's pins.
pub(crate) enum PinChange {
    Add {
        pins: Vec<NamedPem>,
        /// Whether the new pins replace the present ones.
        is_instead: bool,
    },
    /// Removes the pin with this hash. The hash is empty for a pin that cannot be parsed.
    Remove(String),
}

/// Certificates as pins.
pub(crate) fn named(all: &[X509]) -> Result<Vec<NamedPem>, PkiError> {
    all.iter().map(|one| Ok(NamedPem { name: short_name(one), pem: pem(one)? })).collect()
}

/// The hash of a pin; empty if it cannot be parsed.
fn fingerprint(pin: &NamedPem) -> String {
    Facts::of_pem(&pin.pem).map(|facts| facts.fingerprint).unwrap_or_default()
}

/// Whether a partner has a pin with this hash.
pub(crate) fn has(partner: &Partner, print: &str) -> bool {
    partner.pins.iter().any(|pin| fingerprint(pin) == print)
}

impl PinChange {
    /// Changes the pins of this partner.
    pub(crate) async fn make(&self, act: &mut Act, name: &str) -> Result<(), ChangeError> {
        let mut partner = rules::need_partner(act, name).await?;
        match self {
            Self::Add { pins, is_instead } => {
                if *is_instead {
                    partner.pins.clear();
                }
                for pin in pins {
                    if !partner.pins.iter().any(|there| there.pem == pin.pem) {
                        partner.pins.push(pin.clone());
                    }
                }
                partner.certificate = CertificateRule::Pinned;
            }
            Self::Remove(print) => partner.pins.retain(|pin| fingerprint(pin) != *print),
        }
        partners::put(act, &partner).await
    }
}
