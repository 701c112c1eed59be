//! A connection of a session or of the link, plain TCP or TLS. It tells how the peer ended it: cleanly (close_notify,
//! or FIN on plain TCP) or broken off (reset, FIN without close_notify). It knows nothing of the protocol inside.

use super::accept::canonical;
use super::wire::Wire;
use crate::sys;
use crate::x509::codes::tls as codes;
use openssl::error::ErrorStack;
use openssl::ssl::{ErrorCode, ShutdownState, Ssl, SslRef, SslStream};
use openssl::x509::X509VerifyResult;
use std::fmt;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::task::Poll;

/// Result of a read.
#[derive(Debug)]
pub enum Read {
    /// This many octets, at least one.
    Octets(usize),
    /// Nothing yet.
    Blocked,
    /// The peer ended its direction in the regular way.
    Clean,
    /// The peer broke off; `InvalidData` is a fault of TLS itself, such as an alert.
    Broken(io::Error),
}

/// A failed TLS handshake, with OpenSSL's reason.
#[derive(Debug)]
pub struct TlsFailure {
    /// Text of the first error in OpenSSL's queue, or of the socket's error.
    pub reason: String,
    /// The result of certificate verification.
    pub verify: X509VerifyResult,
    /// OpenSSL's number of that reason (SSL_R_*); 0 if the reason is not OpenSSL's.
    code: i32,
}

/// Reads of 4 KiB after we have closed; a peer that still sends after these is cut off.
const DISCARD_ROUNDS: usize = 64 * 1024;

/// OpenSSL's reasons for a peer with another protocol, or with a version or suites that we refuse.
const WRONG_PROTOCOL: [i32; 8] = [
    codes::UNSUPPORTED_PROTOCOL,
    codes::WRONG_VERSION_NUMBER,
    codes::HTTP_REQUEST,
    codes::HTTPS_PROXY_REQUEST,
    codes::NO_SHARED_CIPHER,
    codes::UNKNOWN_PROTOCOL,
    codes::VERSION_TOO_LOW,
    codes::NO_SUITABLE_KEY_SHARE,
];

impl TlsFailure {
    /// The peer showed no certificate although it had to.
    pub fn no_certificate(&self) -> bool {
        self.code == codes::PEER_DID_NOT_RETURN_A_CERTIFICATE
    }

    /// The connection ended during the handshake; TLS itself found no fault.
    pub fn broke_off(&self) -> bool {
        matches!(self.code, 0 | codes::UNEXPECTED_EOF_WHILE_READING)
    }

    /// The peer offers no suite that is allowed here.
    pub fn no_shared_suite(&self) -> bool {
        self.code == codes::NO_SHARED_CIPHER
    }

    /// The peer lacks secure renegotiation (RFC 5746).
    pub fn no_secure_renegotiation(&self) -> bool {
        self.code == codes::UNSAFE_LEGACY_RENEGOTIATION_DISABLED
    }

    /// The peer has sent the alert handshake_failure: it supports none of our suites and parameters.
    pub fn refused_by_peer(&self) -> bool {
        self.code == codes::SSLV3_ALERT_HANDSHAKE_FAILURE
    }

    /// The peer speaks another protocol, or a version or suites that we refuse.
    pub fn wrong_protocol(&self) -> bool {
        WRONG_PROTOCOL.contains(&self.code)
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.verify == X509VerifyResult::OK {
            f.write_str(&self.reason)
        } else {
            write!(f, "{} ({})", self.reason, self.verify.error_string())
        }
    }
}

impl std::error::Error for TlsFailure {}

/// A plain or an encrypted connection.
pub enum Conn {
    /// TCP as it is.
    Plain(Wire),
    /// TLS over it.
    Tls(Box<SslStream<Wire>>),
}

impl Conn {
    /// TLS over `wire`; the role of `ssl` (accept or connect) must be set. Call `handshake` next.
    ///
    /// # Errors
    /// OpenSSL has no memory.
    pub fn tls(ssl: Ssl, wire: Wire) -> Result<Self, ErrorStack> {
        Ok(Self::Tls(Box::new(SslStream::new(ssl, wire)?)))
    }

    /// The transport below.
    pub fn wire(&mut self) -> &mut Wire {
        match self {
            Self::Plain(wire) => wire,
            Self::Tls(stream) => stream.get_mut(),
        }
    }

    /// The TLS state, for certificates and the version; none on plain TCP.
    pub fn ssl(&self) -> Option<&SslRef> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => Some(stream.ssl()),
        }
    }

    /// Address and port of the peer.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn peer_addr(&mut self) -> io::Result<SocketAddr> {
        self.wire().socket().peer_addr().map(canonical)
    }

    /// Makes the first message of our handshake and keeps it, so that its key is computed before anybody waits for it.
    /// `handshake` sends it, and reports a fault.
    pub fn prepare(&mut self) {
        if let Self::Tls(stream) = self {
            let _ = stream.do_handshake();
        }
    }

    /// One step of the TLS handshake; at once ready on plain TCP.
    ///
    /// # Errors
    /// TLS has found a fault, or the peer has broken off.
    pub fn handshake(&mut self) -> Result<Poll<()>, TlsFailure> {
        let Self::Tls(stream) = self else { return Ok(Poll::Ready(())) };
        let step = stream.do_handshake();
        // Our alert must be sent even if the handshake has failed.
        let drained = stream.get_mut().drain();
        let failure = |reason: String, stream: &SslStream<Wire>| TlsFailure {
            reason,
            verify: stream.ssl().verify_result(),
            code: 0,
        };
        match step {
            Ok(()) => {
                // A certificate path that OpenSSL has tried without success leaves an error in its queue; the next call
                // would report that error as its own.
                drop(ErrorStack::get());
                drained.map(|_| Poll::Ready(())).map_err(|e| failure(e.to_string(), stream))
            }
            Err(e) if matches!(e.code(), ErrorCode::WANT_READ | ErrorCode::WANT_WRITE) => {
                drained.map(|_| Poll::Pending).map_err(|e| failure(e.to_string(), stream))
            }
            Err(e) => {
                let code = e
                    .ssl_error()
                    .and_then(|stack| stack.errors().first())
                    .map_or(0, openssl::error::Error::reason_code);
                Err(TlsFailure { code, ..failure(openssl_reason(&e), stream) })
            }
        }
    }

    /// Reads the octets that are there.
    pub fn read(&mut self, into: &mut [u8]) -> Read {
        match self {
            Self::Plain(wire) => match wire.read(into) {
                Ok(0) => Read::Clean,
                Ok(n) => Read::Octets(n),
                Err(e) if e.kind() == ErrorKind::WouldBlock => Read::Blocked,
                Err(e) => Read::Broken(e),
            },
            Self::Tls(stream) => {
                let before = stream.get_ref().unsent();
                let read = stream.ssl_read(into);
                if stream.get_ref().unsent() > before {
                    // OpenSSL has written an alert, and no caller knows that it must be sent. If it cannot be sent, the
                    // next step fails.
                    let _ = stream.get_mut().drain();
                }
                of_tls(read)
            }
        }
    }

    /// Takes octets to send; takes 0 while the peer does not read. `drain` sends them.
    ///
    /// # Errors
    /// The peer has broken off, or TLS has found a fault.
    pub fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        if from.is_empty() {
            return Ok(0);
        }
        match self {
            Self::Plain(wire) => match wire.write(from) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(0),
                other => other,
            },
            Self::Tls(stream) => match stream.ssl_write(from) {
                Ok(n) => Ok(n),
                Err(e) if matches!(e.code(), ErrorCode::WANT_READ | ErrorCode::WANT_WRITE) => Ok(0),
                Err(e) => Err(io_error(e)),
            },
        }
    }

    /// Sends the octets that were taken; true once nothing is left.
    ///
    /// # Errors
    /// The peer has broken off.
    pub fn drain(&mut self) -> io::Result<bool> {
        self.wire().drain()
    }

    /// From now on until `finish`, the end of this process resets the connection: a session that breaks off must not
    /// look like one that has ended.
    pub fn reset_if_killed(&mut self) {
        // A socket that is gone needs no reset.
        let _ = sys::linger_reset(self.wire().socket().as_fd());
    }

    /// Ends our direction in the regular way: close_notify with TLS, then FIN. Call it when everything is sent.
    ///
    /// # Errors
    /// The peer has broken off.
    pub fn finish(&mut self) -> io::Result<()> {
        if let Self::Tls(stream) = self {
            if !stream.get_shutdown().contains(ShutdownState::SENT) {
                // The result only says whether the peer's close_notify has arrived, too.
                let _ = stream.shutdown();
            }
            stream.get_mut().drain()?;
        }
        // On a socket that is gone nothing has to be delivered.
        let _ = sys::linger_default(self.wire().socket().as_fd());
        self.wire().finish()
    }

    /// Reads and drops octets, with TLS, too: once we have closed, we only wait for the peer's end. True once the peer
    /// has ended its direction, or has sent more than it may.
    pub fn discard(&mut self) -> bool {
        let mut chunk = [0; 4 * 1024];
        for _ in 0..DISCARD_ROUNDS {
            match self.wire().read(&mut chunk) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(e) => return e.kind() != ErrorKind::WouldBlock,
            }
        }
        true
    }

    /// Octets that the kernel still holds because the peer has not taken them; a FIN counts as one. 0 if the socket is
    /// gone.
    pub fn unread(&mut self) -> usize {
        sys::unacknowledged(self.wire().socket().as_fd()).unwrap_or_default()
    }

    /// Breaks the connection off: the peer sees a reset and no close_notify.
    pub fn reset(mut self) {
        self.reset_if_killed();
    }
}

fn of_tls(read: Result<usize, openssl::ssl::Error>) -> Read {
    match read {
        Ok(0) => Read::Broken(ErrorKind::UnexpectedEof.into()),
        Ok(n) => Read::Octets(n),
        Err(e) => match e.code() {
            ErrorCode::WANT_READ | ErrorCode::WANT_WRITE => Read::Blocked,
            ErrorCode::ZERO_RETURN => Read::Clean,
            _ => Read::Broken(io_error(e)),
        },
    }
}

fn io_error(e: openssl::ssl::Error) -> io::Error {
    let is_end = |e: &openssl::error::Error| e.reason_code() == codes::UNEXPECTED_EOF_WHILE_READING;
    let truncated = e.ssl_error().is_some_and(|stack| stack.errors().iter().any(is_end));
    if truncated || (e.code() == ErrorCode::SYSCALL && e.io_error().is_none()) {
        return io::Error::new(ErrorKind::UnexpectedEof, "closed without close_notify");
    }
    match e.into_io_error() {
        Ok(io) => io,
        Err(e) => io::Error::new(ErrorKind::InvalidData, openssl_reason(&e)),
    }
}

fn openssl_reason(e: &openssl::ssl::Error) -> String {
    if let Some(first) = e.ssl_error().and_then(|stack| stack.errors().first()) {
        return first.reason().unwrap_or("unknown TLS error").to_owned();
    }
    match e.io_error() {
        Some(io) => io.to_string(),
        None => "connection closed".to_owned(),
    }
}
