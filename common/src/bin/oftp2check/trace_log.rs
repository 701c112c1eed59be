//! The buffers of a TRACE log of the daemons: lines `... TRACE NAME[PID] buffer side=partner role=Initiator
//! octets=23 hex=1000...`.
//!
//! A process serves one session, so the lines of one PID form a trace. Both daemons log every buffer that they relay:
//! in one log file, a session appears once for each process that wrote there.

use crate::input::{Buffer, Problem, Trace, TraceKind};
use common::oftp::{SSRM, Side};
use common::text::hex;
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
        // A log is UTF-8 with escaped values: a line that is not UTF-8 is not one of ours.
        let Some(line) = std::str::from_utf8(line).ok().and_then(Fields::find) else { continue };
        let line = line.parse().map_err(|what| Problem::Line {
            file: file.to_owned(),
            line: index.saturating_add(1),
            what,
        })?;
        // A PID is used again after days. The buffers of its next session begin with SSRM.
        let begins = begins_session(&line.buffer);
        let known = running.get(line.process).copied().filter(|_| !begins);
        let place = known.unwrap_or(traces.len());
        if known.is_none() {
            running.insert(line.process, place);
            let kind = if begins { TraceKind::Session } else { TraceKind::Fragment };
            let name = format!("{} {}", line.process, line.time);
            traces.push(Trace { name, kind, buffers: Vec::new() });
        }
        if let Some(trace) = traces.get_mut(place) {
            trace.buffers.push(line.buffer);
        }
    }
    Ok(traces)
}

/// A session begins with SSRM, or with what replaces it before any session: only these begin with the Responder's `I`.
fn begins_session(buffer: &Buffer) -> bool {
    buffer.side == Side::Responder && buffer.stb.get(4) == SSRM.get(4)
}

/// The parts of a line about a buffer, not yet decoded.
struct Fields<'a> {
    time: &'a str,
    process: &'a str,
    rest: &'a str,
}

impl<'a> Fields<'a> {
    /// None: the line is about something else.
    fn find(line: &'a str) -> Option<Self> {
        let (head, rest) = line.split_once("] buffer ")?;
        let at = head.rfind(' ')?.checked_add(1)?;
        let (before, _) = head.split_at_checked(at)?;
        let (time, level) = before.trim_end().rsplit_once(' ')?;
        let process = line.get(at..head.len().checked_add(1)?)?;
        (level == "TRACE").then_some(Self { time: time.trim_end(), process, rest })
    }

    fn parse(self) -> Result<Line<'a>, &'static str> {
        let mut words = self.rest.split_whitespace();
        // Which of the two is the partner makes no difference to the protocol.
        let role = words.next().filter(|word| word.starts_with("side=")).and_then(|_| words.next());
        let side = match role {
            Some("role=Initiator") => Side::Initiator,
            Some("role=Responder") => Side::Responder,
            _ => return Err("has no role= that is Initiator or Responder"),
        };
        let length = words.next().and_then(|word| word.strip_prefix("octets=")?.parse::<usize>().ok());
        let digits = words.next().and_then(|word| word.strip_prefix("hex="));
        let stb = digits.and_then(hex::decode).ok_or("has no hex= of whole octets")?;
        if length != Some(stb.len()) {
            return Err("has an octets= that is not the length of its hex=");
        }
        Ok(Line { time: self.time, process: self.process, buffer: Buffer { side, stb } })
    }
}

#[cfg(test)]
mod tests {
    use super::traces;
    use crate::input::TraceKind;

    const LOG: &str = "\
20261122 09:21:10.167 INFO     os4x_proxyserver[4711] session_begin partner=\"x] buffer side=partner\"
20261122 09:21:10.168 TRACE    os4x_proxyserver[4711] buffer side=station role=Responder octets=23 \
     hex=10000017494f444554544520465450205245414459200d
20261122 09:21:10.169 TRACE    os4x_proxyserver[4712] buffer side=partner role=Initiator octets=5 hex=1000000552
20261122 09:21:10.170 TRACE    os4x_proxyserver[4711] buffer side=station role=Responder octets=8 hex=100000084630380d
";

    #[test]
    fn buffers_are_gathered_by_process() {
        let traces = traces("log", LOG.as_bytes()).unwrap();
        let seen: Vec<_> =
            traces.iter().map(|trace| (trace.name.as_str(), trace.kind, trace.buffers.len())).collect();
        assert_eq!(
            seen,
            [
                ("os4x_proxyserver[4711] 20261122 09:21:10.168", TraceKind::Session, 2),
                ("os4x_proxyserver[4712] 20261122 09:21:10.169", TraceKind::Fragment, 1)
            ]
        );
    }

    #[test]
    fn a_broken_line_is_named() {
        let cut = &LOG[..LOG.len() - 3];
        let problem = traces("log", cut.as_bytes()).unwrap_err().to_string();
        assert_eq!(problem, "\"log\": line 4 has an octets= that is not the length of its hex=.");
    }
}
