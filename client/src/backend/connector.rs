//! Name lookup, TCP and TLS for ureq. All waits are in the worker's own loop, so that a signal ends a call at once and
//! no thread is started. Each call has its own connection. Runs in the API worker; knows nothing of the calls.

use super::fault::Fault;
use super::trust::Trust;
use common::net::{self, Conn, Interrupted, LookupError, Read, Waiter};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Instant;
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::Duration;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

const HTTPS_PORT: u16 = 443;
/// Time limit of a step for which ureq sets none.
const UNLIMITED: std::time::Duration = std::time::Duration::from_mins(1);
/// Capacity of `ResolvedSocketAddrs`.
const MAX_ADDRESSES: usize = 16;

/// The worker's loop. ureq requires `Sync`; there is only one thread, so the lock is never contended.
#[derive(Clone)]
pub(super) struct SharedWaiter(Arc<Mutex<Waiter>>);

impl SharedWaiter {
    pub(super) fn new(waiter: Waiter) -> Self {
        Self(Arc::new(Mutex::new(waiter)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Waiter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SharedWaiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedWaiter")
    }
}

/// Why a step of a connection failed.
pub(super) enum StepError {
    Interrupted(Interrupted),
    Fault(Fault),
}

impl From<Interrupted> for StepError {
    fn from(e: Interrupted) -> Self {
        Self::Interrupted(e)
    }
}

impl From<LookupError> for StepError {
    fn from(e: LookupError) -> Self {
        match e {
            LookupError::Unknown(host) => Self::Fault(Fault::UnknownHost(host)),
            LookupError::Unreachable(at, e) => Self::Fault(Fault::Unreachable(at, e)),
            // This connection uses no source address.
            LookupError::Source(_, e) => Self::Interrupted(Interrupted::Failed(e)),
            LookupError::Interrupted(e) => Self::Interrupted(e),
        }
    }
}

impl StepError {
    /// The error in the form for ureq; `timeout` is the one in force.
    fn through_ureq(self, timeout: &NextTimeout) -> Error {
        match self {
            Self::Interrupted(Interrupted::Late) => Error::Timeout(timeout.reason),
            Self::Interrupted(Interrupted::Ended(_)) => Error::Other(Box::new(Fault::Ended)),
            Self::Interrupted(Interrupted::Failed(e)) => Error::Io(e),
            Self::Fault(fault) => Error::Other(Box::new(fault)),
        }
    }
}

/// When `timeout` is over; none if never. A timeout that is over is an error at once.
fn deadline(timeout: &NextTimeout) -> Result<Option<Instant>, Error> {
    match timeout.after {
        Duration::NotHappening => Ok(None),
        Duration::Exact(left) if left.is_zero() => Err(Error::Timeout(timeout.reason)),
        Duration::Exact(left) => Ok(Some(Instant::now() + left)),
    }
}

/// `until`, or in a minute: ureq usually sets a time limit, but does not have to.
fn bounded(until: Option<Instant>) -> Instant {
    until.unwrap_or_else(|| Instant::now() + UNLIMITED)
}

/// Looks up names within the time limit of the call.
#[derive(Debug)]
pub(super) struct DeadlineResolver(pub(super) SharedWaiter);

impl Resolver for DeadlineResolver {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?;
        let port = uri.port_u16().unwrap_or(HTTPS_PORT);
        let until = bounded(deadline(&timeout)?);
        let found = net::resolve(&mut self.0.lock(), host, port, until)
            .map_err(|e| StepError::from(e).through_ureq(&timeout))?;
        let mut addresses = self.empty();
        for address in found.into_iter().take(MAX_ADDRESSES) {
            addresses.push(address);
        }
        Ok(addresses)
    }
}

/// Connects and verifies.
pub(super) struct Dialler {
    waiter: SharedWaiter,
    trust: Trust,
}

impl Dialler {
    pub(super) fn new(waiter: SharedWaiter, trust: Trust) -> Self {
        Self { waiter, trust }
    }

    fn dial(&self, details: &ConnectionDetails<'_>, until: Option<Instant>) -> Result<Conn, StepError> {
        let mut waiter = self.waiter.lock();
        let openssl = |e| StepError::Fault(Fault::OpenSsl(e));
        let host = details.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let ssl = self.trust.begin(host).map_err(openssl)?;
        let wire = net::connect(&mut waiter, &details.addrs, None, bounded(until))?;
        let mut conn = Conn::tls(ssl, wire).map_err(openssl)?;
        waiter.drive(until, || {
            conn.handshake().map_err(|e| StepError::Fault(Fault::Handshake(e, self.trust.is_pinned())))
        })?;
        self.trust.check(conn.ssl()).map_err(StepError::Fault)?;
        Ok(conn)
    }
}

impl fmt::Debug for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialler")
    }
}

impl Connector for Dialler {
    type Out = Connection;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Connection>, Error> {
        if !details.needs_tls() {
            return Err(Error::TlsRequired);
        }
        let until = deadline(&details.timeout)?;
        let conn = self.dial(details, until).map_err(|e| e.through_ureq(&details.timeout))?;
        let (input, output) = (details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Connection { conn, waiter: self.waiter.clone(), buffers: LazyBuffers::new(input, output) }))
    }
}

/// A verified connection to the backend.
pub(super) struct Connection {
    conn: Conn,
    waiter: SharedWaiter,
    buffers: LazyBuffers,
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let until = deadline(&timeout)?;
        let broken = |e| StepError::Fault(Fault::Broken(e));
        let conn = &mut self.conn;
        let mut rest = self.buffers.output().get(..amount).unwrap_or_default();
        let step = || loop {
            let taken = conn.write(rest).map_err(broken)?;
            rest = rest.get(taken..).unwrap_or_default();
            let drained = conn.drain().map_err(broken)?;
            if taken == 0 {
                return Ok(if rest.is_empty() && drained { Poll::Ready(()) } else { Poll::Pending });
            }
        };
        self.waiter.lock().drive(until, step).map_err(|e: StepError| e.through_ureq(&timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let until = deadline(&timeout)?;
        let conn = &mut self.conn;
        let room = self.buffers.input_append_buf();
        let step = || match conn.read(room) {
            Read::Octets(count) => Ok(Poll::Ready(count)),
            Read::Blocked => Ok(Poll::Pending),
            Read::Clean => Ok(Poll::Ready(0)),
            Read::Broken(e) => Err(StepError::Fault(Fault::Broken(e))),
        };
        let count = self.waiter.lock().drive(until, step).map_err(|e| e.through_ureq(&timeout))?;
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        // One call, one connection.
        false
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The answer is complete or has failed: the result of the close changes nothing.
        let _ = self.conn.finish();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}
