//! The control connection to the server, and its renewal: a new connection replaces the old one, no message is lost,
//! and messages are read in their order. This module has the connections. It only waits at their end.

use common::identity::ProxyId;
use common::link::control::{CHUNK, Control, ControlError, ToClient, ToServer};
use common::link::ticket::Ticket;
use common::secret::Secret;
use common::state::JoinedServer;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long the end of a connection may wait until the queue is sent, and how long the old one is read after a renewal.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A connection with both ends authenticated on which the server has said Welcome.
pub(super) struct ServerConnection {
    pub(super) control: Control<ToClient, ToServer>,
    /// Address of the server: data connections go to the same address.
    pub(super) address: SocketAddr,
    pub(super) proxy_id: ProxyId,
    /// Whether the server accepts `ConfigChanged`, according to its Welcome.
    pub(super) takes_changes: bool,
    /// The kinds of acts that it carries out, according to its Welcome.
    pub(super) acts: Vec<String>,
    /// Whether the server reports its state and its refusals.
    pub(super) sends_states: bool,
    /// Whether it accepts `Draining`.
    pub(super) takes_draining: bool,
}

/// The joined server.
pub(super) struct Server {
    current: ServerConnection,
    /// The connection before `current`, which is read to its end, until this time at most.
    predecessor: Option<(ServerConnection, Instant)>,
    outbox: Outbox,
    /// Whether the server may already have the new connection: then it closes `current` before it says Welcome.
    is_replaceable: bool,
    /// Why `current` has ended while it was replaceable: the server counts as lost only if no new connection replaces
    /// it.
    ended: Option<ControlError>,
}

impl Server {
    pub(super) fn new(connection: ServerConnection) -> Self {
        let outbox = Outbox::default();
        Self { current: connection, predecessor: None, outbox, is_replaceable: false, ended: None }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.current.address
    }

    pub(super) fn takes_changes(&self) -> bool {
        self.current.takes_changes
    }

    pub(super) fn takes_draining(&self) -> bool {
        self.current.takes_draining
    }

    /// Whether the server carries out acts of this kind.
    pub(super) fn does(&self, kind: &str) -> bool {
        self.current.acts.iter().any(|word| word == kind)
    }

    /// A sentence, without a full stop, that it does not carry out such acts. `version`: its version and build date.
    pub(super) fn too_old(&self, version: Option<(&str, &str)>) -> String {
        let which = version.map_or_else(
            || "of an older version".to_owned(),
            |(version, build)| format!("of version {version} ({build})"),
        );
        let (address, ours) = (self.address(), env!("CARGO_PKG_VERSION"));
        format!("the server {address} is {which}, which cannot do this: install {ours} there as well")
    }

    pub(super) fn proxy_id(&self) -> ProxyId {
        self.current.proxy_id.clone()
    }

    /// What this client knows about it, without its own reports.
    pub(super) fn joined(&self) -> JoinedServer {
        let (proxy_id, is_silent) = (self.proxy_id(), !self.current.sends_states);
        JoinedServer { proxy_id, address: self.address(), state: None, age: 0, is_silent }
    }

    /// When `flush` or `receive` is due although no socket has an event.
    pub(super) fn due(&self) -> Option<Instant> {
        let current = Some(self.current.control.due()).filter(|_| self.ended.is_none());
        let predecessor = self.predecessor.as_ref().map(|(_, until)| *until);
        current.into_iter().chain(predecessor).min()
    }

    /// Whether more messages may be there than the last round has read.
    pub(super) fn has_more(&self) -> bool {
        (self.current.control.has_more() && self.ended.is_none())
            || self.predecessor.as_ref().is_some_and(|(old, _)| old.control.has_more())
    }

    /// The same; also if an earlier connection delays its messages and its time may be over.
    pub(super) fn may_have_more(&self) -> bool {
        self.has_more() || self.predecessor.is_some()
    }

    /// Whether parts of a configuration are still being sent to the server.
    pub(super) fn is_bulk_pending(&self) -> bool {
        self.current.control.bulk_pending() || self.outbox.is_bulk_held()
    }

    /// Queues a message. Errors as [`Control::send`].
    pub(super) fn send(&mut self, message: ToServer) -> Result<(), ControlError> {
        match self.outbox.pass(message, false) {
            Some(message) => self.current.control.send(&message),
            None => Ok(()),
        }
    }

    /// Queues a message before which others may be sent.
    pub(super) fn send_bulk(&mut self, message: ToServer) -> Result<(), ControlError> {
        match self.outbox.pass(message, true) {
            Some(message) => self.current.control.send_bulk(&message),
            None => Ok(()),
        }
    }

    /// Sends a ping when it is due, and as much as the server takes. Errors as [`Control::advance`].
    pub(super) fn flush(&mut self) -> Result<(), ControlError> {
        if let Some((old, _)) = &mut self.predecessor {
            // The server has closed it: it is only read now.
            let _ = old.control.advance();
        }
        let flushed = if self.ended.is_none() { self.current.control.advance() } else { Ok(()) };
        self.keep_end(flushed)
    }

    /// A connection that may be replaced is not lost when it ends.
    fn keep_end<T: Default>(&mut self, outcome: Result<T, ControlError>) -> Result<T, ControlError> {
        match outcome {
            Err(e) if self.is_replaceable => {
                self.ended = Some(e);
                Ok(T::default())
            }
            other => other,
        }
    }

    /// The next message of the server, if there is one.
    pub(super) fn receive(&mut self, now: Instant) -> Result<Option<ToClient>, ControlError> {
        if let Some((old, until)) = &mut self.predecessor {
            match old.control.receive() {
                Ok(Some(message)) => return Ok(Some(message)),
                Ok(None) if now < *until => return Ok(None),
                Ok(None) | Err(_) => self.predecessor = None,
            }
        }
        let received = if self.ended.is_none() { self.current.control.receive() } else { Ok(None) };
        self.keep_end(received)
    }

    /// Announces a new connection that authenticates with `secret`. Until `renewed` or `renewal_failed`, other messages
    /// are held back, because the server drops the old connection as soon as the new one is there.
    pub(super) fn announce_renewal(&mut self, secret: Ticket) -> Result<(), ControlError> {
        self.current.control.send(&ToServer::Renewing { secret })?;
        self.outbox.hold();
        self.flush()
    }

    /// Hello was said on the new connection.
    pub(super) fn set_replaceable(&mut self) {
        self.is_replaceable = true;
    }

    /// The new connection replaces the old one.
    pub(super) fn renewed(&mut self, connection: ServerConnection, now: Instant) -> Result<(), ControlError> {
        let old = std::mem::replace(&mut self.current, connection);
        self.predecessor = Some((old, now + LAST_WORDS)).filter(|_| self.ended.is_none());
        self.is_replaceable = false;
        self.ended = None;
        self.release()
    }

    /// The renewal has failed: the old connection stays.
    ///
    /// # Errors
    ///
    /// It has ended meanwhile.
    pub(super) fn renewal_failed(&mut self) -> Result<(), ControlError> {
        self.is_replaceable = false;
        match self.ended.take() {
            Some(e) => Err(e),
            None => self.release(),
        }
    }

    fn release(&mut self) -> Result<(), ControlError> {
        for (message, is_bulk) in self.outbox.release() {
            let control = &mut self.current.control;
            if is_bulk { control.send_bulk(&message) } else { control.send(&message) }?;
        }
        Ok(())
    }

    /// This parent ends: the server must notice it at once.
    pub(super) fn close(&mut self) {
        self.current.control.close(LAST_WORDS);
    }
}

/// Messages that are held back during a renewal.
#[derive(Default)]
struct Outbox {
    is_holding: bool,
    held: Vec<(ToServer, bool)>,
}

impl Outbox {
    /// Returns the message if it may be sent now; otherwise keeps it.
    fn pass(&mut self, message: ToServer, is_bulk: bool) -> Option<ToServer> {
        if !self.is_holding {
            return Some(message);
        }
        self.held.push((message, is_bulk));
        None
    }

    fn hold(&mut self) {
        self.is_holding = true;
    }

    fn is_bulk_held(&self) -> bool {
        self.held.iter().any(|(_, is_bulk)| *is_bulk)
    }

    /// All messages that were held, in their order, and whether they are bulk.
    fn release(&mut self) -> Vec<(ToServer, bool)> {
        self.is_holding = false;
        std::mem::take(&mut self.held)
    }
}

/// A configuration as messages to the server: in parts, otherwise unchanged.
pub(super) fn config_parts(text: &str) -> Vec<ToServer> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let mut cut = rest.len().min(CHUNK);
        while !rest.is_char_boundary(cut) {
            cut -= 1;
        }
        let (part, after) = rest.split_at(cut);
        let last = after.is_empty();
        parts.push(ToServer::ConfigPart { text: Secret::new(part.to_owned()), last });
        if last {
            return parts;
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests;
