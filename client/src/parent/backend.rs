//! The API worker as the parent sees it: numbered tasks go out, replies come back, questions first. The parent never
//! waits for one.

use super::report_queue::Queue;
use super::report_writer::Output;
use super::{BACKEND, Parent};
use crate::backend::{Done, Reply, Task};
use common::ipc::frame::{self, FrameError, Splitter};
use common::link::control::{CHUNK, MAX_ANSWER, ToServer};
use common::log::{Event, events};
use common::process::startup::Finish;
use common::rpc::{Call, ClientConfigAnswer, Enrolment, SessionEvent, SystemLog, without_values};
use common::secret::Secret;
use mio::Interest;
use mio::net::UnixStream;
use nix::unistd::Pid;
use std::io::{self, ErrorKind, Read};
use zeroize::Zeroizing;

/// A reply is the answer's text once more as a JSON text: every octet may need an escape.
const MAX_REPLY: usize = 2 * MAX_ANSWER + 1024;

/// What an answer will be for.
pub(super) enum BackendCall {
    /// Our certificate.
    Enrolment,
    /// Our own configuration.
    ClientConfig,
    /// The server's, which holds this generation.
    ServerConfig(Option<u64>),
    /// A CRL distribution URL to remember.
    CrlUrl(String),
    /// Told to the system log.
    SystemLog(Box<SystemLog>),
    /// Told to the session list.
    Sessions(Vec<SessionEvent>),
}

impl BackendCall {
    pub(super) fn function(&self) -> &'static str {
        match self {
            Self::Enrolment => "proxy_enrol",
            Self::ClientConfig => "proxy_client_config",
            Self::ServerConfig(_) => "proxy_config",
            Self::CrlUrl(_) => "proxy_crl_url",
            Self::SystemLog(_) => "proxy_system_log",
            Self::Sessions(_) => "proxy_session",
        }
    }

    pub(super) fn is_report(&self) -> bool {
        matches!(self, Self::CrlUrl(_) | Self::SystemLog(_) | Self::Sessions(_))
    }

    /// How long a report is, octets of JSON; 0 for a question, of which there is one at a time.
    pub(super) fn octets(&self) -> usize {
        let length = match self {
            Self::Enrolment | Self::ClientConfig | Self::ServerConfig(_) => return 0,
            Self::CrlUrl(url) => frame::length(url),
            Self::SystemLog(entry) => frame::length(entry),
            Self::Sessions(events) => frame::length(events),
        };
        // What has no length cannot be sent on either.
        length.unwrap_or_default()
    }

    /// How many reports it is.
    pub(super) fn weight(&self) -> u64 {
        match self {
            Self::Sessions(events) => events.len() as u64,
            _ => 1,
        }
    }
}

/// The API worker and what it was asked.
pub(super) struct Backend {
    pid: Pid,
    socket: UnixStream,
    splitter: Splitter,
    /// BackendCall and not answered yet.
    waiting: Queue,
    output: Output,
}

impl Backend {
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    fn ask(&mut self, asked: BackendCall, task: &Task) -> Result<(), FrameError> {
        self.output.push(frame::encode(task)?, asked.is_report());
        self.waiting.insert(task.number, asked);
        self.flush();
        Ok(())
    }

    /// Whether this function was called and has not answered yet.
    pub(super) fn waits_for(&self, function: &str) -> bool {
        self.waiting.has(function)
    }

    /// Reports that wait for the worker.
    pub(super) fn reports(&self) -> usize {
        self.waiting.reports()
    }

    /// How many octets they are.
    pub(super) fn octets(&self) -> usize {
        self.waiting.octets()
    }

    fn flush(&mut self) {
        self.output.flush(&mut self.socket);
    }

    fn read(&mut self) -> io::Result<bool> {
        let mut chunk = Zeroizing::new([0; 16 * 1024]);
        loop {
            match self.socket.read(&mut *chunk) {
                Ok(0) => return Ok(false),
                Ok(n) => self.splitter.feed(chunk.get(..n).unwrap_or_default()),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

impl Parent {
    /// The worker was forked: at the start it is asked for our certificate first.
    pub(super) fn adopt_worker(&mut self, pid: Pid, ours: std::os::unix::net::UnixStream) -> io::Result<()> {
        ours.set_nonblocking(true)?;
        let mut socket = UnixStream::from_std(ours);
        self.poller.registry().register(&mut socket, BACKEND, Interest::READABLE | Interest::WRITABLE)?;
        self.backend = Some(Backend {
            pid,
            socket,
            splitter: Splitter::new(MAX_REPLY),
            waiting: Queue::default(),
            output: Output::default(),
        });
        if self.membership.is_none() {
            self.ask(BackendCall::Enrolment);
        }
        Ok(())
    }

    /// Asks the backend, unless it is being asked already; or tells it, if this is a report.
    pub(super) fn ask(&mut self, asked: BackendCall) {
        if asked.is_report() {
            self.tell_backend(asked);
        } else if !self.is_asked(asked.function()) {
            let number = self.next_number();
            self.hand_over(number, asked);
        }
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    /// Hands a task to the API worker.
    pub(super) fn hand_over(&mut self, number: u64, asked: BackendCall) {
        let Some(call) = self.call_for(&asked) else { return };
        if let Some(backend) = &mut self.backend
            && let Err(e) = backend.ask(asked, &Task { number, call })
        {
            common::error!("the API worker cannot be asked: {e}");
        }
    }

    /// The call that asks for it; none if it cannot be asked now.
    fn call_for(&mut self, asked: &BackendCall) -> Option<Call> {
        Some(match asked {
            BackendCall::Enrolment => {
                Call::ProxyEnrol { public_key: self.new_key()?, renewal: self.joined.is_some() }
            }
            BackendCall::ClientConfig => Call::ProxyClientConfig {},
            BackendCall::ServerConfig(generation) => {
                Call::ProxyConfig { proxy_id: self.joined.as_ref()?.proxy_id(), generation: *generation }
            }
            BackendCall::CrlUrl(url) => Call::ProxyCrlUrl { url: url.clone() },
            BackendCall::SystemLog(entry) => Call::ProxySystemLog(entry.as_ref().clone()),
            BackendCall::Sessions(events) => Call::ProxySession { events: events.clone() },
        })
    }

    /// The worker has moved.
    pub(super) fn hear_backend(&mut self) {
        let Some(backend) = &mut self.backend else { return };
        backend.flush();
        let alive = backend.read();
        loop {
            let Some(backend) = &mut self.backend else { return };
            match backend.splitter.take::<Done>() {
                Ok(Some(Done { number, reply })) => {
                    if let Some(asked) = backend.waiting.remove(number) {
                        self.take_reply(number, asked, reply);
                    }
                }
                Ok(None) => break,
                Err(e) => {
                    common::error!("the API worker sent {e}");
                    return self.replace_worker();
                }
            }
        }
        match alive {
            Ok(true) => {}
            Ok(false) => self.replace_worker(),
            Err(e) => {
                common::error!("the API worker broke off: {e}");
                self.replace_worker();
            }
        }
    }

    /// The worker has ended, which it should not: another one takes its place, what it was asked is lost.
    fn replace_worker(&mut self) {
        let Some(mut backend) = self.backend.take() else { return };
        let _ = self.poller.registry().deregister(&mut backend.socket);
        let open = backend.waiting.into_calls();
        common::error!("the API worker {} has ended with {} tasks open", backend.pid, open.len());
        if self.joined.is_none() {
            self.stop = Some(Finish::Failed("the API worker ended during the start".to_owned()));
            return;
        }
        for asked in open {
            if let BackendCall::ServerConfig(_) = asked {
                let reason = "the API worker has ended".to_owned();
                self.tell_server(&ToServer::ConfigFailed { reason });
            } else if asked.is_report() {
                // It may have been told, or not.
                self.lose(&asked);
            }
        }
    }

    fn take_reply(&mut self, number: u64, asked: BackendCall, reply: Reply) {
        let taken = match reply {
            Reply::Answer { text } => self.take_answer(&asked, &text),
            Reply::Failed { reason, unsent } => Err((reason, unsent)),
        };
        match taken {
            Ok(()) => self.note_success(&asked),
            Err((reason, unsent)) => {
                self.note_fault(&asked, &reason, unsent);
                self.call_failed(number, asked, reason, unsent);
            }
        }
    }

    /// Takes an answer over; or says why it is none, and that the backend has heard the question.
    fn take_answer(&mut self, asked: &BackendCall, text: &Secret) -> Result<(), (String, bool)> {
        let wrong = |e: &dyn std::fmt::Display| {
            (format!("the backend's answer is not what the protocol says: {e}"), false)
        };
        match asked {
            BackendCall::Enrolment => {
                let enrolment = serde_json::from_str::<Enrolment>(text.expose());
                let enrolment = enrolment.map_err(|e| wrong(&without_values(&e)))?;
                self.take_enrolment(&enrolment).map_err(|reason| (reason, false))?;
            }
            BackendCall::ClientConfig => {
                let answer = serde_json::from_str::<ClientConfigAnswer>(text.expose());
                let config = answer.map_err(|e| wrong(&without_values(&e)))?.config;
                config.check().map_err(|e| wrong(&e))?;
                self.take_config(config);
            }
            BackendCall::ServerConfig(_) => self.pass_config(text.expose()),
            BackendCall::CrlUrl(_) | BackendCall::SystemLog(_) | BackendCall::Sessions(_) => {}
        }
        Ok(())
    }

    fn call_failed(&mut self, number: u64, asked: BackendCall, reason: String, unsent: bool) {
        match asked {
            BackendCall::ServerConfig(_) => self.tell_server(&ToServer::ConfigFailed { reason }),
            BackendCall::Enrolment | BackendCall::ClientConfig if self.joined.is_none() => {
                self.stop = Some(Finish::Failed(format!("{} failed: {reason}", asked.function())));
            }
            BackendCall::Enrolment => self.renewal_failed(),
            BackendCall::ClientConfig => {}
            BackendCall::CrlUrl(_) | BackendCall::SystemLog(_) | BackendCall::Sessions(_) if unsent => {
                self.hold(number, asked);
            }
            BackendCall::CrlUrl(_) | BackendCall::SystemLog(_) | BackendCall::Sessions(_) => {
                self.lose(&asked);
            }
        }
    }

    /// The configuration goes on to the server as it came, in parts.
    fn pass_config(&mut self, text: &str) {
        let mut rest = text;
        loop {
            let mut cut = rest.len().min(CHUNK);
            while !rest.is_char_boundary(cut) {
                cut -= 1;
            }
            let (part, after) = rest.split_at(cut);
            let last = after.is_empty();
            self.tell_server_bulk(&ToServer::ConfigPart { text: Secret::new(part.to_owned()), last });
            if last {
                return;
            }
            rest = after;
        }
    }

    fn take_config(&mut self, config: common::config::ClientConfig) {
        let changed = self.config.as_ref() != Some(&config);
        if changed {
            Event::new(&events::CONFIG_TAKEN).field_num("generation", config.generation).log();
            // Parked children were born with the configuration before.
            self.children.release_parked();
            self.config = Some(config);
        }
        if self.joined.is_none() {
            self.join_server();
        }
        if self.joined.is_some() {
            self.tend_listeners();
        }
    }
}
