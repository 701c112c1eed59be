//! Turns a file into traces: reads it whole, detects its format, and names what is wrong with it.

use crate::{json, trace_log};
use common::oftp::{Level, Side};
use std::fmt;
use std::io::{self, Read};

/// The format of a file of traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Traces `{name, steps: [{dir, hex}]}`, or single messages `{name, level, hex}`.
    Json,
    /// Our TRACE log.
    Log,
}

/// One buffer of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Buffer {
    pub(crate) side: Side,
    /// The whole Stream Transmission Buffer.
    pub(crate) stb: Vec<u8>,
}

/// How the buffers of a trace belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TraceKind {
    /// From the start of a session.
    Session,
    /// Out of the middle of a session: order, credit and counts cannot be judged.
    Fragment,
    /// One message, at this level.
    Message(Option<Level>),
}

/// One sequence of buffers that is judged together.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) name: String,
    pub(crate) kind: TraceKind,
    pub(crate) buffers: Vec<Buffer>,
}

/// A file that cannot be read as traces.
#[derive(Debug)]
pub(crate) enum Problem {
    Read(String, io::Error),
    Json(String, serde_json::Error),
    Step { file: String, trace: String, step: usize, what: &'static str },
    Line { file: String, line: usize, what: &'static str },
    Nothing(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(file, error) => write!(f, "{file:?} cannot be read: {error}."),
            Self::Json(file, error) => write!(f, "{file:?} is not traces in JSON: {error}."),
            Self::Step { file, trace, step, what } => {
                write!(f, "{file:?}: step {step} of trace {trace:?} {what}.")
            }
            Self::Line { file, line, what } => write!(f, "{file:?}: line {line} {what}."),
            Self::Nothing(file) => {
                write!(f, "{file:?} holds no buffers: neither traces nor lines of a TRACE log.")
            }
        }
    }
}

impl std::error::Error for Problem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read(_, error) => Some(error),
            Self::Json(_, error) => Some(error),
            _ => None,
        }
    }
}

/// Reads `file` (`-`: the standard input). A `[` or `{` at the front tells JSON from a log.
pub(crate) fn read(file: &str, format: Option<Format>) -> Result<Vec<Trace>, Problem> {
    let content = content(file).map_err(|error| Problem::Read(file.to_owned(), error))?;
    let first = content.trim_ascii_start().first();
    let found = if matches!(first, Some(b'[' | b'{')) { Format::Json } else { Format::Log };
    let traces = match format.unwrap_or(found) {
        Format::Json => json::traces(file, &content)?,
        Format::Log => trace_log::traces(file, &content)?,
    };
    if traces.is_empty() { Err(Problem::Nothing(file.to_owned())) } else { Ok(traces) }
}

fn content(file: &str) -> io::Result<Vec<u8>> {
    if file != "-" {
        return std::fs::read(file);
    }
    let mut content = Vec::new();
    io::stdin().lock().read_to_end(&mut content)?;
    Ok(content)
}
