//! The daemons' reports about sessions: begin and end, with the files of each.

use crate::identity::ProxyId;
use crate::oftp::Deviations;
use serde::{Deserialize, Serialize};

/// Most files of one session that are reported by name: the last ones. So many fit into a message of a session process.
pub const MAX_TRANSFERS: usize = 40;

/// Begin or end of a session, for the session list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum SessionEvent {
    /// Partner and station are connected.
    Begin(SessionBegin),
    /// The session is over.
    End(SessionEnd),
}

impl SessionEvent {
    /// Says which server has the session.
    pub fn set_server(&mut self, proxy_id: &ProxyId) {
        let server = match self {
            Self::Begin(begin) => &mut begin.server,
            Self::End(end) => &mut end.server,
        };
        *server = Some(proxy_id.clone());
    }
}

/// The begin of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionBegin {
    /// The pair's ID in hex: the same on both daemons, unique.
    pub session: String,
    /// Proxy ID of the server. The client adds it, as the control connection has proved it; none: an older client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ProxyId>,
    /// `incoming` or `outgoing`.
    pub direction: String,
    /// Process ID of the server's session process.
    pub pid: u32,
    /// Seconds since 1970-01-01 UTC.
    pub time: u64,
    /// The partner's address and port, as `192.0.2.1:6619` or `[2001:db8::1]:6619`.
    pub address: String,
    /// Short name of the partner.
    pub partner: String,
    /// The partner's SSIDCODE (RFC 5024 §5.3.2), at most 25 characters.
    pub ssid: String,
    /// Subject of its certificate; empty without one.
    pub subject: String,
    /// Serial number of its certificate in hex; empty without one.
    #[serde(default)]
    pub serial: String,
    /// TLS version and cipher suite; empty without TLS.
    #[serde(default)]
    pub tls: String,
    /// The station: its address, or its configured name. The client adds it, because the server does not know it.
    #[serde(default)]
    pub station: String,
    /// The certificates that the partner has shown, PEM, its own first, unless they were reported before. The backend
    /// uses them to predict the effect of a change. At most `MAX_CHAIN` octets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
}

/// The end of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEnd {
    /// The pair's ID, as in `SessionBegin`.
    pub session: String,
    /// Proxy ID of the server, as in `SessionBegin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ProxyId>,
    /// Seconds since 1970-01-01 UTC.
    pub time: u64,
    /// Octets from the partner.
    pub octets_in: u64,
    /// Octets to the partner.
    pub octets_out: u64,
    /// Files accepted, both ways.
    pub files: u32,
    /// Files refused, both ways.
    #[serde(default)]
    pub files_refused: u32,
    /// Receipts, EERP and NERP, both ways.
    #[serde(default)]
    pub receipts: u32,
    /// Why it ended: one word of os4x_proxy-log(5).
    pub reason: String,
    /// More about the reason, if there is more.
    #[serde(default)]
    pub detail: String,
    /// The last `MAX_TRANSFERS` files, in their order.
    #[serde(default)]
    pub transfers: Vec<Transfer>,
    /// Deviations from the RFC of each side.
    #[serde(default, skip_serializing_if = "ShownDeviations::is_empty")]
    pub deviations: ShownDeviations,
}

/// The deviations from the RFC that were tolerated in a session, by number, each once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShownDeviations {
    /// Those of the partner.
    #[serde(skip_serializing_if = "Deviations::is_empty")]
    pub partner: Deviations,
    /// Those of the station.
    #[serde(skip_serializing_if = "Deviations::is_empty")]
    pub station: Deviations,
}

impl ShownDeviations {
    /// Whether there were none.
    pub fn is_empty(&self) -> bool {
        self.partner.is_empty() && self.station.is_empty()
    }
}

/// One file of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Who sent it: `partner` or `station`.
    pub sender: String,
    /// Virtual file name (SFIDDSN, RFC 5024 §5.3.3) with unprintable octets escaped.
    pub name: String,
    /// Octets of the file that this session carried.
    pub octets: u64,
    /// How it ended.
    pub result: TransferResult,
    /// SFNAREAS or EFNAREAS (RFC 5024 §5.3.5, §5.3.10), 0 to 99, if it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<u8>,
}

/// How the transfer of a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransferResult {
    /// The receiver has it (EFPA).
    Accepted,
    /// The receiver did not want it (SFNA, EFNA).
    Refused,
    /// The session ended before the file did.
    Broken,
}
