//! The configuration that the backend hands to the daemons, as it travels (JSON). Owned by nobody: plain values.
//! Field names are those of the backend's settings (table `os4x_configuration`) where there is one.

use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// One PEM object (certificate or CRL) and the name an operator knows it by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedPem {
    /// Name in the backend, for log lines.
    pub name: String,
    /// PEM text, one object.
    pub pem: String,
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

/// How strictly a partner's OFTP2 messages are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileName {
    /// Accepts the known deviations C1 to C12.
    #[default]
    Tolerant,
    /// RFC 5024 to the letter.
    Strict,
}

/// One row of the partner table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    /// Short name: unique, 1 to 32 of `[A-Za-z0-9._-]`.
    pub short_name: String,
    /// SSIDCODE (RFC 5024 §5.3.2), at most 25 characters, without trailing spaces; unique.
    pub ssid: String,
    /// A disabled partner is refused with ESID 99.
    pub enabled: bool,
    /// Which certificate may speak for this partner.
    pub certificate: CertificateRule,
    /// The pinned certificates, current and next.
    pub pins: Vec<NamedPem>,
    /// How strictly its messages are judged.
    pub profile: ProfileName,
    /// Host name or address for outgoing sessions; none: only incoming ones.
    pub host: Option<String>,
    /// Port for outgoing sessions.
    pub port: u16,
    /// Outgoing sessions use TLS.
    pub tls: bool,
    /// Source address of outgoing sessions, when it differs from the global one.
    pub outgoing_ip: Option<IpAddr>,
    /// The SSIDCODE that answers an outgoing session must be this partner's.
    pub check_ssid: bool,
}

/// Limits (design section 8); counts are of sessions or connections, times are in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Incoming sessions in all.
    pub sessions: u32,
    /// Incoming sessions of one partner.
    pub sessions_per_partner: u32,
    /// Outgoing sessions in all.
    pub outgoing_sessions: u32,
    /// Pairs parked ahead of need, in each direction.
    pub parked_pairs: u32,
    /// Maximum age of a parked pair, seconds.
    pub parked_age: u32,
    /// Connections not yet verified, of one address (IPv6: one /64).
    pub unverified_per_address: u32,
    /// Connections not yet verified from which early refusal sets in at random.
    pub unverified_soft: u32,
    /// Connections not yet verified at which all further ones are refused.
    pub unverified_hard: u32,
    /// TLS handshake, seconds.
    pub handshake_seconds: u32,
    /// SSID after the handshake, seconds.
    pub ssid_seconds: u32,
    /// One buffer once begun, seconds.
    pub buffer_seconds: u32,
    /// Silence in a session, seconds.
    pub silence_seconds: u32,
    /// Station connect, seconds.
    pub station_seconds: u32,
    /// Commands since the last accepted file or receipt (DATA and CDT not counted).
    pub idle_commands: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 500,
            sessions_per_partner: 50,
            outgoing_sessions: 100,
            parked_pairs: 4,
            parked_age: 300,
            unverified_per_address: 20,
            unverified_soft: 100,
            unverified_hard: 200,
            handshake_seconds: 30,
            ssid_seconds: 60,
            buffer_seconds: 60,
            silence_seconds: 900,
            station_seconds: 15,
            idle_commands: 1000,
        }
    }
}

/// Everything the server needs, one generation of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyConfig {
    /// Grows with every change.
    pub generation: u64,
    /// Port of the TLS listener (`tcp_port_tls`).
    pub tcp_port_tls: u16,
    /// Address the TLS listener binds; none: all.
    pub tcp_incoming_ip: Option<IpAddr>,
    /// Source address of outgoing sessions; none: the system chooses.
    pub tcp_outgoing_ip: Option<IpAddr>,
    /// Our certificate towards partners, PEM, leaf first.
    pub certificate: String,
    /// Its private key, PEM.
    pub key: Secret,
    /// Trusted CA and self-signed certificates.
    pub trusted: Vec<NamedPem>,
    /// CRLs, one for each issuer and scope.
    pub crls: Vec<NamedPem>,
    /// CRL distribution URLs that the backend knows: no need to report these.
    #[serde(default)]
    pub crl_urls: Vec<String>,
    /// Partner table.
    pub partners: Vec<Partner>,
    /// A partner must show a certificate (`tls_check_client_certificate`).
    pub tls_check_client_certificate: bool,
    /// A certificate whose issuer has no CRL here is accepted (`tls_ignore_crl_unavailability`).
    pub tls_ignore_crl_unavailability: bool,
    /// Loopback, link-local, multicast and the server's own addresses may be partners
    /// (`proxy_outgoing_allow_local`).
    #[serde(default)]
    pub outgoing_allow_local: bool,
    /// How long this configuration may be used without a newer one, seconds (`proxy_max_config_age`).
    pub proxy_max_config_age: u32,
    /// Limits; the client is handed the same ones.
    #[serde(default)]
    pub limits: Limits,
}

/// Everything the client needs, one generation of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientConfig {
    /// Grows with every change.
    pub generation: u64,
    /// Host of the station's receive daemon, a name or an address (`proxy_station_host`).
    pub station_host: String,
    /// Its port (`tcp_port`).
    pub station_port: u16,
    /// Address of the local listener for the station's outgoing sessions; none: all.
    pub listen_ip: Option<IpAddr>,
    /// Its port; none: this client has no listener.
    pub listen_port: Option<u16>,
    /// Networks that may use it, in CIDR notation; none: loopback and private ones.
    pub networks: Vec<String>,
    /// Listeners for stations that know no proxies, at most `MAX_TIED`.
    #[serde(default)]
    pub tied: Vec<Tied>,
    /// Limits.
    #[serde(default)]
    pub limits: Limits,
}

/// A listener that leads to one partner; nothing is asked on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tied {
    /// Its address; none: all.
    pub listen_ip: Option<IpAddr>,
    /// Its port.
    pub listen_port: u16,
    /// Short name of the partner.
    pub partner: String,
    /// Networks that may use it, in CIDR notation; none: loopback and private ones.
    #[serde(default)]
    pub networks: Vec<String>,
}

/// Tied listeners of one client: what the backend keeps, and what a client opens.
pub const MAX_TIED: usize = 255;
