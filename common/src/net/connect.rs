//! Connects to the first of several addresses that answers, with one deadline. [`Connecting`] does it step by step and
//! never waits: a parent advances it from its own loop. [`connect`] waits between the steps, for all other processes.

use super::accept::canonical;
use super::lookup::LookupError;
use super::waiter::{Interrupted, Waiter};
use super::wire::Wire;
use mio::net::TcpStream;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect as connect_to, setsockopt, socket,
    sockopt,
};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::task::Poll;
use std::time::Instant;

/// Connects to the first of `addresses` that answers, from `source` if given, before `deadline`. The socket is watched
/// by `waiter` afterwards.
///
/// # Errors
///
/// As [`Connecting::advance`], and [`LookupError::Interrupted`] if this process is told to end meanwhile.
pub fn connect(
    waiter: &mut Waiter,
    addresses: &[SocketAddr],
    source: Option<IpAddr>,
    deadline: Instant,
) -> Result<Wire, LookupError> {
    let mut connecting = Connecting::new(addresses, source, deadline);
    loop {
        if let Poll::Ready(wire) = connecting.advance(Instant::now(), |socket| waiter.watch(socket))? {
            return Ok(wire);
        }
        match waiter.wait(connecting.due()) {
            // The time for this address is over: the next step tries the next one.
            Ok(()) | Err(Interrupted::Late) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// Tries one address after the other, until one answers. Each gets an equal share of the time that is left when it is
/// tried: an address that does not answer must not use up the time of one that does.
pub struct Connecting {
    left: VecDeque<SocketAddr>,
    source: Option<IpAddr>,
    deadline: Instant,
    attempt: Option<Attempt>,
    /// Why none of the addresses tried so far was of use.
    failure: LookupError,
}

/// A connection attempt to one address.
struct Attempt {
    socket: TcpStream,
    address: SocketAddr,
    until: Instant,
}

/// Why one address is of no use.
enum AddressFault {
    Unreachable(io::Error),
    Source(IpAddr, io::Error),
}

impl From<io::Error> for AddressFault {
    fn from(e: io::Error) -> Self {
        Self::Unreachable(e)
    }
}

impl Connecting {
    /// Nothing happens before the first `advance`.
    pub fn new(addresses: &[SocketAddr], source: Option<IpAddr>, deadline: Instant) -> Self {
        let failure = LookupError::Unknown(String::new());
        // `::ffff:192.0.2.1` is an IPv4 address: use it as one, so that it fits a source address of its family.
        let left = addresses.iter().copied().map(canonical).collect();
        let source = source.map(|ip| ip.to_canonical());
        Self { left, source, deadline, attempt: None, failure }
    }

    /// Goes on as far as it can without waiting. Call it when the socket has an event, and when it is `due`. Each new
    /// socket is passed to `watch`, which registers it for both directions.
    ///
    /// # Errors
    ///
    /// The error of the last address: [`LookupError::Unreachable`], or [`LookupError::Source`] if no address gave
    /// another error.
    pub fn advance(
        &mut self,
        now: Instant,
        mut watch: impl FnMut(&mut TcpStream) -> io::Result<()>,
    ) -> Result<Poll<Wire>, LookupError> {
        loop {
            let attempt = match self.attempt.take() {
                Some(attempt) => attempt,
                None => match self.next_attempt(now, &mut watch)? {
                    Some(attempt) => attempt,
                    None => continue,
                },
            };
            match is_connected(&attempt.socket) {
                Ok(true) => {
                    attempt.socket.set_nodelay(true).map_err(|e| unreachable(attempt.address, e))?;
                    return Ok(Poll::Ready(Wire::new(attempt.socket)));
                }
                Ok(false) if now < attempt.until => {
                    self.attempt = Some(attempt);
                    return Ok(Poll::Pending);
                }
                Ok(false) => self.failure = unreachable(attempt.address, ErrorKind::TimedOut.into()),
                Err(e) => self.failure = unreachable(attempt.address, e),
            }
        }
    }

    /// When to call `advance` although the socket has no event.
    pub fn due(&self) -> Option<Instant> {
        self.attempt.as_ref().map(|attempt| attempt.until)
    }

    /// Begins with the next address; none if it is of no use, an error if it was the last one.
    fn next_attempt(
        &mut self,
        now: Instant,
        watch: &mut impl FnMut(&mut TcpStream) -> io::Result<()>,
    ) -> Result<Option<Attempt>, LookupError> {
        let share = u32::try_from(self.left.len()).unwrap_or(u32::MAX).max(1);
        let Some(address) = self.left.pop_front() else {
            return Err(std::mem::replace(&mut self.failure, LookupError::Unknown(String::new())));
        };
        let until = now + self.deadline.saturating_duration_since(now) / share;
        let begun = begin_connect(address, self.source).and_then(|mut socket| {
            watch(&mut socket)?;
            Ok(socket)
        });
        match begun {
            Ok(socket) => return Ok(Some(Attempt { socket, address, until })),
            Err(AddressFault::Unreachable(e)) => self.failure = unreachable(address, e),
            // The error of another address says more: this address may only be of the other family.
            Err(AddressFault::Source(..)) if matches!(self.failure, LookupError::Unreachable(..)) => {}
            Err(AddressFault::Source(ip, e)) => self.failure = LookupError::Source(ip, e),
        }
        Ok(None)
    }
}

fn unreachable(address: SocketAddr, e: io::Error) -> LookupError {
    LookupError::Unreachable(address, e)
}

fn is_connected(socket: &TcpStream) -> io::Result<bool> {
    if let Some(e) = socket.take_error()? {
        return Err(e);
    }
    match socket.peer_addr() {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == ErrorKind::NotConnected => Ok(false),
        Err(e) => Err(e),
    }
}

fn begin_connect(to: SocketAddr, source: Option<IpAddr>) -> Result<TcpStream, AddressFault> {
    let failed = |e: Errno| AddressFault::Unreachable(e.into());
    let family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(family, SockType::Stream, flags, None).map_err(failed)?;
    if let Some(source) = source {
        // The kernel chooses the port at connect, so that many sessions can share one source address.
        setsockopt(&fd, sockopt::IpBindAddressNoPort, &true).map_err(failed)?;
        bind(fd.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(source, 0)))
            .map_err(|e| AddressFault::Source(source, e.into()))?;
    }
    match (connect_to(fd.as_raw_fd(), &SockaddrStorage::from(to)), source) {
        (Ok(()) | Err(Errno::EINPROGRESS), _) => {}
        (Err(e @ Errno::EADDRNOTAVAIL), Some(source)) => return Err(AddressFault::Source(source, e.into())),
        (Err(e), _) => return Err(failed(e)),
    }
    Ok(TcpStream::from_std(std::net::TcpStream::from(fd)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{Backlog, getsockname, listen};
    use std::net::TcpListener;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    fn loopback() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    /// A listener with a full queue, and the connections in it: the kernel accepts nobody else and sends no answer.
    fn silent() -> (SocketAddr, Vec<OwnedFd>, Vec<TcpStream>) {
        let listener = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        bind(listener.as_raw_fd(), &SockaddrStorage::from(loopback())).unwrap();
        listen(&listener, Backlog::new(0).unwrap()).unwrap();
        let address: SockaddrStorage = getsockname(listener.as_raw_fd()).unwrap();
        let address = SocketAddr::from(*address.as_sockaddr_in().unwrap());
        let queued = (0..4).filter_map(|_| begin_connect(address, None).ok()).collect();
        (address, vec![listener], queued)
    }

    #[test]
    fn an_ipv4_address_in_ipv6_spelling_is_one() {
        let mut waiter = Waiter::new().unwrap();
        let good = TcpListener::bind(loopback()).unwrap().local_addr().unwrap();
        let listener = TcpListener::bind(good).unwrap();
        let mapped = |ip: [u8; 4]| IpAddr::from(std::net::Ipv4Addr::from(ip).to_ipv6_mapped());
        let (to, from) = (SocketAddr::new(mapped([127, 0, 0, 1]), good.port()), mapped([127, 0, 0, 9]));
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut wire = connect(&mut waiter, &[to], Some(from), deadline).unwrap();
        assert_eq!(wire.socket().peer_addr().unwrap(), good);
        assert_eq!(listener.accept().unwrap().1.ip().to_string(), "127.0.0.9");
    }

    #[test]
    fn addresses_are_tried_in_turn_and_none_uses_up_the_time_of_the_next() {
        let mut waiter = Waiter::new().unwrap();
        let good = TcpListener::bind(loopback()).unwrap();
        let refused = { TcpListener::bind(loopback()).unwrap().local_addr().unwrap() };
        let (silent, _listener, _queued) = silent();
        let all = [refused, silent, good.local_addr().unwrap()];
        // The one that does not answer gets half of the time that is left.
        let deadline = Instant::now() + Duration::from_secs(4);
        let mut wire = connect(&mut waiter, &all, None, deadline).unwrap();
        assert_eq!(wire.socket().peer_addr().unwrap(), all[2]);
    }

    #[test]
    fn the_last_address_says_why() {
        let mut waiter = Waiter::new().unwrap();
        let refused = { TcpListener::bind(loopback()).unwrap().local_addr().unwrap() };
        let (silent, _listener, _queued) = silent();
        for (all, kind) in
            [([silent, refused], ErrorKind::ConnectionRefused), ([refused, silent], ErrorKind::TimedOut)]
        {
            let deadline = Instant::now() + Duration::from_secs(1);
            match connect(&mut waiter, &all, None, deadline) {
                Err(LookupError::Unreachable(at, e)) => assert_eq!((at, e.kind()), (all[1], kind)),
                Err(e) => panic!("{e}"),
                Ok(_) => panic!("connected"),
            }
        }
    }

    #[test]
    fn an_unusable_source_address_is_reported_as_such() {
        let mut waiter = Waiter::new().unwrap();
        let good = TcpListener::bind(loopback()).unwrap();
        let to = good.local_addr().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        // TEST-NET-1 (RFC 5737), which no host has; and the other family.
        for source in ["192.0.2.1", "::1"] {
            let source: IpAddr = source.parse().unwrap();
            match connect(&mut waiter, &[to], Some(source), deadline) {
                Err(LookupError::Source(ip, _)) => assert_eq!(ip, source),
                Err(e) => panic!("{e}"),
                Ok(_) => panic!("connected"),
            }
        }
        // An address of the other family does not hide the errors of the others.
        let refused = { TcpListener::bind(loopback()).unwrap().local_addr().unwrap() };
        let other = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 9));
        for all in [[refused, other], [other, refused]] {
            match connect(&mut waiter, &all, Some(loopback().ip()), deadline) {
                Err(LookupError::Unreachable(at, _)) => assert_eq!(at, refused),
                Err(e) => panic!("{e}"),
                Ok(_) => panic!("connected"),
            }
        }
    }

    #[test]
    fn it_goes_on_with_the_clock_and_does_not_wait() {
        let (silent, _listener, _queued) = silent();
        let refused = { TcpListener::bind(loopback()).unwrap().local_addr().unwrap() };
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut connecting = Connecting::new(&[silent, silent, refused], None, start + 6 * second);
        let mut sockets = 0;
        let mut advance = |connecting: &mut Connecting, after: Duration| {
            connecting.advance(start + after, |_| {
                sockets += 1;
                Ok(())
            })
        };
        assert_eq!(connecting.due(), None);
        // A third of the time, then half of what is left.
        for (after, due) in [(0, 2), (1, 2), (2, 4), (3, 4)] {
            assert!(matches!(advance(&mut connecting, after * second), Ok(Poll::Pending)));
            assert_eq!(connecting.due(), Some(start + due * second));
        }
        match advance(&mut connecting, 4 * second) {
            // The kernel may need a moment to refuse.
            Ok(Poll::Pending) => assert_eq!(connecting.due(), Some(start + 6 * second)),
            Err(LookupError::Unreachable(at, _)) => assert_eq!(at, refused),
            Err(e) => panic!("{e}"),
            Ok(Poll::Ready(_)) => panic!("connected"),
        }
        assert_eq!(sockets, 3);
    }
}
