//! Opening a connection: from a chosen source address, directly or through CONNECT (RFC 9110 §9.3.6) or SOCKS5
//! (RFC 1928), then TLS or not. Names are resolved here; through a proxy the proxy resolves them.

use super::{Break, Conn, tls};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, setsockopt, socket, sockopt,
};
use openssl::ssl::SslContext;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialError {
    /// The name has no address.
    Name(String),
    /// TCP to this address failed.
    Tcp(String, String),
    /// The proxy refused: its own words or code.
    Proxy(String),
    /// TLS failed.
    Tls(Break),
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name} stands for no address; give HOST:PORT"),
            Self::Tcp(address, why) => write!(f, "{address} cannot be reached: {why}"),
            Self::Proxy(answer) => write!(f, "the proxy refused: {}", answer.escape_debug()),
            Self::Tls(end) => write!(f, "no TLS came about: {end}"),
        }
    }
}

impl std::error::Error for DialError {}

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// HTTP CONNECT at this `HOST:PORT`.
    Connect(String),
    /// SOCKS5 at this `HOST:PORT`.
    Socks5(String),
}

/// The target, and the way to it.
#[derive(Clone)]
pub struct Dial {
    /// `HOST:PORT` of the Responder (IPv6 in brackets).
    pub to: String,
    /// Source address.
    pub from: Option<IpAddr>,
    /// Proxy on the way.
    pub via: Option<Via>,
    /// TLS, and the name the server must have.
    pub tls: Option<(SslContext, Option<String>)>,
    /// Limit of connecting, and of each wait of the handshake.
    pub timeout: Duration,
}

impl Dial {
    /// Plain OFTP to `to`, directly, within 30 seconds.
    pub fn to(to: &impl ToString) -> Self {
        Self { to: to.to_string(), from: None, via: None, tls: None, timeout: Duration::from_secs(30) }
    }

    /// Opens the connection.
    pub fn open(&self) -> Result<Conn, DialError> {
        let tcp = self.open_tcp()?;
        match &self.tls {
            None => Conn::plain(tcp).map_err(|error| DialError::Tls(Break::of_io(&error))),
            Some((context, name)) => {
                tls::connect(tcp, context, name.as_deref(), self.timeout).map_err(DialError::Tls)
            }
        }
    }

    /// Opens it up to the point where OFTP2 or TLS begins.
    pub fn open_tcp(&self) -> Result<TcpStream, DialError> {
        let next = match &self.via {
            None => &self.to,
            Some(Via::Connect(proxy) | Via::Socks5(proxy)) => proxy,
        };
        let addresses =
            next.to_socket_addrs().map_err(|error| DialError::Name(format!("{next} ({error})")))?;
        let mut failure = DialError::Name(next.clone());
        for address in addresses {
            match self.open_one(address) {
                Ok(mut tcp) => {
                    self.ask_proxy(&mut tcp)?;
                    return Ok(tcp);
                }
                Err(error) => failure = DialError::Tcp(address.to_string(), error.to_string()),
            }
        }
        Err(failure)
    }

    fn open_one(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let Some(from) = self.from else { return TcpStream::connect_timeout(&address, self.timeout) };
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let fd = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        // The port is chosen at connect, so that many connections from one address do not use up the ports.
        setsockopt(&fd, sockopt::IpBindAddressNoPort, &true)?;
        bind(fd.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(from, 0)))?;
        let tcp = TcpStream::from(fd);
        tcp.set_write_timeout(Some(self.timeout))?;
        connect(tcp.as_raw_fd(), &SockaddrStorage::from(address))?;
        Ok(tcp)
    }

    fn ask_proxy(&self, tcp: &mut TcpStream) -> Result<(), DialError> {
        let broken = |error: io::Error| DialError::Proxy(format!("{error} (no answer)"));
        tcp.set_read_timeout(Some(self.timeout)).map_err(broken)?;
        match &self.via {
            None => Ok(()),
            Some(Via::Connect(_)) => {
                let request = format!("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n\r\n", self.to);
                tcp.write_all(request.as_bytes()).map_err(broken)?;
                connect_answer(tcp).map_err(broken)?
            }
            Some(Via::Socks5(_)) => socks5(tcp, &self.to).map_err(broken)?,
        }
    }
}

/// Reads the answer up to its empty line, and not one octet more.
fn connect_answer(tcp: &mut TcpStream) -> io::Result<Result<(), DialError>> {
    let mut head = Vec::new();
    let mut octet = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < 8192 {
        tcp.read_exact(&mut octet)?;
        head.extend_from_slice(&octet);
    }
    let text = String::from_utf8_lossy(&head);
    let status = text.lines().next().unwrap_or_default();
    let is_good = status.split(' ').nth(1).is_some_and(|code| code.starts_with('2'));
    Ok(if is_good { Ok(()) } else { Err(DialError::Proxy(status.to_owned())) })
}

fn socks5(tcp: &mut TcpStream, to: &str) -> io::Result<Result<(), DialError>> {
    tcp.write_all(&[5, 1, 0])?;
    let mut method = [0; 2];
    tcp.read_exact(&mut method)?;
    if method != [5, 0] {
        return Ok(Err(DialError::Proxy(format!("SOCKS5 method {method:02x?}"))));
    }
    let Some(request) = socks5_request(to) else { return Ok(Err(DialError::Name(to.to_owned()))) };
    tcp.write_all(&request)?;
    let mut answer = [0; 4];
    tcp.read_exact(&mut answer)?;
    if answer[..2] != [5, 0] {
        return Ok(Err(DialError::Proxy(format!("SOCKS5 code {}", answer[1]))));
    }
    let mut bound = vec![0; 2];
    match answer[3] {
        1 => bound.resize(6, 0),
        4 => bound.resize(18, 0),
        _ => {
            let mut length = [0];
            tcp.read_exact(&mut length)?;
            bound.resize(2 + usize::from(length[0]), 0);
        }
    }
    tcp.read_exact(&mut bound)?;
    Ok(Ok(()))
}

fn socks5_request(to: &str) -> Option<Vec<u8>> {
    let (host, port) = to.rsplit_once(':')?;
    let host = host.trim_matches(['[', ']']);
    let mut request = vec![5, 1, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(1);
            request.extend_from_slice(&address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(4);
            request.extend_from_slice(&address.octets());
        }
        Err(_) => {
            request.extend_from_slice(&[3, u8::try_from(host.len()).ok()?]);
            request.extend_from_slice(host.as_bytes());
        }
    }
    request.extend_from_slice(&port.parse::<u16>().ok()?.to_be_bytes());
    Some(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread::{JoinHandle, spawn};

    /// A proxy that answers `answers` in turn, each after reading as many octets as it says, then echoes one octet.
    fn proxy(answers: Vec<(usize, Vec<u8>)>) -> (String, JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let thread = spawn(move || {
            let (mut tcp, _) = listener.accept().unwrap();
            let mut heard = Vec::new();
            for (length, answer) in answers {
                let mut part = vec![0; length];
                tcp.read_exact(&mut part).unwrap();
                heard.extend(part);
                tcp.write_all(&answer).unwrap();
            }
            heard
        });
        (address, thread)
    }

    fn open(to: &str, via: Via) -> Result<Conn, DialError> {
        Dial { via: Some(via), ..Dial::to(&to) }.open()
    }

    #[test]
    fn connect_takes_the_answer_and_nothing_of_what_follows() {
        let request = "CONNECT acme:3305 HTTP/1.1\r\nHost: acme:3305\r\n\r\n";
        let answer = b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\nO".to_vec();
        let (address, thread) = proxy(vec![(request.len(), answer)]);
        let mut octet = [0];
        open("acme:3305", Via::Connect(address)).unwrap().read_exact(&mut octet).unwrap();
        assert_eq!((thread.join().unwrap(), octet), (request.as_bytes().to_vec(), *b"O"));
        let (address, _) = proxy(vec![(request.len(), b"HTTP/1.1 403 not a partner\r\n\r\n".to_vec())]);
        let refusal = DialError::Proxy("HTTP/1.1 403 not a partner".into());
        assert_eq!(open("acme:3305", Via::Connect(address)).unwrap_err(), refusal);
    }

    #[test]
    fn socks5_asks_for_names_and_addresses() {
        let cases = [
            ("acme:3305", b"\x05\x01\0\x03\x04acme\x0c\xe9".to_vec()),
            ("10.1.2.3:80", vec![5, 1, 0, 1, 10, 1, 2, 3, 0, 80]),
            ("[::1]:80", [&[5, 1, 0, 4][..], &[0; 15], &[1, 0, 80]].concat()),
        ];
        for (to, request) in cases {
            let good = [&[5, 0, 0, 1][..], &[0; 6], b"O"].concat();
            let (address, thread) = proxy(vec![(3, vec![5, 0]), (request.len(), good)]);
            let mut octet = [0];
            open(to, Via::Socks5(address)).unwrap().read_exact(&mut octet).unwrap();
            assert_eq!((&thread.join().unwrap()[3..], octet), (&request[..], *b"O"), "{to}");
            let (address, _) =
                proxy(vec![(3, vec![5, 0]), (request.len(), vec![5, 2, 0, 1, 0, 0, 0, 0, 0, 0])]);
            assert_eq!(open(to, Via::Socks5(address)).unwrap_err(), DialError::Proxy("SOCKS5 code 2".into()));
        }
    }

    #[test]
    fn the_source_address_is_the_one_chosen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let from = "127.0.0.9".parse().unwrap();
        let dial = Dial { from: Some(from), ..Dial::to(&listener.local_addr().unwrap()) };
        let _conn = dial.open().unwrap();
        assert_eq!(listener.accept().unwrap().1.ip(), from);
    }
}
