//! Runs the checker over a whole trace, over one message, or over each message of a fragment alone.

use crate::input::{Buffer, Trace, TraceKind};
use common::oftp::{Checker, Level, Note, Profile, Violation, check_message};

/// Commands without a file or receipt that the daemons allow by default.
const IDLE_COMMANDS: u32 = 1000;

/// Levels in the order in which an unknown one is guessed.
const LEVELS: [Level; 4] = [Level::L5, Level::L4, Level::L2, Level::L1];

/// The checker's verdict on a trace.
pub(crate) struct TraceVerdict {
    /// The first buffer that is refused, and why.
    pub(crate) refused: Option<(usize, Violation)>,
    /// Findings that do not refuse a buffer.
    pub(crate) notes: Vec<Note>,
}

/// Judges `trace` by `profile`.
pub(crate) fn judge(trace: &Trace, profile: Profile) -> TraceVerdict {
    let alone = |level: Level, buffer: &Buffer| check_message(buffer.side, &buffer.stb, Some(level), profile);
    match trace.kind {
        TraceKind::Session => session(trace, profile),
        TraceKind::Message(level) => {
            each_alone(trace, |buffer| check_message(buffer.side, &buffer.stb, level, profile))
        }
        TraceKind::Fragment => each_alone(trace, |buffer| {
            let as_newest = alone(Level::L5, buffer);
            LEVELS.iter().find_map(|&level| alone(level, buffer).ok()).map_or(as_newest, Ok)
        }),
    }
}

/// Judges buffer by buffer up to the first refused one, and notes each deviation once, as a session does.
fn each_alone(trace: &Trace, judge: impl Fn(&Buffer) -> Result<Vec<Note>, Violation>) -> TraceVerdict {
    let number =
        |note: &Note| if let Note::Tolerated { deviation, .. } = note { Some(*deviation) } else { None };
    let mut notes: Vec<Note> = Vec::new();
    let refused = first_refused(trace, |buffer| {
        for note in judge(buffer)? {
            if notes.iter().all(|known| number(known) != number(&note)) {
                notes.push(note);
            }
        }
        Ok(())
    });
    TraceVerdict { refused, notes }
}

fn first_refused(
    trace: &Trace,
    mut judge: impl FnMut(&Buffer) -> Result<(), Violation>,
) -> Option<(usize, Violation)> {
    trace.buffers.iter().enumerate().find_map(|(index, buffer)| Some((index, judge(buffer).err()?)))
}

fn session(trace: &Trace, profile: Profile) -> TraceVerdict {
    let mut checker = Checker::new(profile, IDLE_COMMANDS);
    let refused = first_refused(trace, |buffer| checker.judge(buffer.side, &buffer.stb).map(|_| ()));
    TraceVerdict { refused, notes: checker.take_notes() }
}

/// The level in force at each buffer, as far as the trace tells: for the layout in which it is shown.
pub(crate) fn levels(trace: &Trace) -> Vec<Option<Level>> {
    let mut checker = Checker::new(Profile::TOLERANT, 0);
    let level = |buffer: &Buffer| match trace.kind {
        TraceKind::Message(level) => level,
        TraceKind::Fragment => LEVELS
            .into_iter()
            .find(|&level| check_message(buffer.side, &buffer.stb, Some(level), Profile::TOLERANT).is_ok()),
        TraceKind::Session => {
            let level = checker.level();
            // A refused buffer leaves the level unchanged: the buffers after it are shown at that level.
            let _ = checker.judge(buffer.side, &buffer.stb);
            level
        }
    };
    trace.buffers.iter().map(level).collect()
}
