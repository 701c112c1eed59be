//! log4c's `syslog`: one datagram to the local syslog daemon for each line (RFC 3164, facility user, as log4c).
//! The socket is connected at start and never blocks: a syslog daemon that hangs costs lines, not sessions.

use crate::log::layout::Layout;
use crate::log::priority::Priority;
use crate::log::record;
use crate::sys::localtime;
use ::log::Record;
use log4rs::append::Append;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// Where the C library's syslog(3) sends to.
pub(in crate::log) const SOCKET: &str = "/dev/log";

/// Facility `user` in the place the priority value wants it.
const USER: u16 = 1 << 3;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The appender.
#[derive(Debug)]
pub(in crate::log) struct Syslog {
    layout: Layout,
    ident: String,
    path: PathBuf,
    socket: UnixDatagram,
}

impl Syslog {
    /// Lines go to the socket `path` under the name `ident`. A syslog daemon that is down is no error: its socket
    /// is looked for again with each line.
    pub(in crate::log) fn open(ident: &str, path: &Path, layout: Layout) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        let syslog = Self { layout, ident: ident.to_owned(), path: path.to_owned(), socket };
        let _ = syslog.socket.connect(&syslog.path);
        Ok(syslog)
    }

    fn send(&self, datagram: &[u8]) -> io::Result<()> {
        // A restarted syslog daemon has a new socket under the old name.
        if self.socket.send(datagram).is_err() {
            self.socket.connect(&self.path)?;
            self.socket.send(datagram)?;
        }
        Ok(())
    }
}

impl Append for Syslog {
    fn append(&self, record: &Record<'_>) -> anyhow::Result<()> {
        let priority = record::priority(record).unwrap_or(Priority::Info);
        let mut datagram = header(priority, record::seconds(record), &self.ident).into_bytes();
        let line = self.layout.line(record)?;
        datagram.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(&line));
        self.send(&datagram)?;
        Ok(())
    }

    fn flush(&self) {}
}

/// Sends one line from a socket of its own: for the day when an appender fails.
pub(in crate::log) fn send_once(ident: &str, priority: Priority, millis: u64, text: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    let seconds = i64::try_from(millis / 1000).unwrap_or(0);
    socket.send_to(format!("{}{text}", header(priority, seconds, ident)).as_bytes(), SOCKET).map(|_| ())
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
        let syslog = Syslog::open("os4x_proxyserver", &path, layout).unwrap();
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
}
