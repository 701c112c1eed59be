//! Whether a certificate is accepted. The server asks in each handshake; the backend asks before a change, to find the
//! partners that would be refused after it. Both use the same rules.
//!
//! * `anchors`: the certificates at which chains may end, and the revoked certificates
//! * `chain_verification`: OpenSSL verifies a chain, and each of its steps is judged by the anchors and the settings
//! * `partner_row`: who may use an SSIDCODE, and from which addresses; `rejection`: why somebody may not
//! * `faults`: the status, the alert and the remedy of each fault
//! * `compact_crls`, with `der`: revocation lists in the form for session processes
//! * `seen`, `certificate_fields`, `description`: descriptions of certificates for the log

mod anchors;
mod certificate_fields;
mod chain_verification;
mod compact_crls;
mod der;
mod description;
mod faults;
pub mod partner_row;
mod rejection;
mod seen;

pub use chain_verification::Peer;
pub use faults::fault_status;
pub use rejection::Rejection;
pub use seen::{Fault, Seen};

use crate::config::{NamedPem, Partner, ProxyConfig, Trusted, UsageRule};
use crate::process::end_reasons::Status;
use anchors::Anchors;
use chain_verification::Policy;
use openssl::error::ErrorStack;
use openssl::ssl::SslContextBuilder;
use openssl::stack::StackRef;
use openssl::x509::X509;
use partner_row::PartnerRow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The part of a configuration that decides which certificates are accepted.
#[derive(Clone, Copy)]
pub struct TrustRules<'a> {
    /// Trusted CA and self-signed certificates.
    pub trusted: &'a [Trusted],
    /// CRLs, one for each issuer and scope.
    pub crls: &'a [NamedPem],
    /// The partner table.
    pub partners: &'a [Partner],
    /// `tls_check_client_certificate`
    pub client_certificate: bool,
    /// `tls_ignore_crl_unavailability`
    pub ignore_missing_crl: bool,
}

impl<'a> From<&'a ProxyConfig> for TrustRules<'a> {
    fn from(config: &'a ProxyConfig) -> Self {
        Self {
            trusted: &config.trusted,
            crls: &config.crls,
            partners: &config.partners,
            client_certificate: config.tls_check_client_certificate,
            ignore_missing_crl: config.tls_ignore_crl_unavailability,
        }
    }
}

/// Why the rules cannot be used.
#[derive(Debug)]
pub enum TrustError {
    /// No entry of this list is in PEM form: the name of the list, and the number of entries.
    Garbage(&'static str, usize),
    /// OpenSSL cannot read a certificate's time, or has no memory.
    OpenSsl(ErrorStack),
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Garbage(what, count) => write!(f, "none of the {count} {what} is in PEM form"),
            Self::OpenSsl(e) => {
                let reason = e.errors().first().and_then(openssl::error::Error::reason);
                write!(f, "the trusted certificates cannot be used: {}", reason.unwrap_or("unknown reason"))
            }
        }
    }
}

impl std::error::Error for TrustError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Garbage(..) => None,
            Self::OpenSsl(e) => Some(e),
        }
    }
}

impl From<ErrorStack> for TrustError {
    fn from(e: ErrorStack) -> Self {
        Self::OpenSsl(e)
    }
}

/// Rules that were read and sorted: ready to judge certificates.
pub struct Trust {
    anchors: Arc<Anchors>,
    policy: Policy,
    partners: Vec<PartnerRow>,
}

impl Trust {
    /// Reads the rules for the time `now`, seconds since 1970-01-01 UTC. A certificate or CRL that cannot be read is
    /// skipped; the returned sentences say which, for the log.
    ///
    /// # Errors
    /// `Garbage` if no entry of a list can be read: without anchors everybody would be refused, without CRLs revoked
    /// certificates would be accepted. `OpenSsl` if it has no memory.
    pub fn read(rules: TrustRules<'_>, now: i64) -> Result<(Self, Vec<String>), TrustError> {
        let mut skipped = Vec::new();
        let trusted = anchors::trusted(rules.trusted, &mut skipped);
        none_is_garbage("trusted certificates", rules.trusted.len(), trusted.len())?;
        let (mut partners, mut pinned) = (Vec::with_capacity(rules.partners.len()), Vec::new());
        for partner in rules.partners {
            let pins = anchors::pinned(&partner.pins, &mut skipped);
            partners.push(PartnerRow::new(partner, &pins));
            pinned.extend(pins);
        }
        let crls = anchors::crls(rules.crls, &mut skipped);
        none_is_garbage("CRLs", rules.crls.len(), crls.len())?;
        let policy = Policy {
            client_certificate: rules.client_certificate,
            ignore_missing_crl: rules.ignore_missing_crl,
            any_usage: rules.partners.iter().any(|partner| partner.usage_rule() == UsageRule::Any),
        };
        let anchors = Arc::new(Anchors::new(trusted, pinned, crls, now)?);
        Ok((Self { anchors, policy, partners }, skipped))
    }

    /// Prepares the revocation lists for processes that are forked later: these share them, sorted and verified. No
    /// other thread may read lists during the call.
    #[must_use]
    pub fn with_shared_lists(mut self) -> Self {
        if let Some(anchors) = Arc::get_mut(&mut self.anchors) {
            anchors.share_lists();
        }
        self
    }

    /// The partner table.
    pub fn partners(&self) -> &[PartnerRow] {
        &self.partners
    }

    /// The next time when the answers may change without a new configuration: a trusted certificate begins or ceases to
    /// be valid, or a list begins. Seconds since 1970-01-01 UTC.
    pub fn changes_at(&self) -> i64 {
        self.anchors.change_at
    }

    /// Configures the handshakes of this context to verify partners of this kind. `seen` gets their descriptions.
    ///
    /// # Errors
    /// OpenSSL refuses an anchor, or has no memory.
    pub fn configure(
        &self,
        context: &mut SslContextBuilder,
        peer: Peer,
        seen: Seen,
    ) -> Result<(), ErrorStack> {
        chain_verification::configure(context, peer, &self.anchors, self.policy, seen)
    }

    /// Predicts the result for `partner` if it connected from `address` and showed this chain, its own certificate
    /// first.
    ///
    /// # Errors
    /// `Rejection`, as a session would end.
    pub fn judge_caller(
        &self,
        partner: &PartnerRow,
        chain: &[X509],
        address: Option<IpAddr>,
    ) -> Result<(), Rejection> {
        let required = self.policy.client_certificate;
        // If no certificate is required, the server does not ask for one.
        let chain = if required { chain } else { &[] };
        let seen = Seen::default();
        if required {
            self.verify(Peer::Client, chain, None, &seen)?;
        }
        partner.admit(chain.first().map(AsRef::as_ref), required, address, &seen)
    }

    /// Predicts the result if we connected to the partner at `host`.
    ///
    /// # Errors
    /// `Rejection`, as a session would end.
    pub fn judge_called(&self, partner: &PartnerRow, chain: &[X509], host: &str) -> Result<(), Rejection> {
        let seen = Seen::default();
        let name = Some(host).filter(|_| !partner.is_pinned());
        self.verify(Peer::Server, chain, name, &seen)?;
        partner.admit_called(chain.first().map(AsRef::as_ref), &seen)
    }

    /// A description of an accepted chain, leaf first, as it was verified: a sentence without a full stop.
    pub fn describe(&self, chain: &StackRef<X509>) -> String {
        description::of_chain(&self.anchors, chain)
    }

    fn verify(&self, peer: Peer, chain: &[X509], host: Option<&str>, seen: &Seen) -> Result<(), Rejection> {
        if chain.is_empty() {
            let detail = "it shows no certificate: its station has to be set up to show its own";
            return Err(Rejection::new(Status::NoCertificate, detail));
        }
        match chain_verification::verify(&self.anchors, self.policy, peer, chain, host, seen) {
            Ok(None) => Ok(()),
            Ok(Some(code)) => Err(Rejection::of_fault(code, seen)),
            Err(e) => Err(Rejection::new(Status::Internal, e.to_string())),
        }
    }
}

fn none_is_garbage(what: &'static str, came: usize, read: usize) -> Result<(), TrustError> {
    if came > 0 && read == 0 { Err(TrustError::Garbage(what, came)) } else { Ok(()) }
}
