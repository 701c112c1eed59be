//! The control connection: the messages between the two parents, and the connection itself with its pings. A frame has
//! 1 MiB at most. A larger answer is sent in chunks, so that pings get through between them.

use super::session_id::{Direction, SessionId};
use super::ticket::Ticket;
use crate::config::MAX_CRLS;
use crate::ipc::frame::{self, FrameError, MAX_FRAME, Splitter};
use crate::net::{Conn, Read};
use crate::rpc::{Act, ActOutcome, CrlUrl, SessionEvent, SystemLog};
use crate::secret::Secret;
use crate::state::{DaemonState, RefusalCount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use zeroize::Zeroize;

/// Version of the link's protocol; both ends must have the same one.
pub const VERSION: u32 = 1;
/// Interval of the pings of each end.
pub const PING_EVERY: Duration = Duration::from_secs(5);
/// A client answers a ping at once. A client that has not answered for this time is replaced if another client is
/// there.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// An end counts as gone this long after its last octet has arrived.
pub const GONE_AFTER: Duration = Duration::from_secs(30);
/// Largest chunk of an answer, octets of text.
pub const CHUNK: usize = 256 * 1024;
/// Largest answer in chunks, octets of text: the CRLs, whose size the backend limits (`MAX_CRLS`), and room for the
/// rest.
pub const MAX_ANSWER: usize = MAX_CRLS + (32 << 20);
/// Largest report to the backend that the client takes from the server, octets of JSON: an entry of the system log, a
/// batch of session events, a URL.
pub const MAX_REPORT: usize = 64 * 1024;
/// Unsent frames that an end may accumulate, octets, not counting an answer in chunks.
pub(super) const MAX_BACKLOG: usize = 4 << 20;

/// Octets that are read between two calls of `advance`.
const ALLOWANCE: usize = 512 * 1024;

/// From the server's parent to the client's parent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToClient {
    /// Sign of life.
    Ping,
    /// First frame of the server: the client is joined.
    Welcome {
        /// `VERSION`.
        version: u32,
        /// The server takes `ConfigChanged`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        changes: bool,
        /// The kinds of acts that the server carries out: it takes `Act` with these.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        acts: Vec<String>,
        /// The server sends `State` and `Refusals` to a client that takes them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        states: bool,
        /// The server takes `Draining`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        drains: bool,
    },
    /// Instead of `Welcome`, which follows later: another client is joined and answers, so this one waits until that
    /// one is gone. Only to a client that has said `stands_by`.
    Standby,
    /// Instead of `Welcome`: why not. The connection closes.
    Refused {
        /// A finished sentence.
        reason: String,
    },
    /// Fetch the configuration from the backend.
    GetConfig {
        /// Generation that the server holds.
        generation: Option<u64>,
        /// The clock of the server, seconds since 1970-01-01 UTC.
        #[serde(default)]
        time: Option<i64>,
        /// The addresses of the server's host.
        #[serde(default)]
        addresses: Vec<IpAddr>,
    },
    /// Have a session child connect for this pair.
    Pair {
        /// Names the pair.
        pair: SessionId,
        /// The secret that lets it join.
        ticket: Ticket,
        /// Outgoing: this is the answer to `WantOutgoing`.
        direction: Direction,
    },
    /// The other answer to `WantOutgoing`.
    NoOutgoing {
        /// A finished sentence.
        reason: String,
    },
    /// This pair is not wanted any more.
    Retire {
        /// Names the pair.
        pair: SessionId,
    },
    /// Report a CRL distribution URL to the backend; the configuration does not have it.
    CrlUrl(CrlUrl),
    /// Add this entry to the backend's system log.
    SystemLog(Box<SystemLog>),
    /// Add these events to the backend's session list.
    Sessions(Vec<SessionEvent>),
    /// The answer to `Act`.
    ActOutcome(ActOutcome),
    /// The state of this server; the client sends it to the backend with its own. Only to a client that takes `states`.
    State(Box<DaemonState>),
    /// Report refusals of this server to the backend. Only to a client that takes `states`.
    Refusals(Vec<RefusalCount>),
}

/// From the client's parent to the server's parent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToServer {
    /// Sign of life.
    Ping,
    /// First frame of the client.
    Hello {
        /// `VERSION`.
        version: u32,
        /// The renewal that the running control connection announced, if this one is to take its place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        renews: Option<Ticket>,
        /// The client takes `State` and `Refusals`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        states: bool,
        /// If another client is joined, this one takes `Standby`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        stands_by: bool,
    },
    /// A part of the answer to `GetConfig`: `rpc::ConfigAnswer` as JSON text.
    ConfigPart {
        /// The next octets of the text. They include the private key towards partners.
        text: Secret,
        /// This is the last part.
        last: bool,
    },
    /// The backend gave no configuration.
    ConfigFailed {
        /// A finished sentence.
        reason: String,
    },
    /// No session child could be started for this pair.
    PairFailed {
        /// Names the pair.
        pair: SessionId,
        /// A finished sentence.
        reason: String,
        /// The client's child has ended. If the server's child has the data connection already, it sees the end there
        /// and needs no message.
        #[serde(default)]
        retired: bool,
    },
    /// There is another generation of the configuration: the server asks for it at once. Only to a server that has said
    /// `changes`.
    ConfigChanged,
    /// The client ends once its sessions have: it wants no new ones. Only to a server that has said `drains`.
    Draining,
    /// An act that an administrator requested; `ActOutcome` answers it. Only of a kind that the server has named in its
    /// Welcome.
    Act(Act),
    /// Asks for one more pair for outgoing sessions. Each request gets one answer, in order: `Pair` or `NoOutgoing`.
    WantOutgoing,
    /// A new control connection with a new certificate will replace this one: listen for it.
    Renewing {
        /// Proves that both connections come from the same client.
        secret: Ticket,
    },
}

/// What the control connection needs to know of a message type.
pub trait Message: Serialize + DeserializeOwned {
    /// The sign of life in this direction.
    fn ping() -> Self;
    /// Whether this is one.
    fn is_ping(&self) -> bool;
    /// Whether a ping in this direction is answered. Only the client answers: if both did, they would never stop.
    const PING_IS_ANSWERED: bool;
}

impl Message for ToClient {
    fn ping() -> Self {
        Self::Ping
    }
    fn is_ping(&self) -> bool {
        matches!(self, Self::Ping)
    }
    const PING_IS_ANSWERED: bool = true;
}

impl Message for ToServer {
    fn ping() -> Self {
        Self::Ping
    }
    fn is_ping(&self) -> bool {
        matches!(self, Self::Ping)
    }
    const PING_IS_ANSWERED: bool = false;
}

/// Why a control connection is over.
#[derive(Debug)]
pub enum ControlError {
    /// The other end closed it.
    Closed,
    /// It broke off.
    Broken(io::Error),
    /// Nothing was received for `GONE_AFTER`.
    Silent,
    /// The other end sent octets that are no message, or too many.
    Frame(FrameError),
    /// The other end does not read.
    Stuck,
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the other end closed the control connection"),
            Self::Broken(e) => write!(f, "the control connection broke off: {e}"),
            Self::Silent => write!(f, "no sign of life for {} s", GONE_AFTER.as_secs()),
            Self::Frame(e) => write!(f, "the other end sent {e}"),
            Self::Stuck => f.write_str("the other end does not read the control connection"),
        }
    }
}

impl std::error::Error for ControlError {}

impl From<FrameError> for ControlError {
    fn from(e: FrameError) -> Self {
        Self::Frame(e)
    }
}

impl From<io::Error> for ControlError {
    fn from(e: io::Error) -> Self {
        Self::Broken(e)
    }
}

/// One end of the control connection: receives `In`, sends `Out`.
pub struct Control<In, Out> {
    conn: Conn,
    splitter: Splitter,
    urgent: VecDeque<Vec<u8>>,
    bulk: VecDeque<Vec<u8>>,
    backlog: usize,
    allowance: usize,
    /// The last `receive` has read as much as one call may, and more may be there.
    has_more: bool,
    sending: Vec<u8>,
    sent: usize,
    last_received: Instant,
    pinged: Instant,
    /// When the first ping was sent after the last message that was received.
    asked: Option<Instant>,
    owes_answer: bool,
    types: PhantomData<(In, Out)>,
}

impl<In: Message, Out: Message> Control<In, Out> {
    /// Over a connection whose TLS handshake is done.
    pub fn new(conn: Conn) -> Self {
        let now = Instant::now();
        Self {
            conn,
            splitter: Splitter::new(MAX_FRAME),
            urgent: VecDeque::new(),
            bulk: VecDeque::new(),
            backlog: 0,
            allowance: ALLOWANCE,
            has_more: false,
            sending: Vec::new(),
            sent: 0,
            last_received: now,
            pinged: now,
            asked: None,
            owes_answer: false,
            types: PhantomData,
        }
    }

    /// The connection below this one.
    pub fn conn(&mut self) -> &mut Conn {
        &mut self.conn
    }

    /// Queues a message; `advance` sends it.
    ///
    /// # Errors
    /// The message is larger than a frame may be, or the other end has left too much unread ([`ControlError::Stuck`]).
    pub fn send(&mut self, message: &Out) -> Result<(), ControlError> {
        let frame = frame::encode(message)?;
        if frame.len() > MAX_FRAME + 4 {
            return Err(FrameError::TooLong(frame.len(), MAX_FRAME).into());
        }
        self.backlog += frame.len();
        if self.backlog > MAX_BACKLOG {
            return Err(ControlError::Stuck);
        }
        self.urgent.push_back(frame);
        Ok(())
    }

    /// Queues a part of a large answer: messages of `send` are sent before it.
    ///
    /// # Errors
    /// The message cannot be written as a frame.
    pub fn send_bulk(&mut self, message: &Out) -> Result<(), ControlError> {
        self.bulk.push_back(frame::encode(message)?);
        Ok(())
    }

    /// Whether parts of a large answer are still unsent.
    pub fn bulk_pending(&self) -> bool {
        !self.bulk.is_empty()
    }

    /// Reads the next message, if there is one. Pings are handled here. Only a limited amount is read between two calls
    /// of `advance`: a peer that does not stop sending must not keep this process from its other work.
    ///
    /// # Errors
    /// The connection has ended or broken off, or the octets are no message. The connection is of no use afterwards.
    pub fn receive(&mut self) -> Result<Option<In>, ControlError> {
        let mut chunk = [0; 16 * 1024];
        loop {
            while let Some(message) = self.splitter.take::<In>()? {
                if !message.is_ping() {
                    return Ok(Some(message));
                }
                self.owes_answer |= In::PING_IS_ANSWERED;
            }
            self.has_more = self.allowance == 0;
            if self.has_more {
                return Ok(None);
            }
            match self.conn.read(&mut chunk) {
                Read::Octets(n) => {
                    self.allowance = self.allowance.saturating_sub(n);
                    self.last_received = Instant::now();
                    self.asked = None;
                    let came = chunk.get_mut(..n).unwrap_or_default();
                    self.splitter.feed(came);
                    came.zeroize();
                }
                Read::Blocked => return Ok(None),
                Read::Clean => return Err(ControlError::Closed),
                Read::Broken(e) => return Err(e.into()),
            }
        }
    }

    /// Whether more may be there to read although no event will say so: the last `receive` stopped early.
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// Octets that are queued and not sent yet, not counting an answer in chunks.
    pub fn backlog(&self) -> usize {
        self.backlog
    }

    /// Sends a ping, unless the last one is still unanswered. The next message counts as its answer. `advance` sends
    /// it.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn ask(&mut self, now: Instant) -> Result<(), ControlError> {
        if self.asked.is_none() { self.ping(now) } else { Ok(()) }
    }

    fn ping(&mut self, now: Instant) -> Result<(), ControlError> {
        self.owes_answer = false;
        self.pinged = now;
        self.asked.get_or_insert(now);
        self.send(&Out::ping())
    }

    /// When the last octets were received.
    pub fn last_received(&self) -> Instant {
        self.last_received
    }

    /// When the other end must have answered the ping; none: no ping is unanswered.
    pub fn answer_due(&self) -> Option<Instant> {
        self.asked.map(|asked| asked + ANSWER_WITHIN)
    }

    /// Pings or answers a ping when it is time, and sends as much as the other end takes.
    ///
    /// # Errors
    /// The connection has broken off, or nothing has come for too long ([`ControlError::Silent`]).
    pub fn advance(&mut self) -> Result<(), ControlError> {
        self.allowance = ALLOWANCE;
        let now = Instant::now();
        if now.duration_since(self.last_received) > GONE_AFTER {
            return Err(ControlError::Silent);
        }
        if self.owes_answer || now.duration_since(self.pinged) >= PING_EVERY {
            self.ping(now)?;
        }
        while self.send_next()? {}
        self.conn.drain()?;
        Ok(())
    }

    /// Sends what is queued, for `patience` at most, and closes in the regular way. Then the other end knows at once
    /// that this one is gone.
    pub fn close(&mut self, patience: Duration) {
        let until = Instant::now() + patience;
        while self.advance().is_ok() && !self.is_sent() && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            // The loop checks again, whether poll() was interrupted or not.
            let _ = poll(&mut [PollFd::new(self.conn.wire().socket().as_fd(), PollFlags::POLLOUT)], timeout);
        }
        // An error does not matter here: this process ends in any case.
        let _ = self.conn.finish();
    }

    fn is_sent(&mut self) -> bool {
        self.urgent.is_empty() && self.sent == self.sending.len() && self.conn.wire().unsent() == 0
    }

    /// When `advance` must be called next, at the latest.
    pub fn due(&self) -> Instant {
        (self.pinged + PING_EVERY).min(self.last_received + GONE_AFTER)
    }

    /// Goes on sending the current frame, or begins the next one; true if something was sent.
    fn send_next(&mut self) -> Result<bool, ControlError> {
        if self.sent == self.sending.len() {
            let next = if let Some(frame) = self.urgent.pop_front() {
                self.backlog -= frame.len();
                Some(frame)
            } else {
                self.bulk.pop_front()
            };
            let Some(frame) = next else { return Ok(false) };
            (self.sending, self.sent) = (frame, 0);
        }
        let n = self.conn.write(self.sending.get(self.sent..).unwrap_or_default())?;
        self.sent += n;
        Ok(n > 0)
    }
}
