//! log4c's `syslog`: one datagram to the local syslog daemon for each line (RFC 3164, facility user, as log4c).
//! The socket is connected at start and never blocks: a syslog daemon that hangs costs lines, not sessions.

use super::{Appender, opened_by_another};
use crate::log::layout::{Layout, LayoutKind};
use crate::log::priority::Priority;
use crate::log::record;
use crate::sys::localtime;
use ::log::Record;
use log4rs::append::Append;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Where the C library's syslog(3) sends to.
pub(in crate::log) const SOCKET: &str = "/dev/log";

/// Facility `user`, shifted to its place in the priority value.
const USER: u16 = 1 << 3;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The appender.
#[derive(Debug)]
pub(in crate::log) struct Syslog {
    layout: Layout,
    ident: String,
    path: PathBuf,
    /// Its name in the rc file.
    name: String,
    socket: Mutex<UnixDatagram>,
}

impl Syslog {
    /// Lines go to the socket `path` under the name `ident`. It is no error if the syslog daemon is down: each line
    /// tries its socket again.
    pub(in crate::log) fn open(name: &str, ident: &str, path: &Path, layout: Layout) -> io::Result<Self> {
        let socket = unconnected()?;
        let _ = socket.connect(path);
        let (name, ident, path) = (name.to_owned(), ident.to_owned(), path.to_owned());
        Ok(Self { layout, ident, path, name, socket: Mutex::new(socket) })
    }

    fn send(&self, datagram: &[u8], seconds: i64) -> io::Result<()> {
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        // A restarted syslog daemon has a new socket under the old name.
        if socket.send(datagram).is_err() {
            match opened_by_another(&self.name, seconds, 0) {
                Some(opened) => *socket = opened?.into(),
                None => socket.connect(&self.path)?,
            }
            socket.send(datagram)?;
        }
        Ok(())
    }
}

impl Appender for Syslog {
    fn open_for_another(&self, _: i64, _: u64) -> io::Result<OwnedFd> {
        connected(&self.path)
    }
}

fn unconnected() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A socket that is connected to the syslog daemon at `path`, for another process.
pub(in crate::log) fn connected(path: &Path) -> io::Result<OwnedFd> {
    let socket = unconnected()?;
    socket.connect(path)?;
    Ok(socket.into())
}

impl Append for Syslog {
    fn append(&self, record: &Record<'_>) -> anyhow::Result<()> {
        let priority = record::priority(record).unwrap_or(Priority::Info);
        // One layout has a header of its own.
        let mut datagram = match self.layout.kind {
            LayoutKind::Rfc5424 => Vec::new(),
            _ => header(priority, record::seconds(record), &self.ident).into_bytes(),
        };
        let line = self.layout.line(record)?;
        datagram.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(&line));
        self.send(&datagram, record::seconds(record))?;
        Ok(())
    }

    fn flush(&self) {}
}

/// Sends one line from its own socket: for the case that an appender fails.
pub(in crate::log) fn send_once(ident: &str, priority: Priority, millis: u64, text: &str) -> io::Result<()> {
    let seconds = i64::try_from(millis / 1000).unwrap_or(0);
    let opened = opened_by_another("", seconds, 0).unwrap_or_else(|| connected(Path::new(SOCKET)));
    UnixDatagram::from(opened?).send(format!("{}{text}", header(priority, seconds, ident)).as_bytes())?;
    Ok(())
}

/// `<14>Nov 22 09:21:10 ident[4711]: `.
fn header(priority: Priority, seconds: i64, ident: &str) -> String {
    let time = localtime::local(seconds);
    let month = usize::try_from(time.month - 1).ok().and_then(|month| MONTHS.get(month)).unwrap_or(&"Jan");
    format!(
        "<{}>{month} {:>2} {:02}:{:02}:{:02} {ident}[{}]: ",
        USER | u16::from(priority.severity()),
        time.day,
        time.hour,
        time.minute,
        time.second,
        std::process::id()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::tests::Scratch;
    use crate::log::layout;

    fn receive(daemon: &UnixDatagram) -> String {
        daemon.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        let mut octets = [0; 1000];
        let length = daemon.recv(&mut octets).unwrap();
        String::from_utf8(octets[..length].to_vec()).unwrap()
    }

    #[test]
    fn lines_arrive_whole_and_a_restarted_syslog_is_found_again() {
        let scratch = Scratch::new("log-syslog");
        let path = scratch.path().join("log");
        let layout = Layout { kind: layout::LayoutKind::Basic, name: "os4x_proxyserver" };
        let syslog = Syslog::open("syslog", "os4x_proxyserver", &path, layout).unwrap();
        let say = |text: &str| {
            record::with_record(Priority::Error, "x", 1_709_251_199_007, format_args!("{text}"), |record| {
                syslog.append(record)
            })
        };
        assert!(say("nobody there").is_err());

        let daemon = UnixDatagram::bind(&path).unwrap();
        say("one\ntwo").unwrap();
        let got = receive(&daemon);
        let pid = std::process::id();
        assert!(got.starts_with("<11>"), "{got}");
        assert!(got.ends_with(&format!(" os4x_proxyserver[{pid}]: ERROR    x - one\\ntwo")), "{got}");
        assert_eq!(got.find("os4x_proxyserver"), Some("<11>Feb 29 23:59:59 ".len()));

        drop(daemon);
        std::fs::remove_file(&path).unwrap();
        let daemon = UnixDatagram::bind(&path).unwrap();
        say("again").unwrap();
        assert!(receive(&daemon).ends_with("again"));
    }

    #[test]
    fn a_layout_with_a_header_of_its_own_gets_no_second_one() {
        let scratch = Scratch::new("log-syslog-5424");
        let path = scratch.path().join("log");
        let daemon = UnixDatagram::bind(&path).unwrap();
        let layout = Layout { kind: layout::LayoutKind::Rfc5424, name: "os4x_proxyserver" };
        let syslog = Syslog::open("syslog", "os4x_proxyserver", &path, layout).unwrap();
        record::with_record(Priority::Error, "x", 1_709_251_199_007, format_args!("text"), |record| {
            syslog.append(record).unwrap();
        });
        let got = receive(&daemon);
        assert!(got.starts_with("<11>1 2024-02-29T23:59:59.007Z "), "{got}");
    }
}
