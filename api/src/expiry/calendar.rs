//! Everything that expires as a calendar (RFC 5545): one event of a whole day for each item, with a reminder. An event
//! keeps its identity only while its item has the same end, so that a renewed item is a new event.

use super::End;
use crate::db::DbError;
use crate::language::Language;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use common::text::{clock, hex};
use sqlx::AnyConnection;
use std::fmt::Write as _;

/// Octets of a line (RFC 5545 section 3.1).
const LINE: usize = 75;

/// The answer to a request for the calendar.
pub(crate) async fn answer(connection: &mut AnyConnection) -> Result<Response, DbError> {
    let text = of(&super::ends(connection).await?, clock::now());
    let headers = [
        (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"os4x-expiry.ics\""),
    ];
    Ok((headers, text).into_response())
}

/// The calendar of all items that a person has to renew; `now` stamps it.
pub(crate) fn of(all: &[End], now: i64) -> String {
    let mut text = String::new();
    let mut line = |line: &str| fold(&mut text, line);
    line("BEGIN:VCALENDAR");
    line("VERSION:2.0");
    line("PRODID:-//OS4Xapi//expiry//EN");
    for end in all.iter().filter(|end| !end.ending.by_itself()) {
        let Some(ends) = end.ends else { continue };
        let (what, renewal) = (end.ending.what(Language::English), end.ending.renewal(Language::English));
        let identity = openssl::sha::sha256(format!("{}\n{}\n{ends}", what, end.name).as_bytes());
        line("BEGIN:VEVENT");
        line(&format!("UID:{}@os4xapi", hex::encode(&identity)));
        line(&format!("DTSTAMP:{}", clock::basic(now)));
        line(&format!("DTSTART;VALUE=DATE:{}", clock::basic(ends).split('T').next().unwrap_or_default()));
        line(&format!("SUMMARY:{}", escaped(&format!("{} ends: {}", what, end.name))));
        line(&format!("DESCRIPTION:{}", escaped(&format!("{}\n{}", clock::rfc3339(ends), renewal))));
        line("TRANSP:TRANSPARENT");
        line("BEGIN:VALARM");
        line("ACTION:DISPLAY");
        line(&format!("DESCRIPTION:{}", escaped(&renewal)));
        line("TRIGGER:-P30D");
        line("END:VALARM");
        line("END:VEVENT");
    }
    line("END:VCALENDAR");
    text
}

/// A text as a value (RFC 5545 section 3.3.11).
fn escaped(text: &str) -> String {
    let mut value = String::new();
    for character in text.chars() {
        match character {
            '\\' | ';' | ',' => {
                let _ = write!(value, "\\{character}");
            }
            '\n' => value.push_str("\\n"),
            other if other.is_control() => value.push(' '),
            other => value.push(other),
        }
    }
    value
}

/// Appends a line, in pieces that are short enough; no character is cut.
fn fold(text: &mut String, line: &str) {
    let mut length = 0;
    for character in line.chars() {
        if length + character.len_utf8() > LINE {
            text.push_str("\r\n ");
            length = 1;
        }
        text.push(character);
        length += character.len_utf8();
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::{End, of};
    use crate::expiry::Ending;

    #[test]
    fn a_calendar_has_short_lines_and_only_what_somebody_has_to_renew() {
        let end = |name: &str, ending| End { ending, name: name.to_owned(), ends: Some(951_782_400) };
        let pin = Ending::Pin { partner: "ACME".to_owned() };
        let long = format!("ACME: {}; O=Ü, Ltd", "ü".repeat(80));
        let text = of(&[end(&long, pin), end("other", Ending::Ban)], 0);
        assert_eq!(text.matches("BEGIN:VEVENT").count(), 1);
        assert!(text.contains("\r\nDTSTART;VALUE=DATE:20000229\r\nSUMMARY:pin ends: ACME: "), "{text}");
        assert!(text.lines().all(|line| line.trim_end_matches('\r').len() <= 75), "{text}");
        assert!(!text.replace("\r\n", "").contains('\n'));
        let unfolded = text.replace("\r\n ", "");
        assert!(unfolded.contains(&format!("{}\\; O=Ü\\, Ltd\r\n", "ü".repeat(80))), "{unfolded}");
    }
}
