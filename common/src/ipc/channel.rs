//! The channel between a parent and its session child on one host: a socket pair of datagrams. Each message is one
//! datagram of JSON; some carry a descriptor. When one process closes its end, the other process sees that.

use crate::sys;
use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, socketpair};
use nix::unistd::Pid;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use zeroize::Zeroize;

/// Largest message, octets.
const MAX_DATAGRAM: usize = 16 * 1024;
/// How long a child waits while its parent does not read.
const PARENT_BUSY: Duration = Duration::from_secs(5);

thread_local! {
    /// Buffer for received messages: one for all channels, since most receive calls find nothing.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; MAX_DATAGRAM]);
}

/// One end of a channel.
pub struct Channel {
    socket: OwnedFd,
}

/// Result of `receive`.
#[derive(Debug)]
pub enum Received<T> {
    /// A message, perhaps with a descriptor.
    Message(T, Option<OwnedFd>),
    /// Nothing yet.
    Blocked,
    /// The other end is gone.
    Gone,
}

/// A channel failed; do not use it for this process any more.
#[derive(Debug)]
pub enum ChannelError {
    /// The system call failed.
    Io(io::Error),
    /// The datagram is no message of this channel: a fault in our code.
    Message(serde_json::Error),
    /// The message is too long: its length in octets.
    TooLong(usize),
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(e) => write!(f, "the channel between parent and child failed: {e}"),
            Self::TooLong(octets) => write!(
                f,
                "a message of {octets} octets is too long for the channel between parent and child ({MAX_DATAGRAM})"
            ),
            Self::Message(e) => write!(f, "the channel between parent and child carried no message: {e}"),
        }
    }
}

impl std::error::Error for ChannelError {}

impl From<Errno> for ChannelError {
    fn from(e: Errno) -> Self {
        Self::Io(e.into())
    }
}

/// `message` as one datagram.
fn datagram(message: &impl Serialize) -> Result<Vec<u8>, ChannelError> {
    let text = serde_json::to_vec(message).map_err(ChannelError::Message)?;
    if text.len() > MAX_DATAGRAM { Err(ChannelError::TooLong(text.len())) } else { Ok(text) }
}

/// Whether the error means that the other end is closed. It is a reset if that end left messages unread.
fn is_gone(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

impl Channel {
    /// Both ends, non-blocking.
    ///
    /// # Errors
    /// The system has no more descriptors or memory.
    pub fn pair() -> nix::Result<(Self, Self)> {
        let (a, b) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        )?;
        Ok((Self { socket: a }, Self { socket: b }))
    }

    /// Sends one message.
    ///
    /// # Errors
    /// The message is larger than a datagram of this channel, the other end is gone, or it has too much unread
    /// (`WouldBlock`).
    pub fn send(&self, message: &impl Serialize) -> Result<(), ChannelError> {
        let text = datagram(message)?;
        send(self.socket.as_raw_fd(), &text, MsgFlags::MSG_NOSIGNAL)?;
        Ok(())
    }

    /// Sends a message from a child to its parent, and waits while the parent is busy, because the message must arrive.
    /// If the parent is gone, that is no error here: the child notices it when it reads. Returns whether the message
    /// was sent.
    pub fn send_to_parent(&self, message: &impl Serialize) -> bool {
        let sent = self.send_patiently(message, PARENT_BUSY);
        match &sent {
            Ok(()) => {}
            Err(ChannelError::Io(e)) if is_gone(e) => {
                crate::debug!("the parent is gone, so a message to it was dropped");
            }
            Err(e) => crate::error!("a message to the parent could not be sent: {e}"),
        }
        sent.is_ok()
    }

    /// Sends one message. If the other end has not read the earlier ones, waits until it has, `patience` at most.
    fn send_patiently(&self, message: &impl Serialize, patience: Duration) -> Result<(), ChannelError> {
        let until = Instant::now() + patience;
        loop {
            match self.send(message) {
                Err(ChannelError::Io(e)) if e.kind() == ErrorKind::WouldBlock && Instant::now() < until => {}
                sent => return sent,
            }
            let left = until.saturating_duration_since(Instant::now());
            // The loop tries again, whether poll() was interrupted or not.
            let _ = poll(
                &mut [PollFd::new(self.socket.as_fd(), PollFlags::POLLOUT)],
                PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO),
            );
        }
    }

    /// Sends one message, with a copy of a descriptor if there is one to hand over.
    ///
    /// # Errors
    /// As `send`.
    pub fn hand_over(
        &self,
        message: &impl Serialize,
        descriptor: Option<&impl AsFd>,
    ) -> Result<(), ChannelError> {
        let Some(descriptor) = descriptor else { return self.send(message) };
        let text = datagram(message)?;
        sys::send_fd(&self.socket, &text, descriptor).map_err(ChannelError::Io)
    }

    /// The next message of child `pid`; none if there is none now, or if the child is gone. A message that cannot be
    /// read is logged and skipped, because the messages after it may still be needed, above all the end line.
    pub fn receive_from_child<T: DeserializeOwned>(&self, pid: Pid) -> Option<T> {
        loop {
            match self.receive() {
                Ok(Received::Message(message, _)) => return Some(message),
                Ok(Received::Blocked | Received::Gone) => return None,
                Err(ChannelError::Message(e)) => {
                    crate::error!("session process {pid} sent a message that cannot be read: {e}");
                }
                Err(e) => {
                    crate::error!("session process {pid}: {e}");
                    return None;
                }
            }
        }
    }

    /// The next message, if there is one.
    ///
    /// # Errors
    /// The message is not of type `T`, or the socket has failed. A closed other end is no error.
    pub fn receive<T: DeserializeOwned>(&self) -> Result<Received<T>, ChannelError> {
        BUFFER.with_borrow_mut(|buffer| match self.read(buffer) {
            Ok((0, _)) => Ok(Received::Gone),
            Err(e) if is_gone(&e) => Ok(Received::Gone),
            Ok((n, descriptor)) => {
                let text = buffer.get_mut(..n).unwrap_or_default();
                let message = serde_json::from_slice(text);
                // It may have had a ticket in it.
                text.zeroize();
                Ok(Received::Message(message.map_err(ChannelError::Message)?, descriptor))
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(Received::Blocked),
            Err(e) => Err(ChannelError::Io(e)),
        })
    }

    /// One datagram. An end that was closed with messages unread resets the connection, and the system reports this
    /// before the messages that the end had sent; once reported, they can be read.
    fn read(&self, buffer: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
        match sys::recv_fd(&self.socket, buffer) {
            Err(e) if e.kind() == ErrorKind::ConnectionReset => sys::recv_fd(&self.socket, buffer),
            read => read,
        }
    }

    /// Waits until there is something to receive; false if `patience` is over before that. None: no limit.
    ///
    /// # Errors
    /// The system cannot wait.
    pub fn wait(&self, patience: Option<Duration>) -> io::Result<bool> {
        let until = patience.map(|patience| Instant::now() + patience);
        loop {
            let left = match until {
                None => PollTimeout::NONE,
                Some(until) => PollTimeout::try_from(until.saturating_duration_since(Instant::now()))
                    .unwrap_or(PollTimeout::MAX),
            };
            match poll(&mut [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)], left) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::EINTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// An end that another process has made with [`Channel::pair`].
impl From<OwnedFd> for Channel {
    fn from(socket: OwnedFd) -> Self {
        Self { socket }
    }
}

impl Source for Channel {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&self.socket.as_raw_fd()).register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&self.socket.as_raw_fd()).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.socket.as_raw_fd()).deregister(registry)
    }
}

#[cfg(test)]
mod tests {
    use super::{Channel, ChannelError, Received, is_gone};
    use nix::unistd::Pid;
    use std::io::ErrorKind;
    use std::thread::scope;
    use std::time::Duration;

    /// A channel that accepts no more messages, and the number of messages in it.
    fn full() -> (Channel, Channel, usize) {
        let (ours, theirs) = Channel::pair().unwrap();
        let sent = (0..100_000).take_while(|number| ours.send(number).is_ok()).count();
        (ours, theirs, sent)
    }

    #[test]
    fn a_message_that_must_not_be_lost_waits_for_room() {
        let (ours, theirs, sent) = full();
        scope(|scope| {
            let patient = scope.spawn(|| ours.send_patiently(&"last", Duration::from_mins(1)));
            for number in 0..sent {
                assert!(matches!(theirs.receive::<usize>(), Ok(Received::Message(got, _)) if got == number));
            }
            patient.join().unwrap().unwrap();
        });
        assert!(matches!(theirs.receive::<String>(), Ok(Received::Message(text, _)) if text == "last"));
    }

    #[test]
    fn the_last_messages_of_a_child_are_received_though_it_left_one_unread() {
        let (ours, theirs) = Channel::pair().unwrap();
        ours.send(&"too late").unwrap();
        theirs.send(&1).unwrap();
        theirs.send(&2).unwrap();
        drop(theirs);
        assert_eq!(ours.receive_from_child(Pid::this()), Some(1));
        assert_eq!(ours.receive_from_child(Pid::this()), Some(2));
        assert_eq!(ours.receive_from_child::<i32>(Pid::this()), None);
    }

    #[test]
    fn a_message_after_one_that_cannot_be_read_is_received() {
        let (ours, theirs) = Channel::pair().unwrap();
        theirs.send(&"no number").unwrap();
        theirs.send(&7).unwrap();
        assert_eq!(ours.receive_from_child(Pid::this()), Some(7));
        assert_eq!(ours.receive_from_child::<i32>(Pid::this()), None);
        drop(theirs);
        assert_eq!(ours.receive_from_child::<i32>(Pid::this()), None);
    }

    #[test]
    fn it_waits_no_longer_than_its_patience() {
        let (ours, theirs, _) = full();
        match ours.send_patiently(&"last", Duration::from_millis(10)) {
            Err(ChannelError::Io(e)) => assert_eq!(e.kind(), ErrorKind::WouldBlock),
            other => panic!("{other:?}"),
        }
        drop(theirs);
        match ours.send_patiently(&"last", Duration::from_mins(1)) {
            Err(ChannelError::Io(e)) => assert!(is_gone(&e), "{e}"),
            other => panic!("{other:?}"),
        }
    }
}
