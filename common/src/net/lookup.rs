//! Looks names up under a deadline, in a process of its own, because the C library's resolver cannot be interrupted. An
//! address needs no look-up. The parents never call it: they do not wait.

use super::waiter::{Interrupted, Waiter};
use crate::sys::{self, Fork};
use nix::errno::Errno;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::task::Poll;
use std::time::Instant;

/// Addresses of one name; more are left out.
const MOST: usize = 16;

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

/// `host` as an address, if it is one, with or without brackets: it needs no look-up.
pub fn literal_address(host: &str, port: u16) -> Option<SocketAddr> {
    let address: IpAddr = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    Some(SocketAddr::new(address, port))
}

/// The addresses of `host`, before `deadline`.
///
/// # Errors
///
/// [`LookupError::Unknown`] if it has none, [`LookupError::Interrupted`] if the time or this process is over.
pub fn resolve(
    waiter: &mut Waiter,
    host: &str,
    port: u16,
    deadline: Instant,
) -> Result<Vec<SocketAddr>, LookupError> {
    if let Some(address) = literal_address(host, port) {
        return Ok(vec![address]);
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
        // It hangs in the resolver, and cannot be asked to stop.
        let _ = nix::sys::signal::kill(helper, nix::sys::signal::Signal::SIGKILL);
    }
    let _ = nix::sys::wait::waitpid(helper, None);
    let addresses: Vec<SocketAddr> = answer?.lines().filter_map(|line| line.parse().ok()).collect();
    if addresses.is_empty() { Err(LookupError::Unknown(host.to_owned())) } else { Ok(addresses) }
}

/// The addresses of `host`, however long it takes: for a process that has nothing else to do.
pub fn addresses_of(host: &str) -> Vec<IpAddr> {
    look_up(host, 0).map(|address| address.ip()).collect()
}

/// Asks the system's resolver, which waits as long as it wants.
fn look_up(host: &str, port: u16) -> impl Iterator<Item = SocketAddr> {
    // DNS knows a name with the dot at its end, /etc/hosts the one without.
    let found = (host, port).to_socket_addrs().or_else(|e| match host.strip_suffix('.') {
        Some(bare) => (bare, port).to_socket_addrs(),
        None => Err(e),
    });
    found.into_iter().flatten().take(MOST)
}

fn look_up_and_exit(host: &str, port: u16, write: OwnedFd) -> ! {
    let mut text = String::new();
    for address in look_up(host, port) {
        text.push_str(&address.to_string());
        text.push('\n');
    }
    // So few lines fit a pipe: one write does.
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

/// Whether `ip` is an address of this host: a socket can be bound to it. An error: it could not be found out.
///
/// # Errors
/// The system does not let the socket be bound for another reason.
pub fn is_own(ip: IpAddr) -> io::Result<bool> {
    match UdpSocket::bind((ip, 0)) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == ErrorKind::AddrNotAvailable => Ok(false),
        // This host has no addresses of that family.
        Err(e) if e.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32) => Ok(false),
        Err(e) => Err(e),
    }
}
