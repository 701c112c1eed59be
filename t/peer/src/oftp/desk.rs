//! What outlives a session: files and receipts waiting to be sent, and files that broke off.
//! One desk serves all sessions of a station or partner, on any thread.

use super::codec::Level;
use super::command::{FileId, Receipt};
use super::settings::OutFile;
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A file that broke off: what is on disk, and how far it goes in whole records or octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial {
    /// Where its octets are.
    pub path: PathBuf,
    /// Octets stored.
    pub octets: u64,
    /// Records closed.
    pub records: u64,
    /// Octets at the end of the last closed record.
    pub whole: u64,
}

#[derive(Debug)]
struct Waiting {
    peer: String,
    receipt: Receipt,
    not_in: Option<u64>,
}

#[derive(Debug, Default)]
struct Papers {
    files: VecDeque<OutFile>,
    receipts: Vec<Waiting>,
    partials: HashMap<FileId, Partial>,
}

/// The desk. No lock is held while anything is sent.
#[derive(Debug, Default)]
pub struct Desk {
    papers: Mutex<Papers>,
    sessions: AtomicU64,
}

impl Desk {
    fn papers(&self) -> MutexGuard<'_, Papers> {
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a new session, from 1.
    pub fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Sessions begun so far.
    pub fn sessions(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Queues a file for whoever has the turn next.
    pub fn queue(&self, file: OutFile) {
        self.papers().files.push_back(file);
    }

    pub(super) fn take_file(&self) -> Option<OutFile> {
        self.papers().files.pop_front()
    }

    /// Queues a receipt for `peer`; it is not sent in session `not_in`.
    pub fn queue_receipt(&self, peer: &str, receipt: Receipt, not_in: Option<u64>) {
        self.papers().receipts.push(Waiting { peer: peer.to_owned(), receipt, not_in });
    }

    pub(super) fn take_receipt(&self, peer: &str, session: u64) -> Option<Receipt> {
        let mut papers = self.papers();
        let at = papers.receipts.iter().position(|w| w.peer == peer && w.not_in != Some(session))?;
        Some(papers.receipts.remove(at).receipt)
    }

    /// Receipts that wait for any peer.
    pub fn receipts_waiting(&self) -> usize {
        self.papers().receipts.len()
    }

    pub(super) fn take_partial(&self, id: &FileId) -> Option<Partial> {
        self.papers().partials.remove(&id.at(Level::Two))
    }

    pub(super) fn keep_partial(&self, id: &FileId, partial: Partial) {
        self.papers().partials.insert(id.at(Level::Two), partial);
    }
}
