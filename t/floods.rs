//! Strangers who take all there is: nobody keeps those out who prove themselves.

use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, socket};
use std::collections::VecDeque;
use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;
use t::site::{Role, Site};
use t::wait::wait_for;

/// More than there are places.
const CROWD: usize = 100;

/// A connection from this address that says nothing.
fn silent(from: IpAddr, to: SocketAddr) -> Option<TcpStream> {
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).ok()?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(from, 0))).ok()?;
    connect(socket.as_raw_fd(), &SockaddrStorage::from(to)).ok()?;
    Some(socket.into())
}

/// Connections that say nothing, dialled anew for as long as this lives.
struct Neighbour {
    stop: Option<Sender<()>>,
    dialled: Arc<AtomicUsize>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Neighbour {
    fn new(from: [u8; 4], to: SocketAddr) -> Self {
        let (stop, stopped) = channel();
        let dialled = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&dialled);
        let thread = thread::spawn(move || {
            let mut held = VecDeque::new();
            let mut pause = Duration::ZERO;
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                // One that is cut is dialled anew; the oldest goes first.
                if held.len() >= CROWD
                    && let Some(mut oldest) = held.pop_front()
                {
                    let _ = TcpStream::read(&mut oldest, &mut [0]);
                }
                if let Some(stream) = silent(from.into(), to) {
                    held.push_back(stream);
                    counted.fetch_add(1, Ordering::Relaxed);
                    pause = Duration::ZERO;
                } else {
                    // Nobody listens at the moment.
                    pause = Duration::from_millis(10);
                }
            }
        });
        Self { stop: Some(stop), dialled, thread: Some(thread) }
    }

    /// Waits until so many were dialled.
    fn wait(&self, count: usize) {
        wait_for("the neighbour's connections", || {
            (self.dialled.load(Ordering::Relaxed) >= count).then_some(())
        });
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn a_neighbour_in_the_dmz_that_says_nothing_keeps_no_client_out() {
    let mut site = Site::start("neighbour").unwrap();
    site.signal(Role::Client, Signal::SIGTERM);
    site.wait_end(Role::Client);
    let neighbour = Neighbour::new([127, 0, 9, 9], site.internal);
    neighbour.wait(2 * CROWD);
    for _ in 0..3 {
        let mark = site.mark(Role::Server);
        site.restart(Role::Client).unwrap();
        site.wait_log_after(Role::Server, mark, "listener_open*tls");
        site.assert_works();
        site.signal(Role::Client, Signal::SIGTERM);
        site.wait_end(Role::Client);
        let before = neighbour.dialled.load(Ordering::Relaxed);
        neighbour.wait(before + CROWD);
    }
    drop(neighbour);
    // The line of a refusal has a bound, however many there are.
    let refused = site.log(Role::Server).matches(" client_refused ").count();
    assert!(refused < 100, "{refused}");
    site.restart(Role::Client).unwrap();
    site.wait_open();
    site.end();
}
