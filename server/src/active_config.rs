//! The configuration in force: parsed, checked whole, ready to serve. Built in the parent before anything of the old
//! one is given up; a child keeps the one it was forked with. Nothing of it touches the disk.

use crate::addresses::Addresses;
use crate::credentials::{Credentials, CredentialsError};
use crate::tls::{self, Suites, TlsError};
use crate::trust::anchors::{self, Anchors};
use crate::trust::certificate;
use crate::trust::{self, Peer, Seen};
use common::config::{CertificateRule, ConfigFault, Limits, Partner, ProxyConfig, UsageRule};
use common::link::join::Target;
use common::net::ANY;
use common::text::clock;
use common::x509::issuer::fingerprint;
use openssl::error::ErrorStack;
use openssl::ssl::SslContext;
use openssl::x509::X509Ref;
use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One generation of the configuration, ready to use.
pub(crate) struct ActiveConfig {
    /// As the backend counts.
    pub(crate) generation: u64,
    /// Where the TLS listener binds.
    pub(crate) listen: SocketAddr,
    /// Where outgoing sessions come from.
    pub(crate) outgoing_ip: Option<IpAddr>,
    /// TLS towards partners that connect to us.
    pub(crate) tls: SslContext,
    /// TLS towards partners that we connect to.
    tls_outgoing: SslContext,
    /// The same for partners whose TLS may be old, if there are any.
    tls_outgoing_legacy: Option<SslContext>,
    /// Who is banned, listed or exempt by its address.
    pub(crate) addresses: Addresses,
    /// Local addresses may be partners (`proxy_outgoing_allow_local`).
    pub(crate) allow_local: bool,
    /// Our certificate and key towards them; a child drops them once its handshake is done.
    pub(crate) credentials: Option<Credentials>,
    /// What verification saw of the partner's certificates, in a child.
    pub(crate) seen: Seen,
    /// A partner must show a certificate.
    pub(crate) client_certificate: bool,
    /// Limits of sessions, connections and times.
    pub(crate) limits: Limits,
    /// CRL distribution URLs that the backend knows.
    pub(crate) crl_urls: HashSet<String>,
    /// SHA-256 of the CAs that the backend knows without trusting them, hex.
    pub(crate) crl_issuers: HashSet<String>,
    /// Last second of our certificate towards partners, since 1970-01-01 UTC.
    certificate_until: i64,
    /// How long it may be used without being confirmed.
    pub(crate) max_age: Duration,
    /// When the backend last confirmed it.
    pub(crate) confirmed: Instant,
    /// When a trusted certificate begins or ceases to be valid, seconds since 1970-01-01 UTC.
    trust_changes_at: i64,
    partners: Vec<KnownPartner>,
}

/// A partner and the fingerprints of its pinned certificates.
struct KnownPartner {
    partner: Partner,
    pins: Vec<Vec<u8>>,
}

/// Why a configuration cannot be taken over; the old one stays.
#[derive(Debug)]
pub(crate) enum ConfigError {
    /// The part that is wrong, and OpenSSL's reason.
    Tls(&'static str, ErrorStack),
    /// Our certificate or key.
    Credentials(CredentialsError),
    /// A value outside its range.
    Value(ConfigFault),
    /// None of these is in PEM form; how many there are.
    Garbage(&'static str, usize),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(what, e) => {
                let why =
                    e.errors().first().and_then(openssl::error::Error::reason).unwrap_or("unknown reason");
                write!(f, "{what} cannot be used: {why}")
            }
            Self::Credentials(e) => e.fmt(f),
            Self::Value(e) => e.fmt(f),
            Self::Garbage(what, count) => write!(f, "none of the {count} {what} is in PEM form"),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Tls(_, e) => Some(e),
            Self::Credentials(e) => Some(e),
            Self::Value(e) => Some(e),
            Self::Garbage(..) => None,
        }
    }
}

impl ActiveConfig {
    /// Checks `config` whole. Also gives what was skipped: single certificates or CRLs that cannot be read.
    pub(crate) fn build(config: ProxyConfig) -> Result<(Self, Vec<String>), ConfigError> {
        config.check().map_err(ConfigError::Value)?;
        let addresses = Addresses::of(&config);
        let mut skipped = Vec::new();
        let mut partners = Vec::with_capacity(config.partners.len());
        let trusted = anchors::trusted(&config.trusted, &mut skipped);
        none_is_garbage("trusted certificates", config.trusted.len(), trusted.len())?;
        let mut all_pinned = Vec::new();
        for mut partner in config.partners {
            let pinned = anchors::pinned(&partner.pins, &mut skipped);
            partner.pins = Vec::new();
            let pins = pinned.iter().filter_map(|pin| fingerprint(pin).ok()).collect();
            all_pinned.extend(pinned);
            partners.push(KnownPartner { partner, pins });
        }
        let seen = Seen::default();
        let policy = trust::Policy {
            client_certificate: config.tls_check_client_certificate,
            ignore_missing_crl: config.tls_ignore_crl_unavailability,
            any_usage: partners.iter().any(|known| known.partner.usage_rule() == UsageRule::Any),
        };
        let some_legacy = partners.iter().any(|known| known.partner.legacy_suites == Some(true));
        let credentials =
            Credentials::parse(&config.certificate, config.key.expose()).map_err(ConfigError::Credentials)?;
        let crls = anchors::crls(&config.crls, &mut skipped);
        none_is_garbage("CRLs", config.crls.len(), crls.len())?;
        let anchors = Anchors::new(trusted, all_pinned, crls, clock::now());
        let anchors = Arc::new(anchors.map_err(of("the trusted certificates"))?);
        let context = |peer, suites| {
            tls::partner_context(peer, suites, &anchors, policy, seen.clone())
                .map_err(|TlsError { what, cause }| ConfigError::Tls(what, cause))
        };
        let address = config.tcp_incoming_ip.unwrap_or(ANY).to_canonical();
        let active = Self {
            generation: config.generation,
            listen: SocketAddr::new(address, config.tcp_port_tls),
            outgoing_ip: config.tcp_outgoing_ip,
            tls: context(Peer::Client, if some_legacy { Suites::Legacy } else { Suites::Modern })?,
            tls_outgoing: context(Peer::Server, Suites::Modern)?,
            tls_outgoing_legacy: some_legacy.then(|| context(Peer::Server, Suites::Legacy)).transpose()?,
            addresses,
            allow_local: config.outgoing_allow_local,
            seen,
            client_certificate: config.tls_check_client_certificate,
            limits: config.limits,
            crl_urls: config.crl_urls.into_iter().collect(),
            crl_issuers: config.crl_issuers.into_iter().collect(),
            certificate_until: credentials.until(),
            credentials: Some(credentials),
            max_age: Duration::from_secs(u64::from(config.proxy_max_config_age)),
            confirmed: Instant::now(),
            trust_changes_at: anchors.change_at,
            partners,
        };
        Ok((active, skipped))
    }

    /// TLS towards a partner that we connect to.
    pub(crate) fn tls_towards(&self, partner: &Partner) -> &SslContext {
        let legacy = self.tls_outgoing_legacy.as_ref().filter(|_| partner.legacy_suites == Some(true));
        legacy.unwrap_or(&self.tls_outgoing)
    }

    /// A trusted certificate has begun or ceased to be valid since: the configuration has to be built again.
    pub(crate) fn is_outdated(&self) -> bool {
        clock::now() >= self.trust_changes_at
    }

    /// Whole days that our certificate towards partners is still valid; negative once it is over.
    pub(crate) fn certificate_days(&self) -> i64 {
        (self.certificate_until - clock::now()).div_euclid(clock::DAY)
    }

    /// The partner with this SSIDCODE.
    pub(crate) fn partner(&self, ssid: &str) -> Option<&Partner> {
        self.partners.iter().map(|known| &known.partner).find(|partner| partner.ssid == ssid)
    }

    /// Partners that are called from an address of their own: short name and address.
    pub(crate) fn outgoing_ips(&self) -> impl Iterator<Item = (&str, IpAddr)> {
        let partners = self.partners.iter().map(|known| &known.partner);
        let called = partners.filter(|partner| partner.enabled && partner.host.is_some());
        called.filter_map(|partner| Some((partner.short_name.as_str(), partner.outgoing_ip?)))
    }

    /// Whether this certificate fits any partner: then a pair is joined before the SSID is known.
    pub(crate) fn has_candidate(&self, certificate: Option<&X509Ref>) -> bool {
        self.partners.iter().any(|known| known.accepts(certificate, self.client_certificate))
    }

    /// The partner that a station asks for, or why there is none.
    pub(crate) fn destination(&self, target: &Target) -> Result<&Partner, &'static str> {
        let all = || self.partners.iter().map(|known| &known.partner);
        let (name, port) = match target {
            Target::Partner(name) => (name, None),
            Target::Host { host, port } => (host, *port),
        };
        let at_port = |partner: &&Partner| port.is_none_or(|port| port == partner.port);
        let named = all().find(|partner| partner.short_name == *name);
        let named = named.or_else(|| all().find(|partner| partner.short_name.eq_ignore_ascii_case(name)));
        if let Some(partner) = named.filter(at_port) {
            return Ok(partner);
        }
        if matches!(target, Target::Partner(_)) {
            return Err("there is no partner of this name");
        }
        let here = |partner: &&Partner| partner.host.as_deref().is_some_and(|host| is_same_host(host, name));
        let mut found = all().filter(here).filter(at_port);
        match (found.next(), found.next()) {
            (Some(partner), None) => Ok(partner),
            (Some(_), Some(_)) => Err("several partners are there: name the one by its short name"),
            (None, _) => Err("it is not in the partner table"),
        }
    }

    /// Whether this is one of the partner's pinned certificates.
    pub(crate) fn is_pinned(&self, partner: &Partner, certificate: &X509Ref) -> bool {
        let known = self.partners.iter().find(|known| known.partner.short_name == partner.short_name);
        known.is_some_and(|known| fingerprint(certificate).is_ok_and(|print| known.pins.contains(&print)))
    }

    /// Whether this certificate may speak for the partner with this SSIDCODE, by the partner's [`CertificateRule`].
    pub(crate) fn may_speak(&self, certificate: Option<&X509Ref>, ssid: &str) -> bool {
        self.partners
            .iter()
            .find(|known| known.partner.ssid == ssid)
            .is_some_and(|known| known.accepts(certificate, self.client_certificate))
    }
}

impl KnownPartner {
    fn accepts(&self, certificate: Option<&X509Ref>, required: bool) -> bool {
        let Some(certificate) = certificate else { return !required };
        match self.partner.certificate {
            CertificateRule::Any => true,
            CertificateRule::OdetteId => {
                certificate::odette_id(certificate).is_some_and(|id| id == self.partner.ssid)
            }
            CertificateRule::Pinned => fingerprint(certificate).is_ok_and(|print| self.pins.contains(&print)),
        }
    }
}

/// Host names are compared as DNS does, addresses by their value.
fn is_same_host(listed: &str, asked: &str) -> bool {
    match (listed.parse::<IpAddr>(), asked.parse::<IpAddr>()) {
        (Ok(listed), Ok(asked)) => listed.to_canonical() == asked.to_canonical(),
        (Err(_), Err(_)) => listed.trim_end_matches('.').eq_ignore_ascii_case(asked.trim_end_matches('.')),
        _ => false,
    }
}

fn of(what: &'static str) -> impl Fn(ErrorStack) -> ConfigError {
    move |e| ConfigError::Tls(what, e)
}

/// If no entry of a list can be read, the configuration is refused: an empty list of anchors would refuse everybody, an
/// empty list of CRLs would accept revoked certificates.
fn none_is_garbage(what: &'static str, came: usize, read: usize) -> Result<(), ConfigError> {
    if came > 0 && read == 0 { Err(ConfigError::Garbage(what, came)) } else { Ok(()) }
}
