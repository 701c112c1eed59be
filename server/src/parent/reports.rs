//! Reports that the client passes to the backend: system log entries at once, session events in batches. Their number
//! is limited; further ones are dropped, counted and logged. They never hold up a session.

use super::report_journal::{self, ReportJournal};
use crate::unreported::Unreported;
use common::ipc::frame;
use common::link::control::{MAX_REPORT, ToClient};
use common::rpc::{SessionEvent, SystemLog};
use common::text::shortened;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

const MAX_ENTRIES: usize = 500;
/// New ones, and those that are sent again.
const MAX_EVENTS: usize = 2000 + report_journal::MOST;
/// How long session events are gathered.
const BATCH: Duration = Duration::from_secs(1);
/// Most events and files in one message: the backend accepts no more. `MAX_REPORT` is a second limit.
const BATCH_SIZE: usize = 500;
/// Longest detail of an entry, octets: even with all of them escaped it is below `MAX_REPORT`.
const MAX_DETAIL: usize = 16 * 1024;

/// How often to check whether sessions of an earlier parent have ended.
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub(super) struct Reports {
    entries: VecDeque<SystemLog>,
    events: VecDeque<SessionEvent>,
    since: Option<Instant>,
    dropped: u64,
    unreported: Unreported,
    looked: Option<Instant>,
    journal: ReportJournal,
}

impl Reports {
    /// No reports so far, except those in `unreported`, and the last ones of an earlier parent.
    pub(super) fn new(unreported: Unreported, now: Instant) -> Self {
        let (journal, left) = ReportJournal::open(unreported.beside("reports"));
        let since = (!left.is_empty()).then_some(now);
        Self {
            entries: VecDeque::new(),
            events: left.into(),
            since,
            dropped: 0,
            unreported,
            looked: None,
            journal,
        }
    }

    /// The file in which session processes leave events when this parent has ended.
    pub(super) fn unreported(&self) -> &Unreported {
        &self.unreported
    }

    /// Takes the events that an earlier parent and its session processes could not report.
    pub(super) fn take_unreported(&mut self, now: Instant) {
        if self.looked.is_none_or(|looked| now.duration_since(looked) >= LOOK_EVERY) {
            self.looked = Some(now);
            self.unreported.take().into_iter().for_each(|event| self.push_event(event, now));
            self.journal.expire(&self.events, now);
        }
    }

    /// The client is gone: it is not known what it has passed on, so the next one gets the latest events again.
    pub(super) fn repeat_latest(&mut self, now: Instant) {
        for event in self.journal.take_sent().rev() {
            self.events.push_front(event);
            self.since.get_or_insert(now);
        }
    }

    /// This parent ends: the next one reports the remaining events.
    pub(super) fn leave_unreported(&mut self) {
        self.unreported.keep(&self.events);
        self.events.clear();
    }

    pub(super) fn push_entry(&mut self, entry: SystemLog, now: Instant) {
        if self.entries.len() < MAX_ENTRIES {
            let detail = shortened(entry.detail, MAX_DETAIL);
            self.entries.push_back(SystemLog { detail, ..entry });
            self.since.get_or_insert(now);
        } else {
            self.dropped += 1;
        }
    }

    pub(super) fn push_event(&mut self, event: SessionEvent, now: Instant) {
        if self.events.len() < MAX_EVENTS {
            self.journal.append(&event);
            self.events.push_back(event);
            self.since.get_or_insert(now);
        } else {
            self.dropped += 1;
        }
    }

    /// When a batch is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + BATCH)
    }

    /// The next message that is due. The rest of a batch is due at once.
    pub(super) fn next_due(&mut self, now: Instant) -> Option<ToClient> {
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        let message = self.next();
        if let Some(ToClient::Sessions(events)) = &message {
            self.journal.keep(events, now);
        }
        message
    }

    /// The next message, whether due or not.
    pub(super) fn next(&mut self) -> Option<ToClient> {
        if let Some(entry) = self.entries.pop_front() {
            return Some(ToClient::SystemLog(Box::new(entry)));
        }
        if !self.events.is_empty() {
            return Some(ToClient::Sessions(self.batch()));
        }
        self.since = None;
        if self.dropped > 0 {
            common::warn!(
                "reports for the backend were dropped, because it could not be reached for too long: {}",
                self.dropped
            );
            self.dropped = 0;
        }
        None
    }

    /// As many of the oldest events as fit into a message, at least one.
    fn batch(&mut self) -> Vec<SessionEvent> {
        // The brackets of the list; each event comes with a comma.
        let (mut size, mut octets) = (0, 2);
        let fits = |event: &&SessionEvent| {
            size += weight(event);
            octets += 1 + frame::length(event).unwrap_or(MAX_REPORT);
            size <= BATCH_SIZE && octets <= MAX_REPORT
        };
        let count = self.events.iter().take_while(fits).count().max(1).min(self.events.len());
        self.events.drain(..count).collect()
    }

    /// A report could not be sent.
    pub(super) fn lost(&mut self) {
        self.dropped += 1;
    }
}

fn weight(event: &SessionEvent) -> usize {
    match event {
        SessionEvent::Begin(_) => 1,
        SessionEvent::End(end) => 1 + end.transfers.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::{BATCH_SIZE, MAX_EVENTS, Reports, Unreported};
    use crate::messages::ToParent;
    use common::ipc::channel::Channel;
    use common::ipc::frame;
    use common::link::control::{MAX_REPORT, ToClient};
    use common::oftp::Deviations;
    use common::rpc::{
        About, Level, MAX_TRANSFERS, Origin, SessionEnd, SessionEvent, ShownDeviations, SystemLog, Transfer,
        TransferResult,
    };
    use std::time::Instant;

    /// The largest possible end of a session.
    fn end() -> SessionEvent {
        let transfer = Transfer {
            sender: "station".to_owned(),
            name: "\\x00".repeat(26),
            octets: u64::MAX,
            result: TransferResult::Accepted,
            reason: Some(99),
        };
        SessionEvent::End(SessionEnd {
            server: None,
            session: "0".repeat(32),
            time: u64::MAX,
            octets_in: u64::MAX,
            octets_out: u64::MAX,
            files: u32::MAX,
            files_refused: u32::MAX,
            receipts: u32::MAX,
            reason: "partner-violation".to_owned(),
            detail: "x".repeat(1000),
            transfers: vec![transfer; MAX_TRANSFERS],
            deviations: ShownDeviations { partner: Deviations::ALL, station: Deviations::ALL },
        })
    }

    #[test]
    fn the_largest_end_fits_the_channel_to_the_parent() {
        let (ours, _theirs) = Channel::pair().unwrap();
        ours.send(&ToParent::Session(Box::new(end()))).unwrap();
    }

    #[test]
    fn every_batch_fits_a_message_and_nothing_is_lost_of_what_was_taken() {
        let mut reports = Reports::new(Unreported::at("/nonexistent/unreported".into()), Instant::now());
        let small = || SessionEvent::End(SessionEnd::default());
        for number in 0..MAX_EVENTS + 7 {
            reports.push_event(if number % 4 == 0 { end() } else { small() }, Instant::now());
        }
        assert_eq!(reports.dropped, 7);
        let mut count = 0;
        while let Some(message) = reports.next() {
            let ToClient::Sessions(events) = message else { panic!("no other report was taken") };
            assert!(frame::length(&events).unwrap() <= MAX_REPORT);
            assert!((1..=BATCH_SIZE).contains(&events.len()));
            count += events.len();
        }
        assert_eq!((count, reports.dropped), (MAX_EVENTS, 0));
    }

    #[test]
    fn the_longest_entry_fits_a_message() {
        let mut reports = Reports::new(Unreported::at("/nonexistent/unreported".into()), Instant::now());
        let entry = SystemLog {
            level: Level::Error,
            text: "a certificate or CRL of the configuration cannot be used".to_owned(),
            detail: "\"".repeat(MAX_REPORT),
            origin: Origin::Server,
            host: "h".repeat(64),
            pid: u32::MAX,
            time: u64::MAX,
            address: Some([192, 0, 2, 1].into()),
            partner: Some("p".repeat(64)),
            about: About::default(),
        };
        reports.push_entry(entry, Instant::now());
        let Some(ToClient::SystemLog(entry)) = reports.next() else { panic!("an entry was taken") };
        assert!(frame::length(&entry).unwrap() <= MAX_REPORT);
    }
}
