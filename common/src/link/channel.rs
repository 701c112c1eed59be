//! A parent and its session child, on one host: a socket pair of datagrams. Each message is one datagram of JSON,
//! some carry a descriptor. Its end tells each that the other is gone.

use crate::sys;
use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, socketpair};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use zeroize::Zeroizing;

/// Largest message, octets.
const MAX_DATAGRAM: usize = 16 * 1024;

/// One end of a channel.
pub struct Channel {
    socket: OwnedFd,
}

/// What `receive` found.
#[derive(Debug)]
pub enum Received<T> {
    /// A message, perhaps with a descriptor.
    Message(T, Option<OwnedFd>),
    /// Nothing yet.
    Blocked,
    /// The other end is gone.
    Gone,
}

/// A channel failed; the other process is not to be trusted with it any more.
#[derive(Debug)]
pub enum ChannelError {
    /// The system call failed.
    Io(io::Error),
    /// Not a message of this channel: a bug of ours.
    Message(serde_json::Error),
    /// A message of so many octets.
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

/// `message` as one datagram; wiped when dropped, since a ticket may be in it.
fn datagram(message: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, ChannelError> {
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_DATAGRAM));
    serde_json::to_writer(&mut *text, message).map_err(ChannelError::Message)?;
    if text.len() > MAX_DATAGRAM { Err(ChannelError::TooLong(text.len())) } else { Ok(text) }
}

impl Channel {
    /// Both ends, non-blocking.
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
    pub fn send(&self, message: &impl Serialize) -> Result<(), ChannelError> {
        let text = datagram(message)?;
        send(self.socket.as_raw_fd(), &text, MsgFlags::MSG_NOSIGNAL)?;
        Ok(())
    }

    /// Sends one message, with a copy of a descriptor if there is one to hand over.
    pub fn hand_over(
        &self,
        message: &impl Serialize,
        descriptor: Option<&impl AsFd>,
    ) -> Result<(), ChannelError> {
        let Some(descriptor) = descriptor else { return self.send(message) };
        let text = datagram(message)?;
        sys::send_fd(&self.socket, &text, descriptor).map_err(ChannelError::Io)
    }

    /// The next message, if there is one.
    pub fn receive<T: DeserializeOwned>(&self) -> Result<Received<T>, ChannelError> {
        let mut buffer = Zeroizing::new(vec![0; MAX_DATAGRAM]);
        match sys::recv_fd(&self.socket, &mut buffer) {
            Ok((0, _)) => Ok(Received::Gone),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => Ok(Received::Gone),
            Ok((n, descriptor)) => {
                let message = serde_json::from_slice(buffer.get(..n).unwrap_or_default())
                    .map_err(ChannelError::Message)?;
                Ok(Received::Message(message, descriptor))
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(Received::Blocked),
            Err(e) => Err(ChannelError::Io(e)),
        }
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
