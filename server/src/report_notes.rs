//! The part of the report journal in which a session process notes the begin and the end of its session, before it
//! tells the parent: a message that the parent has not read is lost if the parent is killed.

use common::rpc::SessionEvent;
use common::session::notes::Notes;
use std::io;
use std::path::Path;

/// The file, which the parent reads when it starts.
#[derive(Debug)]
pub(crate) struct ReportNotes(Notes);

impl ReportNotes {
    /// In the journal at `path`, which the parent has made.
    pub(crate) fn open(path: &Path) -> Self {
        Self(Notes::open(path))
    }

    /// Adds this event.
    pub(crate) fn note(&self, event: &SessionEvent) {
        match line_of(event) {
            Ok(line) => self.0.add(&line),
            Err(e) => common::debug!("an event is no line of the journal: {e}"),
        }
    }
}

/// An event as a line of the journal, for one write, so that no other line is torn.
pub(crate) fn line_of(event: &SessionEvent) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    Ok(line)
}
