//! The result of a session, for tests and for people. Plain values; made by the session, changed by nobody.

use super::codec::Level;
use super::command::{FileId, Receipt, Ssid};
use crate::transport::{Break, TlsFacts};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The agreement of both SSIDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// Level.
    pub level: Level,
    /// DATA buffer, octets.
    pub buffer: u32,
    /// Credit window, buffers.
    pub credit: u16,
    /// Buffer compression.
    pub compression: bool,
    /// Restart.
    pub restart: bool,
    /// Whether this side may send files, or only receipts.
    pub may_send: bool,
}

/// Who ended the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// This side.
    Us,
    /// The other.
    Peer,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// ESID 00, by one side.
    Normal(Side),
    /// ESID with another reason.
    Aborted {
        /// Who sent it.
        by: Side,
        /// ESIDREAS.
        reason: u8,
        /// Its text, or our own words.
        text: String,
    },
    /// The connection ended without an ESID.
    Broken(Break),
    /// We broke off on purpose.
    Misbehaviour,
    /// No connection, or a fault of this side.
    Failed(String),
}

impl Ending {
    /// The ESID reason, where there was one.
    pub fn reason(&self) -> Option<u8> {
        match self {
            Self::Normal(_) => Some(0),
            Self::Aborted { reason, .. } => Some(*reason),
            _ => None,
        }
    }

    /// ESID 00.
    pub fn is_normal(&self) -> bool {
        matches!(self, Self::Normal(_))
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal(_) => f.write_str("the session ended in order (ESID 00)"),
            Self::Aborted { by, reason, text } => {
                let who = if *by == Side::Us { "this side" } else { "the other side" };
                write!(f, "{who} ended the session with ESID {reason:02}")?;
                if text.is_empty() { Ok(()) } else { write!(f, " ({})", text.escape_debug()) }
            }
            Self::Broken(end) => write!(f, "the session broke off: {end}"),
            Self::Misbehaviour => f.write_str("this side broke the session off on purpose"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// The result of a file that we sent or received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// EFPA.
    Accepted,
    /// SFNA (`at_end` false) or EFNA.
    Refused {
        /// After the data.
        at_end: bool,
        /// SFNAREAS or EFNAREAS.
        reason: u8,
        /// SFNA only: may be tried again.
        retry: bool,
        /// Text of level 5.
        text: String,
    },
    /// The session ended before the file did.
    Unfinished,
    /// It could not be read or stored here.
    Local(String),
}

/// One file that was transmitted, or should have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// Name, stamp, destination, originator.
    pub id: FileId,
    /// Octets of the whole file, as far as they came.
    pub octets: u64,
    /// Records of the whole file (F and V).
    pub records: u64,
    /// The position at which this session began in it, octets.
    pub resumed_at: u64,
    /// SHA-256 of the whole file, hex; empty if it was not transmitted completely.
    pub sha256: String,
    /// The path at which it is stored.
    pub path: Option<PathBuf>,
    /// Its result.
    pub outcome: Outcome,
    /// The time from SFID to its answer.
    pub took: Duration,
}

impl FileReport {
    /// The report of a file before its first octet.
    pub(super) fn new(id: FileId) -> Self {
        Self {
            id,
            octets: 0,
            records: 0,
            resumed_at: 0,
            sha256: String::new(),
            path: None,
            outcome: Outcome::Unfinished,
            took: Duration::ZERO,
        }
    }
}

/// One session.
#[derive(Debug, Clone)]
pub struct Report {
    /// Number of the session of one station or partner, from 1.
    pub session: u64,
    /// Address of the other side.
    pub address: Option<SocketAddr>,
    /// TLS, if any.
    pub tls: Option<TlsFacts>,
    /// The other side's SSID.
    pub peer: Option<Ssid>,
    /// The agreement.
    pub agreed: Option<Agreed>,
    /// Files sent.
    pub sent: Vec<FileReport>,
    /// Files received.
    pub received: Vec<FileReport>,
    /// Receipts received.
    pub receipts: Vec<Receipt>,
    /// Receipts sent.
    pub receipts_sent: Vec<Receipt>,
    /// How it ended.
    pub ending: Ending,
    /// How the other side closed the connection, if that was seen.
    pub close: Option<Break>,
    /// Octets received, TLS not counted.
    pub octets_in: u64,
    /// Octets sent, TLS not counted.
    pub octets_out: u64,
    /// The time from the connection to its end.
    pub took: Duration,
}

impl Report {
    /// The report of a session before its beginning.
    pub fn new(session: u64) -> Self {
        Self {
            session,
            address: None,
            tls: None,
            peer: None,
            agreed: None,
            sent: Vec::new(),
            received: Vec::new(),
            receipts: Vec::new(),
            receipts_sent: Vec::new(),
            ending: Ending::Failed("the session did not begin".to_owned()),
            close: None,
            octets_in: 0,
            octets_out: 0,
            took: Duration::ZERO,
        }
    }

    /// Whether it ended with ESID 00, and each file was accepted.
    pub fn is_good(&self) -> bool {
        self.ending.is_normal()
            && self.sent.iter().chain(&self.received).all(|file| file.outcome == Outcome::Accepted)
    }

    /// The receipt for a file that was sent, EERP or NERP. Levels below 4 are compared as they cut stamps.
    pub fn receipt_for(&self, sent: &FileId) -> Option<&Receipt> {
        self.receipts.iter().find(|receipt| answers(receipt, sent))
    }
}

/// Whether `receipt` answers the file `sent`: destination and originator are exchanged.
pub fn answers(receipt: &Receipt, sent: &FileId) -> bool {
    let level = if receipt.id.stamp.date.len() == 6 { Level::Two } else { Level::Five };
    receipt.id.name == sent.name
        && receipt.id.stamp == sent.stamp.at(level)
        && receipt.id.destination == sent.originator
        && receipt.id.originator == sent.destination
}
