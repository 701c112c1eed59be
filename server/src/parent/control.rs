//! The control connection of the client that is joined. What comes by it is the parent's to act on.

use super::renewal::Renewal;
use super::succession::Life;
use common::link::control::{Control, ControlError, ToClient, ToServer};
use common::link::ticket::Ticket;
use mio::{Interest, Registry, Token};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long our end may wait for what is queued.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The client that is joined.
pub(super) struct Client {
    control: Control<ToServer, ToClient>,
    name: String,
    address: SocketAddr,
    renews: bool,
    renewal: Renewal,
}

impl Client {
    /// A client that has proven itself and said Hello; `renews`: in the place of its earlier connection.
    pub(super) fn new(
        control: Control<ToServer, ToClient>,
        name: String,
        address: SocketAddr,
        renews: bool,
    ) -> Self {
        Self { control, name, address, renews, renewal: Renewal::default() }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The name in its certificate.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// It took the place of an earlier connection.
    pub(super) fn renews(&self) -> bool {
        self.renews
    }

    pub(super) fn renewal(&mut self) -> &mut Renewal {
        &mut self.renewal
    }

    /// The secret of an announced renewal.
    pub(super) fn announced(&self) -> Option<&Ticket> {
        self.renewal.secret()
    }

    /// When a ping, the end of a renewal or an answer is due.
    pub(super) fn due(&self, now: Instant) -> Instant {
        // An answer that is overdue already needs no wake-up: it leaves the port open.
        let answer = self.control.answer_due().filter(|due| *due > now);
        [self.renewal.due(), answer].into_iter().flatten().fold(self.control.due(), Instant::min)
    }

    /// What is known of its life.
    pub(super) fn life(&self) -> Life {
        Life { heard: self.control.heard(), answer_due: self.control.answer_due() }
    }

    pub(super) fn connection(&mut self) -> &mut Control<ToServer, ToClient> {
        &mut self.control
    }

    /// More of its messages may be there than one turn takes.
    pub(super) fn has_more(&self) -> bool {
        self.control.has_more()
    }

    /// Has the loop watch the connection, which was a newcomer's.
    pub(super) fn watch(&mut self, registry: &Registry, token: Token) -> std::io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.reregister(self.control.conn().wire().socket(), token, both)
    }

    pub(super) fn unwatch(&mut self, registry: &Registry) {
        // The socket closes anyway; this only keeps mio's books.
        let _ = registry.deregister(self.control.conn().wire().socket());
    }

    /// Gets out what is queued and closes, within two seconds.
    pub(super) fn close(&mut self) {
        self.control.close(LAST_WORDS);
    }

    /// Queues a message.
    pub(super) fn send(&mut self, message: &ToClient) -> Result<(), ControlError> {
        self.control.send(message)
    }
}
