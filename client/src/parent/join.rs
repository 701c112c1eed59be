//! Joining the server: connecting, TLS handshake, Hello and Welcome; for the first time, or to replace the control
//! connection. It is a state machine of the poller: it continues when its socket has an event or when it is due, and
//! never waits.

use super::control::ServerConnection;
use super::enrolment::Credentials;
use common::identity::ProxyId;
use common::link::control::{Control, ControlError, ToClient, ToServer, VERSION};
use common::link::ticket::Ticket;
use common::link::tls;
use common::net::{self, Conn, Connecting, LookupError, Wire};
use mio::{Interest, Registry, Token};
use openssl::error::ErrorStack;
use openssl::ssl::Ssl;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;
use std::time::{Duration, Instant};

/// Time limit for connecting, handshake and Welcome together.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Pause before another attempt while the server opens its port for a renewal.
const DIAL_AGAIN: Duration = Duration::from_millis(50);
/// How long a starting client repeats a connect that is refused. A server with a client does not listen; if its client
/// does not answer, the server notices that within `PING_EVERY` + `ANSWER_WITHIN`.
const REFUSED_FOR: Duration = Duration::from_secs(15);
/// Pause between these attempts.
const START_AGAIN: Duration = Duration::from_millis(200);

/// Why the server was not joined.
#[derive(Debug)]
pub(super) enum JoinError {
    Connect(LookupError),
    /// The port refused connections for `REFUSED_FOR`.
    Port(LookupError),
    Tls(String),
    WrongServer(tls::WrongPeer),
    Refused(String),
    Version(u32),
    Control(ControlError),
    Late,
    NotWelcome,
    Setup(String),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(e) => e.fmt(f),
            Self::Port(e) => write!(
                f,
                "{e}, for {} s: no server runs there, or another client is joined already",
                REFUSED_FOR.as_secs()
            ),
            Self::Tls(e) => write!(f, "the TLS handshake with the server failed: {e}"),
            Self::WrongServer(e) => write!(f, "this is not the right server: {e}"),
            Self::Refused(reason) => write!(f, "the server refused this client: {reason}"),
            Self::Version(theirs) => {
                write!(f, "the server speaks version {theirs} of the link, this client speaks {VERSION}")
            }
            Self::Control(e) => e.fmt(f),
            Self::Late => write!(f, "the server did not answer within {} s", TIME_LIMIT.as_secs()),
            Self::NotWelcome => f.write_str("the server's first message was not Welcome"),
            Self::Setup(e) => f.write_str(e),
        }
    }
}

impl From<ControlError> for JoinError {
    fn from(e: ControlError) -> Self {
        Self::Control(e)
    }
}

impl From<ErrorStack> for JoinError {
    fn from(e: ErrorStack) -> Self {
        Self::Setup(e.to_string())
    }
}

impl From<io::Error> for JoinError {
    fn from(e: io::Error) -> Self {
        Self::Setup(e.to_string())
    }
}

/// A join in progress.
pub(super) struct Join {
    terms: Terms,
    stage: Stage,
}

/// The values that no step changes.
struct Terms {
    addresses: Vec<SocketAddr>,
    source: Option<IpAddr>,
    /// The token of its socket.
    token: Token,
    credentials: Credentials,
    /// The secret of a renewal.
    renews: Option<Ticket>,
    /// Until when a refused connect is repeated.
    repeat_until: Instant,
    /// The deadline of this connection.
    deadline: Instant,
}

enum Stage {
    Connecting(Connecting),
    /// The connect was refused. The port opens once the server has read the announcement of the renewal, or has noticed
    /// that another client is gone.
    Paused(Instant),
    Handshake(Box<Conn>),
    /// Hello was sent.
    Greeting(Box<ServerConnection>),
    /// Another client is joined.
    Standby(Box<ServerConnection>),
}

/// The outcome of a step.
enum Progress {
    Wait(Stage),
    Next(Stage),
    Welcome(Box<ServerConnection>),
}

impl Join {
    /// Joins the first of `addresses` that answers, from `source` if given. `renews` is the secret that tells the
    /// server which connection this one replaces.
    pub(super) fn new(
        (addresses, source): (Vec<SocketAddr>, Option<IpAddr>),
        token: Token,
        credentials: Credentials,
        renews: Option<Ticket>,
        now: Instant,
    ) -> Self {
        let deadline = now + TIME_LIMIT;
        let repeat_until = if renews.is_some() { deadline } else { now + REFUSED_FOR };
        let terms = Terms { addresses, source, token, credentials, renews, repeat_until, deadline };
        let stage = terms.begin();
        Self { terms, stage }
    }

    /// Whether the server knows the purpose of this connection.
    pub(super) fn has_greeted(&self) -> bool {
        matches!(self.stage, Stage::Greeting(_))
    }

    /// The server at which this client stands by, if it does.
    pub(super) fn standby(&self) -> Option<&ServerConnection> {
        match &self.stage {
            Stage::Standby(connection) => Some(connection),
            _ => None,
        }
    }

    /// When to call `advance` although the socket has no event.
    pub(super) fn due(&self) -> Instant {
        match &self.stage {
            Stage::Connecting(connecting) => connecting.due().unwrap_or(self.terms.deadline),
            Stage::Paused(until) => *until,
            Stage::Handshake(_) | Stage::Greeting(_) => self.terms.deadline,
            Stage::Standby(connection) => connection.control.due(),
        }
    }

    /// Goes on as far as it can without waiting. Its socket is registered with its token, and stays so.
    ///
    /// # Errors
    ///
    /// The server was not joined; its socket is closed.
    pub(super) fn advance(self, now: Instant, registry: &Registry) -> Result<Joining, JoinError> {
        let Self { mut terms, mut stage } = self;
        loop {
            if matches!(stage, Stage::Paused(until) if until <= now) {
                stage = terms.begin_again(now);
            }
            match terms.step(stage, now, registry)? {
                Progress::Next(next) => stage = next,
                Progress::Welcome(connection) => return Ok(Joining::Welcome(connection)),
                Progress::Wait(stage) if now >= terms.deadline && stage.has_deadline() => {
                    return Err(JoinError::Late);
                }
                Progress::Wait(stage) => return Ok(Joining::UnderWay(Box::new(Self { terms, stage }))),
            }
        }
    }
}

impl Stage {
    /// Whether it must be over at the deadline of its connection.
    fn has_deadline(&self) -> bool {
        !matches!(self, Self::Paused(_) | Self::Standby(_))
    }
}

impl Terms {
    fn begin(&self) -> Stage {
        Stage::Connecting(Connecting::new(&self.addresses, self.source, self.deadline))
    }

    /// Starts again after a refused connect: a first join gets its full time again.
    fn begin_again(&mut self, now: Instant) -> Stage {
        if self.renews.is_none() {
            self.deadline = now + TIME_LIMIT;
        }
        self.begin()
    }

    fn step(&self, stage: Stage, now: Instant, registry: &Registry) -> Result<Progress, JoinError> {
        match stage {
            Stage::Connecting(connecting) => self.connect(connecting, now, registry),
            Stage::Paused(until) => Ok(Progress::Wait(Stage::Paused(until))),
            Stage::Handshake(mut conn) => match conn.handshake() {
                Ok(Poll::Pending) => Ok(Progress::Wait(Stage::Handshake(conn))),
                Ok(Poll::Ready(())) => self.greet(*conn),
                Err(e) => Err(JoinError::Tls(e.to_string())),
            },
            Stage::Greeting(connection) => read_welcome(connection, Stage::Greeting),
            Stage::Standby(connection) => read_welcome(connection, Stage::Standby),
        }
    }

    fn connect(
        &self,
        mut connecting: Connecting,
        now: Instant,
        registry: &Registry,
    ) -> Result<Progress, JoinError> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match connecting.advance(now, |socket| registry.register(socket, self.token, both)) {
            Ok(Poll::Pending) => Ok(Progress::Wait(Stage::Connecting(connecting))),
            Ok(Poll::Ready(wire)) => Ok(Progress::Next(Stage::Handshake(Box::new(self.encrypt(wire)?)))),
            Err(e) => self.pause(e, now).map(Progress::Next),
        }
    }

    /// Decides after a failed connect whether to try again.
    fn pause(&self, e: LookupError, now: Instant) -> Result<Stage, JoinError> {
        let again = match (&e, &self.renews) {
            (LookupError::Unreachable(..), Some(_)) => DIAL_AGAIN,
            (LookupError::Unreachable(_, cause), None) if cause.kind() == ErrorKind::ConnectionRefused => {
                START_AGAIN
            }
            _ => return Err(JoinError::Connect(e)),
        };
        if now < self.repeat_until {
            Ok(Stage::Paused((now + again).min(self.repeat_until)))
        } else if self.renews.is_some() {
            Err(JoinError::Connect(e))
        } else {
            Err(JoinError::Port(e))
        }
    }

    fn encrypt(&self, mut wire: Wire) -> Result<Conn, JoinError> {
        net::keepalive(wire.socket())?;
        let mut ssl = Ssl::new(&self.credentials.context)?;
        ssl.set_connect_state();
        Ok(Conn::tls(ssl, wire)?)
    }

    /// After the handshake: checks the peer's certificate, and says Hello.
    fn greet(&self, mut conn: Conn) -> Result<Progress, JoinError> {
        let address = conn.peer_addr()?;
        let proxy_id = self.check_server(&conn)?;
        let mut control = Control::new(conn);
        let (renews, stands_by) = (self.renews.clone(), self.renews.is_none());
        control.send(&ToServer::Hello { version: VERSION, renews, states: true, stands_by })?;
        Ok(Progress::Next(Stage::Greeting(Box::new(ServerConnection {
            control,
            address,
            proxy_id,
            takes_changes: false,
            acts: Vec::new(),
            sends_states: false,
            takes_draining: false,
        }))))
    }

    fn check_server(&self, conn: &Conn) -> Result<ProxyId, JoinError> {
        let ssl = conn.ssl().ok_or_else(|| JoinError::Setup("no TLS".to_owned()))?;
        tls::check_server(ssl, &self.credentials.proxies).map_err(JoinError::WrongServer)
    }
}

/// The outcome of `advance`.
pub(super) enum Joining {
    UnderWay(Box<Join>),
    Welcome(Box<ServerConnection>),
}

/// `here`: the stage that goes on if there is no message.
fn read_welcome(
    mut connection: Box<ServerConnection>,
    here: fn(Box<ServerConnection>) -> Stage,
) -> Result<Progress, JoinError> {
    let ServerConnection { control, takes_changes, sends_states, takes_draining, acts: kinds, .. } =
        connection.as_mut();
    control.advance()?;
    match control.receive()? {
        Some(ToClient::Welcome { version: VERSION, changes, states, acts, drains }) => {
            (*takes_changes, *sends_states, *takes_draining, *kinds) = (changes, states, drains, acts);
            Ok(Progress::Welcome(connection))
        }
        Some(ToClient::Welcome { version, .. }) => Err(JoinError::Version(version)),
        Some(ToClient::Standby) => Ok(Progress::Next(Stage::Standby(connection))),
        Some(ToClient::Refused { reason }) => Err(JoinError::Refused(reason)),
        Some(_) => Err(JoinError::NotWelcome),
        None => {
            // Answers the server's ping.
            control.advance()?;
            Ok(Progress::Wait(here(connection)))
        }
    }
}

#[cfg(test)]
mod tests;
