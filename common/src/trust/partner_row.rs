//! A row of the partner table, ready to decide whether a session belongs to its partner: by the certificate and by the
//! address. The server asks for each session; the backend asks for recorded sessions before a change.

use crate::config::{CertificateRule, Partner, UsageRule};
use crate::process::end_reasons::Status;
use crate::trust::certificate_fields::odette_id;
use crate::trust::rejection::Rejection;
use crate::trust::seen::Seen;
use crate::x509::issuer::fingerprint;
use openssl::x509::{X509, X509Ref};
use std::net::IpAddr;
use std::ops::Deref;

/// Longest list of networks that a remedy repeats, octets.
const LONGEST_REMEDY: usize = 200;

/// A partner with the fingerprints of its pinned certificates instead of their texts.
#[derive(Clone)]
pub struct PartnerRow {
    partner: Partner,
    pins: Vec<Vec<u8>>,
}

impl Deref for PartnerRow {
    type Target = Partner;

    fn deref(&self) -> &Partner {
        &self.partner
    }
}

impl PartnerRow {
    pub(super) fn new(partner: &Partner, pins: &[X509]) -> Self {
        let mut partner = partner.clone();
        partner.pins = Vec::new();
        Self { partner, pins: pins.iter().filter_map(|pin| fingerprint(pin).ok()).collect() }
    }

    /// Whether its certificate must be one of its pins.
    pub fn is_pinned(&self) -> bool {
        self.partner.certificate == CertificateRule::Pinned
    }

    fn has_pin(&self, certificate: &X509Ref) -> bool {
        fingerprint(certificate).is_ok_and(|print| self.pins.contains(&print))
    }

    /// Whether this certificate may be used for the partner, according to its [`CertificateRule`]. `required`: without
    /// a certificate the answer is no.
    pub fn accepts(&self, certificate: Option<&X509Ref>, required: bool) -> bool {
        let Some(certificate) = certificate else { return !required };
        match self.partner.certificate {
            CertificateRule::Any => true,
            CertificateRule::OdetteId => odette_id(certificate).is_some_and(|id| id == self.partner.ssid),
            CertificateRule::Pinned => self.has_pin(certificate),
        }
    }

    /// Whether a session from `address` with this certificate may be this partner's. The certificate was verified, and
    /// `seen` has its description. `required`: a peer without a certificate is refused.
    ///
    /// # Errors
    /// `Rejection`: the reason with which the session ends.
    pub fn admit(
        &self,
        certificate: Option<&X509Ref>,
        required: bool,
        address: Option<IpAddr>,
        seen: &Seen,
    ) -> Result<(), Rejection> {
        let name = &self.partner.short_name;
        if !self.accepts(certificate, required) {
            let detail = format!(
                "this certificate may not speak for this SSIDCODE; 'os4xapi partner set {name} --pin FILE' allows it"
            );
            return Err(Rejection::new(Status::NotThisPartner, detail));
        }
        // Only checked after the certificate: somebody without the partner's certificate learns nothing of its
        // networks.
        if !self.partner.networks.is_empty() && !address.is_some_and(|at| self.partner.may_come_from(at)) {
            return Err(Rejection::new(Status::WrongNetwork, self.wrong_network(address)));
        }
        self.check_usage(seen)?;
        self.check_enabled()
    }

    /// The same for a partner that we connect to and that has shown this certificate.
    ///
    /// # Errors
    /// `Rejection`: the reason with which the session ends.
    pub fn admit_called(&self, certificate: Option<&X509Ref>, seen: &Seen) -> Result<(), Rejection> {
        if self.is_pinned() && !certificate.is_some_and(|shown| self.has_pin(shown)) {
            let detail = format!(
                "its certificate is none of the partner's pinned ones; 'os4xapi partner set {} --pin FILE' pins \
                 another",
                self.partner.short_name
            );
            return Err(Rejection::new(Status::NotThisPartner, detail));
        }
        self.check_usage(seen)
    }

    /// Whether the partner is enabled.
    ///
    /// # Errors
    /// `Rejection`: it is disabled.
    pub fn check_enabled(&self) -> Result<(), Rejection> {
        if self.partner.enabled {
            return Ok(());
        }
        let name = &self.partner.short_name;
        let detail =
            format!("the partner is disabled; 'os4xapi partner set {name} --enabled yes' lets it in");
        Err(Rejection::new(Status::Disabled, detail))
    }

    /// Whether the partner may have the extended key usage of the certificates in `seen`.
    fn check_usage(&self, seen: &Seen) -> Result<(), Rejection> {
        match seen.facts().wrong_usage {
            Some(what) if self.partner.usage_rule() == UsageRule::Client => {
                let name = &self.partner.short_name;
                let detail = format!("{what}; 'os4xapi partner set {name} --usage any' allows it");
                Err(Rejection::new(Status::WrongUsage, detail))
            }
            _ => Ok(()),
        }
    }

    fn wrong_network(&self, address: Option<IpAddr>) -> String {
        let (name, networks) = (&self.partner.short_name, self.partner.networks.join(","));
        let address = address.map(|address| address.to_string()).unwrap_or_default();
        // The option replaces all networks, so the remedy repeats them, unless the line would become too long.
        let remedy = if networks.len() <= LONGEST_REMEDY {
            format!("'os4xapi partner set {name} --network {networks},{address}' allows that")
        } else {
            format!("'os4xapi partner set {name} --network' with all of them and {address} allows that")
        };
        format!("it comes from {address}, which is in none of its networks; {remedy}")
    }
}
