//! What goes to the backend by way of the client: system log entries at once, session events in batches. Bounded; what
//! does not fit is dropped, counted and logged. Never holds up a session.

use crate::untold::Untold;
use common::ipc::frame;
use common::link::control::{MAX_REPORT, ToClient};
use common::rpc::{SessionEvent, SystemLog};
use common::text::shortened;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

const MAX_ENTRIES: usize = 500;
const MAX_EVENTS: usize = 2000;
/// Session events are gathered so long.
const BATCH: Duration = Duration::from_secs(1);
/// Events and files in one message: the backend takes no more of them. `MAX_REPORT` holds besides.
const BATCH_SIZE: usize = 500;
/// Longest detail of an entry, octets: with every one of them escaped it stays below `MAX_REPORT`.
const MAX_DETAIL: usize = 16 * 1024;

/// How often it is looked whether sessions of an earlier parent have ended.
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub(super) struct Reports {
    entries: VecDeque<SystemLog>,
    events: VecDeque<SessionEvent>,
    since: Option<Instant>,
    dropped: u64,
    untold: Untold,
    looked: Option<Instant>,
}

impl Reports {
    /// Nothing to report yet but what `untold` has.
    pub(super) fn new(untold: Untold) -> Self {
        let (entries, events) = (VecDeque::new(), VecDeque::new());
        Self { entries, events, since: None, dropped: 0, untold, looked: None }
    }

    /// Where session processes leave what this parent is not there to hear.
    pub(super) fn untold(&self) -> &Untold {
        &self.untold
    }

    /// Takes what an earlier parent and its session processes could not tell.
    pub(super) fn take_untold(&mut self, now: Instant) {
        if self.looked.is_none_or(|looked| now.duration_since(looked) >= LOOK_EVERY) {
            self.looked = Some(now);
            self.untold.take().into_iter().for_each(|event| self.push_event(event, now));
        }
    }

    /// This parent ends: the next one tells the events that are left.
    pub(super) fn leave_untold(&mut self) {
        self.untold.keep(&self.events);
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

    /// The next message that is due. What is left of the batch is due at once.
    pub(super) fn next_due(&mut self, now: Instant) -> Option<ToClient> {
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        self.next()
    }

    /// The next message, due or not.
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
                "reports for the backend were dropped, since it was away for too long: {}",
                self.dropped
            );
            self.dropped = 0;
        }
        None
    }

    /// As many of the oldest events as fit a message, one at least.
    fn batch(&mut self) -> Vec<SessionEvent> {
        // The list's own brackets; each event comes with a comma.
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
    use super::{BATCH_SIZE, MAX_EVENTS, Reports, Untold};
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

    /// As large as an end can be.
    fn end() -> SessionEvent {
        let transfer = Transfer {
            sender: "station".to_owned(),
            name: "\\x00".repeat(26),
            octets: u64::MAX,
            result: TransferResult::Accepted,
            reason: Some(99),
        };
        SessionEvent::End(SessionEnd {
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
        let mut reports = Reports::new(Untold::at("/nonexistent/untold".into()));
        for _ in 0..MAX_EVENTS + 7 {
            reports.push_event(end(), Instant::now());
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
        let mut reports = Reports::new(Untold::at("/nonexistent/untold".into()));
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
