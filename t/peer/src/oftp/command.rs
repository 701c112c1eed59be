//! The 18 commands as values. Their octets at each level are in `encode` and `decode`.

use super::codec::Level;
use super::stamp::Stamp;

/// Session parameters (RFC 5024 §5.3.2); each side sends its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssid {
    /// Release level offered.
    pub level: Level,
    /// Identification code, without padding.
    pub code: String,
    /// Password.
    pub password: String,
    /// Largest DATA buffer accepted, octets.
    pub buffer: u32,
    /// `S`, `R` or `B`.
    pub mode: char,
    /// Its other offers.
    pub features: Features,
    /// Credit window, DATA buffers.
    pub credit: u16,
    /// Secure authentication; level 5 only.
    pub authentication: bool,
    /// User data.
    pub user: String,
}

/// The three flags that both sides must set for a feature to be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// Buffer compression (SSIDCMPR).
    pub compression: bool,
    /// Restart (SSIDREST).
    pub restart: bool,
    /// Special logic (SSIDSPEC); meaningless on TCP.
    pub special: bool,
}

/// Record format of a virtual file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Fixed records of this many octets.
    Fixed(u32),
    /// Variable records up to this many octets.
    Variable(u32),
    /// Unstructured.
    Unstructured,
    /// Text.
    Text,
}

impl Format {
    /// Whether records count (F and V): in EFID, and in restart positions.
    pub fn has_records(self) -> bool {
        matches!(self, Self::Fixed(_) | Self::Variable(_))
    }

    pub(super) fn letter_and_length(self) -> (&'static str, u64) {
        match self {
            Self::Fixed(length) => ("F", length.into()),
            Self::Variable(length) => ("V", length.into()),
            Self::Unstructured => ("U", 0),
            Self::Text => ("T", 0),
        }
    }
}

/// The identity of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileId {
    /// Virtual file name (SFIDDSN).
    pub name: String,
    /// Date and time.
    pub stamp: Stamp,
    /// Final recipient.
    pub destination: String,
    /// Creator of the data.
    pub originator: String,
}

impl FileId {
    /// The same file as `level` writes it.
    #[must_use]
    pub fn at(&self, level: Level) -> Self {
        Self { stamp: self.stamp.at(level), ..self.clone() }
    }
}

/// Start File (RFC 5024 §5.3.3). File services (sign, compress, encrypt) are passed on, not performed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sfid {
    /// Name, stamp, destination, originator.
    pub id: FileId,
    /// User data.
    pub user: String,
    /// Record format and length.
    pub format: Format,
    /// Size as transmitted, blocks of 1024 octets.
    pub blocks: u64,
    /// Size before any service, blocks (SFIDOSIZ); level 5.
    pub original: u64,
    /// Offered restart position: records (F, V) or blocks of 1024 octets (U, T).
    pub restart: u64,
    /// SFIDSEC, level 5.
    pub security: u8,
    /// SFIDCIPH, level 5.
    pub cipher: u8,
    /// SFIDCOMP, level 5.
    pub compressed: bool,
    /// SFIDENV, level 5.
    pub enveloped: bool,
    /// SFIDSIGN, level 5: a signed receipt is asked for.
    pub sign_receipt: bool,
    /// SFIDDESC, level 5.
    pub description: String,
}

impl Sfid {
    /// A file without any service, from its beginning.
    pub fn plain(id: FileId, format: Format, blocks: u64) -> Self {
        Self {
            id,
            user: String::new(),
            format,
            blocks,
            original: blocks,
            restart: 0,
            security: 0,
            cipher: 0,
            compressed: false,
            enveloped: false,
            sign_receipt: false,
            description: String::new(),
        }
    }
}

/// EERP and NERP: destination and originator are those of the receipt, exchanged against the file's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The file's name and stamp; destination = who gets the receipt.
    pub id: FileId,
    /// User data (EERP only).
    pub user: String,
    /// The part that makes it a NERP.
    pub refusal: Option<NerpReason>,
    /// File hash, level 5.
    pub hash: Vec<u8>,
    /// CMS signature, level 5.
    pub signature: Vec<u8>,
}

/// The part that only a NERP has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NerpReason {
    /// Who made the NERP.
    pub creator: String,
    /// NERPREAS.
    pub reason: u8,
    /// Text, level 5.
    pub text: String,
}

/// One command. DATA keeps its subrecords as octets, see `data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Start Session Ready Message.
    Ssrm,
    /// Start Session.
    Ssid(Ssid),
    /// Start File.
    Sfid(Sfid),
    /// Start File Positive Answer: the position at which to continue.
    Sfpa(u64),
    /// Start File Negative Answer.
    Sfna {
        /// SFNAREAS.
        reason: u8,
        /// May be tried later.
        retry: bool,
        /// Text, level 5.
        text: String,
    },
    /// Data Exchange Buffer: its subrecords.
    Data(Vec<u8>),
    /// Set Credit.
    Cdt,
    /// End File.
    Efid {
        /// Records of the whole file (F and V).
        records: u64,
        /// Octets of the whole file.
        octets: u64,
    },
    /// End File Positive Answer: whether the turn is asked for.
    Efpa(bool),
    /// End File Negative Answer.
    Efna {
        /// EFNAREAS.
        reason: u8,
        /// Text, level 5.
        text: String,
    },
    /// End Session.
    Esid {
        /// ESIDREAS; 0 is the normal end.
        reason: u8,
        /// Text, level 5.
        text: String,
    },
    /// Change Direction.
    Cd,
    /// End to End Response, or Negative End Response where it carries a refusal.
    Receipt(Receipt),
    /// Ready To Receive.
    Rtr,
    /// Security Change Direction.
    Secd,
    /// Authentication Challenge: CMS EnvelopedData.
    Auch(Vec<u8>),
    /// Authentication Response.
    Aurp([u8; 20]),
}

impl Command {
    /// Its name in RFC 5024.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ssrm => "SSRM",
            Self::Ssid(_) => "SSID",
            Self::Sfid(_) => "SFID",
            Self::Sfpa(_) => "SFPA",
            Self::Sfna { .. } => "SFNA",
            Self::Data(_) => "DATA",
            Self::Cdt => "CDT",
            Self::Efid { .. } => "EFID",
            Self::Efpa(_) => "EFPA",
            Self::Efna { .. } => "EFNA",
            Self::Esid { .. } => "ESID",
            Self::Cd => "CD",
            Self::Receipt(receipt) if receipt.refusal.is_some() => "NERP",
            Self::Receipt(_) => "EERP",
            Self::Rtr => "RTR",
            Self::Secd => "SECD",
            Self::Auch(_) => "AUCH",
            Self::Aurp(_) => "AURP",
        }
    }
}
