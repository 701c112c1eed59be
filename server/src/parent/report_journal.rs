//! Begins and ends of sessions that were reported, or wait for it: the last minutes of them. They are in memory and
//! in a file beside the binary, because nobody confirms a report: the parent may be killed before it has sent a
//! batch, and the client may be killed before it has passed one on. The next client gets them again, and so does that
//! of the next parent. The backend takes each begin and end once, however often it comes.

use crate::report_notes::line_of;
use common::rpc::SessionEvent;
use common::session::notes;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long an event is kept after it was sent: a client passes it on within seconds, unless the backend does not
/// answer.
const KEPT_FOR: Duration = Duration::from_mins(10);
/// Most events that are kept; on a busy server they are those of the last seconds.
pub(super) const MOST: usize = 2_000;

/// The events, and their file.
pub(super) struct ReportJournal {
    /// Those that were sent, oldest first, with the time.
    sent: VecDeque<(Instant, SessionEvent)>,
    path: PathBuf,
    /// Open while it can be written.
    file: Option<File>,
    /// Number of events in it.
    lines: usize,
}

impl ReportJournal {
    /// The file at `path`, and the events in it, which the last parent may not have sent.
    pub(super) fn open(path: PathBuf) -> (Self, Vec<SessionEvent>) {
        let mut journal = Self { sent: VecDeque::new(), path, file: None, lines: 0 };
        let left = journal.read().unwrap_or_else(|e| {
            journal.give_up(&e);
            Vec::new()
        });
        journal.lines = left.len();
        (journal, left)
    }

    /// Events that were not sent yet are new in the file.
    pub(super) fn append(&mut self, event: &SessionEvent) {
        let Some(file) = &mut self.file else { return };
        match line_of(event).and_then(|line| file.write_all(&line)) {
            Ok(()) => self.lines += 1,
            Err(e) => self.give_up(&e),
        }
    }

    /// These events were sent to the client.
    pub(super) fn keep(&mut self, events: &[SessionEvent], now: Instant) {
        self.sent.extend(events.iter().map(|event| (now, event.clone())));
        self.sent.drain(..self.sent.len().saturating_sub(MOST));
    }

    /// Takes all events that were sent: they are to be sent again.
    pub(super) fn take_sent(&mut self) -> impl DoubleEndedIterator<Item = SessionEvent> + use<> {
        std::mem::take(&mut self.sent).into_iter().map(|(_, event)| event)
    }

    /// Forgets old events, also in the file; `waiting`: those that are still to be sent.
    pub(super) fn expire(&mut self, waiting: &VecDeque<SessionEvent>, now: Instant) {
        while self.sent.front().is_some_and(|(sent, _)| now.duration_since(*sent) > KEPT_FOR) {
            self.sent.pop_front();
        }
        let left = self.sent.len() + waiting.len();
        // Each rewrite removes at least half of it.
        if self.file.is_some()
            && self.lines > 2 * left
            && let Err(e) = self.rewrite(waiting)
        {
            self.give_up(&e);
        }
    }

    fn read(&mut self) -> io::Result<Vec<SessionEvent>> {
        let (file, text) = notes::open(&self.path)?;
        self.file = Some(file);
        // A line that a full disk or the power has cut off is ignored, and hides none of those after it.
        if text.last().is_some_and(|last| *last != b'\n') {
            self.file.iter_mut().try_for_each(|file| file.write_all(b"\n"))?;
        }
        let lines = text.split(|octet| *octet == b'\n');
        let mut events: Vec<_> = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
        events.drain(..events.len().saturating_sub(MOST));
        Ok(events)
    }

    /// In place, because session processes have the file open, too. What they add meanwhile may be lost here; this
    /// parent still gets their messages.
    fn rewrite(&mut self, waiting: &VecDeque<SessionEvent>) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let events = self.sent.iter().map(|(_, event)| event).chain(waiting);
        let lines = events.map(line_of).collect::<io::Result<Vec<_>>>()?;
        file.set_len(0)?;
        file.write_all(&lines.concat())?;
        self.lines = lines.len();
        Ok(())
    }

    /// Works without the file from now on.
    fn give_up(&mut self, error: &io::Error) {
        self.file = None;
        common::warn!(
            "reports about sessions cannot be kept in {}: {error}; if this daemon is killed, the last ones are lost",
            self.path.display()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT_FOR, MOST, ReportJournal};
    use crate::report_notes::ReportNotes;
    use common::rpc::{SessionEnd, SessionEvent};
    use std::collections::VecDeque;
    use std::fs::{self, OpenOptions};
    use std::io::Write;
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    fn path(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("journal-{name}-{}.reports", std::process::id()));
        let _ = fs::remove_file(&path);
        path
    }

    fn end(session: usize) -> SessionEvent {
        SessionEvent::End(SessionEnd { session: session.to_string(), ..SessionEnd::default() })
    }

    #[test]
    fn the_next_parent_has_what_was_appended_even_after_a_torn_line() {
        let path = path("next");
        let (mut journal, left) = ReportJournal::open(path.clone());
        assert!(left.is_empty());
        for session in [1, 2] {
            journal.append(&end(session));
        }
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"End\":{\"sess").unwrap();
        let (mut journal, left) = ReportJournal::open(path.clone());
        assert_eq!(left, [end(1), end(2)]);
        journal.append(&end(3));
        // A session process notes its end itself: the parent may be killed before it has read the message.
        ReportNotes::open(&path).note(&end(4));
        assert_eq!(ReportJournal::open(path).1, [end(1), end(2), end(3), end(4)]);
    }

    #[test]
    fn sent_events_are_sent_again_until_they_are_old() {
        let path = path("old");
        let (mut journal, _) = ReportJournal::open(path.clone());
        let (began, nothing) = (Instant::now(), VecDeque::new());
        for session in [1, 2] {
            journal.append(&end(session));
        }
        journal.keep(&[end(1)], began);
        journal.keep(&[end(2)], began + Duration::from_secs(1));
        journal.expire(&nothing, began + KEPT_FOR + Duration::from_millis(1));
        assert_eq!(journal.take_sent().collect::<Vec<_>>(), [end(2)]);
        assert_eq!(journal.take_sent().count(), 0);
        // With nothing sent and one to be sent, two lines are few enough to stay; with none to be sent they go.
        journal.expire(&VecDeque::from([end(2)]), began);
        assert_eq!(ReportJournal::open(path.clone()).1.len(), 2);
        journal.expire(&nothing, began);
        assert!(ReportJournal::open(path).1.is_empty());
    }

    #[test]
    fn neither_memory_nor_file_grows_for_ever() {
        let path = path("large");
        let (mut journal, _) = ReportJournal::open(path.clone());
        let now = Instant::now();
        for session in 0..MOST + MOST / 2 {
            journal.append(&end(session));
            journal.keep(&[end(session)], now);
        }
        journal.expire(&VecDeque::new(), now);
        let left = ReportJournal::open(path.clone()).1;
        assert_eq!((left.len(), left.last()), (MOST, Some(&end(MOST + MOST / 2 - 1))));
        journal.expire(&VecDeque::new(), now + KEPT_FOR + Duration::from_secs(1));
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        assert_eq!(journal.take_sent().count(), 0);
    }
}
