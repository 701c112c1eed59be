//! The control connection: what the two parents say to each other, and the connection itself with its pings.
//! Frames of up to 1 MiB; an answer that is larger goes in chunks, between which pings get through.

use super::session_id::{Direction, SessionId};
use super::ticket::Ticket;
use crate::config::MAX_CRLS;
use crate::ipc::frame::{self, FrameError, MAX_FRAME, Splitter};
use crate::net::{Conn, Read};
use crate::rpc::{CrlUrl, SessionEvent, SystemLog};
use crate::secret::Secret;
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
use zeroize::Zeroizing;

/// Version of the link's protocol; both ends must be of the same.
pub const VERSION: u32 = 1;
/// Both ends ping this often.
pub const PING_EVERY: Duration = Duration::from_secs(5);
/// A client answers a ping at once. One that has not done so for this long has to make room for another client.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// An end counts as gone this long after its last octet.
pub const GONE_AFTER: Duration = Duration::from_secs(30);
/// Largest chunk of an answer, octets of text.
pub const CHUNK: usize = 256 * 1024;
/// Largest answer in chunks, octets of text: the CRLs, which the backend bounds (`MAX_CRLS`), and room for the rest.
pub const MAX_ANSWER: usize = MAX_CRLS + (32 << 20);
/// Largest report to the backend that the client takes from the server, octets of JSON: an entry of the system log, a
/// batch of session events, a URL.
pub const MAX_REPORT: usize = 64 * 1024;
/// Unsent frames that an end may heap up, octets, besides an answer in chunks.
pub(super) const MAX_BACKLOG: usize = 4 << 20;

/// Octets read between two calls of `advance`.
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
    },
    /// Instead of `Welcome`: why not. The connection closes.
    Refused {
        /// A finished sentence.
        reason: String,
    },
    /// Fetch the configuration from the backend.
    GetConfig {
        /// Generation that the server holds.
        generation: Option<u64>,
        /// What time it is there, seconds since 1970-01-01 UTC.
        #[serde(default)]
        time: Option<i64>,
        /// The addresses of the server's host.
        #[serde(default)]
        addresses: Vec<IpAddr>,
    },
    /// Have a session child dial in for this pair.
    Pair {
        /// Names the pair.
        pair: SessionId,
        /// Lets it join.
        ticket: Ticket,
        /// Outgoing: the answer to `WantOutgoing`.
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
    /// Tell the backend of a CRL distribution URL that the configuration does not know.
    CrlUrl(CrlUrl),
    /// Tell the backend's system log.
    SystemLog(Box<SystemLog>),
    /// Tell the backend's session list.
    Sessions(Vec<SessionEvent>),
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
    },
    /// A part of the answer to `GetConfig`: `rpc::ConfigAnswer` as JSON text.
    ConfigPart {
        /// The next octets of it; the private key towards partners is in it.
        text: Secret,
        /// It is whole now.
        last: bool,
    },
    /// The backend did not give a configuration.
    ConfigFailed {
        /// A finished sentence.
        reason: String,
    },
    /// No session child could be had for this pair.
    PairFailed {
        /// Names the pair.
        pair: SessionId,
        /// A finished sentence.
        reason: String,
        /// The client's child is gone: whoever has its data connection hears of it there, and needs no word.
        #[serde(default)]
        retired: bool,
    },
    /// There is another generation of the configuration: the server asks for it at once. Only for a server that has
    /// said `changes`.
    ConfigChanged,
    /// One more pair for outgoing sessions, please. Each gets one answer, in order: `Pair` or `NoOutgoing`.
    WantOutgoing,
    /// A new control connection with a new certificate will take this one's place: listen for it.
    Renewing {
        /// Proves that both come from the same client.
        secret: Ticket,
    },
}

/// What a message needs to travel on the control connection.
pub trait Message: Serialize + DeserializeOwned {
    /// The sign of life in this direction.
    fn ping() -> Self;
    /// Whether this is one.
    fn is_ping(&self) -> bool;
    /// Whether one in this direction is answered: the client answers the server, or they would never stop.
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
    /// No sign of life for `GONE_AFTER`.
    Silent,
    /// The other end sent something that is no message, or too large.
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
    sending: Vec<u8>,
    sent: usize,
    heard: Instant,
    pinged: Instant,
    /// The first ping since something was heard.
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
            sending: Vec::new(),
            sent: 0,
            heard: now,
            pinged: now,
            asked: None,
            owes_answer: false,
            types: PhantomData,
        }
    }

    /// The connection below.
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

    /// Queues a part of a large answer: it lets `send`'s messages go ahead of it.
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

    /// Reads the next message, if there is one. Pings are taken in here. Between two calls of `advance` only so much is
    /// read: a peer that does not stop sending must not keep this process from its other work.
    ///
    /// # Errors
    /// The connection has ended or broken off, or what came is no message. It is of no use afterwards.
    pub fn receive(&mut self) -> Result<Option<In>, ControlError> {
        let mut chunk = Zeroizing::new([0; 16 * 1024]);
        loop {
            while let Some(message) = self.splitter.take::<In>()? {
                if !message.is_ping() {
                    return Ok(Some(message));
                }
                self.owes_answer |= In::PING_IS_ANSWERED;
            }
            if self.allowance == 0 {
                return Ok(None);
            }
            match self.conn.read(&mut *chunk) {
                Read::Octets(n) => {
                    self.allowance = self.allowance.saturating_sub(n);
                    self.heard = Instant::now();
                    self.asked = None;
                    self.splitter.feed(chunk.get(..n).unwrap_or_default());
                }
                Read::Blocked => return Ok(None),
                Read::Clean => return Err(ControlError::Closed),
                Read::Broken(e) => return Err(e.into()),
            }
        }
    }

    /// More may be there to read: `receive` has stopped early.
    pub fn has_more(&self) -> bool {
        self.allowance == 0
    }

    /// Octets that are queued and not sent yet, but for an answer in chunks.
    pub fn backlog(&self) -> usize {
        self.backlog
    }

    /// Pings unless a ping is on its way already: whatever comes now is the answer. `advance` sends it.
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

    /// When something came last.
    pub fn heard(&self) -> Instant {
        self.heard
    }

    /// When the other end has owed us an answer for too long; none: it owes none.
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
        if now.duration_since(self.heard) > GONE_AFTER {
            return Err(ControlError::Silent);
        }
        if self.owes_answer || now.duration_since(self.pinged) >= PING_EVERY {
            self.ping(now)?;
        }
        while self.send_next()? {}
        self.conn.drain()?;
        Ok(())
    }

    /// Sends what is queued, for `patience` at most, and closes in the regular way, so that the other end need not wait
    /// until it counts as gone.
    pub fn close(&mut self, patience: Duration) {
        let until = Instant::now() + patience;
        while self.advance().is_ok() && !self.is_sent() && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            // Interrupted or not: the loop looks again.
            let _ = poll(&mut [PollFd::new(self.conn.wire().socket().as_fd(), PollFlags::POLLOUT)], timeout);
        }
        // Best effort: this process ends, whatever comes of it.
        let _ = self.conn.finish();
    }

    fn is_sent(&mut self) -> bool {
        self.urgent.is_empty() && self.sent == self.sending.len() && self.conn.wire().unsent() == 0
    }

    /// When `advance` is due next, at the latest.
    pub fn due(&self) -> Instant {
        (self.pinged + PING_EVERY).min(self.heard + GONE_AFTER)
    }

    /// Sends on the frame in hand, or the next one; true if it moved.
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
