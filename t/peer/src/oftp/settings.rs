//! The settings of a station or partner before a session: its identity, its offer, its answers, its faults.
//! Plain values, cloned into each session.

use super::codec::Level;
use super::command::Format;
use super::stamp::Stamp;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The settings of one side of a session.
#[derive(Clone)]
pub struct Settings {
    /// Own identification code (SSIDCODE).
    pub code: String,
    /// Own password (SSIDPSWD), at most 8 characters.
    pub password: String,
    /// Own user data (SSIDUSER), at most 8 characters.
    pub user: String,
    /// The only code the other side may have; another is refused with ESID 03.
    pub peer_code: Option<String>,
    /// The only password it may have; another is refused with ESID 04.
    pub peer_password: Option<String>,
    /// Highest release level offered.
    pub level: Level,
    /// Largest DATA buffer (SSIDSDEB), 128 to 99999 octets.
    pub buffer: u32,
    /// Credit window (SSIDCRED), 1 to 999 buffers.
    pub credit: u16,
    /// `S` sends only, `R` receives only, `B` both.
    pub mode: char,
    /// Offers buffer compression.
    pub compression: bool,
    /// Offers restart.
    pub restart: bool,
    /// Secure authentication (level 5): requested if present.
    pub authentication: Option<Arc<Authentication>>,
    /// Longest accepted silence of the other side.
    pub timeout: Duration,
    /// How incoming files are treated.
    pub intake: Intake,
    /// The end of its receipts of level 5.
    pub receipt_end: ReceiptEnd,
    /// Deliberate fault.
    pub misbehaviour: Option<Misbehaviour>,
    /// Called after each DATA buffer.
    pub watch: Option<Watch>,
}

impl Settings {
    /// Level 5, buffers of 99999 octets, credit 999, both directions, restart, no compression; a timeout of 60 s.
    pub fn new(code: &str, password: &str) -> Self {
        Self {
            code: code.to_owned(),
            password: password.to_owned(),
            user: String::new(),
            peer_code: None,
            peer_password: None,
            level: Level::Five,
            buffer: 99_999,
            credit: 999,
            mode: 'B',
            compression: false,
            restart: true,
            authentication: None,
            timeout: Duration::from_mins(1),
            intake: Intake { folder: None, answer: Answer::Eerp, refuse: None, refuse_at_end: None },
            receipt_end: ReceiptEnd::Whole,
            misbehaviour: None,
            watch: None,
        }
    }
}

/// Keys of secure authentication (RFC 5024 §4.2.3).
pub struct Authentication {
    /// Decrypts the challenge that we get.
    pub key: PKey<Private>,
    /// The certificate that the other side encrypts for.
    pub certificate: X509,
    /// The other side's certificate: our challenge is encrypted for it.
    pub peer: X509,
}

/// How incoming files are treated.
#[derive(Debug, Clone)]
pub struct Intake {
    /// Where they are stored; none: counted and hashed only.
    pub folder: Option<PathBuf>,
    /// The receipt.
    pub answer: Answer,
    /// Refuses each file at its start: SFNA with this reason, and whether it may be tried again.
    pub refuse: Option<(u8, bool)>,
    /// Refuses each file at its end: EFNA with this reason.
    pub refuse_at_end: Option<u8>,
}

/// Which receipt a file gets, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// EERP in this session: this side asks for the turn (EFPA with CD).
    Eerp,
    /// EERP in the partner's next session.
    EerpLater,
    /// NERP with this reason in this session; below level 4, which has none, an EERP.
    Nerp(u8),
    /// No receipt.
    Nothing,
}

/// The end of an unsigned receipt of level 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptEnd {
    /// After its empty hash and signature, as RFC 5024 §5.3.13 and §5.3.14 require.
    Whole,
    /// Before them, as some stacks send it.
    BeforeHash,
    /// As at level 4: a NERP also without its text.
    AsLevel4,
}

/// One deliberate fault.
#[derive(Debug, Clone)]
pub struct Misbehaviour {
    /// Its moment.
    pub at: Point,
    /// Its kind.
    pub act: Act,
}

/// A moment in a session, of either role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The connection is open; no octet was exchanged above TLS.
    Connected,
    /// SSRM has passed, no SSID yet.
    Ready,
    /// Both SSIDs have passed.
    Started,
    /// At least this many octets of a file have passed, either direction.
    Data(u64),
    /// Before EFID is sent or answered.
    EndOfFile,
}

/// The kind of a fault. All except `Delay` end the session for this side.
#[derive(Debug, Clone)]
pub enum Act {
    /// Close in order (close_notify, FIN) though the session is not over.
    Close,
    /// FIN without close_notify.
    Cut,
    /// RST.
    Reset,
    /// Send nothing more, read on until the other side ends.
    Silence,
    /// Neither read nor write until the other side is gone.
    Stall,
    /// Send these octets as they are, then read until the other side ends.
    Send(Vec<u8>),
    /// Pause, then continue in order.
    Delay(Duration),
}

/// The progress of a file.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Virtual file name.
    pub name: &'a str,
    /// Whether we send it.
    pub sending: bool,
    /// Octets so far.
    pub octets: u64,
    /// Octets in all; for incoming files the sender's estimate.
    pub total: u64,
}

/// Takes progress; called often, so it must be quick.
pub type Watch = Arc<dyn Fn(Progress<'_>) + Send + Sync>;

/// The source of the octets of a file.
#[derive(Debug, Clone)]
pub enum Content {
    /// A file on disk, read as it is sent.
    Path(PathBuf),
    /// Memory.
    Octets(Arc<[u8]>),
}

/// One file to send.
#[derive(Debug, Clone)]
pub struct OutFile {
    /// Virtual file name (SFIDDSN), at most 26 characters.
    pub name: String,
    /// Its octets.
    pub content: Content,
    /// Final recipient (SFIDDEST); none: the other side of the session.
    pub destination: Option<String>,
    /// Creator (SFIDORIG); none: ourselves.
    pub originator: Option<String>,
    /// Record format. Records of V end after each line feed.
    pub format: Format,
    /// Date and time; the same for every attempt.
    pub stamp: Stamp,
    /// Offers to continue where the last attempt ended.
    pub restart: bool,
    /// SFIDDESC.
    pub description: String,
}

impl OutFile {
    /// An unstructured file from memory.
    pub fn octets(name: &str, octets: impl Into<Arc<[u8]>>) -> Self {
        Self::new(name, Content::Octets(octets.into()))
    }

    /// An unstructured file from disk.
    pub fn path(name: &str, path: impl Into<PathBuf>) -> Self {
        Self::new(name, Content::Path(path.into()))
    }

    fn new(name: &str, content: Content) -> Self {
        Self {
            name: name.to_owned(),
            content,
            destination: None,
            originator: None,
            format: Format::Unstructured,
            stamp: Stamp::next(),
            restart: false,
            description: String::new(),
        }
    }
}
