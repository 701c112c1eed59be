//! The calls of the backend, questions and reports: the job for the API worker, the size, and the form of the answer of
//! each. Plain values.

use super::place::Place;
use crate::backend::Job;
use common::config::ClientConfig;
use common::identity::ProxyId;
use common::ipc::frame;
use common::rpc::{
    self, ActOutcome, Call, ClientConfigAnswer, CrlUrl, Level, Origin, SessionEvent, SystemLog,
    without_values,
};
use common::secret::Secret;
use common::state::{RefusalCount, SiteState};
use std::fmt;
use std::net::IpAddr;

/// One task of the API worker: a question, whose answer the parent waits for, or a report.
#[derive(Debug)]
pub(super) enum BackendCall {
    /// Certify this key.
    Enrolment { public_key: String, renewal: bool },
    /// Our own configuration.
    ClientConfig,
    /// The configuration of this server, with the server's generation, its clock, and its host's addresses.
    ServerConfig {
        place: Place,
        proxy_id: ProxyId,
        generation: Option<u64>,
        server_time: Option<i64>,
        server_addresses: Vec<IpAddr>,
    },
    /// The addresses of a server. This asks the resolver, not the backend.
    LookUp { host: String, port: u16 },
    /// Report: a CRL distribution URL.
    CrlUrl(CrlUrl),
    /// Report: an entry of the system log.
    SystemLog(Box<SystemLog>),
    /// Report: begins and ends of sessions.
    Sessions(Vec<SessionEvent>),
    /// Report: the outcome of an act.
    ActDone(ActOutcome),
    /// Report: the refusals of this server.
    Refusals { proxy_id: ProxyId, refusals: Vec<RefusalCount> },
    /// The state of this client and of a server. It is never repeated: the next one replaces it.
    State(Box<SiteState>),
}

/// The content of an answer.
pub(super) enum Answer {
    Enrolment(rpc::Enrolment),
    ClientConfig(ClientConfig),
    /// It is sent to the server unchanged.
    ServerConfig,
    /// The backend has accepted a report.
    Taken,
}

impl BackendCall {
    /// The function that is called.
    pub(super) fn function(&self) -> &'static str {
        match self {
            Self::Enrolment { .. } => "proxy_enrol",
            Self::ClientConfig => "proxy_client_config",
            Self::ServerConfig { .. } => "proxy_config",
            Self::LookUp { .. } => "look-up",
            Self::CrlUrl(_) => "proxy_crl_url",
            Self::SystemLog(_) => "proxy_system_log",
            Self::Sessions(_) => "proxy_session",
            Self::ActDone(_) => "proxy_act_done",
            Self::Refusals { .. } => "proxy_refusals",
            Self::State(_) => "proxy_state",
        }
    }

    /// Whether both are the same question: of one function, and about the same server. Of such questions one is asked
    /// at a time.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let server = |state: &SiteState| state.server.as_ref().map(|server| server.proxy_id.clone());
        match (self, other) {
            (Self::ServerConfig { place: one, .. }, Self::ServerConfig { place: two, .. }) => one == two,
            (Self::LookUp { host: one, port }, Self::LookUp { host: two, port: of_two }) => {
                one == two && port == of_two
            }
            (Self::State(one), Self::State(two)) => server(one) == server(two),
            _ => self.function() == other.function(),
        }
    }

    /// Whether nobody waits for its answer.
    pub(super) fn is_report(&self) -> bool {
        matches!(
            self,
            Self::CrlUrl(_)
                | Self::SystemLog(_)
                | Self::Sessions(_)
                | Self::ActDone(_)
                | Self::Refusals { .. }
        )
    }

    /// The length of a report, octets of JSON; 0 for a question, because there is only one of each function at a time.
    pub(super) fn octets(&self) -> usize {
        let length = match self {
            Self::CrlUrl(url) => frame::length(url),
            Self::SystemLog(entry) => frame::length(entry),
            Self::Sessions(events) => frame::length(events),
            Self::ActDone(outcome) => frame::length(outcome),
            Self::Refusals { refusals, .. } => frame::length(refusals),
            _ => return 0,
        };
        // A report without a length cannot be sent either.
        length.unwrap_or_default()
    }

    /// The number of reports in it.
    pub(super) fn weight(&self) -> u64 {
        match self {
            Self::Sessions(events) => events.len() as u64,
            Self::Refusals { refusals, .. } => refusals.len() as u64,
            _ => 1,
        }
    }

    /// The job for the API worker.
    pub(super) fn job(&self) -> Job {
        Job::Call(match self {
            Self::LookUp { host, port } => return Job::LookUp { host: host.clone(), port: *port },
            Self::Enrolment { public_key, renewal } => {
                Call::ProxyEnrol { public_key: public_key.clone(), renewal: *renewal }
            }
            Self::ClientConfig => Call::ProxyClientConfig {},
            Self::ServerConfig { proxy_id, generation, server_time, server_addresses, .. } => {
                Call::ProxyConfig {
                    proxy_id: proxy_id.clone(),
                    generation: *generation,
                    server_time: *server_time,
                    server_addresses: server_addresses.clone(),
                }
            }
            Self::CrlUrl(url) => Call::ProxyCrlUrl(url.clone()),
            Self::SystemLog(entry) => Call::ProxySystemLog(entry.clone()),
            Self::Sessions(events) => Call::ProxySession { events: events.clone() },
            Self::ActDone(outcome) => Call::ProxyActDone(outcome.clone()),
            Self::Refusals { proxy_id, refusals } => {
                Call::ProxyRefusals { proxy_id: proxy_id.clone(), refusals: refusals.clone() }
            }
            Self::State(state) => Call::ProxyState(state.clone()),
        })
    }

    /// Reads the answer to this call.
    ///
    /// # Errors
    ///
    /// A sentence that says why it is invalid; it contains no value of the answer.
    pub(super) fn read_answer(&self, text: &Secret) -> Result<Answer, String> {
        let wrong = |e: &dyn fmt::Display| format!("the backend's answer does not match the protocol: {e}");
        match self {
            Self::Enrolment { .. } => {
                let enrolment = serde_json::from_str(text.expose());
                Ok(Answer::Enrolment(enrolment.map_err(|e| wrong(&without_values(&e)))?))
            }
            Self::ClientConfig => {
                let answer = serde_json::from_str::<ClientConfigAnswer>(text.expose());
                let config = answer.map_err(|e| wrong(&without_values(&e)))?.config;
                config.check().map_err(|e| wrong(&e))?;
                Ok(Answer::ClientConfig(config))
            }
            Self::ServerConfig { .. } => Ok(Answer::ServerConfig),
            Self::LookUp { .. } => Err(wrong(&"it answers a look-up")),
            Self::CrlUrl(_)
            | Self::SystemLog(_)
            | Self::Sessions(_)
            | Self::Refusals { .. }
            | Self::ActDone(_)
            | Self::State(_) => Ok(Answer::Taken),
        }
    }

    /// An entry of this parent for the system log.
    pub(super) fn log_entry(level: Level, text: &str, detail: &str) -> Self {
        Self::SystemLog(Box::new(SystemLog::new(Origin::Client, level, text, detail)))
    }
}
