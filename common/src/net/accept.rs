//! Accepts connections from a listener. A parent that is out of descriptors leaves them in the kernel's queue and tries
//! again in a moment: it neither spins nor fills its log meanwhile.

use crate::log::Throttle;
use mio::net::{TcpListener, TcpStream};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The pause after an accept that failed.
const RETRY: Duration = Duration::from_millis(100);
/// Connections that are accepted in a turn of the caller's loop: whoever dials without a pause must not keep it from
/// its other work.
const TURN: u32 = 64;

/// Whether the accepts of a listener work at the moment.
pub struct Accepting {
    retry_at: Option<Instant>,
    /// Connections accepted in this turn.
    taken: u32,
    /// The failure was reported, and no accept has worked since.
    told: bool,
    /// If every second accept fails, not every change is worth a line.
    lines: Throttle,
}

impl Default for Accepting {
    fn default() -> Self {
        Self { retry_at: None, taken: 0, told: false, lines: Throttle::new(1) }
    }
}

impl Accepting {
    /// The next connection, if there is one. After `TURN` of them it says none once, and is due at once. Log an error: it comes once, until an accept has worked again.
    ///
    /// # Errors
    /// The process is short of descriptors or memory.
    pub fn next(&mut self, listener: &TcpListener) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        if self.taken >= TURN {
            (self.taken, self.retry_at) = (0, Some(Instant::now()));
            return Ok(None);
        }
        loop {
            match listener.accept() {
                // The connection was gone before it was accepted.
                Err(e) if matches!(e.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                // A socket of both families gives IPv4 peers as IPv6 addresses.
                came => {
                    let came = came.map(|(socket, peer)| (socket, canonical(peer)));
                    return self.judge(came, Instant::now());
                }
            }
        }
    }

    fn judge<T>(&mut self, came: io::Result<T>, now: Instant) -> io::Result<Option<T>> {
        let came = match came {
            Ok(connection) => {
                self.taken += 1;
                Some(connection)
            }
            // Without a free descriptor, accept fails even if no connection is there.
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                self.taken = 0;
                None
            }
            Err(e) => {
                // The connections wait in the kernel, and mio does not report them again.
                self.retry_at = Some(now + RETRY);
                if self.told || self.lines.admit(now).is_none() {
                    return Ok(None);
                }
                self.told = true;
                return Err(e);
            }
        };
        (self.retry_at, self.told) = (None, false);
        Ok(came)
    }

    /// After an accept that failed, or a full turn: when to try again.
    pub fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Whether that time has come.
    pub fn is_due(&self) -> bool {
        self.retry_at.is_some_and(|at| at <= Instant::now())
    }
}

/// The address as the peer knows it: `::ffff:192.0.2.1` is 192.0.2.1.
pub fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

#[cfg(test)]
mod tests {
    use super::{Accepting, RETRY, TURN};
    use std::io::{self, ErrorKind};
    use std::time::{Duration, Instant};

    fn failed() -> io::Result<()> {
        Err(nix::errno::Errno::EMFILE.into())
    }

    #[test]
    fn a_shortage_is_told_once_and_tried_again_until_it_is_over() {
        let mut accepting = Accepting::default();
        let mut now = Instant::now();
        assert!(accepting.judge(failed(), now).is_err());
        for _ in 0..1000 {
            now += RETRY;
            assert!(accepting.judge(failed(), now).unwrap().is_none());
            assert_eq!(accepting.retry_at(), Some(now + RETRY));
        }
        assert!(accepting.judge(Ok(()), now).unwrap().is_some());
        assert_eq!(accepting.retry_at(), None);
        assert!(accepting.judge(failed(), now).is_err());
    }

    #[test]
    fn a_turn_has_an_end_and_the_next_one_is_due_at_once() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let listener = mio::net::TcpListener::from_std(listener);
        let peers: Vec<_> = (0..=TURN).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let mut accepting = Accepting::default();
        let mut turn = || std::iter::from_fn(|| accepting.next(&listener).unwrap()).count();
        assert_eq!(turn(), TURN as usize);
        assert_eq!((turn(), turn()), (peers.len() - TURN as usize, 0));
        assert!(!accepting.is_due());
    }

    #[test]
    fn one_that_comes_and_goes_does_not_flood_the_log() {
        let mut accepting = Accepting::default();
        let start = Instant::now();
        let nobody = || Err::<(), _>(io::Error::from(ErrorKind::WouldBlock));
        let told = (0..1000)
            .filter(|ms| {
                let now = start + Duration::from_millis(*ms);
                assert!(accepting.judge(nobody(), now).unwrap().is_none());
                accepting.judge(failed(), now).is_err()
            })
            .count();
        assert_eq!(told, 1);
    }
}
