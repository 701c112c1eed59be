//! A connection below OFTP2: TCP or TLS, blocking, buffered, with an exact report of its end.
//! `dial` opens one (source address, CONNECT, SOCKS5), `tls` holds keys and trust. Nothing here knows OFTP2.

pub mod dial;
pub mod tls;

use nix::errno::Errno;
use nix::libc::{POLLRDHUP, linger};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};
use openssl::ssl::{ErrorCode, SslStream};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

/// Octets read ahead and held back for writing: several TLS records a system call.
const BUFFER: usize = 128 * 1024;

/// How a connection ended, as this side saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Break {
    /// TLS ended with close_notify: the clean close.
    CloseNotify,
    /// TCP ended in order; over TLS this is a truncation, as no close_notify came.
    Fin,
    /// The peer reset the connection, or it no longer takes what we write.
    Reset,
    /// Nothing came, or could be written, in time.
    TimedOut,
    /// TLS failed, or the peer sent an alert: OpenSSL's words.
    Tls(String),
    /// Anything else.
    Io(String),
}

impl Break {
    /// One word for result lines.
    pub fn word(&self) -> &'static str {
        match self {
            Self::CloseNotify => "close_notify",
            Self::Fin => "fin",
            Self::Reset => "reset",
            Self::TimedOut => "timeout",
            Self::Tls(_) => "tls",
            Self::Io(_) => "io",
        }
    }

    fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                Self::Reset
            }
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::UnexpectedEof => Self::Fin,
            _ => Self::Io(error.to_string()),
        }
    }

    fn of_ssl(error: &openssl::ssl::Error) -> Self {
        match (error.code(), error.io_error(), error.ssl_error()) {
            (ErrorCode::ZERO_RETURN, ..) => Self::CloseNotify,
            (_, Some(io), _) => Self::of_io(io),
            // OpenSSL 3 reports a missing close_notify as a library error of its own.
            (_, _, Some(stack))
                if stack.errors().iter().any(|e| e.reason() == Some("unexpected eof while reading")) =>
            {
                Self::Fin
            }
            (_, _, Some(stack)) => Self::Tls(
                stack
                    .errors()
                    .iter()
                    .filter_map(openssl::error::Error::reason)
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
            (ErrorCode::SYSCALL, None, None) => Self::Fin,
            _ => Self::Tls(error.to_string()),
        }
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CloseNotify => f.write_str("the peer closed the connection (close_notify)"),
            Self::Fin => f.write_str("the peer closed the connection without close_notify"),
            Self::Reset => f.write_str("the peer reset the connection"),
            Self::TimedOut => f.write_str("the peer was silent for too long"),
            Self::Tls(words) => write!(f, "TLS failed: {words}"),
            Self::Io(words) => write!(f, "the connection failed: {words}"),
        }
    }
}

impl std::error::Error for Break {}

/// A TCP stream with read-ahead, and with writes held back until there is much to send or something to wait for.
#[derive(Debug)]
pub struct Buffered {
    tcp: TcpStream,
    ahead: Vec<u8>,
    taken: usize,
    held: Vec<u8>,
    /// A write has found the connection reset. The system reports this only once: a read would find a regular end.
    is_reset: bool,
    /// Nothing is read yet, even if octets have come.
    is_deaf: bool,
}

impl Buffered {
    fn new(tcp: TcpStream) -> Self {
        let held = Vec::with_capacity(BUFFER);
        Self { tcp, ahead: Vec::new(), taken: 0, held, is_reset: false, is_deaf: false }
    }

    fn read_socket(tcp: &mut TcpStream, into: &mut [u8], is_reset: bool) -> io::Result<usize> {
        match uninterrupted(|| tcp.read(into)) {
            Ok(0) if is_reset && !into.is_empty() => Err(io::ErrorKind::ConnectionReset.into()),
            other => other,
        }
    }

    fn note<T>(&mut self, written: io::Result<T>) -> io::Result<T> {
        self.is_reset |= written.as_ref().is_err_and(|e| Break::of_io(e) == Break::Reset);
        written
    }
}

impl Read for Buffered {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.ahead.len() {
            self.flush()?;
            if self.is_deaf {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            if into.len() >= BUFFER / 2 {
                return Self::read_socket(&mut self.tcp, into, self.is_reset);
            }
            self.taken = 0;
            self.ahead.resize(BUFFER, 0);
            let read = Self::read_socket(&mut self.tcp, &mut self.ahead, self.is_reset);
            self.ahead.truncate(*read.as_ref().unwrap_or(&0));
            read?;
        }
        let ready = self.ahead.get(self.taken..).unwrap_or_default();
        let count = ready.len().min(into.len());
        into[..count].copy_from_slice(&ready[..count]);
        self.taken += count;
        Ok(count)
    }
}

impl Write for Buffered {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.held.len() + octets.len() > BUFFER {
            self.flush()?;
        }
        if octets.len() >= BUFFER / 2 {
            self.flush()?;
            let written = uninterrupted(|| self.tcp.write(octets));
            return self.note(written);
        }
        self.held.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Octets that could not be written are lost anyway: the session ends on the first error.
        let result = self.tcp.write_all(&self.held);
        self.held.clear();
        self.note(result)
    }
}

/// A read with a time limit ends early when the process was stopped and continued, even without a signal handler
/// (signal(7)).
fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

fn has_event(tcp: &TcpStream, event: PollFlags, limit: PollTimeout) -> bool {
    loop {
        match poll(&mut [PollFd::new(tcp.as_fd(), event)], limit) {
            Err(Errno::EINTR) => {}
            ready => return ready.is_ok_and(|ready| ready > 0),
        }
    }
}

#[derive(Debug)]
enum Inner {
    Plain(Buffered),
    Tls(SslStream<Buffered>),
}

/// The known facts about the other end of a TLS connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: String,
    /// Cipher suite, OpenSSL's name.
    pub cipher: String,
    /// The peer certificate's subject, one line; none if it showed none.
    pub subject: Option<String>,
}

/// One connection.
#[derive(Debug)]
pub struct Conn {
    inner: Inner,
    /// Octets received, TLS not counted.
    pub octets_in: u64,
    /// Octets sent, TLS not counted.
    pub octets_out: u64,
}

impl Conn {
    /// Plain OFTP over `tcp`.
    pub fn plain(tcp: TcpStream) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        Ok(Self { inner: Inner::Plain(Buffered::new(tcp)), octets_in: 0, octets_out: 0 })
    }

    fn tls(stream: SslStream<Buffered>) -> Self {
        Self { inner: Inner::Tls(stream), octets_in: 0, octets_out: 0 }
    }

    fn buffered(&self) -> &Buffered {
        match &self.inner {
            Inner::Plain(buffered) => buffered,
            Inner::Tls(stream) => stream.get_ref(),
        }
    }

    /// Address of the other end.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.buffered().tcp.peer_addr().ok()
    }

    /// Version, cipher and peer of TLS; none on plain TCP.
    pub fn tls_facts(&self) -> Option<TlsFacts> {
        let Inner::Tls(stream) = &self.inner else { return None };
        let ssl = stream.ssl();
        Some(TlsFacts {
            version: ssl.version_str().to_owned(),
            cipher: ssl.current_cipher().map_or("none", |cipher| cipher.name()).to_owned(),
            subject: ssl.peer_certificate().map(|certificate| tls::one_line(certificate.subject_name())),
        })
    }

    /// Longest wait of one read or write; none: no limit.
    pub fn set_timeout(&self, timeout: Option<Duration>) -> Result<(), Break> {
        let tcp = &self.buffered().tcp;
        tcp.set_read_timeout(timeout)
            .and_then(|()| tcp.set_write_timeout(timeout))
            .map_err(|error| Break::of_io(&error))
    }

    /// Reads available octets, at least one; an end is an error that says how it ended.
    pub fn read(&mut self, into: &mut [u8]) -> Result<usize, Break> {
        let count = match &mut self.inner {
            Inner::Plain(buffered) => buffered.read(into).map_err(|error| Break::of_io(&error))?,
            Inner::Tls(stream) => stream.ssl_read(into).map_err(|error| Break::of_ssl(&error))?,
        };
        self.octets_in += count as u64;
        if count == 0 { Err(Break::Fin) } else { Ok(count) }
    }

    /// Reads exactly as much as `into` holds.
    pub fn read_exact(&mut self, into: &mut [u8]) -> Result<(), Break> {
        let mut filled = 0;
        while filled < into.len() {
            filled += self.read(&mut into[filled..])?;
        }
        Ok(())
    }

    /// Writes all; goes out at once only with `flush`, or when we read next.
    pub fn write(&mut self, octets: &[u8]) -> Result<(), Break> {
        let mut left = octets;
        while !left.is_empty() {
            let count = match &mut self.inner {
                Inner::Plain(buffered) => buffered.write(left).map_err(|error| Break::of_io(&error))?,
                Inner::Tls(stream) => stream.ssl_write(left).map_err(|error| Break::of_ssl(&error))?,
            };
            left = left.get(count..).unwrap_or_default();
        }
        self.octets_out += octets.len() as u64;
        Ok(())
    }

    /// Sends what is held back.
    pub fn flush(&mut self) -> Result<(), Break> {
        match &mut self.inner {
            Inner::Plain(buffered) => buffered.flush(),
            Inner::Tls(stream) => stream.get_mut().flush(),
        }
        .map_err(|error| Break::of_io(&error))
    }

    /// Closes our direction in order: close_notify, then FIN. Reading goes on.
    pub fn close(&mut self) {
        if let Inner::Tls(stream) = &mut self.inner {
            // The peer may have ended; then nobody is left to read it.
            let _ = stream.shutdown();
        }
        self.cut();
    }

    /// Ends our direction with a bare FIN: over TLS the peer sees a truncation.
    pub fn cut(&mut self) {
        let _ = self.flush();
        let _ = self.buffered().tcp.shutdown(Shutdown::Write);
    }

    /// Makes the connection end with a reset (RST) when it is dropped.
    pub fn reset(&mut self) {
        let at_once = linger { l_onoff: 1, l_linger: 0 };
        let _ = self.flush();
        let _ = setsockopt(&self.buffered().tcp, sockopt::Linger, &at_once);
    }

    /// Reads and discards everything until the peer ends, and gives how. `limit` limits each single wait.
    pub fn drain(&mut self, limit: Duration) -> Break {
        let _ = self.set_timeout(Some(limit));
        let mut waste = vec![0; BUFFER];
        loop {
            if let Err(end) = self.read(&mut waste) {
                return end;
            }
        }
    }

    /// Whether octets have come that were not read yet.
    pub fn has_input(&self) -> bool {
        let buffered = self.buffered();
        let is_held = match &self.inner {
            Inner::Plain(_) => false,
            Inner::Tls(stream) => stream.ssl().pending() > 0,
        };
        is_held
            || buffered.taken < buffered.ahead.len()
            || has_event(&buffered.tcp, PollFlags::POLLIN, PollTimeout::ZERO)
    }

    /// Reads nothing and waits until the peer ends, or for `limit`; true if the peer ended.
    pub fn wait_gone(&self, limit: Duration) -> bool {
        let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        has_event(&self.buffered().tcp, PollFlags::from_bits_retain(POLLRDHUP), limit)
    }

    /// A handle by which another thread can end this connection.
    pub fn socket(&self) -> io::Result<TcpStream> {
        self.buffered().tcp.try_clone()
    }
}
