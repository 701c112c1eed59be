//! Tells the service manager that a daemon is ready, where its unit is of `Type=notify` (sd_notify(3)). Without such a
//! manager it does nothing. It never waits.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable with the manager's socket.
const SOCKET: &str = "NOTIFY_SOCKET";

/// The daemon is ready. If that cannot be told, the manager ends the start when its time is over, and says so.
pub fn ready() {
    if let Some(socket) = env::var_os(SOCKET) {
        // There is nobody else to tell.
        let _ = send(&socket, b"READY=1");
    }
}

/// A name that begins with `@` is an abstract one.
fn send(socket: &OsStr, message: &[u8]) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let sender = UnixDatagram::unbound()?;
    sender.set_nonblocking(true)?;
    sender.send_to_addr(message, &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::tests::Scratch;

    fn heard(daemon: &UnixDatagram) -> Vec<u8> {
        let mut octets = [0; 100];
        let length = daemon.recv(&mut octets).unwrap();
        octets[..length].to_vec()
    }

    #[test]
    fn a_message_reaches_a_socket_with_a_path_or_an_abstract_name() {
        let scratch = Scratch::new("notify");
        let path = scratch.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), b"READY=1").unwrap();
        assert_eq!(heard(&manager), b"READY=1");

        let name = format!("os4x-notify-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send(OsStr::new(&format!("@{name}")), b"READY=1").unwrap();
        assert_eq!(heard(&manager), b"READY=1");
        assert!(send(OsStr::new("/nobody/listens"), b"READY=1").is_err());
    }
}
