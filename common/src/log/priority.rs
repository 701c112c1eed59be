//! The nine priorities of log4c, which are our levels: their names and values, and what corresponds to them in `log`,
//! in syslog and among the signals. `catalogue` has the level of each line. Plain values in one table; no files, no
//! processes.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How grave a line is, with log4c's values: a smaller value is graver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u16)]
pub enum Priority {
    /// This process cannot go on.
    Fatal = 0,
    /// Somebody must act at once.
    Alert = 100,
    /// A part has failed.
    Crit = 200,
    /// An operation has failed, by our fault or because of the environment.
    Error = 300,
    /// A fault of a peer, or something that will become an error.
    Warn = 400,
    /// Normal, but important.
    Notice = 500,
    /// Something begins or ends.
    Info = 600,
    /// The course of a session, a line for each command.
    Debug = 700,
    /// Every buffer.
    Trace = 800,
}

/// One row: priority, name in files and lines, nearest level of `log`, severity in syslog (RFC 5424 §6.2.1).
struct Row(Priority, &'static str, ::log::Level, u8);

const TABLE: [Row; 9] = [
    Row(Priority::Fatal, "FATAL", ::log::Level::Error, 0),
    Row(Priority::Alert, "ALERT", ::log::Level::Error, 1),
    Row(Priority::Crit, "CRIT", ::log::Level::Error, 2),
    Row(Priority::Error, "ERROR", ::log::Level::Error, 3),
    Row(Priority::Warn, "WARN", ::log::Level::Warn, 4),
    Row(Priority::Notice, "NOTICE", ::log::Level::Info, 5),
    Row(Priority::Info, "INFO", ::log::Level::Info, 6),
    Row(Priority::Debug, "DEBUG", ::log::Level::Debug, 7),
    Row(Priority::Trace, "TRACE", ::log::Level::Trace, 7),
];

/// The signals that choose a level (numbers of Linux on x86, ARM and RISC-V).
const SIGNALS: [(i32, Priority); 5] = [
    (20, Priority::Trace),
    (21, Priority::Debug),
    (22, Priority::Info),
    (23, Priority::Error),
    (24, Priority::Fatal),
];

impl Priority {
    /// All nine, the gravest first.
    pub const ALL: [Self; 9] = [
        Self::Fatal,
        Self::Alert,
        Self::Crit,
        Self::Error,
        Self::Warn,
        Self::Notice,
        Self::Info,
        Self::Debug,
        Self::Trace,
    ];

    /// log4c's value, 0 to 800.
    pub fn value(self) -> u16 {
        self as u16
    }

    /// The priority of a value, if it is one of the nine.
    pub fn from_value(value: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| u64::from(priority.value()) == value)
    }

    /// The level that signal `number` (20 to 24) asks for.
    pub fn of_signal(number: i32) -> Option<Self> {
        SIGNALS.into_iter().find(|(signal, _)| *signal == number).map(|(_, priority)| priority)
    }

    /// The priority that `text` names. As in log4c, case does not count and text after a known name is ignored:
    /// `warning` is WARN, `critical` is CRIT.
    pub fn named(text: &str) -> Option<Self> {
        TABLE.iter().find(|row| begins_with(text, row.1)).map(|row| row.0)
    }

    /// The name in upper case.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The nearest of the five levels of `log`.
    pub(super) fn log_level(self) -> ::log::Level {
        self.row().2
    }

    /// The severity of syslog.
    pub(super) fn severity(self) -> u8 {
        self.row().3
    }

    fn row(self) -> &'static Row {
        let [fatal, rest @ ..] = &TABLE;
        rest.iter().find(|row| row.0 == self).unwrap_or(fatal)
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Whether `text` begins with `name`; upper and lower case count as the same.
pub(super) fn begins_with(text: &str, name: &str) -> bool {
    text.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_each_priority_once_in_order() {
        assert_eq!(TABLE.each_ref().map(|row| row.0), Priority::ALL);
        assert!(Priority::ALL.is_sorted());
        for (index, priority) in Priority::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(priority.value()), index * 100);
            assert_eq!(Priority::from_value(u64::from(priority.value())), Some(priority));
            assert_eq!(Priority::named(&priority.name().to_lowercase()), Some(priority));
        }
        assert_eq!(Priority::from_value(900), None);
    }

    #[test]
    fn each_signal_lets_through_as_many_priorities_as_documented() {
        for (signal, lines) in [(20, 9), (21, 8), (22, 7), (23, 4), (24, 1)] {
            let level = Priority::of_signal(signal).unwrap();
            assert_eq!(
                Priority::ALL.iter().filter(|priority| **priority <= level).count(),
                lines,
                "{signal}"
            );
        }
        assert_eq!(Priority::of_signal(19), None);
        assert_eq!(Priority::of_signal(25), None);
    }

    #[test]
    fn names_are_read_as_log4c_reads_them() {
        assert_eq!(Priority::named("warning"), Some(Priority::Warn));
        assert_eq!(Priority::named("Critical"), Some(Priority::Crit));
        assert_eq!(Priority::named("war"), None);
        assert_eq!(Priority::named(""), None);
        assert_eq!(Priority::named("inf\u{f6}"), None);
    }
}
