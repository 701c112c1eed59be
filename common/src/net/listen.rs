//! Our listening sockets. Without a configured address they take connections of both families.

use super::accept::canonical;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen, setsockopt, socket, sockopt,
};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;

/// Connections that may wait to be accepted; the kernel takes the smaller of this and `net.core.somaxconn`.
pub const BACKLOG: i32 = 4096;

/// The address that means all addresses of this host, of both families.
pub const ANY: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// A socket that listens at `address`; its connections send without delay. [`ANY`] also takes IPv4 connections; on a
/// host without IPv6 it takes only these.
///
/// # Errors
///
/// The address is taken, is none of this host's, or needs privileges.
pub fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    // `::ffff:192.0.2.1` is an IPv4 address, and a socket of IPv6 alone cannot have it.
    let address = canonical(address);
    match listen_on_family(address) {
        Err(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL) if address.ip() == ANY => {
            Ok(listen_on_family(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()))?)
        }
        other => Ok(other?),
    }
}

fn listen_on_family(address: SocketAddr) -> Result<TcpListener, Errno> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // The port may be one of ours that was closed a short time ago.
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    if address.is_ipv6() {
        // Independent of net.ipv6.bindv6only.
        setsockopt(&socket, sockopt::Ipv6V6Only, &(address.ip() != ANY))?;
    }
    // Accepted sockets inherit this option.
    setsockopt(&socket, sockopt::TcpNoDelay, &true)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(&socket, Backlog::new(BACKLOG)?)?;
    Ok(TcpListener::from(socket))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn where_no_address_is_configured_both_families_come_in() {
        let listener = listen_at(SocketAddr::new(ANY, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        for from in ["127.0.0.1", "::1"] {
            let ip: IpAddr = from.parse().unwrap();
            match TcpStream::connect((ip, port)) {
                Ok(_) => assert_eq!(listener.accept().unwrap().1.ip().to_canonical(), ip),
                // This host has no IPv6.
                Err(e) => assert!(ip.is_ipv6(), "{e}"),
            }
        }
    }

    #[test]
    fn an_address_takes_its_own_family_alone() {
        let listener = listen_at(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        assert!(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).is_err());
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        let listener = listen_at(SocketAddr::from((mapped, 0))).unwrap();
        assert_eq!(listener.local_addr().unwrap().ip(), Ipv4Addr::LOCALHOST);
        assert!(listen_at(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).is_err(), "the port is taken");
    }
}
