//! How a record becomes a line: `os4x_layout`, log4c's `basic`, `dated` and `dated_local`, and `ecs`, `cef` and
//! `rfc5424` for programs that collect logs.
//! Every process uses it for each line. It depends on nothing but its arguments, the host's name and the process ID. It
//! asks for that each time, because a child is forked with all values of its parent.

mod cef;
mod ecs;
mod entry;
mod host;
mod rfc5424;
#[cfg(test)]
mod tests;

pub(super) use host::host_name;

use super::priority::Priority;
use super::record;
use crate::sys::localtime::{self, CivilTime};
use crate::text::escape::{OneLine, visible};
use ::log::Record;
use entry::Entry;
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
    /// JSON with the fields of the Elastic Common Schema.
    Ecs,
    /// Common Event Format.
    Cef,
    /// A message of syslog, its header included.
    Rfc5424,
}

impl LayoutKind {
    /// The type called `name` in an rc file; log4c's `_r` forms are the same lines.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "os4x_layout" => Some(Self::Os4x),
            "basic" | "basic_r" => Some(Self::Basic),
            "dated" | "dated_r" => Some(Self::Dated),
            "dated_local" | "dated_local_r" => Some(Self::DatedLocal),
            "ecs" => Some(Self::Ecs),
            "cef" => Some(Self::Cef),
            "rfc5424" => Some(Self::Rfc5424),
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

    /// The line without its end.
    fn write(&self, out: &mut String, record: &Record<'_>) -> fmt::Result {
        let priority = record::priority(record).unwrap_or(Priority::Info);
        let (seconds, millis) = (record::seconds(record), record::millis(record) % 1000);
        match self.kind {
            LayoutKind::Os4x => {
                write_time(out, localtime::local(seconds), millis)?;
                write!(out, " {priority:<8} {}[{}] ", self.name, std::process::id())?;
            }
            LayoutKind::Basic => write!(out, "{priority:<8} {} - ", record.target())?,
            LayoutKind::Dated | LayoutKind::DatedLocal => {
                let is_local = self.kind == LayoutKind::DatedLocal;
                let time = if is_local { localtime::local(seconds) } else { localtime::utc(seconds) };
                write_time(out, time, millis)?;
                write!(out, " {priority:<8} {}- ", record.target())?;
            }
            LayoutKind::Ecs => return self.write_entry(out, record, ecs::line),
            LayoutKind::Cef => return self.write_entry(out, record, cef::line),
            LayoutKind::Rfc5424 => return self.write_entry(out, record, rfc5424::line),
        }
        write!(OneLine(out), "{}", record.args())
    }

    /// The same for a layout that needs the record taken apart.
    fn write_entry(
        &self,
        out: &mut String,
        record: &Record<'_>,
        line: fn(&str, &Entry<'_>) -> String,
    ) -> fmt::Result {
        let text = visible(&record.args().to_string());
        out.write_str(&line(self.name, &Entry::of(record, &text)))
    }
}

impl Encode for Layout {
    fn encode(&self, out: &mut dyn Write, record: &Record<'_>) -> anyhow::Result<()> {
        let mut text = String::with_capacity(256);
        self.write(&mut text, record)?;
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
