//! A buffered non-blocking TCP socket: the transport below OpenSSL and below plain OFTP. The process that serves the
//! connection owns it. Reads and writes are large, because system calls limit the speed of a relay. Both buffers have a
//! size limit, so a slow peer slows the sender down and does not fill memory.

use mio::net::TcpStream;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

/// Octets of one read from the kernel: several TLS records.
const READ_CHUNK: usize = 128 * 1024;
/// With more unsent octets than this, a write is refused with `WouldBlock`.
const WRITE_HIGH: usize = 128 * 1024;
/// How far above `WRITE_HIGH` one TLS record may bring the buffer before the octets already sent are moved out of it.
const RECORD_SLACK: usize = 17 * 1024;

/// A socket with a read-ahead buffer and a bounded buffer of unsent octets. Both grow when they are first needed, so a
/// parked connection costs no memory.
pub struct Wire {
    socket: TcpStream,
    input: Vec<u8>,
    taken: usize,
    filled: usize,
    output: Vec<u8>,
    sent: usize,
    first: Option<u8>,
}

impl Wire {
    /// Takes a non-blocking socket.
    pub fn new(socket: TcpStream) -> Self {
        Self { socket, input: Vec::new(), taken: 0, filled: 0, output: Vec::new(), sent: 0, first: None }
    }

    /// The socket, to register it or to ask for addresses.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// The first octet of the peer; none: the peer has sent nothing.
    pub fn first_octet(&self) -> Option<u8> {
        self.first
    }

    /// Sends what is buffered; true once nothing is left.
    ///
    /// # Errors
    /// The peer has broken off.
    pub fn drain(&mut self) -> io::Result<bool> {
        while self.sent < self.output.len() {
            match self.socket.write(self.output.get(self.sent..).unwrap_or_default()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.output.clear();
        self.sent = 0;
        Ok(true)
    }

    /// Octets accepted but not yet sent.
    pub fn unsent(&self) -> usize {
        self.output.len() - self.sent
    }

    /// Ends our direction of the stream (FIN).
    ///
    /// # Errors
    /// The socket is broken; one that is not connected any more is no error.
    pub fn finish(&mut self) -> io::Result<()> {
        match self.socket.shutdown(Shutdown::Write) {
            Err(e) if e.kind() == ErrorKind::NotConnected => Ok(()),
            other => other,
        }
    }

    /// Reads what has arrived, and leaves it for the next reader. Returns all octets that wait, and whether the peer
    /// has ended its direction.
    ///
    /// # Errors
    /// The peer has broken off.
    pub fn read_ahead(&mut self) -> io::Result<(&[u8], bool)> {
        self.allocate_input();
        let mut ended = false;
        while let Some(room) = self.input.get_mut(self.filled..).filter(|room| !room.is_empty()) {
            match receive(&mut self.socket, room) {
                Ok(0) => {
                    ended = true;
                    break;
                }
                Ok(n) => self.filled += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        Ok((self.ahead(), ended))
    }

    /// Drops so many octets that wait, because they belong to the layer below.
    pub fn skip(&mut self, octets: usize) {
        self.taken = self.filled.min(self.taken + octets);
        self.first = self.ahead().first().copied();
    }

    /// The octets that were read and wait.
    fn ahead(&self) -> &[u8] {
        self.input.get(self.taken..self.filled).unwrap_or_default()
    }

    fn allocate_input(&mut self) {
        if self.input.is_empty() {
            // Zeroed memory of the system: it has no pages where nothing is read into it.
            self.input = vec![0; READ_CHUNK];
        }
    }

    fn refill(&mut self) -> io::Result<usize> {
        self.allocate_input();
        let n = receive(&mut self.socket, &mut self.input)?;
        (self.taken, self.filled) = (0, n);
        self.first = self.first.or_else(|| self.input.first().copied().filter(|_| n > 0));
        Ok(n)
    }
}

fn receive(socket: &mut TcpStream, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match socket.read(into) {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.filled {
            if into.len() >= READ_CHUNK && self.first.is_some() {
                return receive(&mut self.socket, into);
            }
            if self.refill()? == 0 {
                return Ok(0);
            }
        }
        let ahead = self.ahead();
        let n = ahead.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..n), ahead.get(..n)) {
            to.copy_from_slice(from);
        }
        self.taken += n;
        Ok(n)
    }
}

impl Write for Wire {
    /// Adds the octets to the buffer, all of them; or none (`WouldBlock`) while the peer does not read.
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        if self.unsent() >= WRITE_HIGH && !self.drain()? && self.unsent() >= WRITE_HIGH {
            return Err(ErrorKind::WouldBlock.into());
        }
        if self.sent > 0 && self.output.len() + from.len() > WRITE_HIGH + RECORD_SLACK {
            self.output.drain(..self.sent);
            self.sent = 0;
        }
        let n = from.len().min(WRITE_HIGH);
        self.output.extend_from_slice(from.get(..n).unwrap_or(from));
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        // OpenSSL flushes after each record; the octets are sent later, all at once, by `drain`.
        Ok(())
    }
}
