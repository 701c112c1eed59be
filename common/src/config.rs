//! The configuration that the backend sends to the daemons, as JSON; os4xapi-protocol(5) describes it. All types are
//! plain values. A field that has a setting in the backend (table `os4x_configuration`) has the setting's name.

mod fault;
mod limits;

pub use fault::ConfigFault;
pub use limits::{LIMITS, Limit, Limits};

use crate::net::Network;
use crate::oftp::{Deviations, Profile};
use crate::secret::Secret;
use fault::{check, check_networks, check_port};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// One PEM object (RFC 7468: certificate or CRL) and the name that an operator gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedPem {
    /// Name in the backend, for log lines.
    pub name: String,
    /// PEM text, one object.
    pub pem: String,
}

/// A certificate at which a partner's chain may end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trusted {
    /// The certificate.
    #[serde(flatten)]
    pub certificate: NamedPem,
    /// It is the certificate of a CA that publishes no CRL: the certificates that it issued need none.
    #[serde(default)]
    pub no_crl: bool,
}

/// Which certificate may speak for a partner's SSIDCODE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateRule {
    /// One of the partner's listed certificates.
    Pinned,
    /// The subject's serialNumber attribute equals the SSIDCODE (Odette certificate policy 1.4).
    OdetteId,
    /// Any certificate that the trust list accepts.
    Any,
}

/// Which extended key usage (RFC 5280 §4.2.1.12) a partner's certificate needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UsageRule {
    /// The usage of its role in TLS: clientAuth where the partner connects, serverAuth where we connect to the partner.
    /// A certificate without the extension has every usage.
    Client,
    /// Any usage; the CAs that issued it need none either.
    Any,
}

/// How strictly the server checks a partner's OFTP2 messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileName {
    /// Accepts the deviations of `man/doc/deviations.md`.
    #[default]
    Tolerant,
    /// Accepts only what RFC 5024 allows, and the deviations in the partner's `allow`.
    Strict,
}

impl ProfileName {
    /// The profile that the checker judges by.
    pub fn allowing(self, allow: Deviations) -> Profile {
        match self {
            Self::Tolerant => Profile::TOLERANT,
            Self::Strict => Profile::strict_except(allow),
        }
    }
}

/// Which files a partner may send. A file that it may not send is refused with SFNA, and the session goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileRules {
    /// The largest file that it may announce, in blocks of 1,024 octets as SFIDFSIZ (RFC 5024 §5.3.3); none: any size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u64>,
    /// Patterns of SFIDDSN, with `*` for any octets and `?` for one octet; the name must match one of them. None: any
    /// name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl FileRules {
    /// Every file may be sent.
    pub fn is_empty(&self) -> bool {
        self.max_size.is_none() && self.names.is_empty()
    }
}

/// A network whose addresses are refused before the server does anything for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// In CIDR notation.
    pub network: String,
    /// The last second of the ban, since 1970-01-01 UTC; none: the ban has no end.
    pub until: Option<i64>,
}

/// A partner whose sessions write DEBUG for a time, on both sides. An older daemon ignores it.
#[derive(Debug, Clone, Eq, Serialize, Deserialize)]
pub struct DebuggedPartner {
    /// Its short name.
    pub partner: String,
    /// The last second of it, since 1970-01-01 UTC, by the backend's clock. It also tells two such periods apart.
    pub until: i64,
    /// Seconds that were left when the backend answered. A daemon counts these down, since its clock and the backend's
    /// may differ; it counts one day at most.
    pub seconds: u32,
}

/// `seconds` is not compared: it counts down while the period stays the same.
impl PartialEq for DebuggedPartner {
    fn eq(&self, other: &Self) -> bool {
        (&self.partner, self.until) == (&other.partner, other.until)
    }
}

/// One row of the partner table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    /// Short name: unique, 1 to 32 of `[A-Za-z0-9._-]`.
    pub short_name: String,
    /// SSIDCODE (RFC 5024 §5.3.2), at most 25 characters, without trailing spaces; unique.
    pub ssid: String,
    /// The server refuses a disabled partner with ESID 99 (RFC 5024 §5.3.11).
    pub enabled: bool,
    /// Which certificate may speak for this partner.
    pub certificate: CertificateRule,
    /// The pinned certificates, current and next.
    pub pins: Vec<NamedPem>,
    /// How strictly the server checks its messages.
    pub profile: ProfileName,
    /// Deviations that the server accepts from this partner although its profile is `Strict`, by number.
    #[serde(default, skip_serializing_if = "Deviations::is_empty")]
    pub allow: Deviations,
    /// Host name or address for outgoing sessions; none: only incoming ones.
    pub host: Option<String>,
    /// Port for outgoing sessions, 1 to 65535.
    pub port: u16,
    /// Outgoing sessions use TLS.
    pub tls: bool,
    /// Source address of outgoing sessions, if it differs from the global one.
    pub outgoing_ip: Option<IpAddr>,
    /// An outgoing session must be answered with this partner's SSIDCODE.
    pub check_ssid: bool,
    /// Which extended key usage its certificate needs; none: `Any` under the rule `Pinned`, else `Client`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageRule>,
    /// Its TLS may be old: the server allows cipher suites of TLS 1.2 with CBC, and a partner without RFC 5746 where we
    /// connect to it. None in the backend's table: the setting `tls_legacy_suites` decides. The backend sends the
    /// resulting value to the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy_suites: Option<bool>,
    /// Which files it may send.
    #[serde(default, skip_serializing_if = "FileRules::is_empty")]
    pub files: FileRules,
    /// Networks in CIDR notation that its incoming sessions come from; none: any address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
}

impl Partner {
    /// A new row as `os4xapi partner add` makes it: enabled, identified by its certificate's serialNumber, tolerant,
    /// without a host for outgoing sessions.
    pub fn new(short_name: impl Into<String>, ssid: impl Into<String>) -> Self {
        Self {
            short_name: short_name.into(),
            ssid: ssid.into(),
            enabled: true,
            certificate: CertificateRule::OdetteId,
            pins: Vec::new(),
            profile: ProfileName::default(),
            allow: Deviations::NONE,
            host: None,
            port: Self::default_port(true),
            tls: true,
            outgoing_ip: None,
            check_ssid: true,
            usage: None,
            legacy_suites: None,
            files: FileRules::default(),
            networks: Vec::new(),
        }
    }

    /// The addresses that it probably connects from: its networks, and its host if that is an address. A text that is
    /// no network is skipped.
    pub fn places(&self) -> impl Iterator<Item = Network> {
        let host = self.host.as_deref().and_then(|host| host.parse::<IpAddr>().ok()).map(Network::from);
        self.networks.iter().filter_map(|text| text.parse().ok()).chain(host)
    }

    /// Whether its sessions may come from `address`. A text that is no network matches no address.
    pub fn may_come_from(&self, address: IpAddr) -> bool {
        let holds = |text: &String| text.parse::<Network>().is_ok_and(|network| network.contains(address));
        self.networks.is_empty() || self.networks.iter().any(holds)
    }

    /// Its host, if it is a name that has to be looked up.
    pub fn name_to_call(&self) -> Option<&str> {
        self.host.as_deref().filter(|host| host.parse::<IpAddr>().is_err())
    }

    /// The port that IANA has registered for OFTP, with TLS or without.
    pub fn default_port(tls: bool) -> u16 {
        if tls { 6_619 } else { 3_305 }
    }

    /// Which extended key usage its certificate needs. A pinned certificate needs none: the pin names the certificate
    /// itself.
    pub fn usage_rule(&self) -> UsageRule {
        self.usage.unwrap_or(match self.certificate {
            CertificateRule::Pinned => UsageRule::Any,
            CertificateRule::OdetteId | CertificateRule::Any => UsageRule::Client,
        })
    }
}

/// One generation of the server's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyConfig {
    /// Grows with every change, and never falls.
    pub generation: u64,
    /// Port of the TLS listener, 1 to 65535 (`tcp_port_tls`).
    pub tcp_port_tls: u16,
    /// Address that the TLS listener binds; none: all (`tcp_incoming_ip`).
    pub tcp_incoming_ip: Option<IpAddr>,
    /// Source address of outgoing sessions; none: the system chooses (`tcp_outgoing_ip`).
    pub tcp_outgoing_ip: Option<IpAddr>,
    /// Our certificate towards partners, PEM, leaf first.
    pub certificate: String,
    /// Its private key, PEM.
    pub key: Secret,
    /// Trusted CA and self-signed certificates.
    pub trusted: Vec<Trusted>,
    /// CRLs, one for each issuer and scope.
    pub crls: Vec<NamedPem>,
    /// CRL distribution URLs that the backend knows already, so that the server need not report them; at most 200.
    #[serde(default)]
    pub crl_urls: Vec<String>,
    /// SHA-256 of the certificates of CAs that the backend knows from partners' chains, hex: it checks signatures of
    /// CRLs with them, and they are no trust anchors; at most 200.
    #[serde(default)]
    pub crl_issuers: Vec<String>,
    /// Partner table.
    pub partners: Vec<Partner>,
    /// A partner must show a certificate (`tls_check_client_certificate`).
    pub tls_check_client_certificate: bool,
    /// The server accepts a certificate whose issuer has no CRL here (`tls_ignore_crl_unavailability`).
    pub tls_ignore_crl_unavailability: bool,
    /// The server may connect to loopback, link-local and multicast addresses and to its own, if they belong to
    /// partners (`proxy_outgoing_allow_local`).
    #[serde(default)]
    pub outgoing_allow_local: bool,
    /// Networks in CIDR notation whose addresses get no penalties and are treated as those of known partners
    /// (`proxy_penalty_exempt`).
    #[serde(default)]
    pub penalty_exempt: Vec<String>,
    /// Networks in CIDR notation of balancers: each of their connections begins with a PROXY header, and no other one
    /// does (`tcp_proxy_protocol_from`).
    #[serde(default)]
    pub proxy_protocol_from: Vec<String>,
    /// Networks that are refused, even if another setting lists them as known.
    #[serde(default)]
    pub bans: Vec<Ban>,
    /// Whether the server takes new sessions.
    #[serde(default, skip_serializing_if = "NewSessions::are_taken", rename = "draining")]
    pub new_sessions: NewSessions,
    /// Partners whose sessions write DEBUG for a time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub debug: Vec<DebuggedPartner>,
    /// How long the server may use this configuration without a confirmation by the backend, seconds, at least 1
    /// (`proxy_max_config_age`).
    pub proxy_max_config_age: u32,
    /// Session processes are in a sandbox (`proxy_sandbox`).
    #[serde(default)]
    pub sandbox: Confinement,
    /// Limits; the client gets the same ones.
    #[serde(default)]
    pub limits: Limits,
}

/// Whether session processes are in a sandbox: `true` or `false` in JSON. The default is yes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "bool", into = "bool")]
pub enum Confinement {
    /// In a sandbox, as far as the kernel supports it.
    #[default]
    Sandbox,
    /// Without a sandbox: they may do all that their user may do.
    None,
}

impl From<bool> for Confinement {
    fn from(sandbox: bool) -> Self {
        if sandbox { Self::Sandbox } else { Self::None }
    }
}

impl From<Confinement> for bool {
    fn from(confinement: Confinement) -> Self {
        confinement == Confinement::Sandbox
    }
}

/// Whether a server takes new sessions: `draining` in JSON, `true` if it does not. The default is that it does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "bool", into = "bool")]
pub enum NewSessions {
    /// It takes them.
    #[default]
    Taken,
    /// It takes none: it is drained, or not enabled. Running sessions go on.
    Refused,
}

impl NewSessions {
    /// Whether they are taken.
    pub fn are_taken(&self) -> bool {
        *self == Self::Taken
    }
}

impl From<bool> for NewSessions {
    fn from(draining: bool) -> Self {
        if draining { Self::Refused } else { Self::Taken }
    }
}

impl From<NewSessions> for bool {
    fn from(sessions: NewSessions) -> Self {
        sessions == NewSessions::Refused
    }
}

impl ProxyConfig {
    /// Checks all numbers and networks. Certificates, key and CRLs are checked by the code that reads them.
    ///
    /// # Errors
    /// `Range` for the first number that is out of its range, `Network` for a text that is no network.
    pub fn check(&self) -> Result<(), ConfigFault> {
        check_port("tcp_port_tls", self.tcp_port_tls)?;
        check("proxy_max_config_age", self.proxy_max_config_age, &(1..=u32::MAX))?;
        check_networks("penalty_exempt", self.penalty_exempt.iter())?;
        check_networks("proxy_protocol_from", self.proxy_protocol_from.iter())?;
        check_networks("bans", self.bans.iter().map(|ban| &ban.network))?;
        check_networks("a partner's networks", self.partners.iter().flat_map(|partner| &partner.networks))?;
        self.limits.check()
    }
}

/// One generation of a client's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientConfig {
    /// Grows with every change, and never falls.
    pub generation: u64,
    /// Host of the station's receive daemon, a name or an address (`proxy_station_host`).
    pub station_host: String,
    /// Its port, 1 to 65535 (`tcp_port`).
    pub station_port: u16,
    /// The station gets a PROXY header with the partner's address before each session (`proxy_station_proxy_protocol`).
    #[serde(default)]
    pub station_proxy_protocol: bool,
    /// Address of the local listener for the station's outgoing sessions; none: all.
    pub listen_ip: Option<IpAddr>,
    /// Its port, 1 to 65535; none: this client has no listener.
    pub listen_port: Option<u16>,
    /// Networks that may use it, in CIDR notation; none: loopback and private ones.
    pub networks: Vec<String>,
    /// Listeners for stations that cannot use a proxy protocol; the client opens the first `MAX_TIED`.
    #[serde(default)]
    pub tied: Vec<Tied>,
    /// Partners whose sessions write DEBUG for a time, the same ones as the server's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub debug: Vec<DebuggedPartner>,
    /// Session processes are in a sandbox (`proxy_sandbox`).
    #[serde(default)]
    pub sandbox: Confinement,
    /// Limits, the same ones as the server's.
    #[serde(default)]
    pub limits: Limits,
}

impl ClientConfig {
    /// Checks the station, the ports, the networks and the limits.
    ///
    /// # Errors
    /// `NoStation` without a host, `Range` for a number out of its range, `Network` for a text that is no network.
    pub fn check(&self) -> Result<(), ConfigFault> {
        if self.station_host.is_empty() {
            return Err(ConfigFault::NoStation);
        }
        check_port("station_port", self.station_port)?;
        self.listen_port.map_or(Ok(()), |port| check_port("listen_port", port))?;
        self.tied.iter().try_for_each(|tied| check_port("listen_port", tied.listen_port))?;
        let networks = self.networks.iter().chain(self.tied.iter().flat_map(|tied| &tied.networks));
        check_networks("networks", networks)?;
        self.limits.check()
    }
}

/// A listener whose connections all go to one partner, without a proxy protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tied {
    /// Its address; none: all.
    pub listen_ip: Option<IpAddr>,
    /// Its port, 1 to 65535.
    pub listen_port: u16,
    /// Short name of the partner.
    pub partner: String,
    /// Networks that may use it, in CIDR notation; none: loopback and private ones.
    #[serde(default)]
    pub networks: Vec<String>,
}

/// Octets of all CRLs in PEM that the backend keeps: room for one of 64 MiB in DER, and others.
pub const MAX_CRLS: usize = 128 << 20;

/// Largest number of tied listeners of one client: the backend stores no more, and a client opens no more.
pub const MAX_TIED: usize = 255;

#[cfg(test)]
mod tests {
    use super::{ClientConfig, ConfigFault, Confinement, Limits, Tied};

    fn config() -> ClientConfig {
        ClientConfig {
            generation: 1,
            station_host: "station".to_owned(),
            station_port: 3305,
            station_proxy_protocol: false,
            listen_ip: None,
            listen_port: None,
            networks: vec!["10.0.0.0/8".to_owned()],
            tied: Vec::new(),
            debug: Vec::new(),
            sandbox: Confinement::Sandbox,
            limits: Limits::default(),
        }
    }

    #[test]
    fn a_refusal_names_the_value_at_fault() {
        assert_eq!(config().check(), Ok(()), "the defaults are allowed");
        let limits = |change: fn(&mut Limits)| {
            let mut limits = Limits::default();
            change(&mut limits);
            ClientConfig { limits, ..config() }
        };
        let tied = |listen_port, networks: &[&str]| {
            let networks = networks.iter().map(|&text| text.to_owned()).collect();
            vec![Tied { listen_ip: None, listen_port, partner: "acme".to_owned(), networks }]
        };
        for (wrong, name) in [
            (ClientConfig { station_port: 0, ..config() }, "station_port"),
            (ClientConfig { listen_port: Some(0), ..config() }, "listen_port"),
            (ClientConfig { tied: tied(0, &[]), ..config() }, "listen_port"),
            (limits(|limits| limits.sessions = 0), "sessions"),
            (limits(|limits| limits.silence_seconds = 86_401), "silence_seconds"),
            (limits(|limits| limits.parked_pairs = 1_001), "parked_pairs"),
            (limits(|limits| limits.parked_age = 9), "parked_age"),
            (limits(|limits| limits.idle_commands = 9), "idle_commands"),
        ] {
            assert!(matches!(wrong.check(), Err(ConfigFault::Range(found, ..)) if found == name), "{name}");
        }
        let networks = vec!["10.0.0.0/8".to_owned(), "nowhere/40".to_owned()];
        let tied = tied(1, &["nowhere/40"]);
        for wrong in [ClientConfig { networks, ..config() }, ClientConfig { tied, ..config() }] {
            let fault = wrong.check().unwrap_err().to_string();
            assert_eq!(fault, "networks holds 'nowhere/40', which is no network in CIDR notation");
        }
        assert_eq!(
            ClientConfig { station_host: String::new(), ..config() }.check(),
            Err(ConfigFault::NoStation)
        );
    }
}
