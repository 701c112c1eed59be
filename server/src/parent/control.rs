//! The control connection of the joined client. The parent handles its messages.

use super::announced_renewal::Renewal;
use super::succession::Life;
use common::link::control::{Control, ControlError, ToClient, ToServer};
use common::link::ticket::Ticket;
use mio::{Interest, Registry, Token};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long this side waits at its end until the queue is sent.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Reports are queued for the client while fewer octets than this are unsent.
const REPORT_BACKLOG: usize = 256 * 1024;

/// What a client can do, according to its Hello: an older one would close the connection because of an unknown message.
#[derive(Clone, Copy)]
pub(super) struct Abilities {
    /// It accepts `State` and `Refusals`.
    pub(super) states: bool,
    /// It accepts `Standby`.
    pub(super) stands_by: bool,
}

/// A client that has said Hello: the joined one, or one that may replace it.
pub(super) struct Client {
    control: Control<ToServer, ToClient>,
    name: String,
    address: SocketAddr,
    renews: bool,
    abilities: Abilities,
    renewal: Renewal,
}

impl Client {
    /// A client that has authenticated and said Hello. `renews`: it replaces its earlier connection.
    pub(super) fn new(
        control: Control<ToServer, ToClient>,
        name: String,
        address: SocketAddr,
        renews: bool,
        abilities: Abilities,
    ) -> Self {
        Self { control, name, address, renews, abilities, renewal: Renewal::default() }
    }

    /// Whether it accepts `State` and `Refusals`.
    pub(super) fn takes_states(&self) -> bool {
        self.abilities.states
    }

    /// Whether it waits while another client is joined.
    pub(super) fn stands_by(&self) -> bool {
        self.abilities.stands_by
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The name in its certificate.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has replaced an earlier connection.
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
        // An answer that is overdue already needs no wake-up: the port stays open anyway.
        let answer = self.control.answer_due().filter(|due| *due > now);
        [self.renewal.due(), answer].into_iter().flatten().fold(self.control.due(), Instant::min)
    }

    /// When its last octets arrived, and when it must have answered.
    pub(super) fn life(&self) -> Life {
        Life { last_received: self.control.last_received(), answer_due: self.control.answer_due() }
    }

    pub(super) fn connection(&mut self) -> &mut Control<ToServer, ToClient> {
        &mut self.control
    }

    /// Whether one more report may be queued for it.
    pub(super) fn has_room(&self) -> bool {
        self.control.backlog() < REPORT_BACKLOG
    }

    /// Whether more messages may be there than one turn of the loop reads.
    pub(super) fn has_more(&self) -> bool {
        self.control.has_more()
    }

    /// Registers the connection with the loop; it was registered as a newcomer before.
    pub(super) fn watch(&mut self, registry: &Registry, token: Token) -> std::io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.reregister(self.control.conn().wire().socket(), token, both)
    }

    pub(super) fn unwatch(&mut self, registry: &Registry) {
        // The socket is closed anyway; this only updates mio's table.
        let _ = registry.deregister(self.control.conn().wire().socket());
    }

    /// Sends what is queued, for two seconds at most, and closes.
    pub(super) fn close(&mut self) {
        self.control.close(LAST_WORDS);
    }

    /// Queues a message.
    pub(super) fn send(&mut self, message: &ToClient) -> Result<(), ControlError> {
        self.control.send(message)
    }
}
