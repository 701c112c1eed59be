//! The join of a pair: TLS 1.3 on the data connection with the ticket as pre-shared key, then a few frames of limited
//! size that open a session. The side that has a session begins the handshake; the parked side waits for it.

use super::session_id::SessionId;
use super::ticket::Ticket;
use super::tls;
use crate::config::ProfileName;
use crate::ipc::frame::{self, FrameError, Splitter};
use crate::net::{Conn, Read};
use crate::oftp::Deviations;
use crate::partner_test::TestStep;
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
/// Time limit of a join, including the wait for the other half of the pair.
pub const TIME_LIMIT: Duration = Duration::from_secs(10);
const SUITE: &str = "TLS_AES_128_GCM_SHA256";

/// The group of the key exchange, the fastest one. A recording stays secret even if somebody breaks the group one day,
/// because the ticket, 256 random bits, is part of every key.
const GROUPS: &str = "X25519";

/// The contexts for all joins of a process. They hold no secret: each connection has its own.
struct Contexts {
    initiating: SslContext,
    accepting: SslContext,
    /// Index of the proof of a connection.
    proof: Index<Ssl, Proof>,
}

/// What one end of a pair proves to its peer, and requires from its peer.
struct Proof {
    /// The pair's ID, as it is sent.
    identity: String,
    ticket: Ticket,
}

static CONTEXTS: OnceLock<Contexts> = OnceLock::new();

impl Contexts {
    /// The contexts of this process: inherited, or made now.
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
            // The identity is a C string: it needs a zero octet at its end.
            for (to, from) in identity_out.iter_mut().zip(identity.bytes().chain([0])) {
                *to = from;
            }
            Ok(put_key(ticket, key_out))
        });
        let mut accepting = context()?;
        accepting.set_psk_server_callback(move |ssl, offered, key_out| {
            // A length of 0 tells OpenSSL that there is no key for this identity; the handshake fails.
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

/// Makes the contexts. A parent calls this, so that its children inherit them.
///
/// # Errors
/// OpenSSL has no memory or lacks the suite.
pub fn prepare() -> Result<(), ErrorStack> {
    Contexts::of_process().map(drop)
}

/// For the side that has a session: begins the handshake.
///
/// # Errors
/// As [`prepare`].
pub fn initiate(pair: SessionId, ticket: &Ticket) -> Result<Ssl, ErrorStack> {
    let contexts = Contexts::of_process()?;
    let mut ssl = contexts.connection(&contexts.initiating, pair, ticket)?;
    ssl.set_connect_state();
    Ok(ssl)
}

/// For the parked side: accepts the ticket of its own pair and no other.
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

/// The partner of a session: the server's child sends it to the client's child. In an incoming session it asks the
/// client to connect to its station. It has no address and no port, because the client knows its station.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Open {
    /// The partner's address and port, for the log, and for a station that wants them.
    pub address: String,
    /// The address and port of the DMZ to which the partner has connected; empty: the server does not say.
    #[serde(default)]
    pub reached: String,
    /// The partner's short name.
    pub partner: String,
    /// The partner's SSIDCODE.
    pub ssid: String,
    /// How strictly to check its messages.
    pub profile: ProfileName,
    /// Deviations that are accepted although the profile is `Strict`.
    #[serde(default, skip_serializing_if = "Deviations::is_empty")]
    pub allow: Deviations,
}

/// The answer to `Open`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Opened {
    /// The station is connected and has sent its SSRM; the session's octets follow.
    Ready,
    /// The station is not connected.
    Failed {
        /// A finished sentence.
        reason: String,
    },
}

/// From the client's child to the server's child: connect to a partner.
#[derive(Debug, Serialize, Deserialize)]
pub struct Dial {
    /// As the station said it; the server only looks it up in the partner table.
    pub target: Target,
    /// The partner is tested, without a station. Only for a server that supports this act.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
}

/// The partner that a station wants to connect to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The partner with this short name (from a listener that is tied to it).
    Partner(String),
    /// The destination of a proxy request.
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
    /// The partner is connected and verified, and its first message has arrived; the session's octets follow.
    Ready(Answered),
    /// The partner is not connected.
    Failed {
        /// One of the words for reasons in `os4x_proxy-log.5`.
        word: String,
        /// A finished sentence.
        reason: String,
        /// If this is a test: its steps; the failed step is the last one.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        steps: Vec<TestStep>,
    },
}

/// A partner that has answered a call.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answered {
    /// The partner.
    #[serde(flatten)]
    pub open: Open,
    /// If this is a test: its steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<TestStep>,
}

/// Why the exchange of frames before the session failed.
#[derive(Debug)]
pub enum OpeningError {
    /// The other child ended it.
    Closed,
    /// The connection broke off.
    Broken(io::Error),
    /// The octets are not the frame that is expected here.
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

/// Reads one frame and not an octet more, because the session's octets follow it.
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

/// Sends one frame. It always fits into the connection's buffer, because it is small and nothing else is being sent.
///
/// # Errors
/// The other side has broken off, or does not take the frame.
pub fn send(conn: &mut Conn, message: &impl Serialize) -> Result<(), OpeningError> {
    send_ahead(conn, message, &[])
}

/// Sends one frame and the first octets of the session behind it, so that they need not wait for the answer. It must be
/// small.
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
