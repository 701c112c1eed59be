//! What a session child needs from its start to its end: its waiter, its channel, the configuration it was forked with,
//! the data connection once it has one, and what is known of the session for its log lines.

use crate::active_config::ActiveConfig;
use crate::messages::{SessionLimit, ToChild, ToParent};
use crate::untold::Untold;
use common::ipc::channel::{Channel, Received};
use common::link::join;
use common::link::session_id::{Direction, SessionId};
use common::link::ticket::Ticket;
use common::log::{Event, Priority};
use common::net::{Conn, Interrupted, Waiter, Wire};
use common::process::status::Status;
use common::rpc::{About, Origin, SessionEvent, SystemLog};
use common::session::end_lines;
use mio::net::TcpStream;
use std::io;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Instant;

/// What a child is forked with. Everything else of the parent is gone before it runs.
pub(crate) struct ChildInit {
    /// Its end of the channel to the parent.
    pub(crate) channel: Channel,
    /// The configuration in force at the fork.
    pub(crate) active: ActiveConfig,
    /// Whom it waits for.
    pub(crate) direction: Direction,
    /// Where it leaves what the parent is not there to hear.
    pub(crate) untold: Untold,
    /// The file of sessions that have begun and not ended.
    pub(crate) ledger: PathBuf,
}

/// Why a child stops on account of its parent.
#[derive(Debug)]
pub(super) enum Halt {
    /// What the parent sent cannot be read, or lacks its descriptor.
    Garbled(String),
    /// Others need the place of a connection that is not verified.
    MakeWay,
}

/// The data connection of the pair this child belongs to, before the join: all that the join needs is made, and nothing
/// of it has been sent.
pub(super) struct Data {
    pub(super) pair: SessionId,
    pub(super) conn: Conn,
}

impl Data {
    /// Whoever gets work begins the join: this side once a partner has come, the other one once a station has.
    fn new(direction: Direction, pair: SessionId, ticket: &Ticket, socket: TcpStream) -> io::Result<Self> {
        let ssl = match direction {
            Direction::Incoming => join::initiate(pair, ticket),
            Direction::Outgoing => join::accept(pair, ticket),
        };
        let mut conn = Conn::tls(ssl?, Wire::new(socket))?;
        if direction == Direction::Incoming {
            conn.prepare();
        }
        Ok(Self { pair, conn })
    }

    /// Whether something came, or the connection ended. Nothing is read: a parked connection costs no buffer.
    pub(super) fn has_moved(&mut self) -> bool {
        !matches!(self.conn.wire().socket().peek(&mut [0]), Err(e) if e.kind() == io::ErrorKind::WouldBlock)
    }
}

/// The parent's answer on whether the partner may have one more session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    Open,
    Admitted,
    Full(SessionLimit),
    Unlicensed,
}

/// What is known of the session.
pub(super) struct Facts {
    pub(super) direction: Direction,
    /// Whom the station asked for (outgoing).
    pub(super) target: String,
    pub(super) peer: Option<SocketAddr>,
    pub(super) pair: Option<SessionId>,
    pub(super) tls: String,
    pub(super) subject: String,
    pub(super) serial: String,
    pub(super) ssid: String,
    pub(super) partner: String,
}

impl Facts {
    fn new(direction: Direction) -> Self {
        let unknown = String::new;
        Self {
            direction,
            target: unknown(),
            peer: None,
            pair: None,
            tls: unknown(),
            subject: unknown(),
            serial: unknown(),
            ssid: unknown(),
            partner: unknown(),
        }
    }

    /// The partner's address and port; before there is one, what the station called it.
    pub(super) fn address(&self) -> String {
        self.peer.map_or_else(|| self.target.clone(), |peer| peer.to_string())
    }
}

pub(super) struct SessionContext {
    pub(super) waiter: Waiter,
    pub(super) active: ActiveConfig,
    pub(super) facts: Facts,
    pub(super) data: Option<Data>,
    pub(super) admission: Admission,
    pub(super) no_pair: Option<String>,
    pub(super) partner: Option<(TcpStream, SocketAddr)>,
    pub(super) parent_gone: bool,
    /// A refusal may have a line in the log.
    pub(super) has_line: bool,
    /// The parent has said so.
    makes_way: bool,
    channel: Channel,
    untold: Untold,
    ledger: PathBuf,
}

impl SessionContext {
    pub(super) fn new(init: ChildInit) -> io::Result<Self> {
        let ChildInit { mut channel, active, direction, untold, ledger } = init;
        let waiter = Waiter::new()?;
        waiter.watch_parent(&mut channel)?;
        Ok(Self {
            waiter,
            active,
            facts: Facts::new(direction),
            data: None,
            admission: Admission::Open,
            no_pair: None,
            partner: None,
            parent_gone: false,
            has_line: true,
            makes_way: false,
            channel,
            untold,
            ledger,
        })
    }

    /// Reads all that the parent has sent.
    pub(super) fn read_parent(&mut self) -> Result<(), Halt> {
        let moved = self.waiter.take_parent_moved();
        while moved && !self.parent_gone {
            match self.channel.receive::<ToChild>() {
                Ok(Received::Message(message, descriptor)) => {
                    self.on_message(message, descriptor).map_err(|e| Halt::Garbled(e.to_string()))?;
                }
                Ok(Received::Blocked) => break,
                Ok(Received::Gone) => self.parent_gone = true,
                Err(e) => return Err(Halt::Garbled(e.to_string())),
            }
        }
        if self.makes_way { Err(Halt::MakeWay) } else { Ok(()) }
    }

    fn on_message(&mut self, message: ToChild, descriptor: Option<OwnedFd>) -> io::Result<()> {
        match message {
            ToChild::Data { pair, ticket } => {
                let socket = self.watch_socket(descriptor)?;
                self.no_pair = None;
                self.data = Some(Data::new(self.facts.direction, pair, &ticket, socket)?);
            }
            ToChild::Serve { peer, has_line } => {
                let socket = self.watch_socket(descriptor)?;
                self.facts.peer = Some(peer);
                self.has_line = has_line;
                self.partner = Some((socket, peer));
            }
            ToChild::MakeWay => self.makes_way = true,
            ToChild::Admitted => self.admission = Admission::Admitted,
            ToChild::Full(limit) => self.admission = Admission::Full(limit),
            ToChild::Unlicensed => self.admission = Admission::Unlicensed,
            ToChild::NoPair { reason } => self.no_pair = Some(reason),
        }
        Ok(())
    }

    /// A socket from the parent, watched from now on.
    fn watch_socket(&mut self, descriptor: Option<OwnedFd>) -> io::Result<TcpStream> {
        let descriptor =
            descriptor.ok_or_else(|| io::Error::other("a message came without its descriptor"))?;
        let stream = StdStream::from(descriptor);
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let mut socket = TcpStream::from_std(stream);
        self.waiter.watch(&mut socket)?;
        Ok(socket)
    }

    /// Sends a message to the parent. That it is gone shows when we read.
    pub(super) fn send_to_parent(&self, message: &ToParent) {
        self.channel.send_to_parent(message);
    }

    /// Writes the end line; none: this end has no line.
    pub(super) fn log_end(&self, line: Option<Event>) {
        end_lines::write(line, &self.ledger, self.facts.pair, |remains| {
            self.channel.send_to_parent(&ToParent::EndLogged(remains))
        });
    }

    /// Begin or end of the session, for the backend. Without the parent, the next one tells it.
    pub(super) fn report(&self, event: SessionEvent) {
        let message = ToParent::Session(Box::new(event));
        if !self.channel.send_to_parent(&message)
            && let ToParent::Session(event) = message
        {
            self.untold.keep([&*event]);
        }
    }

    /// An entry for the backend's system log: our words, and the line with the peer's values, at the line's level.
    pub(super) fn send_system_log(&self, level: Priority, reason: Status, text: &str, line: &Event) {
        let entry = SystemLog::new(Origin::Server, level.into(), text, line.text());
        let facts = &self.facts;
        self.send_to_parent(&ToParent::SystemLog(Box::new(SystemLog {
            address: facts.peer.map(|peer| peer.ip()),
            partner: Some(facts.partner.clone()).filter(|name| !name.is_empty()),
            about: About {
                reason: reason.word().to_owned(),
                session: facts.pair.map(|pair| pair.to_string()).unwrap_or_default(),
                ssid: facts.ssid.clone(),
                subject: facts.subject.clone(),
                ..entry.about
            },
            ..entry
        })));
    }

    /// Closes once everything is sent; at once if others need the place.
    pub(super) fn close(&mut self, conn: Conn) {
        let (channel, makes_way) = (&self.channel, &mut self.makes_way);
        common::net::goodbye_unless(&mut self.waiter, conn, || {
            while let Ok(Received::Message(message, _)) = channel.receive::<ToChild>() {
                *makes_way |= matches!(message, ToChild::MakeWay);
            }
            *makes_way
        });
    }

    /// Waits for anything to move.
    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> Result<(), Interrupted> {
        self.waiter.wait(deadline)
    }
}
