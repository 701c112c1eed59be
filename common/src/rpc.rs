//! The backend's functions (`os4xapi-protocol.5`): what the daemons ask and what OS4Xapi answers, as JSON over https.
//! One request is one POST; `function` and `token` stand beside the function's own members.

use crate::config::{ClientConfig, ProxyConfig};
use crate::identity::ProxyId;
use crate::text::shortened;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Files of one session that are reported by name: the last ones. So many fit a message of a session process.
pub const MAX_TRANSFERS: usize = 40;

/// Longest CRL distribution URL that is reported, octets.
pub const MAX_CRL_URL: usize = 1024;

/// Who an entry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// os4x_proxyserver2
    Server,
    /// os4x_proxyclient2
    Client,
    /// The backend itself: never in a call.
    Api,
}

/// How grave a system log entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// The daemon ends.
    Fatal,
    /// Something did not come about.
    Error,
    /// Something will not come about unless somebody acts.
    Warn,
    /// Good to know.
    Info,
}

/// Makes `Call` and the names of its functions from the same rows. A row: `"NAME" VARIANT MEMBERS`.
macro_rules! calls {
    ($($(#[$about:meta])* $name:literal $variant:ident $members:tt)+) => {
        /// A call, without the token: the API worker adds it.
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(tag = "function")]
        pub enum Call {
            $($(#[$about])* #[serde(rename = $name)] $variant $members,)+
        }

        impl Call {
            /// The names of all functions, in the order of the man page.
            pub const NAMES: &[&str] = &[$($name),+];

            /// The name of the function: the member `function`.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $name,)+
                }
            }
        }
    };
}

calls! {
    /// A certificate for the client's key of this run.
    "proxy_enrol" ProxyEnrol {
        /// The client's public key: SubjectPublicKeyInfo, PEM.
        public_key: String,
        /// The client has been running for a while: what it reported before is still its own.
        #[serde(default)]
        renewal: bool,
    }

    /// The client's own configuration.
    "proxy_client_config" ProxyClientConfig {}

    /// The server's configuration, fetched by the client for it.
    "proxy_config" ProxyConfig {
        /// Proxy ID of the server that asks (as the control connection proved it).
        proxy_id: ProxyId,
        /// Generation that the server holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        generation: Option<u64>,
    }

    /// A CRL distribution URL, found in a verified chain, that the configuration does not know.
    "proxy_crl_url" ProxyCrlUrl {
        /// http or https, at most `MAX_CRL_URL` octets of printable ASCII.
        url: String,
    }

    /// One system log entry.
    "proxy_system_log" ProxySystemLog(SystemLog)

    /// Begins and ends of sessions.
    "proxy_session" ProxySession {
        /// In the order they happened.
        events: Vec<SessionEvent>,
    }
}

impl Call {
    /// Tells the backend something, and waits for no content of its answer.
    pub fn is_report(&self) -> bool {
        matches!(self, Self::ProxyCrlUrl { .. } | Self::ProxySystemLog(_) | Self::ProxySession { .. })
    }
}

/// `proxy_enrol`'s answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Enrolment {
    /// The client's certificate, PEM.
    pub certificate: String,
    /// The backend's CA that issued it and every licence, PEM.
    pub ca: String,
    /// Proxy IDs of the servers that this client may talk to.
    pub proxies: Vec<ProxyId>,
    /// How long the certificate is valid, seconds.
    pub valid_seconds: u32,
}

/// `proxy_config`'s answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged, try_from = "ConfigMembers")]
pub enum ConfigAnswer {
    /// A generation that the server does not hold yet.
    Changed {
        /// The whole of it.
        config: Box<ProxyConfig>,
    },
    /// The server is up to date.
    Unchanged {
        /// Always true.
        unchanged: bool,
    },
}

/// Either of the two, as it comes: what is wrong in `config` is told of it, not that nothing fits.
#[derive(Deserialize)]
struct ConfigMembers {
    config: Option<Box<ProxyConfig>>,
    #[serde(default)]
    unchanged: bool,
}

impl TryFrom<ConfigMembers> for ConfigAnswer {
    type Error = &'static str;

    fn try_from(members: ConfigMembers) -> Result<Self, Self::Error> {
        match members {
            ConfigMembers { config: Some(config), unchanged: false } => Ok(Self::Changed { config }),
            ConfigMembers { config: None, unchanged: true } => Ok(Self::Unchanged { unchanged: true }),
            _ => Err("it takes either a configuration or 'unchanged'"),
        }
    }
}

/// `proxy_client_config`'s answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClientConfigAnswer {
    /// The whole of it.
    pub config: ClientConfig,
}

/// A system log entry: something an operator should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemLog {
    /// How grave it is.
    pub level: Level,
    /// Our words, with the peer's values nowhere in it: the ignore list matches this. Does not begin with '-'.
    pub text: String,
    /// The whole log line, escaped values included.
    pub detail: String,
    /// Which daemon.
    pub origin: Origin,
    /// Its host name, as `host_name` gives it.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// Seconds since 1970-01-01 UTC.
    pub time: u64,
    /// Address of the partner, if one is concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Short name of the partner, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<String>,
}

impl SystemLog {
    /// An entry of this process, made now; neither address nor partner are known.
    pub fn new(origin: Origin, level: Level, text: &str, detail: &str) -> Self {
        Self {
            level,
            text: text.to_owned(),
            detail: detail.to_owned(),
            origin,
            host: crate::host_name(),
            pid: std::process::id(),
            time: crate::text::clock::unix_time(),
            address: None,
            partner: None,
        }
    }
}

/// Begin or end of a session, for the session list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum SessionEvent {
    /// Partner and station are joined.
    Begin(SessionBegin),
    /// The session is over.
    End(SessionEnd),
}

/// What is known of a session when it begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionBegin {
    /// The pair's ID in hex: the same on both daemons, unique.
    pub session: String,
    /// `incoming` or `outgoing`.
    pub direction: String,
    /// Server process.
    pub pid: u32,
    /// Seconds since 1970-01-01 UTC.
    pub time: u64,
    /// The partner's address and port.
    pub address: String,
    /// Short name of the partner.
    pub partner: String,
    /// The partner's SSIDCODE.
    pub ssid: String,
    /// Subject of its certificate, empty without.
    pub subject: String,
    /// Serial number of its certificate in hex, empty without.
    #[serde(default)]
    pub serial: String,
    /// TLS version and cipher suite, empty without.
    #[serde(default)]
    pub tls: String,
    /// The station: its address, or as it is configured. The client adds it; the DMZ does not know it.
    #[serde(default)]
    pub station: String,
}

/// What became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEnd {
    /// As in `SessionBegin`.
    pub session: String,
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
    /// Why it ended, one word of `os4x_proxy-log.5`.
    pub reason: String,
    /// The same in a sentence, where there is more to say.
    #[serde(default)]
    pub detail: String,
    /// The last `MAX_TRANSFERS` files, in their order.
    #[serde(default)]
    pub transfers: Vec<Transfer>,
}

/// One file of a session, as far as the session carried it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Who sent it: `partner` or `station`.
    pub sender: String,
    /// Virtual file name, odd octets escaped.
    pub name: String,
    /// Octets that this session carried.
    pub octets: u64,
    /// What became of it.
    pub result: TransferResult,
    /// SFNAREAS or EFNAREAS, if it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<u8>,
}

/// What became of a file.
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

/// What every failed call answers beside its HTTP status.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApiError {
    /// One word, listed in `os4xapi-protocol.5`: `bad-token`, `forbidden`, `not-configured`, ...
    pub code: String,
    /// A finished sentence.
    pub message: String,
}

/// Longest text of `without_values`, octets.
const MAX_WORDS: usize = 300;

/// What is wrong with an answer, without the text that serde quotes from it: that may be a secret, and of any length.
pub fn without_values(e: &serde_json::Error) -> String {
    let text = e.to_string();
    let quoted = text.split_once('"').and_then(|(before, rest)| Some((before, rest.rsplit_once('"')?.1)));
    let text = match quoted {
        Some((before, after)) => format!("{before}...{after}"),
        None => text,
    };
    shortened(text, MAX_WORDS)
}

#[cfg(test)]
mod tests {
    use super::{Call, ClientConfigAnswer, ConfigAnswer, without_values};

    #[test]
    fn an_answer_is_a_configuration_or_says_that_nothing_has_changed() {
        let parse = |text: &str| serde_json::from_str::<ConfigAnswer>(text);
        assert!(matches!(parse(r#"{"ok":true,"unchanged":true}"#), Ok(ConfigAnswer::Unchanged { .. })));
        for text in ["{}", r#"{"unchanged":false}"#, r#"{"config":null}"#] {
            let fault = parse(text).unwrap_err().to_string();
            assert!(fault.starts_with("it takes either a configuration or"), "{text}: {fault}");
        }
        let fault = parse(r#"{"config":{"generation":1,"tcp_port_tls":70000}}"#).unwrap_err().to_string();
        assert!(fault.contains("integer `70000`, expected u16"), "{fault}");
        assert!(parse(r#"{"config":{}}"#).unwrap_err().to_string().contains("missing field `generation`"));
    }

    #[test]
    fn no_fault_shows_a_text_of_the_answer() {
        let fault = serde_json::from_str::<ClientConfigAnswer>(r#"{"config":{"generation":"s\"3cret"}}"#);
        let words = without_values(&fault.unwrap_err());
        assert!(words.starts_with("invalid type: string ..., expected u64 at line 1"), "{words}");
    }

    #[test]
    fn the_function_stands_beside_its_members() {
        let id = format!("{}px", "0".repeat(64));
        let call = Call::ProxyConfig { proxy_id: id.parse().unwrap(), generation: Some(7) };
        assert_eq!(
            serde_json::to_string(&call).unwrap(),
            format!(r#"{{"function":"proxy_config","proxy_id":"{id}","generation":7}}"#)
        );
        assert_eq!(call.name(), "proxy_config");
        assert!(Call::NAMES.contains(&call.name()));
    }
}
