//! The 18 commands as values, and their octets at each level.

use super::codec::{CodecError, Get, Level, Put};
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
    /// What else it offers.
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

    fn letter_and_length(self) -> (&'static str, u64) {
        match self {
            Self::Fixed(length) => ("F", length.into()),
            Self::Variable(length) => ("V", length.into()),
            Self::Unstructured => ("U", 0),
            Self::Text => ("T", 0),
        }
    }
}

/// What names a file from end to end.
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
    /// The same file as `level` tells it.
    #[must_use]
    pub fn at(&self, level: Level) -> Self {
        Self { stamp: self.stamp.at(level), ..self.clone() }
    }
}

/// Start File (RFC 5024 §5.3.3). File services (sign, compress, encrypt) are carried, not performed.
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
    /// What makes it a NERP.
    pub refusal: Option<Refusal>,
    /// File hash, level 5.
    pub hash: Vec<u8>,
    /// CMS signature, level 5.
    pub signature: Vec<u8>,
}

/// The part that only a NERP has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
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
    /// Start File Positive Answer: the position to go on from.
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

    /// Its Exchange Buffer at `level`, without the Stream Transmission Header.
    pub fn encode(&self, level: Level) -> Result<Vec<u8>, CodecError> {
        let five = level == Level::Five;
        match self {
            Self::Ssrm => Put::new("SSRM", b'I').raw(b"ODETTE FTP READY \r").done(),
            Self::Ssid(ssid) => encode_ssid(ssid),
            Self::Sfid(sfid) => encode_sfid(sfid, level),
            Self::Sfpa(position) => {
                Put::new("SFPA", b'2').number("SFPAACNT", if five { 17 } else { 9 }, *position).done()
            }
            Self::Sfna { reason, retry, text } => {
                let put = Put::new("SFNA", b'3').number("SFNAREAS", 2, (*reason).into()).flag(*retry);
                if five { put.counted_text("SFNAREAST", text).done() } else { put.done() }
            }
            Self::Data(subrecords) => Put::new("DATA", b'D').raw(subrecords).done(),
            Self::Cdt => Put::new("CDT", b'C').raw(b"  ").done(),
            Self::Efid { records, octets } => {
                let (width, octets_width) = if five { (17, 17) } else { (9, 12) };
                let put = Put::new("EFID", b'T').number("EFIDRCNT", width, *records);
                put.number("EFIDUCNT", octets_width, *octets).done()
            }
            Self::Efpa(turn) => Put::new("EFPA", b'4').flag(*turn).done(),
            Self::Efna { reason, text } => {
                let put = Put::new("EFNA", b'5').number("EFNAREAS", 2, (*reason).into());
                if five { put.counted_text("EFNAREAST", text).done() } else { put.done() }
            }
            Self::Esid { reason, text } => {
                let put = Put::new("ESID", b'F').number("ESIDREAS", 2, (*reason).into());
                if five { put.counted_text("ESIDREAST", text) } else { put }.raw(b"\r").done()
            }
            Self::Cd => Put::new("CD", b'R').done(),
            Self::Receipt(receipt) => match &receipt.refusal {
                None => encode_eerp(receipt, level),
                Some(refusal) => encode_nerp(receipt, refusal, level),
            },
            Self::Rtr => Put::new("RTR", b'P').done(),
            Self::Secd => Put::new("SECD", b'J').done(),
            Self::Auch(challenge) => Put::new("AUCH", b'A').counted_octets("AUCHCHAL", challenge).done(),
            Self::Aurp(response) => Put::new("AURP", b'S').raw(response).done(),
        }
    }

    /// The command in `octets`, an Exchange Buffer of `level`. An ESID may have either layout at any level.
    pub fn decode(octets: &[u8], level: Level) -> Result<Self, CodecError> {
        let five = level == Level::Five;
        let code = octets.first().copied().unwrap_or(0);
        match code {
            b'I' => decode_ssrm(octets),
            b'X' => decode_ssid(octets).map(Self::Ssid),
            b'H' => decode_sfid(octets, level).map(Self::Sfid),
            b'2' => {
                let mut get = Get::new("SFPA", octets);
                let position = get.number("SFPAACNT", if five { 17 } else { 9 })?;
                get.done(Self::Sfpa(position))
            }
            b'3' => {
                let mut get = Get::new("SFNA", octets);
                let (reason, retry) = (get.reason("SFNAREAS")?, get.flag("SFNARRTR")?);
                let text = if get.is_at_end() { String::new() } else { get.counted_text("SFNAREAST")? };
                get.done(Self::Sfna { reason, retry, text })
            }
            b'D' => Ok(Self::Data(octets.get(1..).unwrap_or_default().to_vec())),
            // Some stacks leave the two reserved octets out (deviation C6).
            b'C' if octets.len() == 1 => Ok(Self::Cdt),
            b'C' => {
                let mut get = Get::new("CDT", octets);
                get.raw(2)?;
                get.done(Self::Cdt)
            }
            b'T' => {
                let mut get = Get::new("EFID", octets);
                let records = get.number("EFIDRCNT", if five { 17 } else { 9 })?;
                let octets = get.number("EFIDUCNT", if five { 17 } else { 12 })?;
                get.done(Self::Efid { records, octets })
            }
            b'4' => {
                let mut get = Get::new("EFPA", octets);
                let turn = get.flag("EFPACD")?;
                get.done(Self::Efpa(turn))
            }
            b'5' => {
                let mut get = Get::new("EFNA", octets);
                let reason = get.reason("EFNAREAS")?;
                let text = if get.is_at_end() { String::new() } else { get.counted_text("EFNAREAST")? };
                get.done(Self::Efna { reason, text })
            }
            b'F' => decode_esid(octets),
            b'R' => Get::new("CD", octets).done(Self::Cd),
            b'E' => decode_eerp(octets, level).map(Self::Receipt),
            b'N' if level >= Level::Four => decode_nerp(octets, level).map(Self::Receipt),
            b'P' => Get::new("RTR", octets).done(Self::Rtr),
            b'J' if five => Get::new("SECD", octets).done(Self::Secd),
            b'A' if five => {
                let mut get = Get::new("AUCH", octets);
                let challenge = get.counted_octets()?;
                get.done(Self::Auch(challenge))
            }
            b'S' if five => {
                let mut get = Get::new("AURP", octets);
                let response = get.raw(20)?.try_into().unwrap_or([0; 20]);
                get.done(Self::Aurp(response))
            }
            other => Err(CodecError::Unknown(other)),
        }
    }
}

fn decode_ssrm(octets: &[u8]) -> Result<Command, CodecError> {
    let mut get = Get::new("SSRM", octets);
    let text = get.raw(17)?;
    if text != b"ODETTE FTP READY " {
        return Err(get.refuse("SSRMMSG", text));
    }
    get.carriage_return()?;
    get.done(Command::Ssrm)
}

fn encode_ssid(ssid: &Ssid) -> Result<Vec<u8>, CodecError> {
    let put = Put::new("SSID", b'X')
        .number("SSIDLEV", 1, ssid.level.digit().into())
        .text("SSIDCODE", 25, &ssid.code)
        .text("SSIDPSWD", 8, &ssid.password)
        .number("SSIDSDEB", 5, ssid.buffer.into())
        .text("SSIDSR", 1, &ssid.mode.to_string())
        .flag(ssid.features.compression)
        .flag(ssid.features.restart)
        .flag(ssid.features.special)
        .number("SSIDCRED", 3, ssid.credit.into());
    let put = if ssid.level == Level::Five { put.flag(ssid.authentication) } else { put.raw(b" ") };
    put.raw(b"    ").text("SSIDUSER", 8, &ssid.user).raw(b"\r").done()
}

fn decode_ssid(octets: &[u8]) -> Result<Ssid, CodecError> {
    let mut get = Get::new("SSID", octets);
    let digit = get.number("SSIDLEV", 1)?;
    let level =
        Level::from_digit(digit).ok_or_else(|| get.refuse("SSIDLEV", digit.to_string().as_bytes()))?;
    let (code, password) = (get.text(25)?, get.text(8)?);
    let buffer = u32::try_from(get.number("SSIDSDEB", 5)?).unwrap_or(0);
    let mode = get.raw(1)?;
    if !matches!(mode, b"S" | b"R" | b"B") {
        return Err(get.refuse("SSIDSR", mode));
    }
    let features = Features {
        compression: get.flag("SSIDCMPR")?,
        restart: get.flag("SSIDREST")?,
        special: get.flag("SSIDSPEC")?,
    };
    let credit = u16::try_from(get.number("SSIDCRED", 3)?).unwrap_or(0);
    let authentication =
        if level == Level::Five { get.flag("SSIDAUTH")? } else { get.raw(1).map(|_| false)? };
    get.raw(4)?;
    let user = get.text(8)?;
    get.carriage_return()?;
    if buffer < 128 || credit == 0 {
        return Err(get.refuse(if credit == 0 { "SSIDCRED" } else { "SSIDSDEB" }, &octets[35..47]));
    }
    let mode = char::from(mode[0]);
    get.done(Ssid { level, code, password, buffer, mode, features, credit, authentication, user })
}

fn put_stamp(put: Put, stamp: &Stamp, level: Level) -> Put {
    let stamp = stamp.at(level);
    let (date, time) = if level < Level::Four { (6, 6) } else { (8, 10) };
    put.text("date", date, &stamp.date).text("time", time, &stamp.time)
}

fn get_stamp(get: &mut Get<'_>, level: Level) -> Result<Stamp, CodecError> {
    let (date, time) = if level < Level::Four { (6, 6) } else { (8, 10) };
    let (date, time) = (get.raw(date)?, get.raw(time)?);
    if let Some(bad) = [date, time].into_iter().find(|digits| !digits.iter().all(u8::is_ascii_digit)) {
        return Err(get.refuse("stamp", bad));
    }
    let text = |digits: &[u8]| digits.iter().map(|&digit| char::from(digit)).collect();
    Ok(Stamp { date: text(date), time: text(time) })
}

/// Reserved octets before the stamp: 9 at levels 1 and 2 (which fill the width of the longer stamp), else 3.
fn reserved(level: Level) -> usize {
    if level < Level::Four { 9 } else { 3 }
}

fn encode_sfid(sfid: &Sfid, level: Level) -> Result<Vec<u8>, CodecError> {
    let (letter, length) = sfid.format.letter_and_length();
    let put = Put::new("SFID", b'H').text("SFIDDSN", 26, &sfid.id.name).text("SFIDRSV1", reserved(level), "");
    let put = put_stamp(put, &sfid.id.stamp, level)
        .text("SFIDUSER", 8, &sfid.user)
        .text("SFIDDEST", 25, &sfid.id.destination)
        .text("SFIDORIG", 25, &sfid.id.originator)
        .text("SFIDFMT", 1, letter)
        .number("SFIDLRECL", 5, length);
    if level < Level::Five {
        return put.number("SFIDFSIZ", 7, sfid.blocks).number("SFIDREST", 9, sfid.restart).done();
    }
    put.number("SFIDFSIZ", 13, sfid.blocks)
        .number("SFIDOSIZ", 13, sfid.original)
        .number("SFIDREST", 17, sfid.restart)
        .number("SFIDSEC", 2, sfid.security.into())
        .number("SFIDCIPH", 2, sfid.cipher.into())
        .number("SFIDCOMP", 1, sfid.compressed.into())
        .number("SFIDENV", 1, sfid.enveloped.into())
        .flag(sfid.sign_receipt)
        .counted_text("SFIDDESC", &sfid.description)
        .done()
}

fn decode_sfid(octets: &[u8], level: Level) -> Result<Sfid, CodecError> {
    let mut get = Get::new("SFID", octets);
    let name = get.text(26)?;
    get.raw(reserved(level))?;
    let stamp = get_stamp(&mut get, level)?;
    let user = get.text(8)?;
    let (destination, originator) = (get.text(25)?, get.text(25)?);
    let letter = get.raw(1)?;
    let length = u32::try_from(get.number("SFIDLRECL", 5)?).unwrap_or(0);
    let format = match letter {
        b"F" => Format::Fixed(length),
        b"V" => Format::Variable(length),
        b"U" => Format::Unstructured,
        b"T" => Format::Text,
        other => return Err(get.refuse("SFIDFMT", other)),
    };
    let id = FileId { name, stamp, destination, originator };
    let blocks = get.number("SFIDFSIZ", if level == Level::Five { 13 } else { 7 })?;
    let original = if level == Level::Five { get.number("SFIDOSIZ", 13)? } else { blocks };
    let restart = get.number("SFIDREST", if level == Level::Five { 17 } else { 9 })?;
    let mut sfid = Sfid { user, original, restart, ..Sfid::plain(id, format, blocks) };
    if level == Level::Five {
        sfid.security = get.reason("SFIDSEC")?;
        sfid.cipher = get.reason("SFIDCIPH")?;
        sfid.compressed = get.number("SFIDCOMP", 1)? == 1;
        sfid.enveloped = get.number("SFIDENV", 1)? == 1;
        sfid.sign_receipt = get.flag("SFIDSIGN")?;
        sfid.description = get.counted_text("SFIDDESC")?;
    }
    get.done(sfid)
}

fn encode_eerp(receipt: &Receipt, level: Level) -> Result<Vec<u8>, CodecError> {
    let put =
        Put::new("EERP", b'E').text("EERPDSN", 26, &receipt.id.name).text("EERPRSV1", reserved(level), "");
    let put = put_stamp(put, &receipt.id.stamp, level)
        .text("EERPUSER", 8, &receipt.user)
        .text("EERPDEST", 25, &receipt.id.destination)
        .text("EERPORIG", 25, &receipt.id.originator);
    if level < Level::Five {
        return put.done();
    }
    put.counted_octets("EERPHSH", &receipt.hash).counted_octets("EERPSIG", &receipt.signature).done()
}

fn decode_eerp(octets: &[u8], level: Level) -> Result<Receipt, CodecError> {
    let mut get = Get::new("EERP", octets);
    let name = get.text(26)?;
    get.raw(reserved(level))?;
    let stamp = get_stamp(&mut get, level)?;
    let user = get.text(8)?;
    let (destination, originator) = (get.text(25)?, get.text(25)?);
    let (mut hash, mut signature) = (Vec::new(), Vec::new());
    if level == Level::Five && !get.is_at_end() {
        (hash, signature) = (get.counted_octets()?, get.counted_octets()?);
    }
    let id = FileId { name, stamp, destination, originator };
    get.done(Receipt { id, user, refusal: None, hash, signature })
}

fn encode_nerp(receipt: &Receipt, refusal: &Refusal, level: Level) -> Result<Vec<u8>, CodecError> {
    let put = Put::new("NERP", b'N').text("NERPDSN", 26, &receipt.id.name).text("NERPRSV1", 6, "");
    let put = put_stamp(put, &receipt.id.stamp, level.max(Level::Four))
        .text("NERPDEST", 25, &receipt.id.destination)
        .text("NERPORIG", 25, &receipt.id.originator)
        .text("NERPCREA", 25, &refusal.creator)
        .number("NERPREAS", 2, refusal.reason.into());
    if level < Level::Five {
        return put.done();
    }
    put.counted_text("NERPREAST", &refusal.text)
        .counted_octets("NERPHSH", &receipt.hash)
        .counted_octets("NERPSIG", &receipt.signature)
        .done()
}

fn decode_nerp(octets: &[u8], level: Level) -> Result<Receipt, CodecError> {
    let mut get = Get::new("NERP", octets);
    let name = get.text(26)?;
    get.raw(6)?;
    let stamp = get_stamp(&mut get, level)?;
    let (destination, originator, creator) = (get.text(25)?, get.text(25)?, get.text(25)?);
    let reason = get.reason("NERPREAS")?;
    let (mut text, mut hash, mut signature) = (String::new(), Vec::new(), Vec::new());
    if level == Level::Five && !get.is_at_end() {
        text = get.counted_text("NERPREAST")?;
        (hash, signature) = (get.counted_octets()?, get.counted_octets()?);
    }
    let id = FileId { name, stamp, destination, originator };
    let refusal = Some(Refusal { creator, reason, text });
    get.done(Receipt { id, user: String::new(), refusal, hash, signature })
}

fn decode_esid(octets: &[u8]) -> Result<Command, CodecError> {
    let mut get = Get::new("ESID", octets);
    let reason = get.reason("ESIDREAS")?;
    let text = if octets.len() <= 4 { String::new() } else { get.counted_text("ESIDREAST")? };
    if !get.is_at_end() {
        get.carriage_return()?;
    }
    get.done(Command::Esid { reason, text })
}
