//! The end lines of a daemon's sessions: each session gets exactly one. If the disk was full, the line is written
//! later. If no process was left to write it, the daemon that starts next writes it.

use super::ledger::{Begun, EndNotes, Ledger};
use crate::link::session_id::SessionId;
use crate::log::{Event, LateLines, Unwritten};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often the parent checks whether sessions of an earlier parent still run.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The reason in the line of a session process that has died together with its parent.
pub const DIED_WITH_PARENT: &str = "died-with-parent";

/// For a session process: writes its end line (none: this end has no line), and notes in the ledger that `session` has
/// ended; none: no session had begun. `send` passes what the log could not write to the parent, and returns whether the
/// parent is there.
pub fn write(
    line: Option<Event>,
    notes: &EndNotes,
    session: Option<SessionId>,
    send: impl FnOnce(Unwritten) -> bool,
) {
    let remains = line.map(Unwritten::after).unwrap_or_default();
    let note = || {
        if let Some(session) = session {
            notes.note(&session.to_string());
        }
    };
    if remains.has_line() {
        if !send(remains) {
            note();
        }
    } else {
        // First: a parent that is ending receives the message but does not read it.
        note();
        send(remains);
    }
}

/// The parent's part of it.
#[derive(Debug)]
pub struct EndLines {
    ledger: Ledger,
    late: LateLines,
    /// Sessions of earlier parents that have no end line yet.
    inherited: Vec<Begun>,
    looked: Option<Instant>,
}

impl EndLines {
    /// Reads what an earlier parent has left in the ledger at `path`.
    pub fn new(path: PathBuf) -> Self {
        let ledger = Ledger::open(path);
        let inherited = ledger.unfinished();
        Self { ledger, late: LateLines::default(), inherited, looked: None }
    }

    /// The part of the ledger in which session processes note their ends.
    pub fn notes(&self) -> EndNotes {
        EndNotes::open(self.ledger.path())
    }

    /// A session has begun.
    pub fn begin(&mut self, begun: Begun) {
        self.ledger.begin(begun);
    }

    /// A session process has written its end line, or has passed it to this parent.
    pub fn end(&mut self, session: Option<&str>, remains: Unwritten) {
        self.late.take(remains);
        if let Some(session) = session {
            self.ledger.end(session);
        }
    }

    /// Writes lines that could not be written before, and returns the sessions of earlier parents that have ended
    /// without an end line.
    pub fn run_timers(&mut self, now: Instant) -> Vec<Begun> {
        self.late.write(now);
        if self.inherited.is_empty() || self.next().is_some_and(|at| at > now) {
            return Vec::new();
        }
        self.looked = Some(now);
        let gone: Vec<Begun> = self.inherited.extract_if(.., |begun| !begun.runs()).collect();
        if gone.is_empty() {
            return gone;
        }
        // Some processes write their end line after their parent has ended.
        self.ledger.refresh();
        let crashed: Vec<Begun> =
            gone.into_iter().filter(|begun| self.ledger.is_open(&begun.session)).collect();
        for begun in &crashed {
            self.ledger.end(&begun.session);
        }
        crashed
    }

    /// When `run_timers` is due.
    pub fn due(&self) -> Option<Instant> {
        let look = (!self.inherited.is_empty()).then(|| self.next().unwrap_or_else(Instant::now));
        [self.late.due(), look].into_iter().flatten().min()
    }

    /// When to check again for sessions of earlier parents; none: now.
    fn next(&self) -> Option<Instant> {
        self.looked.map(|looked| looked + LOOK_EVERY)
    }

    /// This parent ends.
    pub fn finish(&mut self) {
        self.late.write_all();
    }
}

#[cfg(test)]
mod tests {
    use super::{Begun, EndLines, LOOK_EVERY};
    use crate::file::tests::Scratch;
    use crate::link::session_id::Direction;
    use crate::log::Unwritten;
    use crate::process::stat;
    use crate::session::ledger::EndNotes;
    use std::process::Command;
    use std::time::Instant;

    #[test]
    fn a_session_that_died_with_its_parent_gets_one_line_and_one_that_still_runs_gets_none() {
        let scratch = Scratch::new("end-lines");
        let path = scratch.path().join("x.sessions");
        let mut process = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = process.id().cast_signed();
        let begun = |session: &str, started| Begun {
            session: session.to_owned(),
            pid,
            started,
            direction: Direction::Incoming,
            address: String::new(),
            partner: "acme".to_owned(),
        };
        let running = stat::started(pid).unwrap();
        let mut first = EndLines::new(path.clone());
        assert_eq!(first.due(), None);
        for (session, started) in
            [("dead", 1), ("ended", 1), ("told", 1), ("runs", running), ("later", running)]
        {
            first.begin(begun(session, started));
        }
        first.end(Some("ended"), Unwritten::default());
        drop(first);
        EndNotes::open(&path).note("told");
        let mut next = EndLines::new(path.clone());
        let sessions =
            |crashed: Vec<Begun>| -> Vec<String> { crashed.into_iter().map(|begun| begun.session).collect() };
        let now = Instant::now();
        assert_eq!(sessions(next.run_timers(now)), ["dead"]);
        process.kill().unwrap();
        process.wait().unwrap();
        EndNotes::open(&path).note("later");
        assert!(next.run_timers(now).is_empty(), "it is not time");
        assert_eq!(sessions(next.run_timers(now + LOOK_EVERY)), ["runs"]);
        assert_eq!(next.due(), None);
        assert_eq!(EndLines::new(path).due(), None);
    }
}
