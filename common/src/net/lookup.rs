//! Looks up names with a deadline, in a separate process, because the C library's resolver cannot be interrupted. An
//! address needs no lookup. The parents never call it, because they do not wait.

use super::waiter::{Interrupted, Waiter};
use crate::ipc::channel::{Channel, Received};
use crate::ipc::errand::{self, Answer, Errand};
use crate::sys::{self, Fork};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::task::Poll;
use std::time::Instant;

/// Addresses that are used of one name.
const MOST: usize = 16;

/// Why a host could not be reached.
#[derive(Debug)]
pub enum LookupError {
    /// The name has no address, or the resolver failed.
    Unknown(String),
    /// No address answered; the last one's error.
    Unreachable(SocketAddr, io::Error),
    /// The fault is on this host: the source address is not one of its addresses, is of another family than all the
    /// addresses, or has no free port.
    Source(IpAddr, io::Error),
    /// Interrupted: the deadline has passed, or the process was told to end.
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

/// `host` as an address, with or without brackets, if it is one: then it needs no lookup.
pub fn literal_address(host: &str, port: u16) -> Option<SocketAddr> {
    let address: IpAddr = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    Some(SocketAddr::new(address, port))
}

/// Looks up the addresses of `host`; waits until `deadline` at most.
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
    let (mut answer, helper) = ask(host, port).map_err(failed)?;
    let received = read(waiter, &mut answer, deadline);
    if let Some(pid) = helper {
        if received.is_err() {
            // It waits for the system's resolver and cannot be asked to stop.
            let _ = kill(pid, Signal::SIGKILL);
        }
        let _ = waitpid(pid, None);
    }
    match received? {
        Answer::Addresses(addresses) if !addresses.is_empty() => Ok(addresses),
        Answer::Refused(reason) => Err(failed(io::Error::other(reason))),
        _ => Err(LookupError::Unknown(host.to_owned())),
    }
}

/// Starts the lookup of `host`: gives the channel of the answer, and the process that works on it if it is a child of
/// this one.
fn ask(host: &str, port: u16) -> io::Result<(Channel, Option<Pid>)> {
    if errand::is_asking() {
        return Ok((errand::send(&Errand::LookUp { host: host.to_owned(), port })?, None));
    }
    let (ours, theirs) = Channel::pair()?;
    Ok((ours, Some(answer_from_helper(host, port, &theirs)?)))
}

/// Starts a process that looks `host` up and answers; gives its ID.
///
/// # Errors
/// The system allows no more processes.
pub fn answer_from_helper(host: &str, port: u16, answer: &Channel) -> io::Result<Pid> {
    match sys::fork()? {
        Fork::Parent(pid) => Ok(pid),
        Fork::Child => {
            let sent = answer.send(&Answer::Addresses(look_up(host, port).collect()));
            sys::exit_now(u8::from(sent.is_err()))
        }
    }
}

fn read(waiter: &mut Waiter, answer: &mut Channel, deadline: Instant) -> Result<Answer, Interrupted> {
    waiter.watch(answer).map_err(Interrupted::Failed)?;
    let outcome = waiter.drive(Some(deadline), || match answer.receive() {
        Ok(Received::Message(answer, _)) => Ok(Poll::Ready(answer)),
        Ok(Received::Blocked) => Ok(Poll::Pending),
        Ok(Received::Gone) => Ok(Poll::Ready(Answer::Refused("the resolver process has ended".to_owned()))),
        Err(e) => Err(Interrupted::Failed(io::Error::other(e))),
    });
    let _ = waiter.unwatch(answer);
    outcome
}

/// The addresses of `host`, without a time limit: for a process that does nothing else.
pub fn addresses_of(host: &str) -> Vec<IpAddr> {
    look_up(host, 0).map(|address| address.ip()).collect()
}

/// Asks the system's resolver, which may wait as long as it likes.
fn look_up(host: &str, port: u16) -> impl Iterator<Item = SocketAddr> {
    // DNS finds a name with a final dot, /etc/hosts the name without it.
    let found = (host, port).to_socket_addrs().or_else(|e| match host.strip_suffix('.') {
        Some(bare) => (bare, port).to_socket_addrs(),
        None => Err(e),
    });
    found.into_iter().flatten().take(MOST)
}

/// Whether `ip` is an address of this host, so that a socket can be bound to it.
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
