//! A newcomer on the internal port and its authentication: a client by TLS with its certificate and Hello, a data
//! connection by the ID of a pair in its preamble. Each step handles the octets that are there and never waits.

use super::control::{Abilities, Client};
use common::link::control::{Control, ControlError, ToClient, ToServer, VERSION};
use common::link::session_id::{PREAMBLE, SessionId};
use common::link::ticket::Ticket;
use common::link::tls;
use common::net::{Conn, Wire};
use mio::Registry;
use mio::net::TcpStream;
use openssl::ssl::{Ssl, SslContext};
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Instant;

/// First octet of a TLS record that carries a handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// What a client must match.
pub(super) struct Expected {
    /// Whether a client is joined: another one, unless it renews, must wait until the joined one has or has not
    /// answered.
    pub(super) joined: bool,
    /// The secret of the renewal that the client has announced.
    pub(super) renewal: Option<Ticket>,
}

/// The progress of a newcomer's authentication.
pub(super) enum Proof {
    /// Nothing was read yet.
    New(TcpStream),
    /// The preamble of a data connection, and how much of it has arrived.
    Preamble(TcpStream, [u8; PREAMBLE], usize),
    /// TLS handshake of a control connection.
    Handshake(Box<Conn>),
    /// A certified client that has not said `Hello` yet.
    Certified(Box<Control<ToServer, ToClient>>, String),
    /// A client that authenticated at this time while another one was joined.
    Successor(Box<Client>, Instant),
    /// A client that waits since this time until the joined one is gone.
    Standby(Box<Client>, Instant),
}

/// A newcomer that has authenticated.
pub(super) enum Newcomer {
    /// The client, which has said Hello.
    Client(Box<Client>),
    /// The data connection of a pair; the pool knows whether the pair exists.
    Data(SessionId, TcpStream),
}

/// Result of a step.
pub(super) enum Progress {
    Wait(Proof),
    Done(Newcomer),
    Refused(String),
    /// A client that stood by is gone.
    Left(String),
}

impl Proof {
    /// Removes its socket from the loop.
    pub(super) fn deregister(self, registry: &Registry) {
        // Closing the socket removes it anyway; this only updates mio's table.
        let _ = match self {
            Self::New(mut socket) | Self::Preamble(mut socket, ..) => registry.deregister(&mut socket),
            Self::Handshake(mut conn) => registry.deregister(conn.wire().socket()),
            Self::Certified(mut control, _) => registry.deregister(control.conn().wire().socket()),
            Self::Successor(mut client, _) | Self::Standby(mut client, _) => {
                client.unwatch(registry);
                Ok(())
            }
        };
    }
}

/// One step of a newcomer's authentication.
pub(super) fn step(
    proof: Proof,
    peer: SocketAddr,
    context: &SslContext,
    expected: &Expected,
    registry: &Registry,
) -> Progress {
    match proof {
        Proof::New(socket) => first_octet(socket, context),
        Proof::Preamble(socket, buffer, filled) => preamble(socket, buffer, filled, registry),
        Proof::Handshake(mut conn) => match conn.handshake() {
            Ok(Poll::Pending) => Progress::Wait(Proof::Handshake(conn)),
            Ok(Poll::Ready(())) => certified(*conn),
            Err(e) => Progress::Refused(format!("its TLS handshake failed: {e}")),
        },
        Proof::Certified(control, name) => hello(control, name, peer, expected),
        // It sends nothing but pings before the welcome; only its end matters here.
        Proof::Successor(mut client, since) => match client.connection().receive() {
            Ok(None) => Progress::Wait(Proof::Successor(client, since)),
            Ok(Some(_)) => Progress::Refused("it sent a message before it was accepted".to_owned()),
            Err(e) => Progress::Refused(e.to_string()),
        },
        Proof::Standby(mut client, since) => match client.connection().receive() {
            Ok(None) => Progress::Wait(Proof::Standby(client, since)),
            Ok(Some(_)) => Progress::Left("it sent a message although it stands by".to_owned()),
            Err(e) => Progress::Left(e.to_string()),
        },
    }
}

/// Tells a client why it is refused, and closes.
pub(super) fn turn_away(control: &mut Control<ToServer, ToClient>, reason: &str) {
    // An error does not matter: the reason is in our log, too.
    let _: Result<(), ControlError> =
        control.send(&ToClient::Refused { reason: reason.to_owned() }).and_then(|()| control.advance());
    let _ = control.conn().finish();
}

fn first_octet(socket: TcpStream, context: &SslContext) -> Progress {
    let mut first = [0];
    match socket.peek(&mut first) {
        Ok(0) => Progress::Refused("the connection was closed before any data".to_owned()),
        Ok(_) if first == [TLS_HANDSHAKE] => {
            let conn = Ssl::new(context).and_then(|mut ssl| {
                ssl.set_accept_state();
                Conn::tls(ssl, Wire::new(socket))
            });
            match conn {
                Ok(conn) => Progress::Wait(Proof::Handshake(Box::new(conn))),
                Err(e) => Progress::Refused(format!("TLS cannot be set up: {e}")),
            }
        }
        Ok(_) => Progress::Wait(Proof::Preamble(socket, [0; PREAMBLE], 0)),
        Err(e) if e.kind() == ErrorKind::WouldBlock => Progress::Wait(Proof::New(socket)),
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
                return Progress::Wait(Proof::Preamble(socket, buffer, filled));
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Progress::Refused(e.to_string()),
        }
    }
    let Some(pair) = SessionId::from_preamble(&buffer) else {
        return Progress::Refused("it speaks neither TLS nor the preamble of a data connection".to_owned());
    };
    // From now on the socket belongs to a child.
    match registry.deregister(&mut socket) {
        Ok(()) => Progress::Done(Newcomer::Data(pair, socket)),
        Err(e) => Progress::Refused(e.to_string()),
    }
}

fn certified(conn: Conn) -> Progress {
    let Some(ssl) = conn.ssl() else { return Progress::Refused("it is not under TLS".to_owned()) };
    match tls::check_client(ssl) {
        Ok(name) => Progress::Wait(Proof::Certified(Box::new(Control::new(conn)), name)),
        Err(e) => Progress::Refused(e.to_string()),
    }
}

fn hello(
    mut control: Box<Control<ToServer, ToClient>>,
    name: String,
    peer: SocketAddr,
    expected: &Expected,
) -> Progress {
    let (version, renews, abilities) = match control.receive() {
        Ok(None) => return Progress::Wait(Proof::Certified(control, name)),
        Ok(Some(ToServer::Hello { version, renews, states, stands_by })) => {
            (version, renews, Abilities { states, stands_by })
        }
        Ok(Some(_)) => return Progress::Refused("its first message was not Hello".to_owned()),
        Err(e) => return Progress::Refused(e.to_string()),
    };
    let reason = if version != VERSION {
        format!("it speaks version {version} of the link, this server speaks {VERSION}")
    } else if renews.is_some() && renews != expected.renewal {
        "it renews a control connection that this server does not have".to_owned()
    } else {
        let client = Box::new(Client::new(*control, name, peer, renews.is_some(), abilities));
        return if expected.joined && renews.is_none() {
            Progress::Wait(Proof::Successor(client, Instant::now()))
        } else {
            Progress::Done(Newcomer::Client(client))
        };
    };
    turn_away(&mut control, &reason);
    Progress::Refused(reason)
}
