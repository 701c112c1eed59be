//! The daemons' reports about themselves: the state of each, and the refusals of the server. The client sends both to
//! the backend (`rpc`). Plain values; each member may be missing, since the other end may have another version.

use crate::identity::ProxyId;
use crate::text::clock;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// Rows of refusals in a minute, without the row that sums up all others.
pub const MAX_REFUSALS: usize = 200;
/// The reason in the row that sums up all others.
pub const OTHERS: &str = "others";
/// Longest text of a row of refusals or of a fault, octets.
pub const MAX_TEXT: usize = 200;
/// The purpose of the server's listener for partners.
pub const FOR_PARTNERS: &str = "partners";

/// The state of a daemon at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DaemonState {
    /// Its version.
    pub version: String,
    /// Date of its build: YYYYMMDD.
    pub build: String,
    /// Process ID of its parent.
    pub pid: u32,
    /// Its host name, as `host_name` gives it.
    pub host: String,
    /// When it was started, seconds since 1970-01-01 UTC.
    pub started: i64,
    /// Its clock, seconds since 1970-01-01 UTC.
    pub time: i64,
    /// Generation of the configuration in force; none: there is none.
    pub generation: Option<u64>,
    /// Whether it supports `debug` of the configuration.
    pub debugs_partners: bool,
    /// Whether another client of its server is joined, so that it waits until that one is gone (client).
    pub stands_by: bool,
    /// Its open listeners.
    pub listeners: Vec<OpenListener>,
    /// Incoming sessions.
    pub incoming: Use,
    /// Outgoing sessions.
    pub outgoing: Use,
    /// Connections of partners whose certificate is not verified yet.
    pub unverified: Use,
    /// Pairs of session processes that wait for a session.
    pub parked: Use,
    /// It takes no new sessions: the number of those that still run; none: it takes new ones.
    pub draining: Option<usize>,
    /// Last second of the licence in force, since 1970-01-01 UTC (server).
    pub licence_ends: Option<i64>,
    /// Last second of the certificate that it shows: towards partners (server), towards the server (client).
    pub certificate_ends: Option<i64>,
    /// The last error.
    pub fault: Option<Fault>,
    /// Progress of sessions: those that have moved since the last report, as many as fit (server).
    pub sessions: Vec<Progress>,
}

impl DaemonState {
    /// The part of the state whose change is reported at once; the rest changes all the time.
    #[must_use]
    pub fn lasting(&self) -> Self {
        let limit = |all: Use| Use { used: 0, ..all };
        Self {
            time: 0,
            incoming: limit(self.incoming),
            outgoing: limit(self.outgoing),
            unverified: limit(self.unverified),
            parked: limit(self.parked),
            // The begin of the drain and the end of the last session are news, the sessions before it are not.
            draining: self.draining.map(|left| left.min(1)),
            sessions: Vec::new(),
            ..self.clone()
        }
    }
}

/// How much of a resource is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Use {
    /// The number in use.
    pub used: usize,
    /// The largest number allowed; for pairs: the number wanted.
    pub limit: usize,
}

/// An open listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenListener {
    /// Its users: `FOR_PARTNERS`, `client` or `stations`; for a listener that is tied to a partner, the partner's short
    /// name.
    pub purpose: String,
    /// Its address.
    pub address: SocketAddr,
}

/// An error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// When, seconds since 1970-01-01 UTC.
    pub time: i64,
    /// The log line; at most `MAX_TEXT` octets.
    pub text: String,
}

/// The progress of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// The pair's ID, as in `SessionBegin`.
    pub session: String,
    /// Octets from the partner.
    pub octets_in: u64,
    /// Octets to the partner.
    pub octets_out: u64,
    /// The file in transfer.
    pub file: Option<CurrentFile>,
}

/// A file in transfer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CurrentFile {
    /// Its sender: `partner` or `station`.
    pub sender: String,
    /// Virtual file name (SFIDDSN, RFC 5024 §5.3.3) with unprintable octets escaped.
    pub name: String,
    /// Octets so far.
    pub octets: u64,
}

/// The server as its client knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinedServer {
    /// Its Proxy ID, as the control connection proved it.
    pub proxy_id: ProxyId,
    /// The address that the client connected to.
    pub address: SocketAddr,
    /// Its last report about itself; none: no report yet, or an older version that sends none.
    #[serde(default)]
    pub state: Option<Box<DaemonState>>,
    /// Age of that report, seconds.
    #[serde(default)]
    pub age: u64,
    /// Whether it is an older version that sends no report.
    #[serde(default)]
    pub is_silent: bool,
}

/// The state of a client and of the server that it is joined to, in one call of the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteState {
    /// The client itself.
    pub client: Box<DaemonState>,
    /// The server; none: the client has lost it.
    #[serde(default)]
    pub server: Option<JoinedServer>,
    /// If the client ends: why.
    #[serde(default)]
    pub ended: Option<String>,
}

/// The number of equal refusals in a minute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RefusalCount {
    /// First second of the minute, since 1970-01-01 UTC.
    pub minute: i64,
    /// What was refused.
    #[serde(flatten)]
    pub what: Refused,
    /// Refusals since the last report.
    pub count: u64,
}

/// The properties by which refusals are counted; a member is empty if it is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Refused {
    /// `incoming` or `outgoing`.
    pub direction: String,
    /// Why: one word of os4x_proxy-log(5), or `OTHERS`.
    pub reason: String,
    /// An IPv4 address, or the first address of an IPv6 /64.
    pub address: Option<IpAddr>,
    /// The partner's SSIDCODE.
    pub ssid: String,
    /// Its short name.
    pub partner: String,
    /// The subject of its certificate.
    pub subject: String,
}

impl Refused {
    /// The row that sums up all others.
    pub fn others() -> Self {
        Self { reason: OTHERS.to_owned(), ..Self::default() }
    }
}

/// The first second of the minute that contains `time`.
pub fn minute_of(time: i64) -> i64 {
    time - time.rem_euclid(60)
}

/// The first second of this minute.
pub fn this_minute() -> i64 {
    minute_of(clock::now())
}

#[cfg(test)]
mod tests {
    use super::{DaemonState, Progress, RefusalCount, Use, minute_of};

    #[test]
    fn a_value_that_changes_all_the_time_is_not_lasting() {
        let state =
            DaemonState { generation: Some(3), parked: Use { used: 1, limit: 4 }, ..DaemonState::default() };
        let moved = DaemonState {
            time: 9,
            incoming: Use { used: 7, limit: 0 },
            parked: Use { used: 4, limit: 4 },
            sessions: vec![Progress::default()],
            ..state.clone()
        };
        assert_eq!(state.lasting(), moved.lasting());
        let draining = |left| DaemonState { draining: Some(left), ..state.clone() }.lasting();
        assert_eq!(draining(7), draining(2));
        assert_ne!(draining(1), draining(0));
        assert_ne!(draining(0), state.lasting());
        for news in [
            DaemonState { generation: Some(4), ..state.clone() },
            DaemonState { parked: Use { used: 1, limit: 5 }, ..state.clone() },
        ] {
            assert_ne!(state.lasting(), news.lasting());
        }
    }

    #[test]
    fn members_that_another_version_lacks_or_adds_are_no_fault() {
        let state: DaemonState = serde_json::from_str(r#"{"version":"9","newer":1}"#).unwrap();
        assert_eq!((state.version.as_str(), state.generation), ("9", None));
        let row: RefusalCount = serde_json::from_str(r#"{"minute":60,"reason":"tls","count":2}"#).unwrap();
        assert_eq!((row.minute, row.what.reason.as_str(), row.count), (60, "tls", 2));
        assert_eq!((minute_of(119), minute_of(-1)), (60, -60));
    }
}
