//! Names and connects under a deadline. A name is looked up in a process of its own, because the C library's
//! resolver cannot be interrupted; an address needs no look-up at all.

use super::{Interrupted, Waiter, Wire};
use crate::sys::{self, Fork};
use mio::net::TcpStream;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect as connect_to, setsockopt, socket,
    sockopt,
};
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::task::Poll;
use std::time::Instant;

/// Why a host could not be reached.
#[derive(Debug)]
pub enum LookupError {
    /// The name has no address, or the resolver failed.
    Unknown(String),
    /// No address answered; the last one's error.
    Unreachable(SocketAddr, io::Error),
    /// Our own end is at fault: the source address is none of this host's, is of another family than all the addresses,
    /// or has no port left.
    Source(IpAddr, io::Error),
    /// Interrupted: too late, or the process was told to end.
    Interrupted(Interrupted),
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(host) => write!(f, "the name {host} has no address"),
            Self::Unreachable(at, e) => write!(f, "{at} cannot be reached: {e}"),
            Self::Source(ip, e) => write!(f, "the outgoing IP address {ip} cannot be used: {e}"),
            Self::Interrupted(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for LookupError {}

impl From<Interrupted> for LookupError {
    fn from(e: Interrupted) -> Self {
        Self::Interrupted(e)
    }
}

/// The addresses of `host`, before `deadline`.
pub fn resolve(
    waiter: &mut Waiter,
    host: &str,
    port: u16,
    deadline: Instant,
) -> Result<Vec<SocketAddr>, LookupError> {
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let failed = |e: io::Error| LookupError::Interrupted(Interrupted::Failed(e));
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC | nix::fcntl::OFlag::O_NONBLOCK)
        .map_err(|e| failed(e.into()))?;
    let helper = match sys::fork().map_err(|e| failed(e.into()))? {
        Fork::Child => look_up_and_exit(host, port, write),
        Fork::Parent(pid) => pid,
    };
    drop(write);
    let answer = read_all(waiter, read, deadline);
    if answer.is_err() {
        // It hangs in the resolver; the parent's table or init reaps it.
        let _ = nix::sys::signal::kill(helper, nix::sys::signal::Signal::SIGKILL);
    }
    let _ = nix::sys::wait::waitpid(helper, None);
    let addresses: Vec<SocketAddr> = answer?.lines().filter_map(|line| line.parse().ok()).collect();
    if addresses.is_empty() { Err(LookupError::Unknown(host.to_owned())) } else { Ok(addresses) }
}

fn look_up_and_exit(host: &str, port: u16, write: OwnedFd) -> ! {
    let mut text = String::new();
    for address in (host, port).to_socket_addrs().into_iter().flatten().take(16) {
        text.push_str(&address.to_string());
        text.push('\n');
    }
    // At most 16 lines: they fit a pipe, so one write does.
    let done = std::fs::File::from(write).write_all(text.as_bytes());
    sys::exit_now(u8::from(done.is_err()))
}

fn read_all(waiter: &mut Waiter, read: OwnedFd, deadline: Instant) -> Result<String, Interrupted> {
    let fd = read.as_raw_fd();
    let mut source = mio::unix::SourceFd(&fd);
    waiter.watch(&mut source).map_err(Interrupted::Failed)?;
    let mut file = std::fs::File::from(read);
    let mut text = String::new();
    let mut chunk = [0; 1024];
    let outcome = waiter.drive(Some(deadline), || {
        loop {
            match file.read(&mut chunk) {
                Ok(0) => return Ok(Poll::Ready(())),
                Ok(n) => text.push_str(&String::from_utf8_lossy(chunk.get(..n).unwrap_or_default())),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Poll::Pending),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(Interrupted::Failed(e)),
            }
        }
    });
    let _ = waiter.unwatch(&mut mio::unix::SourceFd(&fd));
    outcome.map(|()| text)
}

/// Connects to the first of `addresses` that answers, from `source` if given, before `deadline`: each of them gets an
/// equal share of the time that is left. The socket is watched by `waiter` afterwards.
pub fn connect(
    waiter: &mut Waiter,
    addresses: &[SocketAddr],
    source: Option<IpAddr>,
    deadline: Instant,
) -> Result<Wire, LookupError> {
    let mut last = LookupError::Unknown(String::new());
    for (tried, address) in addresses.iter().enumerate() {
        // Each gets its share of the time that is left: a dead address must not use up that of a live one.
        let left = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let share = Instant::now() + deadline.saturating_duration_since(Instant::now()) / left;
        match connect_one(waiter, *address, source, share) {
            Ok(socket) => return Ok(Wire::new(socket)),
            Err(Attempt::Refused(e)) => last = LookupError::Unreachable(*address, e),
            // What another address has answered says more: this one may only be of the other family.
            Err(Attempt::Source(ip, e)) if !matches!(last, LookupError::Unreachable(..)) => {
                last = LookupError::Source(ip, e);
            }
            Err(Attempt::Source(..)) => {}
            Err(Attempt::Interrupted(Interrupted::Late)) => {
                last = LookupError::Unreachable(*address, ErrorKind::TimedOut.into());
            }
            Err(Attempt::Interrupted(e)) => return Err(e.into()),
        }
    }
    Err(last)
}

/// Whether `ip` is an address of this host: a socket can be bound to it. An error: it could not be found out.
pub fn is_own(ip: IpAddr) -> io::Result<bool> {
    match UdpSocket::bind((ip, 0)) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == ErrorKind::AddrNotAvailable => Ok(false),
        // This host has no addresses of that family.
        Err(e) if e.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32) => Ok(false),
        Err(e) => Err(e),
    }
}

enum Attempt {
    Refused(io::Error),
    Source(IpAddr, io::Error),
    Interrupted(Interrupted),
}

impl From<Interrupted> for Attempt {
    fn from(e: Interrupted) -> Self {
        Self::Interrupted(e)
    }
}

fn connect_one(
    waiter: &mut Waiter,
    to: SocketAddr,
    source: Option<IpAddr>,
    deadline: Instant,
) -> Result<TcpStream, Attempt> {
    let mut socket = begin_connect(to, source)?;
    waiter.watch(&mut socket).map_err(Attempt::Refused)?;
    waiter.drive(Some(deadline), || match socket.take_error() {
        Ok(Some(e)) | Err(e) => Err(Attempt::Refused(e)),
        Ok(None) => match socket.peer_addr() {
            Ok(_) => Ok(Poll::Ready(())),
            Err(e) if e.kind() == ErrorKind::NotConnected => Ok(Poll::Pending),
            Err(e) => Err(Attempt::Refused(e)),
        },
    })?;
    socket.set_nodelay(true).map_err(Attempt::Refused)?;
    Ok(socket)
}

fn begin_connect(to: SocketAddr, source: Option<IpAddr>) -> Result<TcpStream, Attempt> {
    let refused = |e: Errno| Attempt::Refused(e.into());
    let family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(family, SockType::Stream, flags, None).map_err(refused)?;
    if let Some(source) = source {
        // The port is chosen at connect, so that many sessions share one source address.
        setsockopt(&fd, sockopt::IpBindAddressNoPort, &true).map_err(refused)?;
        bind(fd.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(source, 0)))
            .map_err(|e| Attempt::Source(source, e.into()))?;
    }
    match (connect_to(fd.as_raw_fd(), &SockaddrStorage::from(to)), source) {
        (Ok(()) | Err(Errno::EINPROGRESS), _) => {}
        (Err(e @ Errno::EADDRNOTAVAIL), Some(source)) => return Err(Attempt::Source(source, e.into())),
        (Err(e), _) => return Err(refused(e)),
    }
    Ok(TcpStream::from_std(std::net::TcpStream::from(fd)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{Backlog, getsockname, listen};
    use std::net::TcpListener;
    use std::time::Duration;

    fn loopback() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    /// A listener whose queue is full, and what fills it: the kernel takes nobody else, and says nothing.
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
    fn addresses_are_tried_in_turn_and_none_uses_up_the_time_of_the_next() {
        let mut waiter = Waiter::new().unwrap();
        let good = TcpListener::bind(loopback()).unwrap();
        let refused = { TcpListener::bind(loopback()).unwrap().local_addr().unwrap() };
        let (silent, _listener, _queued) = silent();
        let all = [refused, silent, good.local_addr().unwrap()];
        // The silent one has half of what is left to it.
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
    fn a_source_that_cannot_be_is_not_the_other_ends_fault() {
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
        // One address of the other family does not hide what the others say.
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
}
