//! One message checked against the table: the layout of a buffer, its length, and its fields.
//!
//! Knows the level and the profile, not the session. Findings that do not refuse are passed to the caller one by one.

use super::buffer::MAX_STB;
use super::buffer::STH;
use super::command::CommandCode;
use super::deviation::{Deviation, Deviations};
use super::escape;
use super::field::{self, FieldVerdict};
use super::layout::{Field, Format, Layout, Size};
use super::level::Level;
use super::note::Note;
use super::profile::Profile;
use super::reason_codes::EsidReason;
use super::side::Side;
use super::violation::{MessageFault, Violation};

/// A finding in a message that is accepted nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Deviation(Deviation, Option<&'static str>),
    Remark(&'static str),
}

/// The deviations of one message, each once.
#[derive(Default)]
pub(super) struct Findings {
    seen: Deviations,
    list: [Option<(Deviation, Option<&'static str>)>; 8],
}

impl Findings {
    pub(super) fn add(&mut self, deviation: Deviation, field: Option<&'static str>) {
        if self.seen.add(deviation)
            && let Some(place) = self.list.iter_mut().find(|place| place.is_none())
        {
            *place = Some((deviation, field));
        }
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = (Deviation, Option<&'static str>)> {
        self.list.into_iter().flatten()
    }
}

/// A layout, and the deviation that is needed to read the buffer in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    layout: Layout,
    deviation: Option<Deviation>,
}

/// The layouts that a command may have, the expected one first. `level` none: before the second SSID, when ESID may
/// have either form (RFC 5024 says nothing about it; `man/doc/oftp2.md#esid-before-a-level-is-agreed`).
fn shapes(code: CommandCode, level: Option<Level>, profile: Profile) -> impl Iterator<Item = Shape> {
    let native = Layout::new(code, level.unwrap_or(Level::L5));
    let low = (code == CommandCode::Esid && level.is_none()).then_some(native.at(Level::L4));
    let plain = [Some(native), low].into_iter().flatten().map(|layout| Shape { layout, deviation: None });
    let others = tolerated(native).map(|other| other.filter(|(_, deviation)| profile.accepts(*deviation)));
    plain.chain(
        others.into_iter().flatten().map(|(layout, deviation)| Shape { layout, deviation: Some(deviation) }),
    )
}

impl Shape {
    fn is_as_long_as(self, length: usize) -> bool {
        let (least, greatest) = self.layout.bounds();
        (least..=greatest).contains(&length)
    }
}

/// Whether a command may have `length` octets, as far as that is known before its length fields have arrived.
pub(super) fn check_length(
    code: CommandCode,
    level: Option<Level>,
    length: usize,
    profile: Profile,
) -> Result<(), MessageFault> {
    let is_long_enough = |profile| shapes(code, level, profile).find(|shape| shape.is_as_long_as(length));
    if is_long_enough(profile).is_some() {
        return Ok(());
    }
    let other = is_long_enough(Profile::TOLERANT);
    Err(size_fault(code, level, length).bearable(other.and_then(|shape| shape.deviation)))
}

/// Chooses the layout in which a whole buffer can be read: the first one whose length fields agree with the buffer.
fn shape(
    code: CommandCode,
    oeb: &[u8],
    level: Option<Level>,
    profile: Profile,
) -> Result<Shape, MessageFault> {
    let mut first = None;
    for shape in shapes(code, level, profile).filter(|shape| shape.is_as_long_as(oeb.len())) {
        match lengths(shape.layout, oeb) {
            Ok(()) => return Ok(shape),
            Err(fault) => first = first.or(Some(fault)),
        }
    }
    Err(first.unwrap_or_else(|| size_fault(code, level, oeb.len())))
}

/// As `shape`; a refusal names the deviation that would be needed to read the buffer.
fn shape_by(
    code: CommandCode,
    oeb: &[u8],
    level: Option<Level>,
    profile: Profile,
) -> Result<Shape, MessageFault> {
    shape(code, oeb, level, profile).map_err(|fault| {
        let other = shape(code, oeb, level, Profile::TOLERANT).ok();
        fault.bearable(other.and_then(|shape| shape.deviation))
    })
}

/// The layout in which a buffer, even a broken one, can be shown best.
pub(super) fn readable(code: CommandCode, oeb: &[u8], level: Option<Level>) -> Layout {
    let native = Layout::new(code, level.unwrap_or(Level::L5));
    let mut long_enough =
        shapes(code, level, Profile::TOLERANT).filter(|shape| shape.is_as_long_as(oeb.len()));
    let fitting = shape(code, oeb, level, Profile::TOLERANT).ok().or_else(|| long_enough.next());
    fitting.map_or(native, |shape| shape.layout)
}

fn size_fault(code: CommandCode, level: Option<Level>, length: usize) -> MessageFault {
    let (least, greatest) = Layout::new(code, level.unwrap_or(Level::L5)).bounds();
    let expected =
        if least == greatest { format!("{least} octets") } else { format!("{least} to {greatest} octets") };
    MessageFault::size(None, 0, format!("{length} octets"), expected)
}

/// The other layouts in which real stacks send the message.
fn tolerated(native: Layout) -> [Option<(Layout, Deviation)>; 3] {
    let low = native.at(Level::L4);
    match native.code {
        CommandCode::Ssrm | CommandCode::Ssid => [Some((native.cut(), Deviation::C5)), None, None],
        CommandCode::Cdt => [Some((native.cut(), Deviation::C6)), None, None],
        CommandCode::Esid => {
            let high = native.at(Level::L5);
            let other = if native.level == Level::L5 { low } else { high };
            [
                Some((other, Deviation::C7)),
                Some((low.cut(), Deviation::C5)),
                Some((high.cut(), Deviation::C5)),
            ]
        }
        _ => [1, 2, 3].map(|pairs| Some((native.without_tail(pairs)?, Deviation::C5))),
    }
}

/// Calls `visit` for each field with its offset and octets; stops at the first one that does not fit.
pub(super) fn walk<'a>(
    layout: Layout,
    oeb: &'a [u8],
    mut visit: impl FnMut(&'static Field, usize, &'a [u8]) -> Result<(), MessageFault>,
) -> Result<(), MessageFault> {
    let (mut offset, mut count) = (0_usize, 0_usize);
    for field in layout.fields() {
        let rest = oeb.get(offset..).unwrap_or_default();
        let wanted = match field.size {
            Size::Fixed(octets) => octets,
            Size::Counted => count,
            Size::Rest => rest.len(),
        };
        let Some(octets) = rest.get(..wanted) else {
            let found = format!("{} octets left", rest.len());
            return Err(MessageFault::size(Some(field.name), offset, found, format!("{wanted} octets")));
        };
        visit(field, offset, octets)?;
        count = match field.format {
            Format::Count9 => field::number(octets).and_then(|n| usize::try_from(n).ok()).unwrap_or(0),
            Format::Count2(..) => field::big_endian(octets).map_or(0, usize::from),
            _ => 0,
        };
        offset = offset.saturating_add(wanted);
    }
    if offset == oeb.len() {
        return Ok(());
    }
    let found = format!("{} octets", oeb.len());
    Err(MessageFault::size(
        None,
        offset,
        found,
        format!("an end after {offset} octets, as its length fields say"),
    ))
}

/// The octets of the field called `name`, if the layout has it.
pub(super) fn value<'a>(layout: Layout, oeb: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut value = None;
    // A fault ends the walk; a value found before it counts.
    let _ = walk(layout, oeb, |field, _, octets| {
        if field.name == name {
            value = Some(octets);
        }
        Ok(())
    });
    value
}

/// The decimal value of the field called `name`, however it is padded; 0 if the layout has none.
pub(super) fn number(layout: Layout, oeb: &[u8], name: &str) -> u64 {
    value(layout, oeb, name).and_then(field::padded_number).unwrap_or(0)
}

/// Judges a whole Exchange Buffer except DATA's subrecords: first length fields (ESID 07), then contents (06), then
/// relations between fields (06). Calls `found` for each finding that is accepted.
pub(super) fn check(
    code: CommandCode,
    oeb: &[u8],
    level: Option<Level>,
    profile: Profile,
    mut found: impl FnMut(Finding),
) -> Result<Layout, MessageFault> {
    // The layout of an SSID depends on its own SSIDLEV.
    let level = if code == CommandCode::Ssid { Some(Layout::of_ssid(oeb).level) } else { level };
    let shape = shape_by(code, oeb, level, profile)?;
    // Another length is tolerated if all else is right; otherwise the length is the fault, as in the strict profile.
    let as_found = |fault| match shape.deviation {
        Some(_) => length_fault(code, oeb, level),
        None => fault,
    };
    contents(shape.layout, oeb, level, profile, &mut found).map_err(as_found)?;
    if let Some(deviation) = shape.deviation {
        found(Finding::Deviation(deviation, None));
    }
    relations(shape.layout, oeb, profile, &mut found).map_err(as_found)?;
    Ok(shape.layout)
}

/// The fault in the length of a buffer that does not have the expected layout.
fn length_fault(code: CommandCode, oeb: &[u8], level: Option<Level>) -> MessageFault {
    shape(code, oeb, level, Profile::STRICT).err().unwrap_or_else(|| size_fault(code, level, oeb.len()))
}

/// Checks that every length field agrees with the buffer. One that is no number is a fault of content, which is
/// reported first.
fn lengths(layout: Layout, oeb: &[u8]) -> Result<(), MessageFault> {
    walk(layout, oeb, |field, offset, octets| match field.format {
        Format::Count9 if field::number(octets).is_none() => {
            let expected = field::expectation(field.format);
            Err(MessageFault::content(field.name, offset, escape::quoted(octets), expected))
        }
        _ => Ok(()),
    })
}

fn contents(
    layout: Layout,
    oeb: &[u8],
    level: Option<Level>,
    profile: Profile,
    found: &mut impl FnMut(Finding),
) -> Result<(), MessageFault> {
    walk(layout, oeb, |field, offset, octets| match field::judge(field.format, octets, level) {
        FieldVerdict::Fits => Ok(()),
        FieldVerdict::Tolerated(deviation) if profile.accepts(deviation) => {
            found(Finding::Deviation(deviation, Some(field.name)));
            Ok(())
        }
        FieldVerdict::Tolerated(deviation) => {
            Err(content_fault(field, offset, octets).bearable(Some(deviation)))
        }
        FieldVerdict::Refused => Err(content_fault(field, offset, octets)),
    })
}

/// The fault of a field.
fn content_fault(field: &Field, offset: usize, octets: &[u8]) -> MessageFault {
    let shown = if field.format == Format::Password {
        "a value that is not shown".into()
    } else {
        escape::quoted(octets)
    };
    let fault = MessageFault::content(field.name, offset, shown, field::expectation(field.format));
    match field::section(field.format) {
        Some(section) => fault.by(section),
        None => fault,
    }
}

/// Relations between the fields of one message.
fn relations(
    layout: Layout,
    oeb: &[u8],
    profile: Profile,
    found: &mut impl FnMut(Finding),
) -> Result<(), MessageFault> {
    match layout.code {
        CommandCode::Sfid => sfid(layout, oeb, profile, found),
        CommandCode::Eerp => receipt(layout, oeb, ["EERPHSH", "EERPSIG", "EERPSIGL"], found),
        CommandCode::Nerp => receipt(layout, oeb, ["NERPHSH", "NERPSIG", "NERPSIGL"], found),
        _ => Ok(()),
    }
}

fn sfid(
    layout: Layout,
    oeb: &[u8],
    profile: Profile,
    found: &mut impl FnMut(Finding),
) -> Result<(), MessageFault> {
    let number = |name| number(layout, oeb, name);
    let format = value(layout, oeb, "SFIDFMT").and_then(<[u8]>::first).copied().unwrap_or(b'U');
    let records = number("SFIDLRECL");
    let serviced = number("SFIDSEC") != 0 || number("SFIDCOMP") != 0;
    let content = |name, found: String, expected: &str| {
        Err(MessageFault::content(name, offset_of(layout, oeb, name), found, expected.to_owned()))
    };
    if matches!(format, b'U' | b'T') && records != 0 {
        if !profile.accepts(Deviation::C15) {
            return content("SFIDLRECL", format!("\"{records:05}\""), "00000 for the formats U and T")
                .map_err(|fault| fault.bearable(Some(Deviation::C15)));
        }
        found(Finding::Deviation(Deviation::C15, Some("SFIDLRECL")));
    }
    if format == b'V' && serviced && records > 65_536 {
        return content("SFIDLRECL", format!("\"{records:05}\""), "at most 65536 for a V file with services");
    }
    if serviced && number("SFIDENV") != 1 {
        return content("SFIDENV", "\"0\"".into(), "1 where SFIDSEC is not 00 or SFIDCOMP is 1");
    }
    if matches!(format, b'F' | b'V') && records == 0 {
        found(Finding::Remark("record length 0 for a file of records"));
    }
    if number("SFIDSEC") != 0 && number("SFIDCIPH") == 0 {
        found(Finding::Remark("a secured file without a cipher suite"));
    }
    Ok(())
}

/// A hash needs a signature; its length is that of SHA-1, SHA-256 or SHA-512.
fn receipt(
    layout: Layout,
    oeb: &[u8],
    [hash, signature, signature_length]: [&'static str; 3],
    found: &mut impl FnMut(Finding),
) -> Result<(), MessageFault> {
    let octets = |name| value(layout, oeb, name).map_or(0, <[u8]>::len);
    if octets(hash) > 0 && octets(signature) == 0 {
        let at = offset_of(layout, oeb, signature_length);
        return Err(MessageFault::content(
            signature_length,
            at,
            "0".into(),
            "a signature where there is a hash",
        ));
    }
    if !matches!(octets(hash), 0 | 20 | 32 | 64) {
        found(Finding::Remark("hash that is not 20, 32 or 64 octets long"));
    }
    if octets(signature) > 32_768 {
        found(Finding::Remark("signature of more than 32 KiB"));
    }
    Ok(())
}

/// A whole ESID in the form of `level`. Below level 5, a reason that only level 5 has becomes 10. The text is cut at
/// 999 octets, between characters.
pub(super) fn esid(level: Level, reason: EsidReason, text: &str) -> Vec<u8> {
    let known = match reason {
        EsidReason::InvalidChallengeResponse | EsidReason::AuthenticationIncompatible
            if level != Level::L5 =>
        {
            EsidReason::IncompatibleMode
        }
        reason => reason,
    };
    let text = if level == Level::L5 { counted(text) } else { String::new() };
    buffer_of(&format!("F{}{text}\r", known.code()))
}

/// A whole SFNA in the form of `level`; it forbids another attempt.
pub(super) fn sfna(level: Level, reason: u8, text: &str) -> Vec<u8> {
    let text = if level == Level::L5 { counted(text) } else { String::new() };
    buffer_of(&format!("3{:02}N{text}", reason.min(99)))
}

/// A text of level 5 with its length field, cut at 999 octets, between characters.
fn counted(text: &str) -> String {
    let end = (0..=text.len().min(999)).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    let text = text.get(..end).unwrap_or_default();
    format!("{:03}{text}", text.len())
}

/// An Exchange Buffer of a few hundred octets with its header.
fn buffer_of(oeb: &str) -> Vec<u8> {
    let length = u32::try_from(oeb.len().saturating_add(STH)).unwrap_or(0);
    // Such a length needs 10 of the header's 24 bits.
    let mut stb = (length | 0x1000_0000).to_be_bytes().to_vec();
    stb.extend_from_slice(oeb.as_bytes());
    stb
}

/// The offset of the field called `name`.
pub(super) fn offset_of(layout: Layout, oeb: &[u8], name: &str) -> usize {
    let mut place = 0;
    let _ = walk(layout, oeb, |field, offset, _| {
        if field.name == name {
            place = offset;
        }
        Ok(())
    });
    place
}

/// The length in a Stream Transmission Header, header included; none while the header is incomplete (RFC 5024 §8.2).
pub(super) fn header(available: &[u8]) -> Result<Option<usize>, MessageFault> {
    let rule = "RFC 5024 §8.2";
    let wrong = |reason, offset, found, expected: &'static str| {
        let fault = MessageFault::content("STH", offset, found, expected).by(rule);
        Err(MessageFault { reason, ..fault })
    };
    let (Some(&first), rest) = (available.first(), available.get(1..4)) else { return Ok(None) };
    if first != 0x10 {
        let hint = match first {
            0x15 | 0x16 => " (TLS on the plain port?)",
            b'I' => " (a peer without Stream Transmission Headers?)",
            _ => "",
        };
        let found = format!("0x{first:02x}{hint}");
        return wrong(EsidReason::ProtocolViolation, 0, found, "0x10: version 1, flags 0");
    }
    let Some(&[high, middle, low]) = rest else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes([0, high, middle, low])).unwrap_or(usize::MAX);
    if !(STH < length && length <= MAX_STB) {
        let found = format!("the length {length}");
        return wrong(EsidReason::ExchangeBufferSize, 1, found, "a length of 5 to 100003");
    }
    Ok(Some(length))
}

/// The command with this first octet, if `level` has it.
pub(super) fn recognise(octet: u8, level: Option<Level>) -> Result<CommandCode, MessageFault> {
    let unknown = |found: String, expected: String| MessageFault {
        reason: EsidReason::CommandNotRecognised,
        ..MessageFault::content("CMD", 0, found, expected).by("RFC 5024 §5.3")
    };
    let Some(code) = CommandCode::from_octet(octet) else {
        return Err(unknown(escape::quoted(&[octet]), "the first octet of one of the 18 commands".into()));
    };
    match level {
        Some(level) if !code.exists_at(level) => {
            Err(unknown(code.name().into(), format!("a command of level {level}")))
        }
        _ => Ok(code),
    }
}

/// Judges one whole Stream Transmission Buffer alone, outside any session: header, command, length, fields, and
/// DATA's subrecords as far as they can be judged without a file. Returns a note of each deviation that was tolerated.
///
/// # Errors
/// The rule that the buffer breaks, and the ESID reason for it.
pub fn check_message(
    side: Side,
    stb: &[u8],
    level: Option<Level>,
    profile: Profile,
) -> Result<Vec<Note>, Violation> {
    let length = header(stb).map_err(|fault| fault.of(side, None))?;
    let Some((&first, oeb)) = stb.get(STH).zip(stb.get(STH..)) else {
        return Err(MessageFault::size(None, 0, format!("{} octets", stb.len()), "5 or more").of(side, None));
    };
    let code = recognise(first, level).map_err(|fault| fault.of(side, None))?;
    let with_code = |fault: MessageFault| fault.of(side, Some(code));
    if length != Some(stb.len()) {
        let expected = format!("{} octets, as the header says", length.unwrap_or(0));
        return Err(with_code(MessageFault::size(None, 0, format!("{} octets", stb.len()), expected)));
    }
    let mut tolerated = Findings::default();
    let note = |finding| {
        if let Finding::Deviation(deviation, field) = finding {
            tolerated.add(deviation, field);
        }
    };
    check(code, oeb, level, profile, note).map_err(with_code)?;
    if code == CommandCode::Data {
        super::data::check_alone(oeb, profile).map_err(with_code)?;
    }
    let note = |(deviation, field)| Note::Tolerated { deviation, side, command: code, field };
    Ok(tolerated.into_iter().map(note).collect())
}
