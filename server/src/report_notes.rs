//! The part of the report journal in which a session process notes the begin and the end of its session, before it
//! tells the parent: a message that the parent has not read is lost if the parent is killed. Opened before the fork,
//! because a session process may open nothing.

use common::rpc::SessionEvent;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The file, which the parent reads when it starts.
#[derive(Debug)]
pub(crate) struct ReportNotes(io::Result<File>);

impl ReportNotes {
    /// In the journal at `path`, which the parent has made.
    pub(crate) fn open(path: &Path) -> Self {
        Self(OpenOptions::new().append(true).custom_flags(nix::libc::O_NOFOLLOW).open(path))
    }

    /// Adds this event.
    pub(crate) fn note(&self, event: &SessionEvent) {
        let written = match &self.0 {
            Ok(file) => line_of(event).and_then(|line| (&*file).write_all(&line)).map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        if let Err(e) = written {
            common::debug!("the journal of reports cannot be written: {e}");
        }
    }
}

/// An event as a line of the journal, for one write, so that no other line is torn.
pub(crate) fn line_of(event: &SessionEvent) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    Ok(line)
}
