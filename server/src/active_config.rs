//! The configuration in force: parsed, completely checked, ready for use. The parent builds a new one before it gives
//! up the old one; a child keeps the one of its fork. It is never written to disk.

use crate::addresses::Addresses;
use crate::credentials::{Credentials, CredentialsError};
use crate::tls::{self, Suites, TlsError};
use common::config::{ConfigFault, Confinement, DebuggedPartner, Limits, NewSessions, Partner, ProxyConfig};
use common::link::join::Target;
use common::net::ANY;
use common::text::clock;
use common::trust::partner_row::PartnerRow;
use common::trust::{Peer, Seen, Trust, TrustError};
use openssl::error::ErrorStack;
use openssl::ssl::SslContext;
use openssl::stack::StackRef;
use openssl::x509::{X509, X509Ref};
use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// One generation of the configuration, ready to use.
pub(crate) struct ActiveConfig {
    /// The backend's number of it.
    pub(crate) generation: u64,
    /// Address of the TLS listener.
    pub(crate) listen: SocketAddr,
    /// Source address of outgoing sessions.
    pub(crate) outgoing_ip: Option<IpAddr>,
    /// TLS for partners that connect to us.
    pub(crate) tls: SslContext,
    /// TLS for partners that we connect to.
    tls_outgoing: SslContext,
    /// The same for partners with old TLS, if there are any.
    tls_outgoing_legacy: Option<SslContext>,
    /// Banned, listed and exempt addresses.
    pub(crate) addresses: Addresses,
    /// Partners may have local addresses (`proxy_outgoing_allow_local`).
    pub(crate) allow_local: bool,
    /// Whether new sessions are taken.
    pub(crate) new_sessions: NewSessions,
    /// Partners whose sessions write DEBUG for a time.
    pub(crate) debug: Vec<DebuggedPartner>,
    /// Our certificate and key towards partners; a child drops them after its handshake.
    pub(crate) credentials: Option<Credentials>,
    /// In a child: what verification found in the partner's certificates.
    pub(crate) seen: Seen,
    /// A partner must show a certificate.
    pub(crate) client_certificate: bool,
    /// Whether session processes are in a sandbox.
    pub(crate) sandbox: Confinement,
    /// Limits of sessions, connections and times.
    pub(crate) limits: Limits,
    /// CRL distribution URLs that the backend knows.
    pub(crate) crl_urls: HashSet<String>,
    /// SHA-256 of the CAs that the backend knows but does not trust, hex.
    pub(crate) crl_issuers: HashSet<String>,
    /// Last second of our certificate towards partners, since 1970-01-01 UTC.
    certificate_until: i64,
    /// How long it may be used without a confirmation by the backend.
    pub(crate) max_age: Duration,
    /// When the backend last confirmed it.
    pub(crate) confirmed: Instant,
    /// Decides which certificates are accepted; has the partner table.
    trust: Trust,
}

/// Why a configuration cannot be taken over; the old one stays in force.
#[derive(Debug)]
pub(crate) enum ConfigError {
    /// The faulty part, and OpenSSL's reason.
    Tls(&'static str, ErrorStack),
    /// Our certificate or key.
    Credentials(CredentialsError),
    /// A value outside its range.
    Value(ConfigFault),
    /// The trusted certificates, the CRLs or the pins.
    Trust(TrustError),
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
            Self::Trust(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Tls(_, e) => Some(e),
            Self::Credentials(e) => Some(e),
            Self::Value(e) => Some(e),
            Self::Trust(e) => Some(e),
        }
    }
}

impl ActiveConfig {
    /// Checks all of `config`. Also returns sentences about single certificates or CRLs that cannot be read and were
    /// skipped.
    pub(crate) fn build(config: ProxyConfig) -> Result<(Self, Vec<String>), ConfigError> {
        config.check().map_err(ConfigError::Value)?;
        let addresses = Addresses::of(&config);
        let (trust, skipped) = Trust::read((&config).into(), clock::now()).map_err(ConfigError::Trust)?;
        let trust = trust.with_shared_lists();
        let seen = Seen::default();
        let some_legacy = config.partners.iter().any(|partner| partner.legacy_suites == Some(true));
        let credentials =
            Credentials::parse(&config.certificate, config.key.expose()).map_err(ConfigError::Credentials)?;
        let context = |peer, suites| {
            tls::partner_context(peer, suites, &trust, seen.clone())
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
            new_sessions: config.new_sessions,
            debug: config.debug,
            seen,
            client_certificate: config.tls_check_client_certificate,
            sandbox: config.sandbox,
            limits: config.limits,
            crl_urls: config.crl_urls.into_iter().collect(),
            crl_issuers: config.crl_issuers.into_iter().collect(),
            certificate_until: credentials.until(),
            credentials: Some(credentials),
            max_age: Duration::from_secs(u64::from(config.proxy_max_config_age)),
            confirmed: Instant::now(),
            trust,
        };
        Ok((active, skipped))
    }

    /// The ports of partners that we connect to.
    pub(crate) fn ports(&self) -> impl Iterator<Item = u16> {
        self.trust.partners().iter().filter(|partner| partner.host.is_some()).map(|partner| partner.port)
    }

    /// TLS towards a partner that we connect to.
    pub(crate) fn tls_towards(&self, partner: &Partner) -> &SslContext {
        let legacy = self.tls_outgoing_legacy.as_ref().filter(|_| partner.legacy_suites == Some(true));
        legacy.unwrap_or(&self.tls_outgoing)
    }

    /// Whether a trusted certificate has begun or ceased to be valid meanwhile: then the configuration must be built
    /// again.
    pub(crate) fn is_outdated(&self) -> bool {
        clock::now() >= self.trust.changes_at()
    }

    /// Last second of our certificate towards partners, since 1970-01-01 UTC.
    pub(crate) fn certificate_until(&self) -> i64 {
        self.certificate_until
    }

    /// Whole days that our certificate towards partners is still valid; negative once it is over.
    pub(crate) fn certificate_days(&self) -> i64 {
        (self.certificate_until - clock::now()).div_euclid(clock::DAY)
    }

    /// The partner with this SSIDCODE.
    pub(crate) fn partner(&self, ssid: &str) -> Option<&PartnerRow> {
        self.trust.partners().iter().find(|partner| partner.ssid == ssid)
    }

    /// Partners with their own source address for outgoing sessions: short name and address.
    pub(crate) fn outgoing_ips(&self) -> impl Iterator<Item = (&str, IpAddr)> {
        let called = self.trust.partners().iter().filter(|partner| partner.enabled && partner.host.is_some());
        called.filter_map(|partner| Some((partner.short_name.as_str(), partner.outgoing_ip?)))
    }

    /// Whether this certificate fits some partner: then the pair is joined before the SSID is known.
    pub(crate) fn has_candidate(&self, certificate: Option<&X509Ref>) -> bool {
        self.trust.partners().iter().any(|partner| partner.accepts(certificate, self.client_certificate))
    }

    /// Describes an accepted chain: a sentence without a full stop.
    pub(crate) fn describe(&self, chain: &StackRef<X509>) -> String {
        self.trust.describe(chain)
    }

    /// The partner that a station asks for, or why there is none.
    pub(crate) fn destination(&self, target: &Target) -> Result<&PartnerRow, &'static str> {
        let all = || self.trust.partners().iter();
        let (name, port) = match target {
            Target::Partner(name) => (name, None),
            Target::Host { host, port } => (host, *port),
        };
        let at_port = |partner: &&PartnerRow| port.is_none_or(|port| port == partner.port);
        let named = all().find(|partner| partner.short_name == *name);
        let named = named.or_else(|| all().find(|partner| partner.short_name.eq_ignore_ascii_case(name)));
        if let Some(partner) = named.filter(at_port) {
            return Ok(partner);
        }
        if matches!(target, Target::Partner(_)) {
            return Err("there is no partner of this name");
        }
        let here =
            |partner: &&PartnerRow| partner.host.as_deref().is_some_and(|host| is_same_host(host, name));
        let mut found = all().filter(here).filter(at_port);
        match (found.next(), found.next()) {
            (Some(partner), None) => Ok(partner),
            (Some(_), Some(_)) => Err("several partners have this host: name the partner by its short name"),
            (None, _) => Err("it is not in the partner table"),
        }
    }
}

/// Compares host names as DNS does, and addresses by their value.
fn is_same_host(listed: &str, asked: &str) -> bool {
    match (listed.parse::<IpAddr>(), asked.parse::<IpAddr>()) {
        (Ok(listed), Ok(asked)) => listed.to_canonical() == asked.to_canonical(),
        (Err(_), Err(_)) => listed.trim_end_matches('.').eq_ignore_ascii_case(asked.trim_end_matches('.')),
        _ => false,
    }
}
