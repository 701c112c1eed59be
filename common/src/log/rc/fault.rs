//! A fault in one element of an rc file: an error if the daemon uses the element, otherwise a warning.

use crate::log::error::LogError;
use std::fmt;
use std::path::Path;

/// One fault, with its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fault {
    /// Line of the element, from 1.
    pub(super) line: u32,
    /// The element with its name, as in `<appender name="x">`.
    pub(super) element: String,
    /// What is wrong, and what would be right.
    pub(super) what: String,
}

impl Fault {
    /// The fault as the reason why `file` cannot be used.
    pub(super) fn in_file(self, file: &Path) -> LogError {
        let Self { line, element, what } = self;
        LogError::Element { file: file.to_owned(), line, element, what }
    }

    /// The fault as a warning about `file`.
    pub(super) fn warning(&self, file: &Path) -> String {
        format!("{}:{self}; this daemon does not use it", file.display())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, element, what } = self;
        write!(f, "{line}: {element}: {what}")
    }
}
