//! The configuration that the backend sends to the daemons, as JSON; os4xapi-protocol(5) describes it. All are plain
//! values. A field that the backend has a setting for (table `os4x_configuration`) has the name of the setting.

use crate::net::Network;
use crate::oftp::{Deviations, Profile};
use crate::secret::Secret;
use crate::text::shortened;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// Why a daemon refuses a configuration.
#[derive(Debug, PartialEq, Eq)]
pub enum ConfigFault {
    /// A number is out of its range: the name, the number, the least and the most.
    Range(&'static str, u32, u32, u32),
    /// A network is not in CIDR notation (RFC 4632): the name of the list, and its text, at most 60 octets.
    Network(&'static str, String),
    /// The host of the station is empty.
    NoStation,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(name, value, least, most) => {
                write!(f, "{name} is {value}; it must be {least} to {most}")
            }
            Self::Network(list, text) => {
                write!(f, "{list} holds '{text}', which is no network in CIDR notation")
            }
            Self::NoStation => f.write_str("station_host is empty; it must be a name or an address"),
        }
    }
}

impl std::error::Error for ConfigFault {}

fn check(name: &'static str, value: u32, allowed: &RangeInclusive<u32>) -> Result<(), ConfigFault> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(ConfigFault::Range(name, value, *allowed.start(), *allowed.end()))
}

fn check_port(name: &'static str, port: u16) -> Result<(), ConfigFault> {
    check(name, port.into(), &(1..=u16::MAX.into()))
}

fn check_networks<'a>(
    list: &'static str,
    mut networks: impl Iterator<Item = &'a String>,
) -> Result<(), ConfigFault> {
    match networks.find(|text| text.parse::<Network>().is_err()) {
        Some(text) => Err(ConfigFault::Network(list, shortened(text.clone(), 60))),
        None => Ok(()),
    }
}

/// One PEM object (RFC 7468: certificate or CRL) and the name that an operator gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedPem {
    /// Name in the backend, for log lines.
    pub name: String,
    /// PEM text, one object.
    pub pem: String,
}

/// A certificate that a partner's chain may lead to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trusted {
    /// The certificate.
    #[serde(flatten)]
    pub certificate: NamedPem,
    /// It is that of a CA that publishes no CRL: what it issued needs none.
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
    /// That of its role in TLS: clientAuth where the partner connects, serverAuth where we connect to it. A certificate
    /// without the extension has every usage.
    Client,
    /// Any: the same for the CAs that have issued it.
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
    /// What the checker judges by.
    pub fn but_for(self, allow: Deviations) -> Profile {
        match self {
            Self::Tolerant => Profile::TOLERANT,
            Self::Strict => Profile::strict_but(allow),
        }
    }
}

/// Which files a partner may send. One that it may not send is refused with SFNA, and the session goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileRules {
    /// The largest that it may announce, in blocks of 1,024 octets as SFIDFSIZ (RFC 5024 §5.3.3); none: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u64>,
    /// Patterns of SFIDDSN, with `*` for any octets and `?` for one; one of them must fit. None: any name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl FileRules {
    /// Every file may be sent.
    pub fn is_empty(&self) -> bool {
        self.max_size.is_none() && self.names.is_empty()
    }
}

/// A network whose addresses are refused before anything is done for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// In CIDR notation.
    pub network: String,
    /// Its last second, since 1970-01-01 UTC; none: it has no end.
    pub until: Option<i64>,
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
    /// Deviations that the profile `Strict` accepts of it nevertheless, by number.
    #[serde(default, skip_serializing_if = "Deviations::is_empty")]
    pub allow: Deviations,
    /// Host name or address for outgoing sessions; none: only incoming ones.
    pub host: Option<String>,
    /// Port for outgoing sessions, 1 to 65535.
    pub port: u16,
    /// Outgoing sessions use TLS.
    pub tls: bool,
    /// Source address of outgoing sessions, when it differs from the global one.
    pub outgoing_ip: Option<IpAddr>,
    /// The SSIDCODE that answers an outgoing session must be this partner's.
    pub check_ssid: bool,
    /// Which extended key usage its certificate needs; none: `Any` under the rule `Pinned`, else `Client`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageRule>,
    /// Its TLS may be old: cipher suites of TLS 1.2 with CBC, and no RFC 5746 where we connect to it. In the
    /// backend's table none: as `tls_legacy_suites` says; to the server the backend says what holds.
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
    /// A new one as `os4xapi partner add` makes it: enabled, known by its certificate's serialNumber, tolerant, without
    /// a host to be called at.
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

    /// Where it is to be expected: its networks, and its host if that is an address. What is no network is none.
    pub fn places(&self) -> impl Iterator<Item = Network> {
        let host = self.host.as_deref().and_then(|host| host.parse::<IpAddr>().ok()).map(Network::from);
        self.networks.iter().filter_map(|text| text.parse().ok()).chain(host)
    }

    /// Its host, if that is a name: somebody has to look it up.
    pub fn name_to_call(&self) -> Option<&str> {
        self.host.as_deref().filter(|host| host.parse::<IpAddr>().is_err())
    }

    /// The port that IANA has registered for OFTP, with TLS or without.
    pub fn default_port(tls: bool) -> u16 {
        if tls { 6_619 } else { 3_305 }
    }

    /// Which extended key usage its certificate needs. A pin says more than a usage: it names the certificate itself.
    pub fn usage_rule(&self) -> UsageRule {
        self.usage.unwrap_or(match self.certificate {
            CertificateRule::Pinned => UsageRule::Any,
            CertificateRule::OdetteId | CertificateRule::Any => UsageRule::Client,
        })
    }
}

/// One limit as people see it: a row of `LIMITS`.
#[derive(Debug)]
pub struct Limit {
    /// Name of the field in `Limits`.
    pub field: &'static str,
    /// Name of the backend's setting: `proxy_` and the field.
    pub setting: &'static str,
    /// The value without a setting.
    pub default: u32,
    /// The values that the backend and the daemons take.
    pub allowed: RangeInclusive<u32>,
    /// One sentence for the man page and the command line.
    pub meaning: &'static str,
}

/// Makes the struct `Limits`, its defaults, its check and the table `LIMITS` from the same rows. A row:
/// `FIELD: DEFAULT, VALUES ALLOWED, "MEANING";`
macro_rules! limits {
    ($($(#[$more:meta])* $field:ident: $default:literal, $allowed:expr, $meaning:literal;)+) => {
        /// The limits of the daemons. `LIMITS` has their defaults and the values allowed.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Limits {
            $(#[doc = $meaning] $(#[$more])* pub $field: u32,)+
        }

        /// All limits, in the order of the fields of `Limits`.
        pub static LIMITS: [Limit; [$(stringify!($field)),+].len()] = [$(Limit {
            field: stringify!($field),
            setting: concat!("proxy_", stringify!($field)),
            default: $default,
            allowed: $allowed,
            meaning: $meaning,
        }),+];

        impl Limits {
            /// The limits with the value that `read` has for each row.
            pub fn from_rows(read: impl Fn(&'static Limit) -> u32) -> Self {
                let [$($field),+] = &LIMITS;
                Self { $($field: read($field)),+ }
            }

            /// The backend keeps to the same values, but its answer may be garbled: the server must not start a
            /// thousand processes, nor refuse everybody.
            fn check(&self) -> Result<(), ConfigFault> {
                let [$($field),+] = &LIMITS;
                $(check($field.field, self.$field, &$field.allowed)?;)+
                Ok(())
            }
        }
    };
}

/// Sessions, or connections, that a limit may allow.
const COUNT: RangeInclusive<u32> = 1..=100_000;
/// What a deadline may be, seconds: a day at most.
const SECONDS: RangeInclusive<u32> = 1..=86_400;

limits! {
    sessions: 500, COUNT, "Incoming sessions in all.";
    sessions_per_partner: 50, COUNT, "Incoming sessions of one partner.";
    outgoing_sessions: 100, COUNT, "Outgoing sessions in all.";
    parked_pairs: 4, 0..=1_000, "Pairs of processes parked ahead of need, in each direction.";
    parked_age: 300, 10..=86_400, "Maximum age of a parked pair, seconds.";
    unverified_per_address: 20, COUNT, "Connections not yet verified of one address (IPv6: of one /64).";
    unverified_soft: 100, COUNT,
        "Connections not yet verified from which those that take longer than 5 s make way for others.";
    unverified_hard: 200, COUNT,
        "Connections not yet verified in all; a quarter of them is for addresses of which partners came lately, or \
         that the partner table lists.";
    handshake_seconds: 30, SECONDS, "Deadline of a partner's TLS handshake, seconds.";
    ssid_seconds: 60, SECONDS, "Deadline of a partner's SSID, seconds.";
    buffer_seconds: 60, SECONDS, "Deadline of one Exchange Buffer once begun, seconds.";
    silence_seconds: 900, SECONDS, "Longest silence in a session, seconds.";
    station_seconds: 15, SECONDS, "Deadline of the connection to the station, seconds.";
    log_max_bytes: 1_073_741_824, 1_048_576..=u32::MAX,
        "Size of a daemon's log file of one day, octets, from which it takes ERROR and graver lines alone.";
    /// Counted since the last accepted file or receipt; DATA and CDT do not count.
    idle_commands: 1000, 10..=1_000_000, "Commands in a row that move neither a file nor a receipt.";
}

impl Default for Limits {
    fn default() -> Self {
        Self::from_rows(|limit| limit.default)
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
    /// CRL distribution URLs that the backend knows, so that the server need not report them; at most 200.
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
    /// Loopback, link-local, multicast and the server's own addresses may be partners
    /// (`proxy_outgoing_allow_local`).
    #[serde(default)]
    pub outgoing_allow_local: bool,
    /// Networks in CIDR notation whose addresses get no penalties and have the places of known ones
    /// (`proxy_penalty_exempt`).
    #[serde(default)]
    pub penalty_exempt: Vec<String>,
    /// Networks that are refused, whoever else says that they are known.
    #[serde(default)]
    pub bans: Vec<Ban>,
    /// How long the server may use this configuration without news of it, seconds, at least 1 (`proxy_max_config_age`).
    pub proxy_max_config_age: u32,
    /// Limits; the client gets the same ones.
    #[serde(default)]
    pub limits: Limits,
}

impl ProxyConfig {
    /// Checks all numbers and networks. The code that reads certificates, key and CRLs checks these.
    ///
    /// # Errors
    /// `Range` for the first number that is out of its range, `Network` for a text that is no network.
    pub fn check(&self) -> Result<(), ConfigFault> {
        check_port("tcp_port_tls", self.tcp_port_tls)?;
        check("proxy_max_config_age", self.proxy_max_config_age, &(1..=u32::MAX))?;
        check_networks("penalty_exempt", self.penalty_exempt.iter())?;
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
    /// Address of the local listener for the station's outgoing sessions; none: all.
    pub listen_ip: Option<IpAddr>,
    /// Its port, 1 to 65535; none: this client has no listener.
    pub listen_port: Option<u16>,
    /// Networks that may use it, in CIDR notation; none: loopback and private ones.
    pub networks: Vec<String>,
    /// Listeners for stations that know no proxies; the client opens the first `MAX_TIED`.
    #[serde(default)]
    pub tied: Vec<Tied>,
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

/// A listener that leads to one partner, without a proxy protocol.
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

/// Octets of all CRLs in PEM that the backend keeps: one of 64 MiB in DER, and others.
pub const MAX_CRLS: usize = 128 << 20;

/// Most tied listeners of one client: the backend stores no more, and a client opens no more.
pub const MAX_TIED: usize = 255;

#[cfg(test)]
mod tests {
    use super::{ClientConfig, ConfigFault, Limits, Tied};

    fn config() -> ClientConfig {
        ClientConfig {
            generation: 1,
            station_host: "station".to_owned(),
            station_port: 3305,
            listen_ip: None,
            listen_port: None,
            networks: vec!["10.0.0.0/8".to_owned()],
            tied: Vec::new(),
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
