//! Builds the documented lines: an event's name, then `key=value` fields, values escaped.
//! Used by every process. Name, level and keys come from the row of `catalogue`.

use super::catalogue::Row;
use super::priority::Priority;
use super::process_level::enabled;
use super::writer::write_in;
use crate::text::escape::escape;
use std::fmt::{self, Display, Write};

/// One line under construction: `Event::new(&catalogue::SESSION_BEGIN).field("partner", &name).log()`.
#[derive(Debug)]
#[must_use = "an event is written by `log` or `log_at`"]
pub struct Event {
    row: &'static Row,
    level: Priority,
    text: String,
}

impl Event {
    /// Begins a line of this row of the catalogue.
    pub fn new(row: &'static Row) -> Self {
        let mut text = String::with_capacity(160);
        text.push_str(row.name);
        Self { row, level: row.level(), text }
    }

    /// Adds text or octets. They are escaped, so they may come from a peer. An optional key is left out if its value is
    /// empty.
    pub fn field(mut self, key: &'static str, value: impl AsRef<[u8]>) -> Self {
        if !(value.as_ref().is_empty() && self.row.is_optional(key)) {
            self.push(key, &escape(&value));
        }
        self
    }

    /// Adds a value with a `Display`, such as an address; it is escaped, too.
    pub fn field_display(self, key: &'static str, value: impl Display) -> Self {
        self.field(key, value.to_string())
    }

    /// Adds a number of any integer type.
    pub fn field_num(mut self, key: &'static str, value: impl TryInto<i128>) -> Self {
        // Only a u128 can fail, at 39 digits.
        self.push(key, &value.try_into().unwrap_or(i128::MAX));
        self
    }

    /// Adds text or octets if there are any; without a value the line has no such field.
    pub fn field_opt(self, key: &'static str, value: Option<impl AsRef<[u8]>>) -> Self {
        match value {
            Some(value) => self.field(key, value),
            None => self,
        }
    }

    /// Adds the number of similar lines that a `Throttle` has held back, if any.
    pub fn unlogged(self, lines: u64) -> Self {
        if lines > 0 { self.field_num("unlogged", lines) } else { self }
    }

    fn push(&mut self, key: &str, value: &dyn Display) {
        debug_assert!(self.row.has_key(key), "{} has no key {key}", self.row.name);
        // Writing to a String cannot fail.
        let _ = write!(self.text, " {key}={value}");
    }

    /// The line without time, level and process.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Chooses another level of its row.
    pub fn at(self, level: Priority) -> Self {
        debug_assert!(self.row.levels.contains(&level), "{} is never {level}", self.row.name);
        Self { level, ..self }
    }

    /// Its level: the first one of its row, unless another one was chosen.
    pub fn level(&self) -> Priority {
        self.level
    }

    /// The category part of its lines; none if its level is not written at the moment.
    pub(super) fn place(&self) -> Option<&'static str> {
        enabled(self.level()).then_some(self.row.part)
    }

    /// Writes it at its level; does nothing if that level is not written at the moment.
    pub fn log(self) {
        if enabled(self.level) {
            write_in(self.level, self.row.part, format_args!("{}", self.text));
        }
    }

    /// Writes it at another level of its row.
    pub fn log_at(self, level: Priority) {
        self.at(level).log();
    }
}

impl Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::catalogue;

    #[test]
    fn an_optional_key_is_left_out_if_it_is_empty_and_a_required_one_is_not() {
        let event =
            Event::new(&catalogue::SESSION_BEGIN).field("partner", "").field("tls", "").field("ssid", "");
        assert_eq!(event.text(), r#"session_begin partner="" ssid="""#);
    }

    #[test]
    fn a_peer_cannot_forge_a_field_or_a_line() {
        let event = Event::new(&catalogue::SESSION_BEGIN)
            .field("partner", "ACME")
            .field("subject", "CN=x\n20261122 INFO session_end")
            .field("ssid", &b"O0013 \xff"[..])
            .field_num("tls", 4_u64)
            .field_display("address", std::net::Ipv4Addr::LOCALHOST)
            .field_opt("serial", None::<&str>);
        assert_eq!(
            event.text(),
            concat!(
                r#"session_begin partner=ACME subject="CN=x\n20261122 INFO session_end""#,
                r#" ssid="O0013 \xff" tls=4 address=127.0.0.1"#
            )
        );
    }
}
