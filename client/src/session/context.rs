//! The context of a session child from its start to its end: waiter, channel to the parent and the messages from it,
//! and the configuration at the time of its fork.

use super::child_init::Station;
use crate::messages::{ToChild, ToParent};
use common::config::ClientConfig;
use common::ipc::channel::{Channel, Received};
use common::link::join::Open;
use common::link::session_id::{Direction, SessionId};
use common::link::ticket::Ticket;
use common::log::{Event, Priority, events};
use common::net::Waiter;
use common::process::status::Status;
use common::rpc::{About, Origin, SystemLog};
use common::session::end_lines;
use mio::net::TcpStream;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream as StdStream};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

pub(super) struct SessionContext {
    pub(super) waiter: Waiter,
    pub(super) server: SocketAddr,
    pub(super) source: Option<IpAddr>,
    pub(super) config: ClientConfig,
    pub(super) direction: Direction,
    /// The session's ID, once there is one.
    pub(super) pair: Option<SessionId>,
    /// A station that the parent has handed over.
    pub(super) station: Option<Station>,
    /// A pair that was asked for and granted.
    pub(super) granted: Option<(SessionId, Ticket)>,
    /// Why none was granted.
    pub(super) no_pair: Option<String>,
    /// A pair that the server has given up.
    retired: Option<SessionId>,
    parent_gone: bool,
    channel: Channel,
    /// The file of sessions that have begun and not ended.
    ledger: PathBuf,
}

impl SessionContext {
    pub(super) fn new(
        mut channel: Channel,
        server: SocketAddr,
        source: Option<IpAddr>,
        config: ClientConfig,
        direction: Direction,
        ledger: PathBuf,
    ) -> io::Result<Self> {
        let waiter = Waiter::new()?;
        waiter.watch_parent(&mut channel)?;
        Ok(Self {
            waiter,
            server,
            source,
            config,
            direction,
            pair: None,
            station: None,
            granted: None,
            no_pair: None,
            retired: None,
            parent_gone: false,
            channel,
            ledger,
        })
    }

    /// Reads all that the parent has sent.
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

    /// The parent has closed the channel, or has ended: a parked child is not needed any more. As of the last
    /// `read_parent`.
    pub(super) fn parent_gone(&self) -> bool {
        self.parent_gone
    }

    /// Whether the server has given this pair up. As of the last `read_parent`.
    pub(super) fn is_retired(&self, pair: SessionId) -> bool {
        self.retired == Some(pair)
    }

    fn on_message(&mut self, message: ToChild, descriptor: Option<OwnedFd>) -> io::Result<()> {
        match message {
            ToChild::Serve { peer, tied } => {
                let descriptor =
                    descriptor.ok_or_else(|| io::Error::other("a station came without its descriptor"))?;
                let stream = StdStream::from(descriptor);
                stream.set_nonblocking(true)?;
                self.station = Some(Station { socket: TcpStream::from_std(stream), peer, tied });
            }
            ToChild::Pair { pair, ticket } => self.granted = Some((pair, ticket)),
            ToChild::Retired { pair } => self.retired = Some(pair),
            ToChild::NoPair { reason } => self.no_pair = Some(reason),
        }
        Ok(())
    }

    /// Writes the end line.
    pub(super) fn log_end(&self, line: Event) {
        end_lines::write(Some(line), &self.ledger, self.pair, |remains| {
            self.channel.send_to_parent(&ToParent::EndLogged(remains))
        });
    }

    pub(super) fn send_to_parent(&self, message: &ToParent) {
        self.channel.send_to_parent(message);
    }

    /// An entry for the backend's system log: our words, and the line with the peer's values, at the line's level.
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

    /// An event with the fields that every line of this session begins with.
    pub(super) fn event(&self, row: &'static events::Row, open: &Open) -> Event {
        Event::new(row)
            .field("direction", self.direction.word())
            .field("session", self.pair.map(|pair| pair.to_string()).unwrap_or_default())
            .field("address", &open.address)
            .field("partner", &open.partner)
            .field("ssid", &open.ssid)
    }
}
