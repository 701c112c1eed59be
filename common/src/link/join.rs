//! The join of a pair: TLS 1.3 with the ticket as pre-shared key on the data connection, then the few bounded
//! frames that open a session on it. The side with work begins the handshake; the parked side waits for it.

use super::session_id::SessionId;
use super::ticket::Ticket;
use super::tls;
use crate::config::ProfileName;
use crate::ipc::frame::{self, FrameError, Splitter};
use crate::net::{Conn, Read};
use crate::oftp::Deviations;
use crate::text::host::with_port;
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslContext, SslVerifyMode, SslVersion};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::sync::OnceLock;
use std::task::Poll;
use std::time::Duration;

/// Largest frame before the session's octets, octets of JSON.
pub(super) const MAX_OPENING: usize = 16 * 1024;
/// How long a join may take, the wait for the other half of the pair included.
pub const TIME_LIMIT: Duration = Duration::from_secs(10);
const SUITE: &str = "TLS_AES_128_GCM_SHA256";

/// The groups of the key exchange: one, which is the fastest. What was recorded stays secret even if it is broken one
/// day: the ticket, 256 random bits, is part of every key.
const GROUPS: &str = "X25519";

/// The contexts of all joins of a process. They hold no secret: a connection has its own.
struct Contexts {
    initiating: SslContext,
    accepting: SslContext,
    /// Of a connection.
    proof: Index<Ssl, Proof>,
}

/// What one end of a pair proves to have, and wants to see.
struct Proof {
    /// The pair's ID, as it is sent.
    identity: String,
    ticket: Ticket,
}

static CONTEXTS: OnceLock<Contexts> = OnceLock::new();

impl Contexts {
    /// Those of this process: inherited, or made now.
    fn of_process() -> Result<&'static Self, ErrorStack> {
        if let Some(made) = CONTEXTS.get() {
            return Ok(made);
        }
        let made = Self::new()?;
        Ok(CONTEXTS.get_or_init(|| made))
    }

    fn new() -> Result<Self, ErrorStack> {
        let proof = Ssl::new_ex_index()?;
        let context = || {
            let mut context = tls::hardened(SslVersion::TLS1_3)?;
            context.set_ciphersuites(SUITE)?;
            context.set_groups_list(GROUPS)?;
            Ok::<_, ErrorStack>(context)
        };
        let mut initiating = context()?;
        // A peer without the ticket might offer a certificate instead: none is accepted.
        initiating.set_verify(SslVerifyMode::PEER);
        initiating.set_psk_client_callback(move |ssl, _, identity_out, key_out| {
            let Some(Proof { identity, ticket }) = ssl.ex_data(proof) else { return Ok(0) };
            // The identity is a C string: its end must be marked.
            for (to, from) in identity_out.iter_mut().zip(identity.bytes().chain([0])) {
                *to = from;
            }
            Ok(put_key(ticket, key_out))
        });
        let mut accepting = context()?;
        accepting.set_psk_server_callback(move |ssl, offered, key_out| {
            // A length of 0 tells OpenSSL that this identity has no key; the handshake fails.
            let proof = ssl.ex_data(proof).filter(|proof| offered == Some(proof.identity.as_bytes()));
            Ok(proof.map_or(0, |proof| put_key(&proof.ticket, key_out)))
        });
        Ok(Self { initiating: initiating.build(), accepting: accepting.build(), proof })
    }

    fn connection(&self, context: &SslContext, pair: SessionId, ticket: &Ticket) -> Result<Ssl, ErrorStack> {
        let mut ssl = Ssl::new(context)?;
        ssl.set_ex_data(self.proof, Proof { identity: pair.to_string(), ticket: ticket.clone() });
        Ok(ssl)
    }
}

/// Makes what all joins have in common, in a parent: its children inherit it.
///
/// # Errors
/// OpenSSL has no memory or lacks the suite.
pub fn prepare() -> Result<(), ErrorStack> {
    Contexts::of_process().map(drop)
}

/// The side that has work: begins the handshake.
///
/// # Errors
/// As [`prepare`].
pub fn initiate(pair: SessionId, ticket: &Ticket) -> Result<Ssl, ErrorStack> {
    let contexts = Contexts::of_process()?;
    let mut ssl = contexts.connection(&contexts.initiating, pair, ticket)?;
    ssl.set_connect_state();
    Ok(ssl)
}

/// The parked side: accepts its own pair's ticket and no other.
///
/// # Errors
/// As [`prepare`].
pub fn accept(pair: SessionId, ticket: &Ticket) -> Result<Ssl, ErrorStack> {
    let contexts = Contexts::of_process()?;
    let mut ssl = contexts.connection(&contexts.accepting, pair, ticket)?;
    ssl.set_accept_state();
    Ok(ssl)
}

fn put_key(ticket: &Ticket, out: &mut [u8]) -> usize {
    let key = ticket.expose();
    let Some(room) = out.get_mut(..key.len()) else { return 0 };
    room.copy_from_slice(key);
    key.len()
}

/// Who the partner of a session is, as the server's child tells the client's. In an incoming session it asks to open
/// the way inward: no address, no port, the client knows its station.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Open {
    /// The partner's address and port, for the log.
    pub address: String,
    /// The partner's short name.
    pub partner: String,
    /// The partner's SSIDCODE.
    pub ssid: String,
    /// How strictly to judge.
    pub profile: ProfileName,
    /// What the profile `Strict` accepts nevertheless.
    #[serde(default, skip_serializing_if = "Deviations::is_empty")]
    pub allow: Deviations,
}

/// The answer to `Open`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Opened {
    /// The station is connected and has sent its SSRM; the session's octets follow.
    Ready,
    /// It is not.
    Failed {
        /// A finished sentence.
        reason: String,
    },
}

/// Client's child to server's child: open the way to a partner.
#[derive(Debug, Serialize, Deserialize)]
pub struct Dial {
    /// As the station said it; what it stands for is looked up in the partner table alone.
    pub target: Target,
}

/// The partner that a station wants to reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The partner with this short name (a listener that is tied to it).
    Partner(String),
    /// What a proxy request named.
    Host {
        /// Host name, IP address or short name.
        host: String,
        /// Port; none: the one in the partner table.
        port: Option<u16>,
    },
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partner(name) | Self::Host { host: name, port: None } => f.write_str(name),
            Self::Host { host, port: Some(port) } => with_port(host, *port).fmt(f),
        }
    }
}

/// The answer to `Dial`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reached {
    /// The partner is connected and verified, its first message is here; the session's octets follow.
    Ready(Open),
    /// It is not.
    Failed {
        /// One word of `os4x_proxy-log.5`.
        word: String,
        /// A finished sentence.
        reason: String,
    },
}

/// Why the few frames before the session failed.
#[derive(Debug)]
pub enum OpeningError {
    /// The other child ended it.
    Closed,
    /// The connection broke off.
    Broken(io::Error),
    /// Not a frame that belongs here.
    Frame(FrameError),
}

impl fmt::Display for OpeningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the other daemon's session process closed the data connection"),
            Self::Broken(e) => write!(f, "the data connection broke off: {e}"),
            Self::Frame(e) => write!(f, "the other daemon's session process sent {e}"),
        }
    }
}

impl std::error::Error for OpeningError {}

/// Reads one frame and not an octet more: what follows are the session's octets.
pub struct Opening {
    splitter: Splitter,
}

impl Default for Opening {
    fn default() -> Self {
        Self { splitter: Splitter::new(MAX_OPENING) }
    }
}

impl Opening {
    /// One step of reading; ready with the message.
    ///
    /// # Errors
    /// The other side has closed or broken off, or sent no such message.
    pub fn receive<T: DeserializeOwned>(&mut self, conn: &mut Conn) -> Result<Poll<T>, OpeningError> {
        let mut chunk = [0; 4096];
        loop {
            if let Some(message) = self.splitter.take().map_err(OpeningError::Frame)? {
                return Ok(Poll::Ready(message));
            }
            let missing = self.splitter.missing().min(chunk.len());
            match conn.read(chunk.get_mut(..missing).unwrap_or_default()) {
                Read::Octets(n) => self.splitter.feed(chunk.get(..n).unwrap_or_default()),
                Read::Blocked => return Ok(Poll::Pending),
                Read::Clean => return Err(OpeningError::Closed),
                Read::Broken(e) => return Err(OpeningError::Broken(e)),
            }
        }
    }
}

/// Sends one frame. It is small, and nothing else is under way: it fits the connection's buffer.
///
/// # Errors
/// The other side has broken off, or does not take the frame.
pub fn send(conn: &mut Conn, message: &impl Serialize) -> Result<(), OpeningError> {
    send_ahead(conn, message, &[])
}

/// The same, and behind the frame the first octets of the session, which need not wait for the answer: a small message.
///
/// # Errors
/// As [`send`].
pub fn send_ahead(conn: &mut Conn, message: &impl Serialize, first: &[u8]) -> Result<(), OpeningError> {
    let octets = [&frame::encode(message).map_err(OpeningError::Frame)?, first].concat();
    let taken = conn.write(&octets).map_err(OpeningError::Broken)?;
    if taken < octets.len() {
        return Err(OpeningError::Broken(io::ErrorKind::WriteZero.into()));
    }
    conn.drain().map(drop).map_err(OpeningError::Broken)
}
