//! An OFTP2 system that opens sessions.

use crate::oftp::queue::Queue;
use crate::oftp::report::{Ending, Report, answers};
use crate::oftp::session::{Role, Session};
use crate::oftp::settings::{OutFile, Settings};
use crate::transport::dial::Dial;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pause between two sessions while a receipt is waited for.
const BETWEEN: Duration = Duration::from_secs(1);

/// Opens sessions to one address; its queue outlives each of them.
#[derive(Clone)]
pub struct Partner {
    /// The address, and the way to it.
    pub dial: Dial,
    /// Its identity, and its offer.
    pub settings: Settings,
    /// Its queue.
    pub queue: Arc<Queue>,
}

impl Partner {
    /// A partner that connects by `dial`.
    pub fn new(dial: Dial, settings: Settings) -> Self {
        Self { dial, settings, queue: Arc::default() }
    }

    /// One session: sends the queue, receives files and receipts, ends in order.
    pub fn call(&self) -> Report {
        let number = self.queue.next_session();
        match self.dial.open() {
            Ok(conn) => Session::new(conn, Role::Initiator, &self.settings, &self.queue, number).run(),
            Err(error) => Report { ending: Ending::Failed(error.to_string()), ..Report::new(number) },
        }
    }

    /// One session with `files`.
    pub fn send(&self, files: impl IntoIterator<Item = OutFile>) -> Report {
        files.into_iter().for_each(|file| self.queue.add_file(file));
        self.call()
    }

    /// Opens further sessions until each file sent in `first` has its receipt, or until `patience` is over.
    /// Their files and receipts are added to `first`.
    pub fn await_receipts(&self, first: &mut Report, patience: Duration) {
        let until = Instant::now() + patience;
        let is_open = |report: &Report| {
            report.sent.iter().any(|file| !report.receipts.iter().any(|receipt| answers(receipt, &file.id)))
        };
        while first.ending.is_normal() && is_open(first) && Instant::now() < until {
            std::thread::sleep(BETWEEN.min(until.saturating_duration_since(Instant::now())));
            let next = self.call();
            first.receipts.extend(next.receipts);
            first.received.extend(next.received);
            first.octets_in += next.octets_in;
            first.octets_out += next.octets_out;
            first.ending = next.ending;
        }
    }
}
