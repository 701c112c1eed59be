//! Traces in JSON: `{name, steps: [{dir, hex}]}` or `{name, level, hex}`, in a list, alone, or one after another.

use crate::input::{Buffer, Problem, Trace, TraceKind};
use common::oftp::{Level, Side};
use common::text::hex;
use serde::Deserialize;

/// Members that are not named here (verdicts, labels) are left unread.
#[derive(Deserialize)]
struct Entry {
    name: Option<String>,
    #[serde(default)]
    steps: Vec<TraceStep>,
    level: Option<u8>,
    hex: Option<String>,
}

#[derive(Deserialize)]
struct TraceStep {
    dir: String,
    hex: String,
}

/// One value of the stream.
#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Many(Vec<Entry>),
    One(Entry),
}

/// The traces of a file, in its order.
pub(crate) fn traces(file: &str, content: &[u8]) -> Result<Vec<Trace>, Problem> {
    let mut traces: Vec<Trace> = Vec::new();
    for document in serde_json::Deserializer::from_slice(content).into_iter::<Document>() {
        let entries = match document.map_err(|error| Problem::Json(file.to_owned(), error))? {
            Document::Many(entries) => entries,
            Document::One(entry) => vec![entry],
        };
        for entry in entries {
            let number = traces.len();
            traces.push(trace(file, number, entry)?);
        }
    }
    Ok(traces)
}

fn trace(file: &str, number: usize, entry: Entry) -> Result<Trace, Problem> {
    let name = entry.name.unwrap_or_else(|| format!("trace {number}"));
    let problem = |step, what| Problem::Step { file: file.to_owned(), trace: name.clone(), step, what };
    if let Some(hex) = entry.hex {
        let stb = hex::decode(hex).ok_or_else(|| problem(0, "is not whole octets in hex"))?;
        let level = entry.level.and_then(|level| Level::from_digit(level.saturating_add(b'0')));
        let side = Side::Initiator;
        return Ok(Trace { name, kind: TraceKind::Message(level), buffers: vec![Buffer { side, stb }] });
    }
    let mut buffers = Vec::with_capacity(entry.steps.len());
    for (index, step) in entry.steps.into_iter().enumerate() {
        let side = match step.dir.as_str() {
            "I" => Side::Initiator,
            "R" => Side::Responder,
            _ => return Err(problem(index, "has a dir that is neither I nor R")),
        };
        let stb = hex::decode(step.hex).ok_or_else(|| problem(index, "is not whole octets in hex"))?;
        buffers.push(Buffer { side, stb });
    }
    Ok(Trace { name, kind: TraceKind::Session, buffers })
}
