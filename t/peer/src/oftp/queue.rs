//! State that outlives a session: files and receipts waiting to be sent, and files that broke off.
//! One queue serves all sessions of a station or partner, on any thread.

use super::codec::Level;
use super::command::{FileId, Receipt};
use super::settings::OutFile;
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A file that broke off: the part on disk, and its length in whole records or octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial {
    /// The path of the part.
    pub path: PathBuf,
    /// Octets stored.
    pub octets: u64,
    /// Records closed.
    pub records: u64,
    /// Octets at the end of the last closed record.
    pub whole: u64,
}

#[derive(Debug)]
struct QueuedReceipt {
    peer: String,
    receipt: Receipt,
    not_in: Option<u64>,
}

#[derive(Debug, Default)]
struct Contents {
    files: VecDeque<OutFile>,
    receipts: Vec<QueuedReceipt>,
    partials: HashMap<FileId, Partial>,
}

/// The waiting files and receipts. No lock is held while anything is sent.
#[derive(Debug, Default)]
pub struct Queue {
    contents: Mutex<Contents>,
    sessions: AtomicU64,
}

impl Queue {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a new session, from 1.
    pub fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Sessions begun so far.
    pub fn sessions(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Queues a file for the next session that has the turn.
    pub fn add_file(&self, file: OutFile) {
        self.contents().files.push_back(file);
    }

    pub(super) fn take_file(&self) -> Option<OutFile> {
        self.contents().files.pop_front()
    }

    /// Queues a receipt for `peer`; it is not sent in session `not_in`.
    pub fn add_receipt(&self, peer: &str, receipt: Receipt, not_in: Option<u64>) {
        self.contents().receipts.push(QueuedReceipt { peer: peer.to_owned(), receipt, not_in });
    }

    pub(super) fn take_receipt(&self, peer: &str, session: u64) -> Option<Receipt> {
        let mut contents = self.contents();
        let at = contents
            .receipts
            .iter()
            .position(|queued| queued.peer == peer && queued.not_in != Some(session))?;
        Some(contents.receipts.remove(at).receipt)
    }

    /// Receipts that wait for any peer.
    pub fn receipts_waiting(&self) -> usize {
        self.contents().receipts.len()
    }

    pub(super) fn take_partial(&self, id: &FileId) -> Option<Partial> {
        self.contents().partials.remove(&id.at(Level::Two))
    }

    pub(super) fn keep_partial(&self, id: &FileId, partial: Partial) {
        self.contents().partials.insert(id.at(Level::Two), partial);
    }
}
