//! The 18 commands: first octet, name, section of RFC 5024, and the levels that have them.
//!
//! Only this table is here; `layout` has the fields after the first octet.

use super::level::Level;
use super::level::{ALL, L4_UP, L5, Levels};
use std::fmt;

/// One of the 18 commands of RFC 5024 §5.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandCode {
    /// Start Session Ready Message.
    Ssrm,
    /// Start Session.
    Ssid,
    /// Start File.
    Sfid,
    /// Start File Positive Answer.
    Sfpa,
    /// Start File Negative Answer.
    Sfna,
    /// Data Exchange Buffer.
    Data,
    /// Set Credit.
    Cdt,
    /// End File.
    Efid,
    /// End File Positive Answer.
    Efpa,
    /// End File Negative Answer.
    Efna,
    /// End Session.
    Esid,
    /// Change Direction.
    Cd,
    /// End to End Response.
    Eerp,
    /// Negative End Response.
    Nerp,
    /// Ready To Receive.
    Rtr,
    /// Security Change Direction.
    Secd,
    /// Authentication Challenge.
    Auch,
    /// Authentication Response.
    Aurp,
}

use CommandCode::{
    Auch, Aurp, Cd, Cdt, Data, Eerp, Efid, Efna, Efpa, Esid, Nerp, Rtr, Secd, Sfid, Sfna, Sfpa, Ssid, Ssrm,
};

/// In the order of the RFC's sections: command, first octet, name, section, levels.
const COMMANDS: [(CommandCode, u8, &str, &str, Levels); 18] = [
    (Ssrm, b'I', "SSRM", "RFC 5024 §5.3.1", ALL),
    (Ssid, b'X', "SSID", "RFC 5024 §5.3.2", ALL),
    (Sfid, b'H', "SFID", "RFC 5024 §5.3.3", ALL),
    (Sfpa, b'2', "SFPA", "RFC 5024 §5.3.4", ALL),
    (Sfna, b'3', "SFNA", "RFC 5024 §5.3.5", ALL),
    (Data, b'D', "DATA", "RFC 5024 §5.3.6", ALL),
    (Cdt, b'C', "CDT", "RFC 5024 §5.3.7", ALL),
    (Efid, b'T', "EFID", "RFC 5024 §5.3.8", ALL),
    (Efpa, b'4', "EFPA", "RFC 5024 §5.3.9", ALL),
    (Efna, b'5', "EFNA", "RFC 5024 §5.3.10", ALL),
    (Esid, b'F', "ESID", "RFC 5024 §5.3.11", ALL),
    (Cd, b'R', "CD", "RFC 5024 §5.3.12", ALL),
    (Eerp, b'E', "EERP", "RFC 5024 §5.3.13", ALL),
    (Nerp, b'N', "NERP", "RFC 5024 §5.3.14", L4_UP),
    (Rtr, b'P', "RTR", "RFC 5024 §5.3.15", ALL),
    (Secd, b'J', "SECD", "RFC 5024 §5.3.16", L5),
    (Auch, b'A', "AUCH", "RFC 5024 §5.3.17", L5),
    (Aurp, b'S', "AURP", "RFC 5024 §5.3.18", L5),
];

impl CommandCode {
    /// All commands, in the order of the RFC's sections.
    pub fn all() -> impl Iterator<Item = Self> {
        COMMANDS.iter().map(|row| row.0)
    }

    /// The command that begins with `octet`.
    pub fn from_octet(octet: u8) -> Option<Self> {
        if octet == b'D' {
            return Some(Data);
        }
        COMMANDS.iter().find(|row| row.1 == octet).map(|row| row.0)
    }

    fn row(self) -> Option<&'static (Self, u8, &'static str, &'static str, Levels)> {
        COMMANDS.get(self as usize)
    }

    /// The first octet of the command's Exchange Buffer.
    pub fn octet(self) -> u8 {
        self.row().map_or(0, |row| row.1)
    }

    /// The RFC's name, four capitals (`CD`, `CDT` and `RTR`: fewer).
    pub fn name(self) -> &'static str {
        self.row().map_or("", |row| row.2)
    }

    /// Where the RFC describes it, `RFC 5024 §5.3.n`.
    pub fn section(self) -> &'static str {
        self.row().map_or("", |row| row.3)
    }

    /// Whether `level` has the command.
    pub fn exists_at(self, level: Level) -> bool {
        self.row().is_some_and(|row| row.4.has(level))
    }
}

impl fmt::Display for CommandCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::CommandCode;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        assert_eq!(CommandCode::all().count(), 18);
        for (place, code) in CommandCode::all().enumerate() {
            assert_eq!(code as usize, place);
            assert_eq!(CommandCode::from_octet(code.octet()), Some(code));
        }
    }
}
