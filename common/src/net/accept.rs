//! Accepts connections from a listener. When the process has no free descriptor, connections wait in the kernel's queue
//! and accept is tried again after a pause: no busy loop, and no flood of log lines.

use crate::log::Throttle;
use mio::net::{TcpListener, TcpStream};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The pause after an accept that failed.
const RETRY: Duration = Duration::from_millis(100);

/// Whether accept works for a listener at the moment.
pub struct Accepting {
    retry_at: Option<Instant>,
    /// The failure was reported, and accept has not worked since.
    told: bool,
    /// Limits the lines when accept fails and works alternately.
    lines: Throttle,
}

impl Default for Accepting {
    fn default() -> Self {
        Self { retry_at: None, told: false, lines: Throttle::new(1) }
    }
}

impl Accepting {
    /// The next connection, if there is one. Log the error: it is returned only once, until accept has worked again.
    ///
    /// # Errors
    /// The process is short of descriptors or memory.
    pub fn next(&mut self, listener: &TcpListener) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        loop {
            match listener.accept() {
                // The connection ended before it was accepted.
                Err(e) if matches!(e.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                // A socket for both families shows IPv4 peers as IPv6 addresses.
                came => {
                    let came = came.map(|(socket, peer)| (socket, canonical(peer)));
                    return self.judge(came, Instant::now());
                }
            }
        }
    }

    fn judge<T>(&mut self, came: io::Result<T>, now: Instant) -> io::Result<Option<T>> {
        let came = match came {
            Ok(connection) => Some(connection),
            // Without a free descriptor, accept fails even if there is no connection.
            Err(e) if e.kind() == ErrorKind::WouldBlock => None,
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

    /// When to try accept again after it has failed; none: it works.
    pub fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Whether that time has come.
    pub fn is_due(&self) -> bool {
        self.retry_at.is_some_and(|at| at <= Instant::now())
    }
}

/// The usual form of a peer's address: `::ffff:192.0.2.1` is 192.0.2.1.
pub fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

#[cfg(test)]
mod tests {
    use super::{Accepting, RETRY};
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
