//! The internal port (2878): always bound, but listening only while a connection is expected. New connections must
//! authenticate within 10 s: a client by TLS with its certificate, a data connection by the ID of a pair.

mod listening;
mod standbys;

use super::control::Client;
use super::known_sources::Known;
use super::newcomer::{Expected, Newcomer, Progress, Proof, step, turn_away};
use super::tokens;
use super::unverified_places::{self, Place, Waiting};
use common::link::session_id::UNKNOWN_PAIR;
use common::log::{Event, Throttle, catalogue};
use common::net::{self, Accepting};
use common::sys;
use listening::{Invitation, Listening};
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry};
use openssl::ssl::SslContext;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Largest number of newcomers.
const SLOTS: usize = 64;
/// Places that are reserved for hosts from which a client has joined recently: strangers cannot take them.
const RESERVED: usize = 16;
/// Connections that are accepted in one turn of the loop: a peer that connects all the time must not keep the loop from
/// its other work.
const BURST: usize = SLOTS;
/// Longest time for a newcomer to authenticate.
const PROOF: Duration = Duration::from_secs(10);

/// The port, and the newcomers that have not authenticated yet.
pub(super) struct InternalPort {
    listener: TcpListener,
    address: SocketAddr,
    listening: Listening,
    invitation: Invitation,
    context: SslContext,
    pending: [Option<Pending>; SLOTS],
    accepting: Accepting,
    /// Hosts from which a client has joined recently.
    known: Known,
    clients: Throttle,
    pairs: Throttle,
}

struct Pending {
    proof: Proof,
    peer: SocketAddr,
    since: Instant,
}

impl Pending {
    /// The end of its time. A successor has none: it waits for the answer of the joined client, which has its own.
    fn ends(&self) -> Option<Instant> {
        (!matches!(self.proof, Proof::Successor(..) | Proof::Standby(..))).then_some(self.since + PROOF)
    }

    /// When something is to be done about it.
    fn due(&self, now: Instant) -> Option<Instant> {
        match &self.proof {
            Proof::Standby(client, _) => Some(client.due(now)),
            _ => self.ends(),
        }
    }
}

impl InternalPort {
    pub(super) fn new(
        listener: std::net::TcpListener,
        context: SslContext,
        registry: &Registry,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        net::keepalive(&listener)?;
        let address = listener.local_addr()?;
        let mut listener = TcpListener::from_std(listener);
        registry.register(&mut listener, tokens::INTERNAL_PORT, Interest::READABLE)?;
        Event::new(&catalogue::LISTENER_OPEN)
            .field("listener", "internal")
            .field_display("address", address)
            .log();
        Ok(Self {
            listener,
            address,
            listening: Listening::begun(),
            invitation: Invitation::default(),
            context,
            pending: [const { None }; SLOTS],
            accepting: Accepting::default(),
            known: Known::default(),
            clients: Throttle::default(),
            pairs: Throttle::default(),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the context with a new licence for later newcomers.
    pub(super) fn set_context(&mut self, context: SslContext) {
        self.context = context;
    }

    /// When the time of the next newcomer is over, or anything else is to be done.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let accept = self.accepting.retry_at().filter(|_| self.listening.is_on());
        let pending = self.pending.iter().flatten().filter_map(|pending| pending.due(now));
        pending.chain(accept).chain(self.listening.due()).chain(self.invitation.due(now)).min()
    }

    /// Listens if `wanted`. Otherwise stops listening after a short time without demand, and keeps the port bound.
    pub(super) fn set_listening(&mut self, wanted: bool, registry: &Registry, now: Instant) {
        let Some(on) = self.listening.next(wanted, now) else { return };
        let changed = self.change_listening(on, registry);
        if self.listening.note(on, changed.is_ok(), now)
            && let Err(e) = changed
        {
            let what = if on { "listen" } else { "be closed" };
            self.log_fault(&format!("it cannot {what}, which is tried again each second: {e}"));
        }
    }

    /// An earlier change may have failed halfway: a step that was done already is no fault.
    fn change_listening(&mut self, wanted: bool, registry: &Registry) -> io::Result<()> {
        if wanted {
            sys::listen_on(&self.listener, net::BACKLOG)?;
            return self.watch(registry);
        }
        // Accept what is already queued: closing the port would reset those connections.
        self.accept(registry);
        sys::listen_off(&self.listener)?;
        match registry.deregister(&mut self.listener) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn watch(&mut self, registry: &Registry) -> io::Result<()> {
        match registry.register(&mut self.listener, tokens::INTERNAL_PORT, Interest::READABLE) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                // Not reregister: mio may know the listener though epoll does not, if epoll_ctl() failed before.
                let _ = registry.deregister(&mut self.listener);
                registry.register(&mut self.listener, tokens::INTERNAL_PORT, Interest::READABLE)
            }
            done => done,
        }
    }

    fn log_fault(&self, reason: &str) {
        Event::new(&catalogue::LISTENER_ERROR)
            .field("listener", "internal")
            .field_display("address", self.address)
            .field("reason", reason)
            .log();
    }

    /// Accepts the connections that wait.
    pub(super) fn accept(&mut self, registry: &Registry) {
        if !self.listening.is_on() {
            return;
        }
        for _ in 0..BURST {
            match self.accepting.next(&self.listener) {
                Ok(Some((socket, peer))) => self.register(socket, peer, registry),
                Ok(None) => return,
                Err(e) => return self.log_fault(&format!("it cannot accept: {e}")),
            }
        }
        // mio is edge-triggered: without this no event reports the remaining connections.
        let _ = registry.reregister(&mut self.listener, tokens::INTERNAL_PORT, Interest::READABLE);
    }

    pub(super) fn retry_accept(&mut self, registry: &Registry) {
        if self.accepting.is_due() {
            self.accept(registry);
        }
    }

    fn register(&mut self, mut socket: TcpStream, peer: SocketAddr, registry: &Registry) {
        let Some(slot) = self.slot_for(peer, registry) else {
            return self.refuse(peer, "all places are taken by connections that have authenticated");
        };
        let token = tokens::newcomer(slot);
        if let Err(e) = registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE) {
            return self.refuse(peer, &e.to_string());
        }
        if let Some(place) = self.pending.get_mut(slot) {
            *place = Some(Pending { proof: Proof::New(socket), peer, since: Instant::now() });
        }
    }

    /// A slot for a newcomer; another newcomer may lose its slot.
    fn slot_for(&mut self, peer: SocketAddr, registry: &Registry) -> Option<usize> {
        let now = Instant::now();
        let waiting = |(slot, pending): (usize, &Option<Pending>)| {
            let pending = pending.as_ref()?;
            let has_proof =
                matches!(pending.proof, Proof::Certified(..) | Proof::Successor(..) | Proof::Standby(..));
            let address = pending.peer.ip();
            let known = has_proof || self.known.has(address, now);
            Some((slot, Waiting { address, since: pending.since, known }))
        };
        let (taken, waiting): (Vec<usize>, Vec<Waiting>) =
            self.pending.iter().enumerate().filter_map(waiting).unzip();
        match unverified_places::assign(&waiting, self.known.has(peer.ip(), now), SLOTS, RESERVED) {
            Place::Free => self.pending.iter().position(Option::is_none),
            Place::Instead(index) => {
                let slot = *taken.get(index)?;
                let pending = self.pending.get_mut(slot)?.take()?;
                pending.proof.deregister(registry);
                self.refuse(
                    pending.peer,
                    "too many connections have not authenticated yet, most of them from this source",
                );
                Some(slot)
            }
            Place::Taken => None,
        }
    }

    /// A client has joined from this address.
    pub(super) fn note_joined(&mut self, address: IpAddr) {
        self.known.note(address, Instant::now());
    }

    /// Refuses newcomers whose time is over, and pings clients that stand by.
    pub(super) fn expire(&mut self, now: Instant, registry: &Registry) {
        self.ping_standbys(registry);
        for slot in 0..SLOTS {
            let Some(place) = self.pending.get_mut(slot) else { continue };
            if place.as_ref().and_then(Pending::ends).is_some_and(|due| due <= now)
                && let Some(pending) = place.take()
            {
                pending.proof.deregister(registry);
                self.refuse(pending.peer, &format!("it did not authenticate within {} s", PROOF.as_secs()));
            }
        }
    }

    /// A newcomer's socket has an event; returns the newcomer once it has authenticated.
    pub(super) fn advance(
        &mut self,
        slot: usize,
        expected: &Expected,
        registry: &Registry,
    ) -> Option<Newcomer> {
        let place = self.pending.get_mut(slot)?;
        let mut pending = place.take()?;
        loop {
            let before = std::mem::discriminant(&pending.proof);
            match step(pending.proof, pending.peer, &self.context, expected, registry) {
                Progress::Wait(proof) => {
                    let moved = std::mem::discriminant(&proof) != before;
                    pending.proof = proof;
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
                Progress::Left(reason) => {
                    standbys::log_gone(pending.peer, &reason);
                    return None;
                }
            }
        }
    }

    /// The successor that has waited longest: its slot, and since when it has waited.
    pub(super) fn successor(&self) -> Option<(usize, Instant)> {
        let since = |(slot, place): (usize, &Option<Pending>)| match place.as_ref()?.proof {
            Proof::Successor(_, since) => Some((slot, since)),
            _ => None,
        };
        self.pending.iter().enumerate().filter_map(since).min_by_key(|(_, since)| *since)
    }

    /// Takes the successor out of this slot, to be joined.
    pub(super) fn take_successor(&mut self, slot: usize) -> Option<Client> {
        match self.pending.get_mut(slot)?.take()?.proof {
            Proof::Successor(client, _) => Some(*client),
            _ => None,
        }
    }

    /// Refuses the successor in this slot.
    pub(super) fn refuse_successor(&mut self, slot: usize, reason: &str, registry: &Registry) {
        let Some(mut client) = self.take_successor(slot) else { return };
        turn_away(client.connection(), reason);
        client.unwatch(registry);
        self.refuse(client.address(), reason);
    }

    /// Logs why a connection was refused.
    fn refuse(&mut self, peer: SocketAddr, reason: &str) {
        if let Some(unlogged) = self.clients.admit(Instant::now()) {
            log_refused(&catalogue::CLIENT_REFUSED, peer, reason, unlogged);
        }
    }

    /// Tells a client's child that its pair is unknown, so that it does not connect again.
    pub(super) fn refuse_pair(&mut self, socket: TcpStream, reason: &str) {
        let peer = socket.peer_addr().map_or_else(|_| SocketAddr::from(([0; 4], 0)), net::canonical);
        if let Some(unlogged) = self.pairs.admit(Instant::now()) {
            log_refused(&catalogue::PAIR_REFUSED, peer, reason, unlogged);
        }
        decline_pair(socket);
    }
}

/// Tells a client's child that its pair is not needed any more.
pub(super) fn decline_pair(mut socket: TcpStream) {
    // The child may be gone already.
    let _ = socket.write(&[UNKNOWN_PAIR]);
}

fn log_refused(row: &'static catalogue::Row, peer: SocketAddr, reason: &str, unlogged: u64) {
    Event::new(row).field_display("address", peer).field("reason", reason).unlogged(unlogged).log();
}

#[cfg(test)]
mod tests {
    use super::listening::LINGER;
    use super::*;
    use common::link::session_id::{PREAMBLE, SessionId};
    use mio::{Events, Poll};
    use openssl::ssl::SslMethod;
    use std::io::Read;
    use std::net::TcpStream as Peer;

    /// A port on loopback, and the loop that watches it.
    struct Bench {
        poll: Poll,
        events: Events,
        port: InternalPort,
    }

    impl Bench {
        fn new() -> Self {
            let poll = Poll::new().unwrap();
            // The kernel releases a port that it chose itself when the socket stops listening; it keeps a port that was
            // asked for.
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let listener = std::net::TcpListener::bind(free).unwrap();
            let context = SslContext::builder(SslMethod::tls()).unwrap().build();
            let port = InternalPort::new(listener, context, poll.registry()).unwrap();
            Self { poll, events: Events::with_capacity(16), port }
        }

        fn connect(&self) -> Peer {
            let peer = Peer::connect(self.port.address()).unwrap();
            peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            peer
        }

        fn pending(&self) -> usize {
            self.port.pending.iter().flatten().count()
        }

        /// Handles events until `end` returns something.
        fn run<T>(&mut self, mut end: impl FnMut(&mut Self, Option<Newcomer>) -> Option<T>) -> T {
            let expected = Expected { joined: false, renewal: None };
            for _ in 0..100 {
                self.port.accept(self.poll.registry());
                for slot in 0..SLOTS {
                    let newcomer = self.port.advance(slot, &expected, self.poll.registry());
                    if let Some(result) = end(self, newcomer) {
                        return result;
                    }
                }
                self.poll.poll(&mut self.events, Some(Duration::from_millis(200))).unwrap();
            }
            panic!("it did not come to an end");
        }
    }

    /// The octets that the port sends before it closes.
    fn answer(mut peer: Peer) -> Vec<u8> {
        let mut octets = Vec::new();
        // A reset is an end, too.
        let _ = peer.read_to_end(&mut octets);
        octets
    }

    #[test]
    fn a_preamble_in_pieces_names_its_pair() {
        let mut bench = Bench::new();
        let mut peer = bench.connect();
        let id = SessionId::random().unwrap();
        let preamble = id.preamble();
        let (first, rest) = preamble.split_at(PREAMBLE / 2);
        peer.write_all(first).unwrap();
        bench.run(|bench, newcomer| {
            assert!(newcomer.is_none());
            matches!(bench.port.pending[0], Some(Pending { proof: Proof::Preamble(_, _, 12), .. }))
                .then_some(())
        });
        peer.write_all(rest).unwrap();
        let socket = bench.run(|_, newcomer| match newcomer? {
            Newcomer::Data(named, socket) => (named == id).then_some(socket),
            Newcomer::Client(_) => panic!("it is no client"),
        });
        assert_eq!(bench.pending(), 0);
        decline_pair(socket);
        assert_eq!(answer(peer), [UNKNOWN_PAIR]);
    }

    #[test]
    fn anything_else_is_refused_and_its_slot_is_free_again() {
        let mut bench = Bench::new();
        for octets in [b"GET / HTTP/1.1\r\nHost: dmz\r\n\r\n".as_slice(), b""] {
            let mut peer = bench.connect();
            peer.write_all(octets).unwrap();
            peer.shutdown(std::net::Shutdown::Write).unwrap();
            peer.set_nonblocking(true).unwrap();
            bench.run(|bench, newcomer| {
                assert!(newcomer.is_none());
                let open = peer.peek(&mut [0]).is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock);
                (!open && bench.pending() == 0).then_some(())
            });
        }
    }

    #[test]
    fn one_that_proves_nothing_is_refused_in_time_and_one_too_many_takes_the_oldests_place() {
        const STRANGERS: usize = SLOTS - RESERVED;
        let mut bench = Bench::new();
        let mut peers: Vec<Peer> = (0..STRANGERS).map(|_| bench.connect()).collect();
        bench.run(|bench, _| (bench.pending() == STRANGERS).then_some(()));
        let one_more = bench.connect();
        let oldest = peers.remove(0);
        oldest.set_nonblocking(true).unwrap();
        bench.run(|bench, _| {
            assert_eq!(bench.pending(), STRANGERS);
            oldest.peek(&mut [0]).is_ok_and(|octets| octets == 0).then_some(())
        });
        // A host from which a client has joined has reserved places.
        bench.port.note_joined(IpAddr::from([127, 0, 0, 1]));
        let known = bench.connect();
        bench.run(|bench, _| (bench.pending() == STRANGERS + 1).then_some(()));
        peers.extend([one_more, known]);
        let due = bench.port.due(Instant::now()).unwrap();
        bench.port.expire(due.checked_sub(Duration::from_millis(1)).unwrap(), bench.poll.registry());
        assert_eq!(bench.pending(), STRANGERS + 1);
        bench.port.expire(due + PROOF, bench.poll.registry());
        assert_eq!((bench.pending(), bench.port.due(Instant::now())), (0, None));
        assert!(peers.into_iter().all(|peer| answer(peer).is_empty()));
    }

    #[test]
    fn a_port_that_does_not_listen_keeps_what_had_connected() {
        let mut bench = Bench::new();
        let early = bench.connect();
        let now = Instant::now();
        bench.port.set_listening(false, bench.poll.registry(), now);
        let late = bench.connect();
        assert_eq!((bench.pending(), bench.port.due(Instant::now())), (0, Some(now + LINGER)), "not yet");
        bench.port.set_listening(false, bench.poll.registry(), now + LINGER);
        assert_eq!(
            (bench.pending(), bench.port.due(Instant::now()) > Some(now + LINGER)),
            (2, true),
            "they were in the queue"
        );
        assert!(Peer::connect(bench.port.address()).is_err());
        bench.port.set_listening(true, bench.poll.registry(), Instant::now());
        let later = bench.connect();
        bench.run(|bench, _| (bench.pending() == 3).then_some(()));
        drop((early, late, later));
    }

    #[test]
    fn a_change_that_came_halfway_leaves_a_port_that_can_be_opened_and_closed() {
        let mut bench = Bench::new();
        let now = Instant::now();
        let mut peers = Vec::new();
        let mut answers = |bench: &mut Bench| match Peer::connect(bench.port.address()) {
            Ok(peer) => {
                peers.push(peer);
                bench.run(|bench, _| (bench.pending() == peers.len()).then_some(()));
                true
            }
            Err(_) => false,
        };
        // Closed, but still registered.
        sys::listen_off(&bench.port.listener).unwrap();
        bench.port.listening.note(false, false, now);
        bench.port.set_listening(true, bench.poll.registry(), now);
        assert!(answers(&mut bench));
        // Still open, but not registered any more.
        bench.poll.registry().deregister(&mut bench.port.listener).unwrap();
        bench.port.listening.note(false, false, now);
        bench.port.set_listening(true, bench.poll.registry(), now);
        assert!(answers(&mut bench));
        // Closed, and it is to be closed.
        sys::listen_off(&bench.port.listener).unwrap();
        bench.port.listening.note(false, false, now);
        let later = now + Duration::from_secs(2);
        bench.port.set_listening(false, bench.poll.registry(), later);
        assert_eq!((bench.port.listening.due(), answers(&mut bench)), (None, false));
        bench.port.set_listening(true, bench.poll.registry(), later);
        assert!(answers(&mut bench));
    }
}
