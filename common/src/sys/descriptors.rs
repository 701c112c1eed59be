//! Descriptors: handing one to another process, taking a listener out of service and back, closing with a reset.

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    Backlog, ControlMessage, ControlMessageOwned, MsgFlags, Shutdown, listen, recvmsg, sendmsg, setsockopt,
    shutdown, sockopt,
};
use std::io::{self, Error, ErrorKind, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Sends `payload` (at least one octet) as one message over a `SOCK_SEQPACKET` socket, with a copy of `fd` beside it.
///
/// # Errors
/// The other end is gone, or has too much unread (`WouldBlock`).
pub fn send_fd(socket: impl AsFd, payload: &[u8], fd: impl AsFd) -> io::Result<()> {
    let descriptors = [fd.as_fd().as_raw_fd()];
    let sent = sendmsg::<()>(
        socket.as_fd().as_raw_fd(),
        &[IoSlice::new(payload)],
        &[ControlMessage::ScmRights(&descriptors)],
        MsgFlags::MSG_NOSIGNAL,
        None,
    )?;
    if sent == payload.len() { Ok(()) } else { Err(ErrorKind::WriteZero.into()) }
}

/// Receives one message of a `SOCK_SEQPACKET` socket into `payload`: its length (0: the other side has closed) and the
/// descriptor that came with it, close-on-exec. A message that does not fit, or has more than one descriptor, is an
/// error.
///
/// # Errors
/// Nothing is there (`WouldBlock`), the message does not fit, or it has more than one descriptor (`InvalidData`).
pub fn recv_fd(socket: impl AsFd, payload: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut space = cmsg_space!([RawFd; 1]);
    let mut buffers = [IoSliceMut::new(payload)];
    let message = recvmsg::<()>(
        socket.as_fd().as_raw_fd(),
        &mut buffers,
        Some(&mut space),
        MsgFlags::MSG_CMSG_CLOEXEC,
    )?;
    let mut descriptors = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = control {
            // SAFETY: the kernel has just made these descriptors for this process; nobody else knows them.
            descriptors.extend(received.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    if descriptors.len() > 1 || message.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC) {
        return Err(Error::new(
            ErrorKind::InvalidData,
            "the message is longer than agreed between our processes",
        ));
    }
    Ok((message.bytes, descriptors.pop()))
}

/// Takes a TCP socket out of LISTEN; it keeps its port (Linux), provided that it was bound to that number and not to
/// port 0. Connections not yet accepted are reset.
///
/// # Errors
/// It is no TCP socket.
pub fn listen_off(listener: impl AsFd) -> nix::Result<()> {
    match shutdown(listener.as_fd().as_raw_fd(), Shutdown::Both) {
        // It does not listen already.
        Ok(()) | Err(Errno::ENOTCONN) => {}
        Err(e) => return Err(e),
    }
    // With this option, another process that sets it too could take the port while nobody listens.
    setsockopt(&listener, sockopt::ReuseAddr, &false)
}

/// Lets a bound TCP socket listen, for the first time or again. A `backlog` out of range is brought into it.
///
/// # Errors
/// The socket is not bound, or another one listens on its port.
pub fn listen_on(listener: impl AsFd, backlog: i32) -> nix::Result<()> {
    let backlog = Backlog::new(backlog.clamp(1, i32::from(u16::MAX))).unwrap_or(Backlog::MAXCONN);
    // Without this option, connections accepted earlier would count as holders of the port.
    setsockopt(&listener, sockopt::ReuseAddr, &true)?;
    listen(&listener, backlog)
}

/// Closes the descriptors that this process was started with, except standard input, output and error: if a daemon kept
/// the starter's pipe open, the reader of the pipe would wait. Descriptors that this process opened itself stay open.
/// Without /proc nothing is closed.
pub fn close_inherited() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<RawFd>().ok());
    // Read all numbers first: the descriptor of the directory is among them, and it is closed before the loop.
    let numbers: Vec<RawFd> = numbers.collect();
    for number in numbers.into_iter().filter(|number| *number > 2 && is_inherited(*number)) {
        // SAFETY: the descriptor was inherited, so no value of this process owns its number.
        unsafe { libc::close(number) };
    }
}

/// Whether a descriptor was inherited: exec leaves only those open that lack close-on-exec, and Rust's library, mio and
/// this module set close-on-exec on everything that they open.
fn is_inherited(number: RawFd) -> bool {
    // SAFETY: F_GETFD reads the flags of a number, which may be closed; it changes nothing.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    flags >= 0 && flags & libc::FD_CLOEXEC == 0
}

/// From now on closing this TCP socket resets the connection, so that the peer cannot mistake it for a regular end.
///
/// # Errors
/// The socket is gone.
pub fn linger_reset(socket: impl AsFd) -> nix::Result<()> {
    setsockopt(&socket, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })
}

/// Reverts [`linger_reset`]: closing ends the connection in the regular way, and delivers what was written.
///
/// # Errors
/// The socket is gone.
pub fn linger_default(socket: impl AsFd) -> nix::Result<()> {
    setsockopt(&socket, sockopt::Linger, &libc::linger { l_onoff: 0, l_linger: 0 })
}

/// Octets that the kernel holds for this TCP socket because the peer has not acknowledged them. A FIN counts as one.
///
/// # Errors
/// It is no TCP socket.
pub fn unacknowledged(socket: impl AsFd) -> nix::Result<usize> {
    let mut octets: libc::c_int = 0;
    // SAFETY: SIOCOUTQ (the number of TIOCOUTQ) writes one int to the address that it is given, which is `octets`'s.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut octets) };
    Errno::result(result)?;
    Ok(usize::try_from(octets).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{is_inherited, linger_reset, listen_off, listen_on, recv_fd, send_fd, unacknowledged};
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    use std::fs::File;
    use std::io::{ErrorKind, Read, Write, pipe};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::{AsRawFd, OwnedFd};

    #[test]
    fn only_a_descriptor_without_close_on_exec_was_inherited() {
        let (reader, writer) = pipe().unwrap();
        assert!(!is_inherited(reader.as_raw_fd()) && !is_inherited(-1));
        fcntl(&writer, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        assert!(is_inherited(writer.as_raw_fd()));
    }

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap()
    }

    #[test]
    fn a_descriptor_travels_with_its_payload() {
        let (here, there) = pair();
        let (mut reader, writer) = pipe().unwrap();
        send_fd(&here, b"incoming", &writer).unwrap();
        drop(writer);
        let mut payload = [0; 64];
        let (length, received) = recv_fd(&there, &mut payload).unwrap();
        assert_eq!(&payload[..length], b"incoming");
        let received = received.unwrap();
        let flags = FdFlag::from_bits_retain(fcntl(&received, FcntlArg::F_GETFD).unwrap());
        assert!(flags.contains(FdFlag::FD_CLOEXEC));
        File::from(received).write_all(b"through").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
    }

    #[test]
    fn the_end_and_a_message_too_long_are_told_apart() {
        let (here, there) = pair();
        send_fd(&here, &[7; 10], &here).unwrap();
        assert_eq!(recv_fd(&there, &mut [0; 4]).unwrap_err().kind(), ErrorKind::InvalidData);
        drop(here);
        let (length, received) = recv_fd(&there, &mut [0; 4]).unwrap();
        assert_eq!((length, received.is_none()), (0, true));
    }

    #[test]
    fn a_listener_goes_off_and_on_with_its_port() {
        // An address that only this test uses: nobody else asks for ports there between the two lines.
        let address = TcpListener::bind("127.0.0.77:0").unwrap().local_addr().unwrap();
        let listener = TcpListener::bind(address).unwrap();
        let _earlier = (TcpStream::connect(address).unwrap(), listener.accept().unwrap());
        listen_off(&listener).unwrap();
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(TcpListener::bind(address).unwrap_err().kind(), ErrorKind::AddrInUse);
        listen_on(&listener, 8).unwrap();
        let caller = TcpStream::connect(address).unwrap();
        assert_eq!(listener.accept().unwrap().1, caller.local_addr().unwrap());
    }

    #[test]
    fn a_lingering_socket_resets() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut caller = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        linger_reset(&accepted).unwrap();
        drop(accepted);
        assert_eq!(caller.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    #[test]
    fn octets_that_the_peer_does_not_take_are_counted() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut ours = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_theirs, _) = listener.accept().unwrap();
        assert_eq!(unacknowledged(&ours), Ok(0));
        ours.set_nonblocking(true).unwrap();
        while std::io::Write::write(&mut ours, &[0; 4_096]).is_ok() {}
        assert!(unacknowledged(&ours).unwrap() > 1);
        assert!(unacknowledged(std::fs::File::open("/dev/null").unwrap()).is_err());
    }
}
