//! The buffers of a TRACE log of the daemons: lines `... TRACE NAME[PID] buffer dir=I octets=23 hex=1000...`.
//!
//! A process carries one session, so its PID gathers a trace. Both daemons relay every buffer; in one log file a
//! session appears once for each process that wrote there.

use crate::input::{Buffer, Kind, Problem, Trace, octets};
use common::oftp::{SSRM, Side};
use std::collections::HashMap;

/// One buffer's line, taken apart.
struct Line<'a> {
    /// `20261122 09:21:10.167`
    time: &'a str,
    /// `os4x_proxyserver[4711]`
    process: &'a str,
    buffer: Buffer,
}

/// The traces of a log, in the order in which they begin.
pub(crate) fn traces(file: &str, content: &[u8]) -> Result<Vec<Trace>, Problem> {
    let mut traces: Vec<Trace> = Vec::new();
    let mut running: HashMap<&str, usize> = HashMap::new();
    for (index, line) in content.split(|&octet| octet == b'\n').enumerate() {
        // A log is UTF-8, values escaped: what is not cannot be a line of ours.
        let Some(line) = std::str::from_utf8(line).ok().and_then(Fields::find) else { continue };
        let line = line.parse().map_err(|what| Problem::Line {
            file: file.to_owned(),
            line: index.saturating_add(1),
            what,
        })?;
        // A PID comes again after days, and with it a session that begins with SSRM.
        let begins = begins_session(&line.buffer);
        let known = running.get(line.process).copied().filter(|_| !begins);
        let place = known.unwrap_or(traces.len());
        if known.is_none() {
            running.insert(line.process, place);
            let kind = if begins { Kind::Session } else { Kind::Fragment };
            let name = format!("{} {}", line.process, line.time);
            traces.push(Trace { name, kind, buffers: Vec::new() });
        }
        if let Some(trace) = traces.get_mut(place) {
            trace.buffers.push(line.buffer);
        }
    }
    Ok(traces)
}

/// Nothing but SSRM, or what its place is taken by before any session, begins with the Responder's `I`.
fn begins_session(buffer: &Buffer) -> bool {
    buffer.side == Side::Responder && buffer.stb.get(4) == SSRM.get(4)
}

/// The parts of a line that tells of a buffer, not yet understood.
struct Fields<'a> {
    time: &'a str,
    process: &'a str,
    rest: &'a str,
}

impl<'a> Fields<'a> {
    /// None: the line tells of something else.
    fn find(line: &'a str) -> Option<Self> {
        let (head, rest) = line.split_once("] buffer dir=")?;
        let at = head.rfind(' ')?.checked_add(1)?;
        let (before, _) = head.split_at_checked(at)?;
        let (time, level) = before.trim_end().rsplit_once(' ')?;
        let process = line.get(at..head.len().checked_add(1)?)?;
        (level == "TRACE").then_some(Self { time: time.trim_end(), process, rest })
    }

    fn parse(self) -> Result<Line<'a>, &'static str> {
        let mut words = self.rest.split_whitespace();
        let side = match words.next() {
            Some("I") => Side::Initiator,
            Some("R") => Side::Responder,
            _ => return Err("has a dir that is neither I nor R"),
        };
        let length = words.next().and_then(|word| word.strip_prefix("octets=")?.parse::<usize>().ok());
        let hex = words.next().and_then(|word| word.strip_prefix("hex="));
        let mut stb = hex.and_then(|hex| octets(hex.as_bytes())).ok_or("has no hex= of whole octets")?;
        restore_password(&mut stb);
        if length != Some(stb.len()) {
            return Err("has an octets= that is not the length of its hex=");
        }
        Ok(Line { time: self.time, process: self.process, buffer: Buffer { side, stb } })
    }
}

/// The daemons log the password of an SSID as asterisks, which no password may hold: any text that it may takes their
/// place, so that the rest of the SSID can be judged.
fn restore_password(stb: &mut [u8]) {
    let ssid = stb.get(4) == Some(&b'X');
    if let Some(password) =
        stb.get_mut(31..39).filter(|password| ssid && password.iter().all(|&octet| octet == b'*'))
    {
        password.fill(b'X');
    }
}

#[cfg(test)]
mod tests {
    use super::{restore_password, traces};
    use crate::input::Kind;
    use common::oftp::Side;

    const LOG: &str = "\
20261122 09:21:10.167 INFO     os4x_proxyserver[4711] session-start partner=\"x] buffer dir=I\"
20261122 09:21:10.168 TRACE    os4x_proxyserver[4711] buffer dir=R octets=23 hex=10000017494f444554544520465450205245414459200d
20261122 09:21:10.169 TRACE    os4x_proxyserver[4712] buffer dir=I octets=5 hex=1000000552
20261122 09:21:10.170 TRACE    os4x_proxyserver[4711] buffer dir=R octets=8 hex=100000084630380d
";

    #[test]
    fn buffers_are_gathered_by_process() {
        let traces = traces("log", LOG.as_bytes()).unwrap();
        let seen: Vec<_> =
            traces.iter().map(|trace| (trace.name.as_str(), trace.kind, trace.buffers.len())).collect();
        assert_eq!(
            seen,
            [
                ("os4x_proxyserver[4711] 20261122 09:21:10.168", Kind::Session, 2),
                ("os4x_proxyserver[4712] 20261122 09:21:10.169", Kind::Fragment, 1)
            ]
        );
    }

    #[test]
    fn a_masked_password_is_no_fault() {
        let mut ssid = *b"\x10\x00\x00\x41X5O0013000000ALPHA   HOST01********02048BYYN010N            \r";
        restore_password(&mut ssid);
        let judged = common::oftp::check_message(Side::Initiator, &ssid, None, common::oftp::Profile::Strict);
        assert_eq!(judged, Ok(vec![]));
        let mut data = *b"\x10\x00\x00\x28D\x23***********************************";
        restore_password(&mut data);
        assert_eq!(data[31..39], *b"********", "in an SSID only");
    }

    #[test]
    fn a_broken_line_is_named() {
        let cut = &LOG[..LOG.len() - 3];
        let problem = traces("log", cut.as_bytes()).unwrap_err().to_string();
        assert_eq!(problem, "\"log\": line 4 has an octets= that is not the length of its hex=.");
    }
}
