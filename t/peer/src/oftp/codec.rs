//! Octets of ODETTE-FTP commands: the fields of RFC 5024 §5.3 (level 5) and RFC 2204 §5.3 (levels 1, 2), 1.4 between.
//! Owns the field formats; the commands themselves are in `command`. Written from the RFCs and `man/doc/oftp2.md`
//! only: it shares no line and no constant with the checker, which is tested with it.

use std::fmt::{self, Write as _};

/// Largest Exchange Buffer, octets (RFC 5024 §8.2: 24-bit length, five-digit SSIDSDEB).
pub const LARGEST_BUFFER: usize = 99_999;
/// Octets of the Stream Transmission Header.
pub const HEADER: usize = 4;

/// Lower-case hex.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(2 * octets.len()), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// Protocol release level (SSIDLEV).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Revision 1.2.
    One,
    /// Revision 1.3.
    Two,
    /// Revision 1.4.
    Four,
    /// Revision 2.0.
    Five,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::One, Self::Two, Self::Four, Self::Five];

    /// The digit in SSIDLEV.
    pub fn digit(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
            Self::Five => 5,
        }
    }

    /// The level of a digit; none for 3 and anything above 5.
    pub fn from_digit(digit: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|level| u64::from(level.digit()) == digit)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.digit())
    }
}

/// Reserved octets before the stamp: 9 at levels 1 and 2 (which fill the width of the longer stamp), else 3.
pub(super) fn reserved(level: Level) -> usize {
    if level < Level::Four { 9 } else { 3 }
}

/// Why octets are not a command, or a value does not fit into a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodecError {
    /// The Stream Transmission Header is not `10` and a length of 5 to 100003.
    Header([u8; 4]),
    /// The first octet belongs to no command of this level.
    Unknown(u8),
    /// The Exchange Buffer is too short or too long for its command.
    Length(&'static str, usize),
    /// A field has a forbidden value: command, field, value.
    Field(&'static str, &'static str, String),
}

impl CodecError {
    /// The ESID reason that fits (RFC 5024 §5.3.11).
    pub fn reason(&self) -> u8 {
        match self {
            Self::Unknown(_) => 1,
            Self::Header(_) => 2,
            Self::Field(..) => 6,
            Self::Length(..) => 7,
        }
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(octets) => write!(f, "the octets {octets:02x?} are no Stream Transmission Header"),
            Self::Unknown(octet) => write!(f, "the octet {octet:#04x} begins no command of this level"),
            Self::Length(command, octets) => write!(f, "{command} cannot be {octets} octets long"),
            Self::Field(command, field, found) => {
                write!(f, "{command} has {} in field {field}", found.escape_debug())
            }
        }
    }
}

impl std::error::Error for CodecError {}

/// Writes one command, field by field; the first value that does not fit is stored and returned at the end.
pub(super) struct Put {
    command: &'static str,
    octets: Vec<u8>,
    fault: Option<CodecError>,
}

impl Put {
    pub(super) fn new(command: &'static str, code: u8) -> Self {
        Self { command, octets: vec![code], fault: None }
    }

    fn refuse(&mut self, field: &'static str, found: String) {
        self.fault.get_or_insert(CodecError::Field(self.command, field, found));
    }

    /// X(width): left justified, padded with spaces; one octet a character.
    pub(super) fn text(mut self, field: &'static str, width: usize, text: &str) -> Self {
        let octets: Vec<u8> = text.chars().filter_map(|c| u8::try_from(c).ok()).collect();
        if octets.len() > width || octets.len() < text.chars().count() {
            self.refuse(field, text.to_owned());
        } else {
            self.octets.extend_from_slice(&octets);
            self.octets.resize(self.octets.len() + width - octets.len(), b' ');
        }
        self
    }

    /// 9(width): right justified, padded with zeros.
    pub(super) fn number(mut self, field: &'static str, width: usize, number: u64) -> Self {
        let digits = format!("{number:0width$}");
        if digits.len() > width {
            self.refuse(field, digits);
        } else {
            self.octets.extend_from_slice(digits.as_bytes());
        }
        self
    }

    pub(super) fn flag(mut self, yes: bool) -> Self {
        self.octets.push(if yes { b'Y' } else { b'N' });
        self
    }

    pub(super) fn raw(mut self, octets: &[u8]) -> Self {
        self.octets.extend_from_slice(octets);
        self
    }

    /// T(n) after its 9(3) octet count.
    pub(super) fn counted_text(mut self, field: &'static str, text: &str) -> Self {
        if text.len() > 999 {
            self.refuse(field, text.to_owned());
            return self;
        }
        self.number(field, 3, text.len() as u64).raw(text.as_bytes())
    }

    /// U(n) after its two-octet count.
    pub(super) fn counted_octets(mut self, field: &'static str, octets: &[u8]) -> Self {
        if let Ok(count) = u16::try_from(octets.len()) {
            return self.raw(&count.to_be_bytes()).raw(octets);
        }
        self.refuse(field, format!("{} octets", octets.len()));
        self
    }

    pub(super) fn done(self) -> Result<Vec<u8>, CodecError> {
        self.fault.map_or(Ok(self.octets), Err)
    }
}

/// Reads one command, field by field.
pub(super) struct Get<'a> {
    command: &'static str,
    octets: &'a [u8],
    at: usize,
}

impl<'a> Get<'a> {
    /// `octets` begins with the command's own octet.
    pub(super) fn new(command: &'static str, octets: &'a [u8]) -> Self {
        Self { command, octets, at: 1 }
    }

    pub(super) fn raw(&mut self, width: usize) -> Result<&'a [u8], CodecError> {
        let field = self
            .octets
            .get(self.at..self.at + width)
            .ok_or(CodecError::Length(self.command, self.octets.len()))?;
        self.at += width;
        Ok(field)
    }

    pub(super) fn refuse(&self, field: &'static str, found: &[u8]) -> CodecError {
        CodecError::Field(self.command, field, String::from_utf8_lossy(found).into_owned())
    }

    /// X(width), without its padding. Octets above 7F are kept one to one, so that a text can be written unchanged.
    pub(super) fn text(&mut self, width: usize) -> Result<String, CodecError> {
        let field = self.raw(width)?;
        Ok(field.iter().map(|&octet| char::from(octet)).collect::<String>().trim_end_matches(' ').to_owned())
    }

    pub(super) fn number(&mut self, field: &'static str, width: usize) -> Result<u64, CodecError> {
        let digits = self.raw(width)?;
        digits
            .iter()
            .try_fold(0_u64, |sum, octet| octet.is_ascii_digit().then(|| sum * 10 + u64::from(octet - b'0')))
            .ok_or_else(|| self.refuse(field, digits))
    }

    /// A two-digit reason or code.
    pub(super) fn reason(&mut self, field: &'static str) -> Result<u8, CodecError> {
        Ok(u8::try_from(self.number(field, 2)?).unwrap_or(99))
    }

    pub(super) fn flag(&mut self, field: &'static str) -> Result<bool, CodecError> {
        match self.raw(1)? {
            b"Y" => Ok(true),
            b"N" => Ok(false),
            other => Err(self.refuse(field, other)),
        }
    }

    pub(super) fn counted_text(&mut self, field: &'static str) -> Result<String, CodecError> {
        let count = usize::try_from(self.number(field, 3)?).unwrap_or(usize::MAX);
        let text = self.raw(count)?;
        String::from_utf8(text.to_vec()).map_err(|_| self.refuse(field, text))
    }

    pub(super) fn counted_octets(&mut self) -> Result<Vec<u8>, CodecError> {
        let count = self.raw(2)?.iter().fold(0, |sum, &octet| sum * 256 + usize::from(octet));
        self.raw(count).map(<[u8]>::to_vec)
    }

    /// SSRM, SSID and ESID end in a carriage return, with or without a parity bit.
    pub(super) fn carriage_return(&mut self) -> Result<(), CodecError> {
        match self.raw(1)? {
            [0x0d | 0x8d] => Ok(()),
            other => Err(self.refuse("CR", other)),
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.octets.len()
    }

    pub(super) fn done<T>(self, value: T) -> Result<T, CodecError> {
        if self.is_at_end() { Ok(value) } else { Err(CodecError::Length(self.command, self.octets.len())) }
    }
}
