//! What goes to the backend by way of the client: system log entries at once, session events in batches. Bounded; what
//! does not fit is dropped, counted and logged. Never holds up a session.

use common::link::control::ToClient;
use common::rpc::{SessionEvent, SystemLog};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

const MAX_ENTRIES: usize = 500;
const MAX_EVENTS: usize = 2000;
/// Session events are gathered so long.
const BATCH: Duration = Duration::from_secs(1);
/// Events in one message: it must stay well below the largest frame.
const BATCH_SIZE: usize = 100;

#[derive(Default)]
pub(super) struct Outbox {
    entries: VecDeque<SystemLog>,
    events: VecDeque<SessionEvent>,
    since: Option<Instant>,
    dropped: u64,
}

impl Outbox {
    pub(super) fn entry(&mut self, entry: SystemLog) {
        if self.entries.len() < MAX_ENTRIES {
            self.entries.push_back(entry);
            self.since.get_or_insert_with(Instant::now);
        } else {
            self.dropped += 1;
        }
    }

    pub(super) fn event(&mut self, event: SessionEvent) {
        if self.events.len() < MAX_EVENTS {
            self.events.push_back(event);
            self.since.get_or_insert_with(Instant::now);
        } else {
            self.dropped += 1;
        }
    }

    /// When a batch is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + BATCH)
    }

    /// The next message that is due. What is left of the batch is due at once.
    pub(super) fn next_due(&mut self) -> Option<ToClient> {
        if self.due().is_none_or(|due| due > Instant::now()) {
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
            let n = self.events.len().min(BATCH_SIZE);
            return Some(ToClient::Sessions(self.events.drain(..n).collect()));
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

    /// A report could not be sent.
    pub(super) fn lost(&mut self) {
        self.dropped += 1;
    }
}
