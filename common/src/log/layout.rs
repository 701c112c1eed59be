//! How a record becomes a line: `os4x_layout`, and log4c's `basic`, `dated` and `dated_local`.
//! Every process uses it for each line. It depends on nothing but its arguments and the process ID. It asks for that
//! each time, because a child is forked with all values of its parent.

use super::priority::Priority;
use super::record;
use crate::sys::localtime::{self, CivilTime};
use crate::text::escape::OneLine;
use ::log::Record;
use log4rs::encode::{Encode, Write};
use std::fmt::{self, Write as _};
use std::io;

/// A layout type of the rc file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LayoutKind {
    /// `20261122 09:21:10.167 INFO     os4x_proxyserver[4711] text`, local time.
    Os4x,
    /// `INFO     os4x_proxyserver - text`.
    Basic,
    /// `20261122 08:21:10.167 INFO     os4x_proxyserver- text`, UTC.
    Dated,
    /// The same in local time.
    DatedLocal,
}

impl LayoutKind {
    /// The type called `name` in an rc file; log4c's `_r` forms are the same lines.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "os4x_layout" => Some(Self::Os4x),
            "basic" | "basic_r" => Some(Self::Basic),
            "dated" | "dated_r" => Some(Self::Dated),
            "dated_local" | "dated_local_r" => Some(Self::DatedLocal),
            _ => None,
        }
    }
}

/// A layout type for one daemon.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// What a line looks like.
    pub(super) kind: LayoutKind,
    /// The daemon's name.
    pub(super) name: &'static str,
}

impl Layout {
    /// The whole line, its line feed included.
    pub(super) fn line(&self, record: &Record<'_>) -> anyhow::Result<Vec<u8>> {
        let mut line = Line(Vec::with_capacity(256));
        self.encode(&mut line, record)?;
        Ok(line.0)
    }

    fn head(&self, out: &mut String, record: &Record<'_>) -> fmt::Result {
        let priority = record::priority(record).unwrap_or(Priority::Info);
        let (seconds, millis) = (record::seconds(record), record::millis(record) % 1000);
        match self.kind {
            LayoutKind::Os4x => {
                write_time(out, localtime::local(seconds), millis)?;
                write!(out, " {priority:<8} {}[{}] ", self.name, std::process::id())
            }
            LayoutKind::Basic => write!(out, "{priority:<8} {} - ", record.target()),
            LayoutKind::Dated | LayoutKind::DatedLocal => {
                let is_local = self.kind == LayoutKind::DatedLocal;
                let time = if is_local { localtime::local(seconds) } else { localtime::utc(seconds) };
                write_time(out, time, millis)?;
                write!(out, " {priority:<8} {}- ", record.target())
            }
        }
    }
}

impl Encode for Layout {
    fn encode(&self, out: &mut dyn Write, record: &Record<'_>) -> anyhow::Result<()> {
        let mut text = String::with_capacity(256);
        self.head(&mut text, record)?;
        write!(OneLine(&mut text), "{}", record.args())?;
        text.push('\n');
        out.write_all(text.as_bytes())?;
        Ok(())
    }
}

fn write_time(out: &mut String, time: CivilTime, millis: u64) -> fmt::Result {
    write_day(out, time)?;
    write!(out, " {:02}:{:02}:{:02}.{millis:03}", time.hour, time.minute, time.second)
}

/// `20261122`, in lines and in the names of day files.
pub(super) fn write_day(out: &mut String, time: CivilTime) -> fmt::Result {
    write!(out, "{:04}{:02}{:02}", time.year, time.month, time.day)
}

/// A buffer that log4rs accepts.
#[derive(Debug)]
struct Line(Vec<u8>);

impl io::Write for Line {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Line {}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: LayoutKind, text: &str) -> String {
        let layout = Layout { kind, name: "os4x_proxyserver" };
        let octets = record::with_record(
            Priority::Info,
            "os4x_proxyserver.link",
            1_709_251_199_007,
            format_args!("{text}"),
            |record| layout.line(record).unwrap(),
        );
        String::from_utf8(octets).unwrap()
    }

    #[test]
    fn os4x_layout_is_the_documented_line() {
        let text = line(LayoutKind::Os4x, "text");
        let (time, rest) = text.split_at(21);
        assert_eq!(rest, format!(" INFO     os4x_proxyserver[{}] text\n", std::process::id()));
        let local = localtime::local(1_709_251_199);
        let mut expected = String::new();
        write_time(&mut expected, local, 7).unwrap();
        assert_eq!(time, expected);
    }

    #[test]
    fn basic_and_dated_are_log4cs() {
        assert_eq!(line(LayoutKind::Basic, "text"), "INFO     os4x_proxyserver.link - text\n");
        assert_eq!(
            line(LayoutKind::Dated, "text"),
            "20240229 23:59:59.007 INFO     os4x_proxyserver.link- text\n"
        );
    }

    #[test]
    fn dated_local_is_dated_in_local_time() {
        let (local, own) = (line(LayoutKind::DatedLocal, "text"), line(LayoutKind::Os4x, "text"));
        assert_eq!(local[..21], own[..21]);
        assert_eq!(&local[21..], " INFO     os4x_proxyserver.link- text\n");
        for name in ["dated_local", "dated_local_r"] {
            assert_eq!(LayoutKind::named(name), Some(LayoutKind::DatedLocal));
        }
    }

    #[test]
    fn a_record_is_one_line_whatever_its_text() {
        assert_eq!(
            line(LayoutKind::Basic, "a\r\nb\x1b[2J"),
            "INFO     os4x_proxyserver.link - a\\r\\nb\\x1b[2J\n"
        );
    }
}
