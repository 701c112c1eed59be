//! The layout of each message: one table of fields, sizes, formats and levels (RFC 5024 §5.3, RFC 2204 §5.3).
//!
//! Lengths, field checks and descriptions all use this table. Level 4 has no public specification: its layout is the
//! one of RFC 2204 with the long time stamps and NERP, as RFC 5024 §1.2 describes it and open stacks implement it.

use super::buffer::MAX_OEB;
use super::command::CommandCode;
use super::level::{ALL, L2_DOWN, L4_DOWN, L4_UP, L5, Level, Levels};
use super::reason_codes::{Codes, EFNA_CODES, ESID_CODES, NERP_CODES, SFNA_CODES};

/// The format of a field's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// The command's first octet, already recognised.
    Code,
    /// These octets.
    Literal(&'static [u8]),
    /// Carriage return, with or without its parity bit.
    Cr,
    /// One of these characters.
    OneOf(&'static [u8]),
    /// Decimal digits, value from ..= to.
    Number(u64, u64),
    /// Decimal digits that count something of a file, value up to ...; not a length of a field and not a negotiated
    /// value.
    Amount(u64),
    /// Two digits out of a list.
    Reason(Codes),
    /// Alphanumeric text, may be blank.
    Text,
    /// Alphanumeric text, not blank.
    Name,
    /// Alphanumeric text that is never shown.
    Password,
    /// Identification code of a file's originator or destination (RFC 5024 §5.4).
    Ident,
    /// Identification code of the sender of the message.
    OwnIdent,
    /// Spaces.
    Reserved,
    /// YYMMDD.
    Date6,
    /// CCYYMMDD.
    Date8,
    /// HHMMSS.
    Time6,
    /// HHMMSScccc.
    Time10,
    /// Three digits: octets of the next field.
    Count9,
    /// Two octets, big-endian: octets of the next field; from ..= to.
    Count2(u16, u16),
    /// UTF-8.
    Utf8,
    /// Any octets.
    Octets,
    /// Subrecords (RFC 5024 §7), judged by `data`.
    Subrecords,
}

/// The length of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Fixed(usize),
    /// As many as the length field before it says.
    Counted,
    /// All that is left.
    Rest,
}

/// One field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) size: Size,
    pub(super) format: Format,
    pub(super) levels: Levels,
}

const fn at(levels: Levels, name: &'static str, octets: usize, format: Format) -> Field {
    Field { name, size: Size::Fixed(octets), format, levels }
}

const fn all(name: &'static str, octets: usize, format: Format) -> Field {
    at(ALL, name, octets, format)
}

const fn l5(name: &'static str, octets: usize, format: Format) -> Field {
    at(L5, name, octets, format)
}

/// A variable field of level 5, with its length field before it.
const fn counted(name: &'static str, format: Format) -> Field {
    Field { name, size: Size::Counted, format, levels: L5 }
}

use Format as F;

/// An amount without its own upper limit.
const fn digits(width: u32) -> Format {
    F::Amount(10_u64.pow(width).saturating_sub(1))
}

const YN: Format = F::OneOf(b"YN");

const SSRM: &[Field] = &[
    all("SSRMCMD", 1, F::Code),
    all("SSRMMSG", 17, F::Literal(b"ODETTE FTP READY ")),
    all("SSRMCR", 1, F::Cr),
];

const SSID: &[Field] = &[
    all("SSIDCMD", 1, F::Code),
    all("SSIDLEV", 1, F::OneOf(b"1245")),
    all("SSIDCODE", 25, F::OwnIdent),
    all("SSIDPSWD", 8, F::Password),
    all("SSIDSDEB", 5, F::Number(128, 99_999)),
    all("SSIDSR", 1, F::OneOf(b"SRB")),
    all("SSIDCMPR", 1, YN),
    all("SSIDREST", 1, YN),
    all("SSIDSPEC", 1, YN),
    all("SSIDCRED", 3, F::Number(1, 999)),
    l5("SSIDAUTH", 1, YN),
    l5("SSIDRSV1", 4, F::Reserved),
    at(L4_DOWN, "SSIDRSV1", 5, F::Reserved),
    all("SSIDUSER", 8, F::Text),
    all("SSIDCR", 1, F::Cr),
];

const SFID: &[Field] = &[
    all("SFIDCMD", 1, F::Code),
    all("SFIDDSN", 26, F::Name),
    at(L4_UP, "SFIDRSV1", 3, F::Reserved),
    at(L4_UP, "SFIDDATE", 8, F::Date8),
    at(L4_UP, "SFIDTIME", 10, F::Time10),
    at(L2_DOWN, "SFIDRSV1", 9, F::Reserved),
    at(L2_DOWN, "SFIDDATE", 6, F::Date6),
    at(L2_DOWN, "SFIDTIME", 6, F::Time6),
    all("SFIDUSER", 8, F::Text),
    all("SFIDDEST", 25, F::Ident),
    all("SFIDORIG", 25, F::Ident),
    all("SFIDFMT", 1, F::OneOf(b"FVUT")),
    all("SFIDLRECL", 5, digits(5)),
    at(L4_DOWN, "SFIDFSIZ", 7, digits(7)),
    at(L4_DOWN, "SFIDREST", 9, digits(9)),
    l5("SFIDFSIZ", 13, digits(13)),
    l5("SFIDOSIZ", 13, digits(13)),
    l5("SFIDREST", 17, digits(17)),
    l5("SFIDSEC", 2, F::Number(0, 3)),
    l5("SFIDCIPH", 2, F::Number(0, 99)),
    l5("SFIDCOMP", 1, F::Number(0, 1)),
    l5("SFIDENV", 1, F::Number(0, 1)),
    l5("SFIDSIGN", 1, YN),
    l5("SFIDDESCL", 3, F::Count9),
    counted("SFIDDESC", F::Utf8),
];

const SFPA: &[Field] =
    &[all("SFPACMD", 1, F::Code), at(L4_DOWN, "SFPAACNT", 9, digits(9)), l5("SFPAACNT", 17, digits(17))];

const SFNA: &[Field] = &[
    all("SFNACMD", 1, F::Code),
    all("SFNAREAS", 2, F::Reason(SFNA_CODES)),
    all("SFNARRTR", 1, YN),
    l5("SFNAREASL", 3, F::Count9),
    counted("SFNAREAST", F::Utf8),
];

const DATA: &[Field] = &[
    all("DATACMD", 1, F::Code),
    Field { name: "DATABUF", size: Size::Rest, format: F::Subrecords, levels: ALL },
];

const CDT: &[Field] = &[all("CDTCMD", 1, F::Code), all("CDTRSV1", 2, F::Reserved)];

const EFID: &[Field] = &[
    all("EFIDCMD", 1, F::Code),
    at(L4_DOWN, "EFIDRCNT", 9, digits(9)),
    at(L4_DOWN, "EFIDUCNT", 12, digits(12)),
    l5("EFIDRCNT", 17, digits(17)),
    l5("EFIDUCNT", 17, digits(17)),
];

const EFPA: &[Field] = &[all("EFPACMD", 1, F::Code), all("EFPACD", 1, YN)];

const EFNA: &[Field] = &[
    all("EFNACMD", 1, F::Code),
    all("EFNAREAS", 2, F::Reason(EFNA_CODES)),
    l5("EFNAREASL", 3, F::Count9),
    counted("EFNAREAST", F::Utf8),
];

const ESID: &[Field] = &[
    all("ESIDCMD", 1, F::Code),
    all("ESIDREAS", 2, F::Reason(ESID_CODES)),
    l5("ESIDREASL", 3, F::Count9),
    counted("ESIDREAST", F::Utf8),
    all("ESIDCR", 1, F::Cr),
];

const CD: &[Field] = &[all("CDCMD", 1, F::Code)];
const RTR: &[Field] = &[all("RTRCMD", 1, F::Code)];
const SECD: &[Field] = &[all("SECDCMD", 1, F::Code)];

const EERP: &[Field] = &[
    all("EERPCMD", 1, F::Code),
    all("EERPDSN", 26, F::Name),
    at(L4_UP, "EERPRSV1", 3, F::Reserved),
    at(L4_UP, "EERPDATE", 8, F::Date8),
    at(L4_UP, "EERPTIME", 10, F::Time10),
    at(L2_DOWN, "EERPRSV1", 9, F::Reserved),
    at(L2_DOWN, "EERPDATE", 6, F::Date6),
    at(L2_DOWN, "EERPTIME", 6, F::Time6),
    all("EERPUSER", 8, F::Text),
    all("EERPDEST", 25, F::Ident),
    all("EERPORIG", 25, F::Ident),
    l5("EERPHSHL", 2, F::Count2(0, u16::MAX)),
    counted("EERPHSH", F::Octets),
    l5("EERPSIGL", 2, F::Count2(0, u16::MAX)),
    counted("EERPSIG", F::Octets),
];

const NERP: &[Field] = &[
    all("NERPCMD", 1, F::Code),
    all("NERPDSN", 26, F::Name),
    all("NERPRSV1", 6, F::Reserved),
    all("NERPDATE", 8, F::Date8),
    all("NERPTIME", 10, F::Time10),
    all("NERPDEST", 25, F::Ident),
    all("NERPORIG", 25, F::Ident),
    all("NERPCREA", 25, F::Ident),
    all("NERPREAS", 2, F::Reason(NERP_CODES)),
    l5("NERPREASL", 3, F::Count9),
    counted("NERPREAST", F::Utf8),
    l5("NERPHSHL", 2, F::Count2(0, u16::MAX)),
    counted("NERPHSH", F::Octets),
    l5("NERPSIGL", 2, F::Count2(0, u16::MAX)),
    counted("NERPSIG", F::Octets),
];

/// A challenge has 300 to 900 octets in practice; 8 KiB is far above that and limits what an unauthenticated peer may
/// send.
const AUCH: &[Field] =
    &[all("AUCHCMD", 1, F::Code), all("AUCHCHLL", 2, F::Count2(1, 8192)), counted("AUCHCHAL", F::Octets)];

const AURP: &[Field] = &[all("AURPCMD", 1, F::Code), all("AURPRSP", 20, F::Octets)];

/// Every field of the command at any level, in the order on the wire.
const fn fields(code: CommandCode) -> &'static [Field] {
    match code {
        CommandCode::Ssrm => SSRM,
        CommandCode::Ssid => SSID,
        CommandCode::Sfid => SFID,
        CommandCode::Sfpa => SFPA,
        CommandCode::Sfna => SFNA,
        CommandCode::Data => DATA,
        CommandCode::Cdt => CDT,
        CommandCode::Efid => EFID,
        CommandCode::Efpa => EFPA,
        CommandCode::Efna => EFNA,
        CommandCode::Esid => ESID,
        CommandCode::Cd => CD,
        CommandCode::Eerp => EERP,
        CommandCode::Nerp => NERP,
        CommandCode::Rtr => RTR,
        CommandCode::Secd => SECD,
        CommandCode::Auch => AUCH,
        CommandCode::Aurp => AURP,
    }
}

/// One message at one level: the fields that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) code: CommandCode,
    pub(super) level: Level,
    /// Fields of the command's list that are missing at the end (tolerated cuts).
    left_off: usize,
}

impl Layout {
    pub(super) fn new(code: CommandCode, level: Level) -> Self {
        Self { code, level, left_off: 0 }
    }

    /// The layout of an SSID: its own SSIDLEV decides, also before a level is agreed on.
    pub(super) fn of_ssid(oeb: &[u8]) -> Self {
        let level = oeb.get(1).and_then(|&digit| Level::from_digit(digit)).unwrap_or(Level::L5);
        Self::new(CommandCode::Ssid, level)
    }

    /// The same message at another level.
    pub(super) fn at(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// The same without its last field: some stacks omit CR or reserved octets.
    pub(super) fn cut(self) -> Self {
        Self { left_off: 1, ..self }
    }

    /// The same without the last `pairs` of a length field and its content, the fields that level 5 has added at the
    /// end; none if it has no such fields. The challenge of AUCH cannot be left off: without it the command would be
    /// empty.
    pub(super) fn without_tail(self, pairs: usize) -> Option<Self> {
        let left_off = pairs.checked_mul(2)?;
        let used = fields(self.code).len().checked_sub(left_off)?;
        let tail = fields(self.code).get(used..).filter(|tail| !tail.is_empty())?;
        let is_tail = self.level == Level::L5
            && self.code != CommandCode::Auch
            && tail.chunks(2).all(|pair| matches!(pair, [_, text] if text.size == Size::Counted));
        is_tail.then_some(Self { left_off, ..self })
    }

    /// The fields in the order on the wire.
    pub(super) fn fields(self) -> impl Iterator<Item = &'static Field> {
        let all = fields(self.code);
        let used = all.len().saturating_sub(self.left_off);
        all.iter().take(used).filter(move |field| field.levels.has(self.level))
    }

    /// Least and greatest length of the Exchange Buffer according to its fields, octets.
    pub(super) fn bounds(self) -> (usize, usize) {
        let (mut least, mut greatest, mut count) = (0_usize, 0_usize, 0_usize);
        for field in self.fields() {
            match field.size {
                Size::Fixed(octets) => {
                    least = least.saturating_add(octets);
                    greatest = greatest.saturating_add(octets);
                }
                Size::Counted => greatest = greatest.saturating_add(count),
                Size::Rest => greatest = MAX_OEB,
            }
            count = match field.format {
                Format::Count9 => 999,
                Format::Count2(..) => usize::from(u16::MAX),
                _ => 0,
            };
        }
        (least, greatest.min(MAX_OEB))
    }
}

#[cfg(test)]
mod tests {
    use super::Layout;
    use crate::oftp::{CommandCode, Level};

    /// The lengths in the standard's tables, levels 1, 2, 4 and 5.
    #[test]
    fn lengths_are_those_of_the_standard() {
        use CommandCode as C;
        let printed = [
            (C::Ssrm, (19, 19), (19, 19), (19, 19)),
            (C::Ssid, (61, 61), (61, 61), (61, 61)),
            (C::Sfid, (128, 128), (128, 128), (165, 1164)),
            (C::Sfpa, (10, 10), (10, 10), (18, 18)),
            (C::Sfna, (4, 4), (4, 4), (7, 1006)),
            (C::Data, (1, 99_999), (1, 99_999), (1, 99_999)),
            (C::Cdt, (3, 3), (3, 3), (3, 3)),
            (C::Efid, (22, 22), (22, 22), (35, 35)),
            (C::Efpa, (2, 2), (2, 2), (2, 2)),
            (C::Efna, (3, 3), (3, 3), (6, 1005)),
            (C::Esid, (4, 4), (4, 4), (7, 1006)),
            (C::Cd, (1, 1), (1, 1), (1, 1)),
            (C::Eerp, (106, 106), (106, 106), (110, 99_999)),
            (C::Rtr, (1, 1), (1, 1), (1, 1)),
        ];
        for (code, low, four, five) in printed {
            assert_eq!(Layout::new(code, Level::L1).bounds(), low, "{code}");
            assert_eq!(Layout::new(code, Level::L2).bounds(), low, "{code}");
            assert_eq!(Layout::new(code, Level::L4).bounds(), four, "{code}");
            assert_eq!(Layout::new(code, Level::L5).bounds(), five, "{code}");
        }
        assert_eq!(Layout::new(C::Nerp, Level::L4).bounds(), (128, 128));
        assert_eq!(Layout::new(C::Nerp, Level::L5).bounds(), (135, 99_999));
        assert_eq!(Layout::new(C::Secd, Level::L5).bounds(), (1, 1));
        assert_eq!(Layout::new(C::Auch, Level::L5).bounds(), (3, 65_538));
        assert_eq!(Layout::new(C::Aurp, Level::L5).bounds(), (21, 21));
    }

    /// Which commands of level 5 end with added fields, and how long they are without them.
    #[test]
    fn tails_of_level_5_are_pairs_of_a_length_and_what_it_counts() {
        use CommandCode as C;
        let shortest =
            |code, pairs| Layout::new(code, Level::L5).without_tail(pairs).map(|cut| cut.bounds().0);
        let tails = [
            (C::Nerp, [Some(133), Some(131), Some(128), None]),
            (C::Eerp, [Some(108), Some(106), None, None]),
            (C::Sfid, [Some(162), None, None, None]),
            (C::Sfna, [Some(4), None, None, None]),
            (C::Efna, [Some(3), None, None, None]),
        ];
        for (code, lengths) in tails {
            assert_eq!([1, 2, 3, 4].map(|pairs| shortest(code, pairs)), lengths, "{code}");
            assert_eq!(Layout::new(code, Level::L4).without_tail(1), None, "{code}");
        }
        let others = [
            C::Ssrm,
            C::Ssid,
            C::Sfpa,
            C::Data,
            C::Cdt,
            C::Efid,
            C::Efpa,
            C::Esid,
            C::Cd,
            C::Rtr,
            C::Secd,
            C::Auch,
            C::Aurp,
        ];
        for code in others {
            assert_eq!((shortest(code, 0), shortest(code, 1)), (None, None), "{code}");
        }
    }
}
