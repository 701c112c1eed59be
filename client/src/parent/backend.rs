//! The API worker as the parent sees it: tasks go out in order, answers come back in the same order. The parent never
//! waits for one.

use super::{BACKEND, Parent};
use crate::backend::{Reply, Task};
use common::link::control::{CHUNK, MAX_ANSWER, ToServer};
use common::link::frame::{self, FrameError, Splitter};
use common::log::{Event, events};
use common::rpc::{Call, ClientConfigAnswer, Enrolment, SessionEvent, SystemLog};
use common::secret::Secret;
use common::startup::Finish;
use mio::Interest;
use mio::net::UnixStream;
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use zeroize::Zeroizing;

/// Tasks that may wait for the worker; reports beyond that are dropped.
const MAX_WAITING: usize = 200;
/// A reply is the answer's text once more as a JSON text: every octet may need an escape.
const MAX_REPLY: usize = 2 * MAX_ANSWER + 1024;

/// What an answer will be for.
pub(super) enum Asked {
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

impl Asked {
    fn function(&self) -> &'static str {
        match self {
            Self::Enrolment => "proxy_enrol",
            Self::ClientConfig => "proxy_client_config",
            Self::ServerConfig(_) => "proxy_config",
            Self::CrlUrl(_) => "proxy_crl_url",
            Self::SystemLog(_) => "proxy_system_log",
            Self::Sessions(_) => "proxy_session",
        }
    }

    fn is_report(&self) -> bool {
        matches!(self, Self::CrlUrl(_) | Self::SystemLog(_) | Self::Sessions(_))
    }
}

/// The API worker and what it was asked.
pub(super) struct Backend {
    pid: Pid,
    socket: UnixStream,
    splitter: Splitter,
    waiting: VecDeque<Asked>,
    output: Zeroizing<Vec<u8>>,
    dropped: u64,
}

impl Backend {
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    pub(super) fn ask(&mut self, asked: Asked, task: &Task) -> Result<(), FrameError> {
        if asked.is_report() && self.waiting.len() >= MAX_WAITING {
            self.dropped += 1;
            return Ok(());
        }
        self.output.extend_from_slice(&frame::encode(task)?);
        self.waiting.push_back(asked);
        self.flush();
        Ok(())
    }

    /// The server's configuration is being fetched.
    pub(super) fn fetches_config(&self) -> bool {
        self.waiting.iter().any(|asked| matches!(asked, Asked::ServerConfig(_)))
    }

    fn flush(&mut self) {
        while !self.output.is_empty() {
            match self.socket.write(&self.output) {
                Ok(n) => drop(self.output.drain(..n)),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                // Blocked: the loop tells when it takes more. Broken: its end is read soon.
                Err(_) => return,
            }
        }
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
            waiting: VecDeque::new(),
            output: Zeroizing::default(),
            dropped: 0,
        });
        if self.membership.is_none() {
            self.ask(Asked::Enrolment);
        }
        Ok(())
    }

    /// The call that asks for it; none if it cannot be asked now.
    pub(super) fn call_for(&mut self, asked: &Asked) -> Option<Call> {
        Some(match asked {
            Asked::Enrolment => {
                Call::ProxyEnrol { public_key: self.new_key()?, renewal: self.joined.is_some() }
            }
            Asked::ClientConfig => Call::ProxyClientConfig {},
            Asked::ServerConfig(generation) => {
                Call::ProxyConfig { proxy_id: self.joined.as_ref()?.proxy_id(), generation: *generation }
            }
            Asked::CrlUrl(url) => Call::ProxyCrlUrl { url: url.clone() },
            Asked::SystemLog(entry) => Call::ProxySystemLog(entry.as_ref().clone()),
            Asked::Sessions(events) => Call::ProxySession { events: events.clone() },
        })
    }

    /// The worker has moved.
    pub(super) fn hear_backend(&mut self) {
        let Some(backend) = &mut self.backend else { return };
        backend.flush();
        let alive = backend.read();
        loop {
            let Some(backend) = &mut self.backend else { return };
            match backend.splitter.take::<Reply>() {
                Ok(Some(reply)) => {
                    if let Some(asked) = backend.waiting.pop_front() {
                        self.take_reply(&asked, reply);
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
        common::error!("the API worker {} has ended with {} tasks open", backend.pid, backend.waiting.len());
        if self.joined.is_none() {
            self.stop = Some(Finish::Failed("the API worker ended during the start".to_owned()));
            return;
        }
        for asked in backend.waiting {
            if let Asked::ServerConfig(_) = asked {
                let reason = "the API worker has ended".to_owned();
                self.tell_server(&ToServer::ConfigFailed { reason });
            }
        }
    }

    fn take_reply(&mut self, asked: &Asked, reply: Reply) {
        self.tell_dropped();
        let text = match reply {
            Reply::Answer { text } => text,
            Reply::Failed { reason, .. } => return self.call_failed(asked, reason),
        };
        let wrong = |e: serde_json::Error| format!("the backend's answer is not what the protocol says: {e}");
        match asked {
            Asked::Enrolment => match serde_json::from_str::<Enrolment>(text.expose()) {
                Ok(enrolment) => self.take_enrolment(&enrolment),
                Err(e) => self.call_failed(asked, wrong(e)),
            },
            Asked::ClientConfig => match serde_json::from_str::<ClientConfigAnswer>(text.expose()) {
                Ok(answer) => self.take_config(answer.config),
                Err(e) => self.call_failed(asked, wrong(e)),
            },
            Asked::ServerConfig(_) => self.pass_config(text.expose()),
            Asked::CrlUrl(_) | Asked::SystemLog(_) | Asked::Sessions(_) => {}
        }
    }

    fn call_failed(&mut self, asked: &Asked, reason: String) {
        Event::new(events::BACKEND_ERROR)
            .field("function", asked.function())
            .field("reason", &reason)
            .error();
        match asked {
            Asked::ServerConfig(_) => self.tell_server(&ToServer::ConfigFailed { reason }),
            Asked::Enrolment | Asked::ClientConfig if self.joined.is_none() => {
                self.stop = Some(Finish::Failed(format!("{} failed: {reason}", asked.function())));
            }
            Asked::Enrolment => self.renewal_failed(),
            _ => {}
        }
    }

    fn tell_dropped(&mut self) {
        if let Some(backend) = &mut self.backend
            && backend.dropped > 0
        {
            common::warn!(
                "{} reports for the backend were dropped: it was away for too long",
                backend.dropped
            );
            backend.dropped = 0;
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
            Event::new(events::CONFIG_TAKEN).field_num("generation", config.generation).info();
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
