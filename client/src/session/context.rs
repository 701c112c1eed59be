//! The context of a session child from its start to its end: waiter, channel to the parent and the messages from it,
//! and the configuration at the time of its fork.

use super::child_init::{ChildInit, Station};
use crate::messages::{Test, ToChild, ToParent};
use common::config::ClientConfig;
use common::ipc::channel::{Channel, Received};
use common::link::join::Open;
use common::link::session_id::{Direction, SessionId};
use common::link::ticket::Ticket;
use common::log::{Event, Priority, catalogue};
use common::net::Waiter;
use common::process::end_reasons::Status;
use common::rpc::{About, Origin, SystemLog};
use common::sandbox::Sandbox;
use common::session::debugged_partners::DebuggedPartners;
use common::session::end_lines;
use common::session::ledger::EndNotes;
use mio::net::TcpStream;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream as StdStream};
use std::os::fd::OwnedFd;
use std::time::Instant;

pub(super) struct SessionContext {
    pub(super) waiter: Waiter,
    /// The server of the last pair that this child was given.
    pub(super) server: Option<SocketAddr>,
    pub(super) source: Option<IpAddr>,
    pub(super) config: ClientConfig,
    pub(super) direction: Direction,
    /// The session's ID, once there is one.
    pub(super) pair: Option<SessionId>,
    /// A station that the parent has passed to this child.
    pub(super) station: Option<Station>,
    /// A test of a partner that the parent has requested.
    pub(super) test: Option<Test>,
    /// Whether this session is a test.
    pub(super) is_test: bool,
    /// A pair that this child has requested and got.
    pub(super) granted: Option<(SessionId, Ticket)>,
    /// Why the request for a pair was refused.
    pub(super) no_pair: Option<String>,
    /// The administrator who ends the session through the server's child.
    pub(super) ended_by: Option<String>,
    /// A pair that the server has given up.
    retired: Option<SessionId>,
    /// The partners that write DEBUG, at the time of the fork.
    debugged: DebuggedPartners,
    parent_gone: bool,
    channel: Channel,
    /// The ledger in which it notes its end.
    end_notes: EndNotes,
    sandbox: Sandbox,
}

impl SessionContext {
    pub(super) fn new(init: ChildInit) -> io::Result<Self> {
        let ChildInit { mut channel, source, config, debugged, direction, end_notes, sandbox } = init;
        sandbox.enter_session(true)?;
        let waiter = Waiter::new()?;
        waiter.watch_parent(&mut channel)?;
        Ok(Self {
            waiter,
            server: None,
            source,
            config,
            direction,
            pair: None,
            station: None,
            test: None,
            is_test: false,
            granted: None,
            no_pair: None,
            ended_by: None,
            retired: None,
            debugged,
            parent_gone: false,
            channel,
            end_notes,
            sandbox,
        })
    }

    /// Both connections exist: no other one is made.
    pub(super) fn close_sandbox(&self) -> io::Result<()> {
        Ok(self.sandbox.close()?)
    }

    /// Reads all messages of the parent.
    pub(super) fn read_parent(&mut self) {
        let moved = self.waiter.take_parent_moved();
        while moved && !self.parent_gone {
            match self.channel.receive::<ToChild>() {
                Ok(Received::Message(message, descriptor)) => {
                    if let Err(e) = self.on_message(message, descriptor) {
                        common::error!("a message of the parent cannot be followed: {e}");
                    }
                }
                Ok(Received::Blocked) => break,
                Ok(Received::Gone) | Err(_) => self.parent_gone = true,
            }
        }
    }

    /// Whether the parent has closed the channel or has ended, according to the last `read_parent`: then a parked child
    /// is not needed any more.
    pub(super) fn parent_gone(&self) -> bool {
        self.parent_gone
    }

    /// Whether the server has given this pair up, according to the last `read_parent`.
    pub(super) fn is_retired(&self, pair: SessionId) -> bool {
        self.retired == Some(pair)
    }

    fn on_message(&mut self, message: ToChild, descriptor: Option<OwnedFd>) -> io::Result<()> {
        match message {
            ToChild::Serve { peer, tied } => {
                let descriptor =
                    descriptor.ok_or_else(|| io::Error::other("a station came without its descriptor"))?;
                // The parent has accepted it, so it is non-blocking.
                let socket = TcpStream::from_std(StdStream::from(descriptor));
                self.station = Some(Station { socket, peer, tied });
            }
            ToChild::Test(test) => self.test = Some(test),
            ToChild::Pair { pair, ticket, server } => {
                (self.granted, self.server) = (Some((pair, ticket)), Some(server));
            }
            ToChild::Retired { pair } => self.retired = Some(pair),
            ToChild::EndedBy { administrator } => self.ended_by = Some(administrator),
            ToChild::Debug(time) => time.apply(Instant::now()),
            ToChild::NoPair { reason } => self.no_pair = Some(reason),
        }
        Ok(())
    }

    /// The two things that a relay needs: the waiter, and a function that reads the parent's messages. The function
    /// ends nothing, because the server's child does.
    pub(super) fn for_relay(&mut self) -> (&mut Waiter, impl FnMut() -> Option<String>) {
        let Self { waiter, channel, ended_by, .. } = self;
        let note = || {
            while let Ok(Received::Message(message, _)) = channel.receive::<ToChild>() {
                match message {
                    ToChild::EndedBy { administrator } => *ended_by = Some(administrator),
                    ToChild::Debug(time) => time.apply(Instant::now()),
                    _ => {}
                }
            }
            None
        };
        (waiter, note)
    }

    /// Writes the end line.
    pub(super) fn log_end(&self, line: Event) {
        end_lines::write(Some(line), &self.end_notes, self.pair, |remains| {
            self.channel.send_to_parent(&ToParent::EndLogged(remains))
        });
    }

    /// The pair is joined for a session of this partner with this station.
    pub(super) fn session_joined(&self, partner: &str, station: String) {
        let now = Instant::now();
        let time = self.debugged.time_of(partner, now);
        // If the list has changed since the fork, the parent sends the new time.
        if time.left.is_some() {
            time.apply(now);
        }
        self.send_to_parent(&ToParent::Joined { partner: partner.to_owned(), station });
    }

    pub(super) fn send_to_parent(&self, message: &ToParent) {
        self.channel.send_to_parent(message);
    }

    /// Sends an entry for the backend's system log: our words, and the line with the peer's values, at the line's
    /// level.
    pub(super) fn send_system_log(
        &self,
        open: &Open,
        level: Priority,
        reason: Status,
        text: &str,
        line: &Event,
    ) {
        let entry = SystemLog::new(Origin::Client, level.into(), text, line.text());
        self.send_to_parent(&ToParent::SystemLog(Box::new(SystemLog {
            address: open.address.parse::<SocketAddr>().ok().map(|address| address.ip()),
            partner: Some(open.partner.clone()).filter(|name| !name.is_empty()),
            about: About {
                reason: reason.word().to_owned(),
                session: self.pair.map(|pair| pair.to_string()).unwrap_or_default(),
                ssid: open.ssid.clone(),
                ..entry.about
            },
            ..entry
        })));
    }

    /// An event with the first fields of every line of this session.
    pub(super) fn event(&self, row: &'static catalogue::Row, open: &Open) -> Event {
        Event::new(row)
            .field("direction", self.direction.word())
            .field("session", self.pair.map(|pair| pair.to_string()).unwrap_or_default())
            .field("address", &open.address)
            .field("partner", &open.partner)
            .field("ssid", &open.ssid)
            .field("test", if self.is_test { "yes" } else { "" })
    }
}
