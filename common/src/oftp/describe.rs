//! A buffer as text: `SFID SFIDDSN="..." ...`, for DEBUG lines of a session and for `oftp2check`.
//!
//! Values are escaped and their length is limited, the password is masked, DATA is summed up. Broken buffers are
//! described as far as they can be read.

use super::buffer::STH;
use super::command::CommandCode;
use super::layout::{Format, Layout};
use super::level::Level;
use super::message::{readable, walk};
use super::{data, escape};
use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;

/// The place of SSIDPSWD in an SSID, at every level (a test compares it with the table).
const PASSWORD: Range<usize> = 27..35;

/// `stb` as a log may show it: the password of an SSID is overwritten with `X`, also in a broken SSID. All other octets
/// stay as they are, and the result still decodes.
pub fn masked(stb: &[u8]) -> Cow<'_, [u8]> {
    if stb.get(STH) != Some(&CommandCode::Ssid.octet()) {
        return Cow::Borrowed(stb);
    }
    let mut copy = stb.to_vec();
    copy.iter_mut()
        .skip(STH.saturating_add(PASSWORD.start))
        .take(PASSWORD.len())
        .for_each(|octet| *octet = b'X');
    Cow::Owned(copy)
}

/// One line: the command and its fields. `level` none: before the second SSID; then the layout that fits is used.
pub fn describe(stb: &[u8], level: Option<Level>) -> String {
    let oeb = stb.get(STH..).unwrap_or_default();
    let Some(code) = oeb.first().and_then(|&octet| CommandCode::from_octet(octet)) else {
        return format!("unknown command of {} octets", stb.len());
    };
    let mut line = code.to_string();
    if code == CommandCode::Data {
        describe_data(&mut line, oeb);
        return line;
    }
    describe_fields(stb, level, |name, _, value| {
        // Writing to a String cannot fail.
        let _ = write!(line, " {name}={value}");
    });
    line
}

/// Calls `visit` with name, offset in the Exchange Buffer and escaped value of each readable field, without the command
/// code and reserved spaces.
pub fn describe_fields(stb: &[u8], level: Option<Level>, mut visit: impl FnMut(&'static str, usize, String)) {
    let oeb = stb.get(STH..).unwrap_or_default();
    let Some(code) = oeb.first().and_then(|&octet| CommandCode::from_octet(octet)) else { return };
    let level = if code == CommandCode::Ssid { Some(Layout::of_ssid(oeb).level) } else { level };
    let layout = readable(code, oeb, level);
    // A fault ends the walk: the fields before it are shown.
    let _ = walk(layout, oeb, |field, offset, octets| {
        let value = match field.format {
            Format::Code | Format::Cr => return Ok(()),
            Format::Reserved if octets.iter().all(|&octet| octet == b' ') => return Ok(()),
            Format::Password => "<masked>".into(),
            Format::Count2(..) => {
                super::field::big_endian(octets).map_or(String::new(), |count| count.to_string())
            }
            Format::Octets => format!("<{} octets>", octets.len()),
            Format::Number(..)
            | Format::Amount(_)
            | Format::Count9
            | Format::Reason(_)
            | Format::OneOf(_)
                if octets.iter().all(u8::is_ascii_alphanumeric) =>
            {
                String::from_utf8_lossy(octets).into_owned()
            }
            Format::Utf8 => escape::quoted_text(octets),
            _ => escape::quoted(escape::trimmed(octets)),
        };
        visit(field.name, offset, value);
        Ok(())
    });
}

fn describe_data(line: &mut String, oeb: &[u8]) {
    let (mut count, mut octets, mut ends, mut runs) = (0_u64, 0_u64, 0_u64, 0_u64);
    data::subrecords(oeb, |end, compressed, length, _| {
        count = count.saturating_add(1);
        octets = octets.saturating_add(u64::from(length));
        ends = ends.saturating_add(u64::from(end));
        runs = runs.saturating_add(u64::from(compressed));
    });
    // Writing to a String cannot fail.
    let _ = write!(
        line,
        " length={} subrecords={count} compressed={runs} octets={octets} ends_of_record={ends}",
        oeb.len()
    );
}

#[cfg(test)]
mod tests {
    use super::{PASSWORD, describe, masked};
    use crate::oftp::layout::Layout;
    use crate::oftp::{CommandCode, Level, SSRM, message};

    #[test]
    fn a_password_is_never_shown() {
        let ssid = b"\x10\x00\x00\x41X5O0013000000ALPHA   HOST01ALPHAPW102048BYYN010N            \r";
        let line = describe(ssid, None);
        assert!(
            line.starts_with("SSID SSIDLEV=5 SSIDCODE=\"O0013000000ALPHA   HOST01\" SSIDPSWD=<masked>"),
            "{line}"
        );
        assert!(!line.contains("ALPHAPW"), "{line}");
    }

    #[test]
    fn a_masked_ssid_still_decodes() {
        let ssid = b"\x10\x00\x00\x41X5O0013000000ALPHA   HOST01ALPHAPW102048BYYN010N            \r";
        for level in [Level::L1, Level::L5] {
            let layout = Layout::new(CommandCode::Ssid, level);
            assert_eq!(message::value(layout, &ssid[4..], "SSIDPSWD"), ssid[4..].get(PASSWORD));
        }
        assert_eq!(masked(ssid).len(), ssid.len());
        assert_eq!(describe(&masked(ssid), None), describe(ssid, None));
        assert!(!masked(ssid).windows(7).any(|part| part == b"ALPHAPW"));
        assert!(!masked(&ssid[..37]).windows(2).any(|part| part == b"PW"), "a cut one too");
        assert_eq!(*masked(&SSRM), SSRM);
    }

    #[test]
    fn data_is_summed_up() {
        let data = b"\x10\x00\x00\x0bD\x7f \x83ABC";
        assert_eq!(
            describe(data, Some(Level::L5)),
            "DATA length=7 subrecords=2 compressed=1 octets=66 ends_of_record=1"
        );
    }
}
