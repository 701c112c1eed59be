//! The end lines of a daemon's sessions, one for each whatever happens: those that a full disk did not take are written
//! later, and those that nobody was left to write are written by the daemon that starts next.

use super::ledger::{self, Begun, Ledger};
use crate::link::session_id::SessionId;
use crate::log::{Event, LateLines, Remains};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often it is looked whether sessions of an earlier parent still run.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The reason in the line of a session process that has died together with its parent.
pub const DIED_WITH_PARENT: &str = "died-with-parent";

/// What a session process does: writes its end line (none: this end has no line), and notes in the ledger at `path`
/// that `session` has ended; none: none had begun. `send` gives its parent what the log could not take, and says
/// whether the parent is there.
pub fn write(
    line: Option<Event>,
    path: &Path,
    session: Option<SessionId>,
    send: impl FnOnce(Remains) -> bool,
) {
    let remains = line.map(Remains::after).unwrap_or_default();
    let note = || {
        if let Some(session) = session {
            ledger::note_end(path, &session.to_string());
        }
    };
    if remains.has_line() {
        if !send(remains) {
            note();
        }
    } else {
        // First: a parent that is ending takes the message, and does not read it.
        note();
        send(remains);
    }
}

/// What a parent needs for it.
#[derive(Debug)]
pub struct EndLines {
    ledger: Ledger,
    late: LateLines,
    /// Sessions of earlier parents.
    inherited: Vec<Begun>,
    looked: Option<Instant>,
}

impl EndLines {
    /// With what an earlier parent has left in the ledger at `path`.
    pub fn new(path: PathBuf) -> Self {
        let ledger = Ledger::open(path);
        let inherited = ledger.unfinished();
        Self { ledger, late: LateLines::default(), inherited, looked: None }
    }

    /// Where session processes say that they have ended.
    pub fn ledger(&self) -> &Path {
        self.ledger.path()
    }

    /// A session has begun.
    pub fn begin(&mut self, begun: Begun) {
        self.ledger.begin(begun);
    }

    /// A session process has written its end line, or left it here.
    pub fn end(&mut self, session: Option<&str>, remains: Remains) {
        self.late.take(remains);
        if let Some(session) = session {
            self.ledger.end(session);
        }
    }

    /// Writes lines that could not be written before, and gives the sessions of earlier parents that have ended without
    /// an end line.
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
        // Some have written their end line when nobody was there to hear of it.
        self.ledger.refresh();
        let crashed: Vec<Begun> =
            gone.into_iter().filter(|begun| self.ledger.is_open(&begun.session)).collect();
        for begun in &crashed {
            self.ledger.end(&begun.session);
        }
        crashed
    }

    /// When `run_timers` has something to do.
    pub fn due(&self) -> Option<Instant> {
        let look = (!self.inherited.is_empty()).then(|| self.next().unwrap_or_else(Instant::now));
        [self.late.due(), look].into_iter().flatten().min()
    }

    /// When it is to be looked for inherited sessions again; none: now.
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
    use crate::log::Remains;
    use crate::process::stat;
    use crate::session::ledger::note_end;
    use std::process::Command;
    use std::time::Instant;

    #[test]
    fn a_session_that_died_with_its_parent_is_told_once_and_one_that_still_runs_is_not() {
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
        first.end(Some("ended"), Remains::default());
        drop(first);
        note_end(&path, "told");
        let mut next = EndLines::new(path.clone());
        let sessions =
            |crashed: Vec<Begun>| -> Vec<String> { crashed.into_iter().map(|begun| begun.session).collect() };
        let now = Instant::now();
        assert_eq!(sessions(next.run_timers(now)), ["dead"]);
        process.kill().unwrap();
        process.wait().unwrap();
        note_end(&path, "later");
        assert!(next.run_timers(now).is_empty(), "it is not time");
        assert_eq!(sessions(next.run_timers(now + LOOK_EVERY)), ["runs"]);
        assert_eq!(next.due(), None);
        assert_eq!(EndLines::new(path).due(), None);
    }
}
