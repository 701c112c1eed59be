//! The backend's functions, as os4xapi-protocol(5) describes them: the calls of the daemons and the answers of OS4Xapi,
//! JSON over https. One call is one POST; `function` and `token` stand beside the function's own members.

mod acts;
mod sessions;

pub use acts::{Act, ActKind, ActOutcome, MAX_ACTS, MAX_OUTCOME};
pub use sessions::{
    MAX_TRANSFERS, SessionBegin, SessionEnd, SessionEvent, ShownDeviations, Transfer, TransferResult,
};

use crate::config::{ClientConfig, ProxyConfig};
use crate::identity::ProxyId;
use crate::log::Priority;
use crate::state::{RefusalCount, SiteState};
use crate::text::shortened;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Longest CRL distribution URL that a server reports and the backend stores, octets.
pub const MAX_CRL_URL: usize = 1024;

/// The remedy for a CRL distribution URL that the backend cannot download from.
pub const BY_HAND: &str = "only http and https URLs without a user can be downloaded from: if 'os4xapi crl list' shows \
    no list of that CA, bring it with 'os4xapi crl add FILE', or name a web URL of it with 'os4xapi crl fetch URL'";

/// Most octets of the issuers that are sent with a URL: the message of a session process has room for so many.
pub const MAX_ISSUERS: usize = 12 * 1024;

/// Most octets of the certificates that are sent with the begin of a session, for the same reason.
pub const MAX_CHAIN: usize = 8 * 1024;

/// The program that wrote an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// os4x_proxyserver2
    Server,
    /// os4x_proxyclient2
    Client,
    /// The backend itself; never in a call.
    Api,
}

/// The severity of a system log entry, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// The daemon ends.
    Fatal,
    /// Something failed.
    Error,
    /// Something will fail unless an operator acts.
    Warn,
    /// Useful to know.
    Info,
}

impl From<Priority> for Level {
    /// The level of an entry for a log line of this priority.
    fn from(line: Priority) -> Self {
        match line {
            Priority::Fatal => Self::Fatal,
            Priority::Alert | Priority::Crit | Priority::Error => Self::Error,
            Priority::Warn => Self::Warn,
            _ => Self::Info,
        }
    }
}

/// Most addresses that a server reports of its host; the backend stores no more.
pub const MAX_ADDRESSES: usize = 64;

/// Longest wait of `proxy_wait`, seconds.
pub const LONGEST_WAIT: u32 = 60;

/// Makes `Call` and the names of its functions from the same rows. A row: `"NAME" VARIANT MEMBERS`.
macro_rules! calls {
    ($($(#[$about:meta])* $name:literal $variant:ident $members:tt)+) => {
        /// A call, without the token and the client's time: the API worker adds them.
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
        /// The client has had a certificate since its start, so the sessions that it reported are still running.
        #[serde(default)]
        renewal: bool,
    }

    /// The client's own configuration.
    "proxy_client_config" ProxyClientConfig {}

    /// The server's configuration, fetched by the client for it.
    "proxy_config" ProxyConfig {
        /// Proxy ID of the server that asks, proved on the control connection.
        proxy_id: ProxyId,
        /// Generation that the server has; none: it has no configuration.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        generation: Option<u64>,
        /// The server's clock, seconds since 1970-01-01 UTC.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server_time: Option<i64>,
        /// The addresses of its host, `MAX_ADDRESSES` at most.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        server_addresses: Vec<IpAddr>,
    }

    /// Waits until the generation of the configuration differs from the given one.
    "proxy_wait" ProxyWait {
        /// The generation that the caller knows.
        generation: u64,
        /// The backend answers after this time at the latest, seconds: 1 to `LONGEST_WAIT`.
        seconds: u32,
        /// The kinds of acts that the caller carries out: it is only given acts of these kinds.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        acts: Vec<String>,
    }

    /// The outcome of an act that `proxy_wait` has handed out.
    "proxy_act_done" ProxyActDone(ActOutcome)

    /// A CRL distribution URL from a verified chain that the configuration does not have.
    "proxy_crl_url" ProxyCrlUrl(CrlUrl)

    /// One system log entry.
    "proxy_system_log" ProxySystemLog(Box<SystemLog>)

    /// Begins and ends of sessions.
    "proxy_session" ProxySession {
        /// In the order of their times.
        events: Vec<SessionEvent>,
    }

    /// The state of the client, and of the server that it is joined to.
    "proxy_state" ProxyState(Box<SiteState>)

    /// Refusals of a server.
    "proxy_refusals" ProxyRefusals {
        /// Its Proxy ID.
        proxy_id: ProxyId,
        /// Counted minute by minute.
        refusals: Vec<RefusalCount>,
    }
}

impl Call {
    /// Whether the call is a report. The answer to a report has no members.
    pub fn is_report(&self) -> bool {
        matches!(
            self,
            Self::ProxyActDone(_)
                | Self::ProxyCrlUrl(_)
                | Self::ProxySystemLog(_)
                | Self::ProxySession { .. }
                | Self::ProxyState(_)
                | Self::ProxyRefusals { .. }
        )
    }
}

/// A CRL distribution URL, and the issuers of the list there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrlUrl {
    /// At most `MAX_CRL_URL` octets of printable ASCII. The backend downloads from http and https URLs.
    pub url: String,
    /// Certificates of CAs, PEM: the issuer of the list, then the issuer of that certificate, and so on, up to the one
    /// that a trusted certificate has issued. None if the issuer is trusted itself or known already. At most
    /// `MAX_ISSUERS` octets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issuers: Vec<String>,
}

/// `proxy_enrol`'s answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Enrolment {
    /// The client's certificate, one PEM object.
    pub certificate: String,
    /// The backend's CA that issued it and every licence, PEM.
    pub ca: String,
    /// Proxy IDs of the servers that this client may talk to.
    pub proxies: Vec<ProxyId>,
    /// How long the certificate is valid, seconds: 600 to 604800 (`proxy_enrol_seconds`).
    pub valid_seconds: u32,
}

/// `proxy_config`'s answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged, try_from = "ConfigMembers")]
pub enum ConfigAnswer {
    /// A generation that the server does not have yet.
    Changed {
        /// The whole configuration.
        config: Box<ProxyConfig>,
    },
    /// The server is up to date.
    Unchanged {
        /// Always true.
        unchanged: bool,
    },
}

/// The members of both answers. With this struct serde names the fault inside `config`; for an untagged enum it would
/// only say that no variant fits.
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

/// `proxy_wait`'s answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WaitAnswer {
    /// The newest generation of the configuration.
    pub generation: u64,
    /// Acts that administrators have requested, `MAX_ACTS` at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acts: Vec<Act>,
}

/// `proxy_client_config`'s answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClientConfigAnswer {
    /// The whole configuration.
    pub config: ClientConfig,
}

/// A system log entry: something for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemLog {
    /// Its severity.
    pub level: Level,
    /// Our own words without any value of a peer: the ignore list is compared with them. Must not begin with '-',
    /// because it becomes an argument of the event script.
    pub text: String,
    /// The whole log line, with escaped values.
    pub detail: String,
    /// The daemon that reports.
    pub origin: Origin,
    /// Its host name, as `host_name` gives it.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// Seconds since 1970-01-01 UTC.
    pub time: u64,
    /// Address of the partner, if the entry concerns one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Short name of the partner, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<String>,
    /// More about the subject of the entry, if known.
    #[serde(flatten)]
    pub about: About,
}

/// The subject of an entry, besides the partner; a member is empty if it is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The event of the line: its first word.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub event: String,
    /// Why: the word of the line's field `reason`, as in session lines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The session's ID.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub session: String,
    /// The partner's SSIDCODE.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ssid: String,
    /// The subject of the partner's certificate.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
}

/// The event of a line: its first word, if `key=value` follows.
fn event_of(line: &str) -> &str {
    let is_name = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    match line.split_once(' ') {
        Some((event, rest))
            if is_name(event) && rest.split_once('=').is_some_and(|(key, _)| is_name(key)) =>
        {
            event
        }
        _ => "",
    }
}

impl SystemLog {
    /// An entry of this process, made now. Of its subject, at most the event is known.
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
            about: About { event: event_of(detail).to_owned(), ..About::default() },
        }
    }
}

/// The code of an answer that says that the function does not exist, because the backend is older.
pub const UNKNOWN_FUNCTION: &str = "unknown-function";

/// The answer to a failed call, beside its HTTP status.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApiError {
    /// One word of the list in os4xapi-protocol(5): `bad-token`, `forbidden`, `not-configured`, ...
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// Longest text of `without_values`, octets.
const MAX_WORDS: usize = 300;

/// The fault of an answer without the text that serde quotes from it, because that text may be a secret and of any
/// length. At most 300 octets.
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
    use super::{Call, ClientConfigAnswer, ConfigAnswer, event_of, without_values};

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
    fn the_event_of_a_line_is_its_first_word() {
        assert_eq!(event_of("session_refused direction=incoming reason=x"), "session_refused");
        for none in ["", "stopped", "the listener cannot be opened: a=b", "-rf x=y", "Event key=value"] {
            assert_eq!(event_of(none), "", "{none}");
        }
    }

    #[test]
    fn the_function_stands_beside_its_members() {
        let id = format!("{}px", "0".repeat(64));
        let call = Call::ProxyConfig {
            proxy_id: id.parse().unwrap(),
            generation: Some(7),
            server_time: None,
            server_addresses: Vec::new(),
        };
        assert_eq!(
            serde_json::to_string(&call).unwrap(),
            format!(r#"{{"function":"proxy_config","proxy_id":"{id}","generation":7}}"#)
        );
        assert_eq!(call.name(), "proxy_config");
        assert!(Call::NAMES.contains(&call.name()));
    }
}
