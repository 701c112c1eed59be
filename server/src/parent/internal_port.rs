//! The internal port (2878): bound for good, but listening only while somebody is awaited. Newcomers prove what they
//! are within 10 s: a client by TLS with its certificate, a data connection by the ID of a pair.

use super::control::Joined;
use super::{INTERNAL, PENDING};
use common::link::control::{Control, ControlError, ToClient, ToServer, VERSION};
use common::link::session_id::{PREAMBLE, SessionId, Ticket, UNKNOWN_PAIR};
use common::link::tls;
use common::log::{Event, Throttle, events};
use common::net::{self, Accepting, Conn, Wire};
use common::sys;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use openssl::ssl::{Ssl, SslContext};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Newcomers at a time.
const SLOTS: usize = 10;
/// How long one may take to prove itself.
const PATIENCE: Duration = Duration::from_secs(10);
const BACKLOG: i32 = 64;
/// First octet of a TLS record that carries a handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// The port, and those who have not proven themselves yet.
pub(super) struct InternalPort {
    listener: TcpListener,
    address: SocketAddr,
    listening: bool,
    context: SslContext,
    pending: [Option<Pending>; SLOTS],
    accepting: Accepting,
    clients: Throttle,
    pairs: Throttle,
}

struct Pending {
    stage: Stage,
    peer: SocketAddr,
    until: Instant,
}

enum Stage {
    /// Nothing was read yet.
    New(TcpStream),
    /// The preamble of a data connection, and how much of it is read.
    Preamble(TcpStream, [u8; PREAMBLE], usize),
    /// TLS handshake of a control connection.
    Handshake(Box<Conn>),
    /// A certified client that has not said `Hello` yet.
    Certified(Box<Control<ToServer, ToClient>>, String),
}

/// Somebody who has proven itself.
pub(super) enum Newcomer {
    /// A client.
    Client(Box<Joined>),
    /// The data connection of a pair; whether we know it is the pool's business.
    Data(SessionId, TcpStream),
}

enum Progress {
    Wait(Stage),
    Done(Newcomer),
    Refused(String),
}

impl InternalPort {
    pub(super) fn new(
        listener: std::net::TcpListener,
        context: SslContext,
        registry: &Registry,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let mut listener = TcpListener::from_std(listener);
        registry.register(&mut listener, INTERNAL, Interest::READABLE)?;
        Event::new(events::LISTENER_OPEN)
            .field("listener", "internal")
            .field_display("address", address)
            .info();
        Ok(Self {
            listener,
            address,
            listening: true,
            context,
            pending: [const { None }; SLOTS],
            accepting: Accepting::default(),
            clients: Throttle::default(),
            pairs: Throttle::default(),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Newcomers from now on meet another licence.
    pub(super) fn set_context(&mut self, context: SslContext) {
        self.context = context;
    }

    /// When the next newcomer runs out of time.
    pub(super) fn due(&self) -> Option<Instant> {
        self.pending.iter().flatten().map(|pending| pending.until).chain(self.accepting.retry_at()).min()
    }

    /// Listens, or keeps the port bound without listening.
    pub(super) fn listen(&mut self, wanted: bool, registry: &Registry) -> io::Result<()> {
        if wanted == self.listening {
            return Ok(());
        }
        if wanted {
            sys::listen_on(&self.listener, BACKLOG)?;
            registry.register(&mut self.listener, INTERNAL, Interest::READABLE)?;
        } else {
            // Whoever has come by now is heard: shutting the port would reset him.
            self.accept(registry);
            registry.deregister(&mut self.listener)?;
            sys::listen_off(&self.listener)?;
        }
        self.listening = wanted;
        Ok(())
    }

    /// Takes in whoever has connected.
    pub(super) fn accept(&mut self, registry: &Registry) {
        while self.listening {
            match self.accepting.next(&self.listener) {
                Ok(Some((socket, peer))) => self.admit(socket, peer, registry),
                Ok(None) => return,
                Err(e) => {
                    return Event::new(events::LISTENER_ERROR)
                        .field("listener", "internal")
                        .field_display("address", self.address)
                        .field("reason", format!("it cannot accept: {e}"))
                        .error();
                }
            }
        }
    }

    pub(super) fn retry_accept(&mut self, registry: &Registry) {
        if self.accepting.is_due() {
            self.accept(registry);
        }
    }

    fn admit(&mut self, mut socket: TcpStream, peer: SocketAddr, registry: &Registry) {
        let Some(slot) = self.pending.iter().position(Option::is_none) else {
            return self.refuse(peer, "too many connections that have not proven themselves");
        };
        let token = Token(PENDING + slot);
        let ready = socket
            .set_nodelay(true)
            .and_then(|()| net::keepalive(&socket))
            .and_then(|()| registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE));
        if let Err(e) = ready {
            return self.refuse(peer, &e.to_string());
        }
        if let Some(place) = self.pending.get_mut(slot) {
            *place = Some(Pending { stage: Stage::New(socket), peer, until: Instant::now() + PATIENCE });
        }
    }

    /// Turns away whoever took too long.
    pub(super) fn expire(&mut self, registry: &Registry) {
        let now = Instant::now();
        for slot in 0..SLOTS {
            let Some(place) = self.pending.get_mut(slot) else { continue };
            if place.as_ref().is_some_and(|pending| pending.until <= now)
                && let Some(pending) = place.take()
            {
                pending.stage.deregister(registry);
                self.refuse(
                    pending.peer,
                    &format!("it did not prove itself within {} s", PATIENCE.as_secs()),
                );
            }
        }
    }

    /// A newcomer's socket has moved; gives it once it has proven itself.
    pub(super) fn advance(
        &mut self,
        slot: usize,
        taken: bool,
        renewal: Option<&Ticket>,
        registry: &Registry,
    ) -> Option<Newcomer> {
        let place = self.pending.get_mut(slot)?;
        let mut pending = place.take()?;
        loop {
            let before = std::mem::discriminant(&pending.stage);
            match step(pending.stage, pending.peer, &self.context, taken, renewal, registry) {
                Progress::Wait(stage) => {
                    let moved = std::mem::discriminant(&stage) != before;
                    pending.stage = stage;
                    if !moved {
                        *place = Some(pending);
                        return None;
                    }
                }
                Progress::Done(newcomer) => return Some(newcomer),
                Progress::Refused(reason) => {
                    self.refuse(pending.peer, &reason);
                    return None;
                }
            }
        }
    }
}

impl InternalPort {
    /// Says why nobody came of a connection.
    fn refuse(&mut self, peer: SocketAddr, reason: &str) {
        if let Some(unlogged) = self.clients.admit(Instant::now()) {
            tell(events::CLIENT_REFUSED, peer, reason, unlogged);
        }
    }

    /// Tells a client's child that its pair is unknown, so that it does not dial again.
    pub(super) fn refuse_pair(&mut self, socket: TcpStream, peer: SocketAddr, reason: &str) {
        if let Some(unlogged) = self.pairs.admit(Instant::now()) {
            tell(events::PAIR_REFUSED, peer, reason, unlogged);
        }
        decline_pair(socket);
    }
}

/// Tells a client's child that its pair is not wanted.
pub(super) fn decline_pair(mut socket: TcpStream) {
    // It may have gone already.
    let _ = socket.write(&[UNKNOWN_PAIR]);
}

fn tell(event: &'static str, peer: SocketAddr, reason: &str, unlogged: u64) {
    Event::new(event).field_display("address", peer).field("reason", reason).unlogged(unlogged).warn();
}

/// One step of a newcomer's proof.
fn step(
    stage: Stage,
    peer: SocketAddr,
    context: &SslContext,
    taken: bool,
    renewal: Option<&Ticket>,
    registry: &Registry,
) -> Progress {
    match stage {
        Stage::New(socket) => first_octet(socket, context),
        Stage::Preamble(socket, buffer, filled) => preamble(socket, buffer, filled, registry),
        Stage::Handshake(mut conn) => match conn.handshake() {
            Ok(Poll::Pending) => Progress::Wait(Stage::Handshake(conn)),
            Ok(Poll::Ready(())) => certified(*conn),
            Err(e) => Progress::Refused(format!("its TLS handshake failed: {e}")),
        },
        Stage::Certified(control, name) => hello(control, name, peer, taken, renewal),
    }
}

fn first_octet(socket: TcpStream, context: &SslContext) -> Progress {
    let mut first = [0];
    match socket.peek(&mut first) {
        Ok(0) => Progress::Refused("it closed without a word".to_owned()),
        Ok(_) if first == [TLS_HANDSHAKE] => {
            let conn = Ssl::new(context).and_then(|mut ssl| {
                ssl.set_accept_state();
                Conn::tls(ssl, Wire::new(socket))
            });
            match conn {
                Ok(conn) => Progress::Wait(Stage::Handshake(Box::new(conn))),
                Err(e) => Progress::Refused(format!("TLS cannot be set up: {e}")),
            }
        }
        Ok(_) => Progress::Wait(Stage::Preamble(socket, [0; PREAMBLE], 0)),
        Err(e) if e.kind() == ErrorKind::WouldBlock => Progress::Wait(Stage::New(socket)),
        Err(e) => Progress::Refused(e.to_string()),
    }
}

fn preamble(
    mut socket: TcpStream,
    mut buffer: [u8; PREAMBLE],
    mut filled: usize,
    registry: &Registry,
) -> Progress {
    while filled < PREAMBLE {
        match socket.read(buffer.get_mut(filled..).unwrap_or_default()) {
            Ok(0) => return Progress::Refused("it closed within its preamble".to_owned()),
            Ok(n) => filled += n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                return Progress::Wait(Stage::Preamble(socket, buffer, filled));
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Progress::Refused(e.to_string()),
        }
    }
    let Some(pair) = SessionId::from_preamble(&buffer) else {
        return Progress::Refused("it speaks neither TLS nor the preamble of a data connection".to_owned());
    };
    // From here on the socket is a child's.
    match registry.deregister(&mut socket) {
        Ok(()) => Progress::Done(Newcomer::Data(pair, socket)),
        Err(e) => Progress::Refused(e.to_string()),
    }
}

fn certified(conn: Conn) -> Progress {
    let Some(ssl) = conn.ssl() else { return Progress::Refused("it is not under TLS".to_owned()) };
    match tls::check_client(ssl) {
        Ok(name) => Progress::Wait(Stage::Certified(Box::new(Control::new(conn)), name)),
        Err(e) => Progress::Refused(e.to_string()),
    }
}

fn hello(
    mut control: Box<Control<ToServer, ToClient>>,
    name: String,
    peer: SocketAddr,
    taken: bool,
    renewal: Option<&Ticket>,
) -> Progress {
    let (version, renews) = match control.receive() {
        Ok(None) => return Progress::Wait(Stage::Certified(control, name)),
        Ok(Some(ToServer::Hello { version, renews })) => (version, renews),
        Ok(Some(_)) => return Progress::Refused("its first message was not Hello".to_owned()),
        Err(e) => return Progress::Refused(e.to_string()),
    };
    let reason = if version != VERSION {
        format!("it speaks version {version} of the link, this server speaks {VERSION}")
    } else if renews.is_some() && renews.as_ref() != renewal {
        "it renews a control connection that is not here".to_owned()
    } else if taken && renews.is_none() {
        "a client is joined already".to_owned()
    } else {
        return Progress::Done(Newcomer::Client(Box::new(Joined::new(
            *control,
            name,
            peer,
            renews.is_some(),
        ))));
    };
    // Best effort: the reason is in our log as well.
    let _: Result<(), ControlError> =
        control.send(&ToClient::Refused { reason: reason.clone() }).and_then(|()| control.advance());
    let _ = control.conn().finish();
    Progress::Refused(reason)
}

impl Stage {
    fn deregister(self, registry: &Registry) {
        // Closing the socket takes it out of the loop anyway; this only keeps mio's books.
        let _ = match self {
            Self::New(mut socket) | Self::Preamble(mut socket, ..) => registry.deregister(&mut socket),
            Self::Handshake(mut conn) => registry.deregister(conn.wire().socket()),
            Self::Certified(mut control, _) => registry.deregister(control.conn().wire().socket()),
        };
    }
}
