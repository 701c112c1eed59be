//! Prints a trace and its verdicts, for people or as JSON lines.

use crate::input::{Trace, TraceKind};
use crate::judge::{self, TraceVerdict};
use crate::options::Options;
use common::oftp::{Profile, describe, describe_fields};
use std::io::{self, Write};

/// Prints `trace` with a verdict for each profile asked for. Returns whether all of them accept it.
pub(crate) fn trace(trace: &Trace, options: &Options, out: &mut impl Write) -> io::Result<bool> {
    if !options.json {
        messages(trace, out)?;
    }
    let mut legal = true;
    for &profile in &options.profiles {
        let verdict = judge::judge(trace, profile);
        legal &= verdict.refused.is_none();
        if options.json {
            json(trace, profile, &verdict, out)?;
        } else {
            sentence(profile, &verdict, out)?;
        }
    }
    if !options.json {
        writeln!(out)?;
    }
    Ok(legal)
}

/// Each buffer, then its fields: offset in the Exchange Buffer, name, value.
fn messages(trace: &Trace, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "Trace {:?}, {} buffers", trace.name, trace.buffers.len())?;
    if trace.kind == TraceKind::Fragment {
        writeln!(out, "  It begins in the middle of a session: each buffer is judged alone.")?;
    }
    for (index, (buffer, level)) in trace.buffers.iter().zip(judge::levels(trace)).enumerate() {
        let line = describe(&buffer.stb, level);
        let mut fields = Vec::new();
        describe_fields(&buffer.stb, level, |name, offset, value| fields.push((name, offset, value)));
        // A command without fields to list (DATA is summed up) takes one line.
        let summed_up = fields.is_empty() || line.starts_with("DATA");
        let head = if summed_up { line.as_str() } else { line.split(' ').next().unwrap_or(&line) };
        writeln!(out, "  {index:>4} {} {:>6} octets  {head}", buffer.side.letter(), buffer.stb.len())?;
        for (name, offset, value) in fields.iter().filter(|_| !summed_up) {
            writeln!(out, "         {offset:>6} {name:<10} {value}")?;
        }
    }
    Ok(())
}

fn sentence(profile: Profile, verdict: &TraceVerdict, out: &mut impl Write) -> io::Result<()> {
    match &verdict.refused {
        None => writeln!(out, "  {profile}: legal")?,
        Some((index, violation)) => writeln!(out, "  {profile}: buffer {index}: {violation}")?,
    }
    for note in &verdict.notes {
        writeln!(out, "    {note}")?;
    }
    Ok(())
}

fn json(trace: &Trace, profile: Profile, verdict: &TraceVerdict, out: &mut impl Write) -> io::Result<()> {
    let refused = verdict.refused.as_ref().map(|(index, violation)| (index, violation.reason().code()));
    let name = serde_json::to_string(&trace.name)?;
    let verdict = serde_json::to_string(&refused)?;
    writeln!(out, "{{\"name\":{name},\"profile\":\"{profile}\",\"verdict\":{verdict}}}")
}
