//! An OFTP2 system that serves sessions: one thread accepts, one more for each session.
//! It reports events over a channel, and ends all sessions when it is dropped.

use crate::oftp::queue::Queue;
use crate::oftp::report::{Ending, Report};
use crate::oftp::session::{Role, Session};
use crate::oftp::settings::Settings;
use crate::transport::{Break, Conn, tls};
use openssl::ssl::SslContext;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Why a station cannot listen.
#[derive(Debug)]
pub struct StationError(String, io::Error);

impl fmt::Display for StationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be listened on: {}", self.0, self.1)
    }
}

impl std::error::Error for StationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.1)
    }
}

/// An event of a station.
#[derive(Debug)]
pub enum Event {
    /// A connection was accepted; nothing was exchanged yet.
    Connected {
        /// Its number, from 1.
        session: u64,
        /// The address from which it comes.
        from: SocketAddr,
    },
    /// The session has ended.
    Ended(Box<Report>),
}

/// A station that does not listen yet.
#[derive(Clone)]
pub struct Station {
    /// `ADDR:PORT`; port 0 takes a free one.
    pub listen: String,
    /// Its identity, and its answers.
    pub settings: Settings,
    /// TLS, or plain OFTP.
    pub tls: Option<SslContext>,
    /// Its queue, for all callers.
    pub queue: Arc<Queue>,
}

impl Station {
    /// A station on a free port of 127.0.0.1, without TLS.
    pub fn new(settings: Settings) -> Self {
        Self { listen: "127.0.0.1:0".to_owned(), settings, tls: None, queue: Arc::default() }
    }

    /// Listens, and serves until the returned value is dropped.
    pub fn spawn(self) -> Result<Running, StationError> {
        let failed = |error| StationError(self.listen.clone(), error);
        let listener = TcpListener::bind(&self.listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (tell, events) = channel();
        let shared = Arc::new(Shared {
            station: self,
            is_over: AtomicBool::new(false),
            open: Mutex::default(),
            running: AtomicUsize::new(0),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::spawn(move || accept_all(&listener, &own, &tell));
        Ok(Running { address, events, shared, thread: Some(thread) })
    }
}

struct Shared {
    station: Station,
    is_over: AtomicBool,
    open: Mutex<HashMap<u64, TcpStream>>,
    running: AtomicUsize,
}

impl Shared {
    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<u64, TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A station that serves.
pub struct Running {
    address: SocketAddr,
    /// What happens, in order.
    pub events: Receiver<Event>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its queue.
    pub fn queue(&self) -> &Queue {
        &self.shared.station.queue
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.queue().sessions()
    }

    /// Sessions running now.
    pub fn running(&self) -> usize {
        self.shared.running.load(Ordering::SeqCst)
    }

    /// The next event, if one comes in time.
    pub fn next_event(&self, patience: Duration) -> Result<Event, RecvTimeoutError> {
        self.events.recv_timeout(patience)
    }

    /// The report of the next session that ends, if one does in time.
    pub fn next_report(&self, patience: Duration) -> Result<Report, RecvTimeoutError> {
        let until = Instant::now() + patience;
        loop {
            match self.next_event(until.saturating_duration_since(Instant::now()))? {
                Event::Ended(report) => return Ok(*report),
                Event::Connected { .. } => {}
            }
        }
    }

    /// Breaks off all running sessions, as if the station was killed.
    pub fn break_all(&self) {
        for tcp in self.shared.open().values() {
            let _ = tcp.shutdown(Shutdown::Both);
        }
    }

    /// Serves until the process ends.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.break_all();
        if let Some(thread) = self.thread.take() {
            // A connection of our own wakes the accepting thread.
            let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
            let _ = thread.join();
        }
    }
}

fn accept_all(listener: &TcpListener, shared: &Arc<Shared>, tell: &Sender<Event>) {
    loop {
        let accepted = listener.accept();
        if shared.is_over.load(Ordering::SeqCst) {
            return;
        }
        // A connection that has ended before it was accepted does no harm.
        let Ok((tcp, from)) = accepted else { continue };
        let session = shared.station.queue.next_session();
        if let Ok(handle) = tcp.try_clone() {
            shared.open().insert(session, handle);
        }
        let _ = tell.send(Event::Connected { session, from });
        shared.running.fetch_add(1, Ordering::SeqCst);
        let (shared, tell) = (Arc::clone(shared), tell.clone());
        std::thread::spawn(move || {
            let report = serve(tcp, from, session, &shared.station);
            shared.open().remove(&session);
            shared.running.fetch_sub(1, Ordering::SeqCst);
            let _ = tell.send(Event::Ended(Box::new(report)));
        });
    }
}

fn serve(tcp: TcpStream, from: SocketAddr, session: u64, station: &Station) -> Report {
    let settings = &station.settings;
    let conn = match &station.tls {
        Some(context) => tls::accept(tcp, context, settings.timeout),
        None => Conn::plain(tcp).map_err(|error| Break::Io(error.to_string())),
    };
    match conn {
        Ok(conn) => Session::new(conn, Role::Responder, settings, &station.queue, session).run(),
        Err(end) => Report {
            address: Some(from),
            ending: Ending::Broken(end.clone()),
            close: Some(end),
            ..Report::new(session)
        },
    }
}
