//! The TCP sockets of a process, as lsof shows them: /proc/PID/fd says which, /proc/net/tcp what they are. IPv4 alone.
//! Of the daemons, which hide their memory, only root may see them.

use nix::unistd::Pid;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// One TCP socket, listening or established.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Socket {
    /// Listens here.
    Listening(SocketAddrV4),
    /// Connected, from here to there.
    Established(SocketAddrV4, SocketAddrV4),
}

/// The sockets of process `pid` that listen or are established, in order.
pub fn of(pid: Pid) -> io::Result<Vec<Socket>> {
    let mut own = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        // A descriptor that is closed meanwhile is none.
        let Ok(target) = fs::read_link(entry?.path()) else { continue };
        let name = target.to_string_lossy().into_owned();
        own.extend(name.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')).map(str::to_owned));
    }
    let is_own = |inode: &str| own.iter().any(|own| own == inode);
    let mut sockets: Vec<Socket> =
        all()?.into_iter().filter(|(_, inode)| is_own(inode)).map(|(socket, _)| socket).collect();
    sockets.sort_unstable();
    Ok(sockets)
}

/// The sockets of this machine that listen at `address` or were accepted there. Unlike an attempt to connect, a look
/// leaves no trace with whoever listens.
pub fn at(address: SocketAddr) -> io::Result<Vec<Socket>> {
    let is_there = |socket: &Socket| match socket {
        Socket::Listening(local) | Socket::Established(local, _) => SocketAddr::V4(*local) == address,
    };
    Ok(all()?.into_iter().map(|(socket, _)| socket).filter(is_there).collect())
}

/// Whether a connection of `address` is closed with octets unsent: a regular end is queued behind them (FIN-WAIT-1).
pub fn ends_behind_octets(address: SocketAddr) -> io::Result<bool> {
    Ok(fs::read_to_string("/proc/net/tcp")?.lines().skip(1).any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_its = |at: usize| {
            words
                .get(at)
                .and_then(|text| self::address(text))
                .is_some_and(|own| SocketAddr::V4(own) == address)
        };
        let unsent = words.get(4).and_then(|queues| u32::from_str_radix(queues.split_once(':')?.0, 16).ok());
        // The FIN itself counts as one.
        words.get(3) == Some(&"04") && unsent.is_some_and(|octets| octets > 1) && (is_its(1) || is_its(2))
    }))
}

/// Whether somebody listens at `address`.
pub fn is_open(address: SocketAddr) -> bool {
    at(address).is_ok_and(|all| all.iter().any(|socket| matches!(socket, Socket::Listening(_))))
}

/// All of this machine, each with its inode.
fn all() -> io::Result<Vec<(Socket, String)>> {
    Ok(fs::read_to_string("/proc/net/tcp")?.lines().skip(1).filter_map(read).collect())
}

/// A line of /proc/net/tcp: number, local and remote address, state, ..., inode as the tenth word.
fn read(line: &str) -> Option<(Socket, String)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let inode = (*words.get(9)?).to_owned();
    let (local, remote) = (address(words.get(1)?)?, address(words.get(2)?)?);
    match *words.get(3)? {
        "0A" => Some((Socket::Listening(local), inode)),
        "01" => Some((Socket::Established(local, remote), inode)),
        _ => None,
    }
}

/// `0100007F:0CEA`: the address as a number of this machine, the port as one.
fn address(text: &str) -> Option<SocketAddrV4> {
    let (host, port) = text.split_once(':')?;
    let host = u32::from_str_radix(host, 16).ok()?;
    Some(SocketAddrV4::new(Ipv4Addr::from(host.to_ne_bytes()), u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::{Socket, at, is_open, of};
    use nix::unistd::Pid;
    use std::net::{SocketAddr, TcpListener, TcpStream};

    #[test]
    fn a_listener_and_a_connection_are_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).unwrap();
        let (SocketAddr::V4(here), SocketAddr::V4(there)) = (stream.local_addr().unwrap(), address) else {
            panic!("{address} is no IPv4 address");
        };
        let found = of(Pid::this()).unwrap();
        assert!(found.contains(&Socket::Listening(there)), "{found:?}");
        assert!(found.contains(&Socket::Established(here, there)), "{found:?}");
        assert!(is_open(address));
        drop(listener);
        // It was never accepted, so it went with the listener.
        assert_eq!(at(address).unwrap(), []);
    }
}
