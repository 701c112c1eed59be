//! The TCP sockets of a process, as lsof shows them: /proc/PID/fd says which, /proc/net/tcp and tcp6 what
//! they are. An IPv4 peer of a socket of both families is written as its IPv4 address.
//! Of the daemons, which hide their memory, only root may see them.

use nix::unistd::Pid;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One TCP socket, listening or established.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Socket {
    /// Listens here.
    Listening(SocketAddr),
    /// Connected, from here to there.
    Established(SocketAddr, SocketAddr),
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

/// The sockets of this machine that listen at `address` or were accepted there. Unlike an attempt to connect, this
/// leaves no trace at the listener.
pub fn at(address: SocketAddr) -> io::Result<Vec<Socket>> {
    let is_there = |socket: &Socket| match socket {
        Socket::Listening(local) | Socket::Established(local, _) => *local == address,
    };
    Ok(all()?.into_iter().map(|(socket, _)| socket).filter(is_there).collect())
}

/// Which end of a connection has the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The local end: the connection was accepted there.
    Local,
    /// The remote end: the connection was made to it.
    Remote,
}

/// Whether a connection with this end at `address` is closed with octets unsent: a regular end is queued behind them
/// (FIN-WAIT-1).
pub fn ends_behind_octets(end: End, address: SocketAddr) -> io::Result<bool> {
    let column = if end == End::Local { 1 } else { 2 };
    Ok(lines()?.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_there = words.get(column).and_then(|text| self::address(text)) == Some(address);
        let unsent = words.get(4).and_then(|queues| u32::from_str_radix(queues.split_once(':')?.0, 16).ok());
        // The FIN itself counts as one.
        words.get(3) == Some(&"04") && unsent.is_some_and(|octets| octets > 1) && is_there
    }))
}

/// Whether somebody listens at `address`.
pub fn is_open(address: SocketAddr) -> bool {
    at(address).is_ok_and(|all| all.iter().any(|socket| matches!(socket, Socket::Listening(_))))
}

/// All of this machine, each with its inode.
fn all() -> io::Result<Vec<(Socket, String)>> {
    Ok(lines()?.lines().filter_map(read).collect())
}

/// The lines of both families; the headings have another form.
fn lines() -> io::Result<String> {
    // A host without IPv6 has no such file.
    let six = fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    Ok(fs::read_to_string("/proc/net/tcp")? + &six)
}

/// A line of /proc/net/tcp: number, local and remote address, state, ..., inode as the tenth word. Most lines, after a
/// test of load, are of connections that are over: no more of those is read than their state.
fn read(line: &str) -> Option<(Socket, String)> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (local, remote, state) = (words.next()?, words.next()?, words.next()?);
    let socket = match state {
        "0A" => Socket::Listening(address(local)?),
        "01" => Socket::Established(address(local)?, address(remote)?),
        _ => return None,
    };
    Some((socket, words.nth(5)?.to_owned()))
}

/// `0100007F:0CEA`: the address as numbers of this machine, 32 bits each, the port as one.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let words = host.as_bytes().chunks_exact(8).map(|digits| std::str::from_utf8(digits).ok());
    let words = words.map(|digits| u32::from_str_radix(digits?, 16).ok().map(u32::to_ne_bytes));
    let octets = words.collect::<Option<Vec<[u8; 4]>>>()?.concat();
    let ip: IpAddr = match <[u8; 4]>::try_from(octets.as_slice()) {
        Ok(four) => Ipv4Addr::from(four).into(),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(octets.as_slice()).ok()?).into(),
    };
    Some(SocketAddr::new(ip.to_canonical(), u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::{Socket, at, is_open, of};
    use nix::unistd::Pid;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_listener_and_a_connection_are_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).unwrap();
        let (here, there) = (stream.local_addr().unwrap(), address);
        let found = of(Pid::this()).unwrap();
        assert!(found.contains(&Socket::Listening(there)), "{found:?}");
        assert!(found.contains(&Socket::Established(here, there)), "{found:?}");
        assert!(is_open(address));
        drop(listener);
        // It was never accepted, so it ended together with the listener.
        assert_eq!(at(address).unwrap(), []);
    }
}
