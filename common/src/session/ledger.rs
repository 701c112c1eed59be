//! The ledger: a file beside the binary with the sessions of a daemon that have begun and not ended. If a session
//! process and its parent end together, no process is left to write the session's end line; the daemon that starts next
//! writes it. Only the parent writes that a session has begun. That it has ended is written by the session process
//! together with its end line, and by the parent, which also knows the sessions that have crashed.
//!
//! One line for each entry: `+` and the session in JSON, or `-` and its ID.

use super::notes::{self, Notes};
use crate::link::session_id::Direction;
use crate::process::stat;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// When no session runs and the file has this size, it is emptied; octets.
const LARGE: u64 = 64 * 1024;

/// A session that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Its ID.
    pub session: String,
    /// Its process.
    pub pid: i32,
    /// Start time of that process, as `/proc/PID/stat` counts: distinguishes it from a later process with the same ID.
    pub started: u64,
    /// Which way it goes.
    pub direction: Direction,
    /// The partner's address and port, where known.
    pub address: String,
    /// The partner's short name.
    pub partner: String,
}

impl Begun {
    /// For a running process.
    pub fn new(pid: Pid, session: String, direction: Direction, address: String, partner: String) -> Self {
        let pid = pid.as_raw();
        // Start time 0 for one that has ended already: it counts as one that does not run.
        Self { session, pid, started: stat::started(pid).unwrap_or_default(), direction, address, partner }
    }

    /// Whether its process still runs.
    pub fn runs(&self) -> bool {
        stat::started(self.pid).is_some_and(|started| started == self.started)
    }
}

/// The file and its open sessions.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: Option<File>,
    open: BTreeMap<String, Begun>,
    /// Whether the last line may be incomplete.
    torn: bool,
}

impl Ledger {
    /// Reads the file at `path`, or creates it with mode 0600. If it cannot be used, that is logged, and sessions run
    /// without a ledger.
    pub fn open(path: PathBuf) -> Self {
        let mut ledger = Self { path, file: None, open: BTreeMap::new(), torn: true };
        if let Err(e) = ledger.read() {
            crate::warn!("{} cannot be used: {e}; sessions run without", ledger.path.display());
        }
        ledger
    }

    fn read(&mut self) -> io::Result<()> {
        let (file, text) = notes::open(&self.path)?;
        self.open = open_of(&text);
        self.file = Some(file);
        Ok(())
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sessions that have not ended, as far as this parent knows.
    pub fn unfinished(&self) -> Vec<Begun> {
        self.open.values().cloned().collect()
    }

    /// Whether this session has not ended, as far as this parent knows.
    pub fn is_open(&self, session: &str) -> bool {
        self.open.contains_key(session)
    }

    /// Reads which sessions other processes have ended meanwhile.
    pub fn refresh(&mut self) {
        if let Err(e) = self.read() {
            crate::debug!("{} cannot be read again: {e}", self.path.display());
        }
    }

    /// A session has begun.
    pub fn begin(&mut self, begun: Begun) {
        if let Ok(json) = serde_json::to_string(&begun) {
            self.append(&format!("+{json}\n"));
        }
        self.open.insert(begun.session.clone(), begun);
    }

    /// A session has ended, and has its end line.
    pub fn end(&mut self, session: &str) {
        if self.open.remove(session).is_none() {
            return;
        }
        self.append(&format!("-{session}\n"));
        if self.open.is_empty()
            && let Some(file) = &self.file
            && file.metadata().is_ok_and(|data| data.len() > LARGE)
        {
            // If it cannot be emptied, it goes on growing.
            let _ = file.set_len(0);
        }
    }

    fn append(&mut self, line: &str) {
        let Some(mut file) = self.file.as_ref() else { return };
        let line = if self.torn { format!("\n{line}") } else { line.to_owned() };
        self.torn = file.write_all(line.as_bytes()).is_err();
    }
}

/// The part in which a session process notes its end; opened before its fork, because it may open nothing.
#[derive(Debug)]
pub struct EndNotes(Notes);

impl EndNotes {
    /// In the ledger at `path`.
    pub fn open(path: &Path) -> Self {
        Self(Notes::open(path))
    }

    /// A session process has written its end line. The parent may be ending and may not receive the message.
    pub fn note(&self, session: &str) {
        self.0.add(format!("\n-{session}\n").as_bytes());
    }
}

fn open_of(text: &[u8]) -> BTreeMap<String, Begun> {
    let mut open = BTreeMap::new();
    for line in text.split(|octet| *octet == b'\n') {
        match line.split_first() {
            Some((b'+', json)) => {
                // A line that a full disk has cut off is ignored.
                if let Ok(begun) = serde_json::from_slice::<Begun>(json) {
                    open.insert(begun.session.clone(), begun);
                }
            }
            Some((b'-', session)) => {
                open.remove(&*String::from_utf8_lossy(session));
            }
            _ => {}
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use super::{Begun, EndNotes, LARGE, Ledger};
    use crate::file::tests::Scratch;
    use crate::link::session_id::Direction;
    use crate::process::stat;
    use std::fs;

    fn begun(session: &str) -> Begun {
        let pid = std::process::id().cast_signed();
        Begun {
            session: session.to_owned(),
            pid,
            started: stat::started(pid).unwrap(),
            direction: Direction::Incoming,
            address: "192.0.2.1:4000".to_owned(),
            partner: "acme".to_owned(),
        }
    }

    fn unfinished(ledger: &Ledger) -> Vec<String> {
        ledger.unfinished().into_iter().map(|begun| begun.session).collect()
    }

    #[test]
    fn open_sessions_are_there_after_a_restart() {
        let scratch = Scratch::new("ledger");
        let path = scratch.path().join("x.sessions");
        let mut ledger = Ledger::open(path.clone());
        for session in ["1", "2", "3"] {
            ledger.begin(begun(session));
        }
        ledger.end("1");
        drop(ledger);
        EndNotes::open(&path).note("3");
        let mut next = Ledger::open(path.clone());
        assert_eq!(unfinished(&next), ["2"]);
        assert!(next.unfinished()[0].runs());
        assert!(!Begun { started: 1, ..begun("2") }.runs(), "another process has its ID");
        EndNotes::open(&path).note("2");
        assert_eq!(unfinished(&next), ["2"]);
        next.refresh();
        assert!(unfinished(&next).is_empty());
    }

    #[test]
    fn torn_lines_hide_no_other_and_the_file_does_not_grow_for_ever() {
        let scratch = Scratch::new("ledger-torn");
        let path = scratch.path().join("x.sessions");
        fs::write(&path, b"\xff\n+{\"session\":\"0\",\"pi").unwrap();
        let mut ledger = Ledger::open(path.clone());
        ledger.begin(begun("1"));
        assert_eq!(unfinished(&Ledger::open(path.clone())), ["1"]);
        for number in 0..2_000 {
            ledger.begin(begun(&number.to_string()));
            ledger.end(&number.to_string());
        }
        assert!(fs::metadata(&path).unwrap().len() < 2 * LARGE, "session 1 has ended as well");
        let nowhere = Ledger::open("/nonexistent/x.sessions".into());
        assert!(unfinished(&nowhere).is_empty());
    }
}
