//! The control connection to the server, and its renewal: a new connection takes the place of the old one, no message
//! is lost, and messages are read in their order. Holds the connections; it never waits, but for its end.

use common::identity::ProxyId;
use common::link::control::{CHUNK, Control, ControlError, ToClient, ToServer};
use common::link::ticket::Ticket;
use common::secret::Secret;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long the end of a connection may wait for what is queued, and how long the old one is read after a renewal.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A connection on which both ends are proven, and the server has said Welcome.
pub(super) struct ServerConnection {
    pub(super) control: Control<ToClient, ToServer>,
    /// Where the server was reached: data connections go to the same address.
    pub(super) address: SocketAddr,
    pub(super) proxy_id: ProxyId,
    /// The server takes `ConfigChanged`: it has said so in its Welcome.
    pub(super) hears_changes: bool,
}

/// The server, once it is joined.
pub(super) struct Server {
    current: ServerConnection,
    /// The connection before `current`, which is still read to its end, until this time at most.
    predecessor: Option<(ServerConnection, Instant)>,
    outbox: Outbox,
    /// The server may have the new connection already: then it closes `current` before it says Welcome.
    is_replaceable: bool,
    /// Why `current` has ended while it was replaceable: it is lost only if no other one takes its place.
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

    pub(super) fn hears_changes(&self) -> bool {
        self.current.hears_changes
    }

    pub(super) fn proxy_id(&self) -> ProxyId {
        self.current.proxy_id.clone()
    }

    /// When `flush` or `receive` has something to do though no socket has moved.
    pub(super) fn due(&self) -> Option<Instant> {
        let current = Some(self.current.control.due()).filter(|_| self.ended.is_none());
        let predecessor = self.predecessor.as_ref().map(|(_, until)| *until);
        current.into_iter().chain(predecessor).min()
    }

    /// More messages may be there than one round reads. Ask before `flush`, which begins the next round.
    pub(super) fn has_more(&self) -> bool {
        (self.current.control.has_more() && self.ended.is_none())
            || self.predecessor.as_ref().is_some_and(|(old, _)| old.control.has_more())
    }

    /// A configuration is on its way to the server.
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

    /// Queues a message that others may overtake.
    pub(super) fn send_bulk(&mut self, message: ToServer) -> Result<(), ControlError> {
        match self.outbox.pass(message, true) {
            Some(message) => self.current.control.send_bulk(&message),
            None => Ok(()),
        }
    }

    /// Pings when it is time, and sends as much as the server takes. Errors as [`Control::advance`].
    pub(super) fn flush(&mut self) -> Result<(), ControlError> {
        if let Some((old, _)) = &mut self.predecessor {
            // The server has closed it: what counts is what there is to read.
            let _ = old.control.advance();
        }
        let flushed = if self.ended.is_none() { self.current.control.advance() } else { Ok(()) };
        self.keep_end(flushed)
    }

    /// A connection that may be replaced is not lost with its end.
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

    /// Announces a new connection that proves itself by `secret`. Until `renewed` or `renewal_failed` other messages
    /// are held back: the server drops the old connection as soon as the new one is there.
    pub(super) fn announce_renewal(&mut self, secret: Ticket) -> Result<(), ControlError> {
        self.current.control.send(&ToServer::Renewing { secret })?;
        self.outbox.hold();
        self.flush()
    }

    /// Hello was said on the new connection.
    pub(super) fn set_replaceable(&mut self) {
        self.is_replaceable = true;
    }

    /// The new connection is there.
    pub(super) fn renewed(&mut self, connection: ServerConnection, now: Instant) -> Result<(), ControlError> {
        let old = std::mem::replace(&mut self.current, connection);
        self.predecessor = Some((old, now + LAST_WORDS)).filter(|_| self.ended.is_none());
        self.is_replaceable = false;
        self.ended = None;
        self.release()
    }

    /// The old connection goes on.
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

    /// This parent ends: the server is to see it at once.
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
    /// Gives the message back if it may be sent now.
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

    /// All that were held, in their order, and whether they are bulk.
    fn release(&mut self) -> Vec<(ToServer, bool)> {
        self.is_holding = false;
        std::mem::take(&mut self.held)
    }
}

/// A configuration as it travels to the server: in parts, as it came from the backend.
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
